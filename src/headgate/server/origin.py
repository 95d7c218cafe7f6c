"""Where a request of a browser comes from: another site's page must not act in the name of who is signed in here."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from .problems import Problem

SAFE = ("GET", "HEAD", "OPTIONS")
LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names that lead to this machine from itself alone."""


def check_origin(request: HTTPConnection, *, known: bool) -> None:
    """Refuse what another site's page sends.

    Args:
        known: refuse also what does not say where it comes from, which no browser does that is of use today.

    Raises:
        Problem: it comes from elsewhere.
    """
    if request.scope.get("method", "GET") in SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        same = site in ("same-origin", "none")
    elif origin is not None:
        same = origin != "null" and urlsplit(origin).netloc == request.headers.get("host")
    else:
        same = not known
    if not same:
        raise Problem(
            403,
            "other-site",
            "a page of another site sent this, or nobody said which",
            hint="Programs use a token: Authorization: Bearer hg_….",
        )


def check_local(request: HTTPConnection) -> None:
    """Refuse what was not sent to this machine under its own name: a name of somebody's that leads here is a trick.

    Raises:
        Problem: it was sent to another name.
    """
    try:
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        name = None
    if name not in LOCAL:
        raise Problem(
            421, "other-host", "without tokens only this machine's own names are answered", hint="Use http://localhost."
        )
