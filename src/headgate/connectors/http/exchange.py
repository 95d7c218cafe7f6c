"""One exchange with a server: what is asked, what is answered, and what may go wrong between."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    LocationParseError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from headgate.model.errors import SourceError

from .options import ApiOptions

REDIRECTS = (301, 302, 303, 307, 308)
_BLOCK = 1 << 16
_HANDSHAKE = ("CERTIFICATE", "HANDSHAKE", "WRONG_VERSION", "PROTOCOL_VERSION", "UNRECOGNIZED_NAME", "NO_SHARED")
_SLOW = "Raise the connection's timeout, or ask for smaller pages."
# Beyond both, what a packed answer unpacks to is no data.
_LARGE, _RATIO = 1 << 30, 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        page: number of the page it asks for, for messages; 0 where it asks for none.
        repeatable: whether it may be sent again when it is not known what became of it.
        login: whether it says who is asking.
        body: what is sent with it, or what opens that anew each time it is sent; its length is then in the headers.
        rest: how far its answer came; given where that may be gone on with after a broken connection.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[], IO[bytes]] | None = None
    page: int = 0
    repeatable: bool = True
    login: bool = True
    rest: Rest | None = None


@dataclass(slots=True)
class Rest:
    """How far an answer came.

    Attributes:
        at: bytes of it that are here.
        of: what tells its content from any other of the same address (RFC 9110, If-Range); empty where the server does not say,
            and it must begin anew.
    """

    at: int = 0
    of: str = ""


MOST_BYTES: Final = 32 << 20
"""A page is held in memory; longer answers than this are not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer, its body in a file.

    Attributes:
        call: what was asked.
        headers: by name in lower case.
    """

    call: Call
    status: int
    headers: Mapping[str, str]
    body: Path

    @property
    def kind(self) -> tuple[str, str]:
        """The media type and the character set of ``Content-Type``; empty where it does not say."""
        kind, _, rest = self.headers.get("content-type", "").partition(";")
        name, _, value = rest.strip().partition("=")
        return kind.strip().lower(), value.strip(" \"'").lower() if name.strip().lower() == "charset" else ""


class LostError(Exception):
    """An exchange did not come to its end.

    Args:
        unsent: the server has not seen the request.
        hopeless: it will not be otherwise the next time.
    """

    def __init__(self, what: str, hint: str, *, unsent: bool = False, hopeless: bool = False) -> None:
        super().__init__(what)
        self.hint, self.unsent, self.hopeless = hint, unsent, hopeless


class UndoneError(SourceError):
    """Nothing was done, whatever the request asks for: it was not sent, or the server has only said where it should be."""


def save(response: BaseHTTPResponse, out: IO[bytes], rest: Rest | None) -> None:
    """Write an answer's body to a file, or what of it is not there yet.

    Raises:
        SourceError: it is no data.
        LostError: it is another part than the one that was asked for.
    """
    if rest is not None and response.status in REDIRECTS and "Location" in response.headers:
        response.drain_conn()  # what is here may be gone on with where it leads
        return
    at = _begin(response, rest)
    out.seek(at)
    out.truncate()
    try:
        for block in response.stream(_BLOCK, decode_content=True):
            out.write(block)
            if out.tell() - at > max(_LARGE, _RATIO * response.tell()):
                raise SourceError(
                    f"an answer unpacks to more than {_LARGE >> 20:,} MiB, over {_RATIO} times its size",
                    hint="That is no data; ask whoever runs the API.",
                )
    finally:
        if rest is not None:
            rest.at = out.tell()


def _begin(response: BaseHTTPResponse, rest: Rest | None) -> int:
    """At which byte of the whole an answer begins.

    Raises:
        LostError: it is another part than the one that was asked for.
    """
    if rest is None:
        return 0
    if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        rest.of = ""  # what it says takes the place of what was here
        return 0
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        if rest.of and response.headers.get("Content-Range", "").startswith(f"bytes {rest.at}-"):
            return rest.at
        rest.of = ""
        raise LostError("it sends another part than was asked for", "Ask whoever runs the server.")
    tag, when = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    # What is packed on its way has other bytes, and a weak tag is of other bytes too.
    rest.of = "" if "Content-Encoding" in response.headers else tag if tag.startswith('"') else "" if tag else when
    return 0


def lost(e: Exception, options: ApiOptions) -> LostError:
    """What happened, in words."""
    if isinstance(e, NewConnectionError):
        cause = e.__cause__
        why = (cause.strerror if isinstance(cause, OSError) else None) or str(e).rpartition(": ")[2]
        unknown = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME  # a name that was mistyped
        hint = "Check the connection's URL, and the network."
        return LostError(f"it cannot be reached: {why}", hint, unsent=True, hopeless=unknown)
    if isinstance(e, ConnectTimeoutError):
        return LostError(f"it cannot be reached within {options.timeout:g} s", _SLOW, unsent=True)
    if isinstance(e, ReadTimeoutError):
        return LostError(f"no answer within {options.timeout:g} s", _SLOW)
    if isinstance(e, SSLError):
        why = str(e.args[0] if e.args else e)
        hint = "If its certificate is from an authority of your own, name that in the connection's ca."
        unsent = any(sign in why.upper() for sign in _HANDSHAKE)  # what else goes wrong may do so after it was sent
        return LostError(f"no secure connection: {why}", hint, unsent=unsent, hopeless="CERTIFICATE_VERIFY" in why)
    if isinstance(e, DecodeError):
        return LostError(f"its answer cannot be unpacked: {e}", "Ask whoever runs it.")
    if isinstance(e, LocationParseError | UnicodeError):
        return LostError("the URL has no sense", "Check the connection's URL.", hopeless=True)
    return LostError(f"the connection was lost: {e.args[0] if e.args else e}", "Try again later.")
