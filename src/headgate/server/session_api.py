"""Signing in and out with a browser, and asking who one is."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from headgate.app.access import LONGEST_SESSION, Access
from headgate.app.tokens import digest_of
from headgate.model.access import Actor, Entry, Role

from .access import Principal, secured, unsecured
from .access_api import access_of, body_of
from .context import context_of
from .failures import Failures, place_of
from .guard import COOKIE, SAFE_COOKIE, LedgerGuard, session_of, too_many
from .origin import check_origin
from .problems import Problem

_LONGEST_NAME = 64


def routes() -> list[BaseRoute]:
    """Routes for everybody who is let in, and the one that lets them in."""
    signing = Signing()
    return [
        unsecured("/api/session", signing.sign_in, methods=["POST"], why="the body has name and password"),
        secured("/api/session", _sign_out, methods=["DELETE"], role=Role.VIEWER, narrows=True),
        secured("/api/me", _me, methods=["GET"], role=Role.VIEWER, narrows=True),
    ]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request to sign in."""

    name: str
    password: str


class Signing:
    """Signs in whoever has the password, and slows down who guesses."""

    def __init__(self) -> None:
        self.by_address = Failures(10, 60.0)
        self.by_name = Failures(20, 900.0)
        # Each takes 32 MiB and a tenth of a second of a core or more: a flood of them must not take all there is.
        self._at_once = anyio.CapacityLimiter(2)

    async def sign_in(self, request: Request) -> Response:
        """Answers the same, and takes as long, whether there is such a user or not."""
        check_origin(request, known=False)
        asked = await body_of(request, SignIn)
        address = request.client.host if request.client else ""
        place, name = place_of(address), asked.name[:_LONGEST_NAME]
        if wait := max(self.by_address.wait(place), self.by_name.wait(name)):
            raise too_many(wait)
        text = await anyio.to_thread.run_sync(_signed_in, access_of(request), asked, address, limiter=self._at_once)
        if text is None:
            self.by_address.add(place)
            self.by_name.add(name)
            raise Problem(
                401, "sign-in-failed", "name or password is wrong", hint="An administrator can set a new one."
            )
        self.by_name.forget(name)
        return _with_cookie(request, text, JSONResponse({"name": asked.name}, 201))


def _signed_in(access: Access, asked: SignIn, address: str) -> str | None:
    text = access.sign_in(asked.name, asked.password, address)
    if text is None:
        name = asked.name[:_LONGEST_NAME].replace("\x00", "")
        access.ledger.enter(Entry(Actor(name, address), "session.begin", name, "refused"))
    return text


async def _sign_out(request: Request) -> Response:
    principal, text = _principal(request), session_of(request)
    if text is None or "authorization" in request.headers:
        raise Problem(409, "not-signed-in", "a token is not signed out", hint="DELETE /api/tokens/NAME revokes one.")
    await run_in_threadpool(access_of(request).ledger.end_session, digest_of(text), principal.actor)
    guard = context_of(request).guard
    if isinstance(guard, LedgerGuard):
        guard.forget()
    response = Response(status_code=204)
    response.delete_cookie(**_cookie(request))
    return response


async def _me(request: Request) -> Response:
    principal = _principal(request)
    imports = None if principal.imports is None else sorted(principal.imports)
    return JSONResponse({"name": principal.name, "role": principal.role.word, "imports": imports})


def _with_cookie(request: Request, text: str, response: Response) -> Response:
    response.set_cookie(value=text, max_age=int(LONGEST_SESSION.total_seconds()), **_cookie(request))
    return response


def _cookie(request: Request) -> dict[str, Any]:
    """No script reads it, no other site's form sends it, and over TLS nothing but TLS carries it."""
    tls = request.url.scheme == "https"
    return {
        "key": SAFE_COOKIE if tls else COOKIE,
        "path": "/",
        "secure": tls,
        "httponly": True,
        "samesite": "lax",
    }


def _principal(request: Request) -> Principal:
    found = request.state.principal
    assert isinstance(found, Principal)
    return found
