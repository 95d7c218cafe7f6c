"""Knowing callers by their tokens and sessions."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import anyio
from starlette.requests import HTTPConnection

from headgate.app.access import LONGEST_SESSION, SESSION
from headgate.app.tokens import is_whole
from headgate.ledger.access import AccessLedger
from headgate.model.access import Role
from headgate.model.errors import HeadgateError

from .access import OpenGuard, Principal
from .failures import Failures, place_of
from .origin import check_local, check_origin
from .problems import Problem

COOKIE: Final = "headgate"
SAFE_COOKIE: Final = f"__Host-{COOKIE}"
"""The same over TLS: browsers take one of such a name only from the server itself, over TLS."""
# Seconds after which the ledger is asked again whether somebody is still let in; while one request asks, the others go on
# for one more. What the ledger could not be asked about is not let in any longer than the last of these.
FRESH: Final = 3.0
_ASKING: Final = 1.0
STALE: Final = 4.5
_KNOWN: Final = 10_000


@dataclass(slots=True)
class _Known:
    principal: Principal
    asked: float
    fresh: float
    expires: float  # in seconds of the clock on the wall


class LocalGuard(OpenGuard):
    """Lets everybody do everything who is on this machine, but no page that a browser on it happens to show."""

    def admit(self, request: HTTPConnection, role: Role, import_name: str | None = None) -> Principal:
        """See `Guard`."""
        check_local(request)
        check_origin(request, known=False)
        return super().admit(request, role, import_name)


class LedgerGuard:
    """Lets in who shows a token or session that the ledger knows.

    Whoever was let in is remembered for some seconds, so that the ledger is not asked at every request; revoking works
    within 5 s. A client that shows wrong tokens again and again is turned away for a while; who is known is not.

    Args:
        ledger: with a connection of its own, so that nobody waits here for what others write.
    """

    def __init__(
        self,
        ledger: AccessLedger,
        *,
        failures: Failures | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self.failures = failures or Failures(20, 60.0)
        self._known: dict[bytes, _Known] = {}
        self._used: dict[str, datetime] = {}
        self._alive: dict[str, datetime] = {}
        self._lock = threading.Lock()
        self._asking = anyio.CapacityLimiter(2)

    async def meet(self, request: HTTPConnection) -> None:
        """See `Guard`."""
        text, is_session = _shown(request)
        if self._fresh(_key(text, is_session)) is None:
            await anyio.to_thread.run_sync(self._learn, text, is_session, _address(request), limiter=self._asking)

    def admit(self, request: HTTPConnection, role: Role, import_name: str | None = None) -> Principal:
        """See `Guard`."""
        text, is_session = _shown(request)
        known = self._fresh(_key(text, is_session)) or self._learn(text, is_session, _address(request))
        if is_session:
            check_origin(request, known=True)
        p = known.principal
        if p.role < role:
            raise Problem(403, "forbidden", f"{p.name} is {p.role.word}, and this needs {role.word}")
        if import_name is not None and not p.reaches(import_name):
            raise Problem(403, "forbidden", f"{p.name} may not touch the import {import_name!r}")
        return Principal(p.name, p.role, p.imports, _address(request))

    def forget(self) -> None:
        """Ask the ledger again about everybody: something was changed."""
        self._known.clear()

    def write_down(self) -> None:
        """Tell the ledger who was here since the last time. What it cannot be told is told the next time."""
        with self._lock:
            used, self._used = self._used, {}
            alive, self._alive = self._alive, {}
        if not used and not alive:
            return
        try:
            self._ledger.note_used(used, alive)
        except HeadgateError:
            with self._lock:
                self._used, self._alive = used | self._used, alive | self._alive

    def _fresh(self, key: bytes) -> _Known | None:
        known = self._known.get(key)
        if known is None or known.fresh <= self._clock() or known.expires <= time.time():
            return None
        return known

    def _learn(self, text: bytes, is_session: bool, address: str) -> _Known:
        """Ask the ledger who this is.

        Raises:
            Problem: nobody who is let in.
        """
        key, place = _key(text, is_session), place_of(address)
        known = self._known.get(key)
        if known is not None:
            known.fresh = min(self._clock() + _ASKING, known.asked + STALE)
        elif wait := self.failures.wait(place):
            raise too_many(wait)
        asked = self._clock()
        try:
            found = self._session(text) if is_session else self._token(text)
        except Problem:
            self._known.pop(key, None)
            if not is_session:  # a session that has ended is no guess
                self.failures.add(place)
            raise
        found.asked, found.fresh = asked, asked + FRESH
        if len(self._known) >= _KNOWN:
            self._known.pop(next(iter(self._known)), None)
        self._known[key] = found
        return found

    def _token(self, text: bytes) -> _Known:
        shown = text.decode("latin-1")
        if not is_whole(shown):
            raise unauthorized("this is no token of Headgate", hint="It may have been cut off; it begins with hg_.")
        digest = hashlib.sha256(text).hexdigest()
        token = self._ledger.token_of(digest)
        if token is None:
            raise unauthorized(
                "nobody here knows this token", hint="Ask an administrator for one: headgate tokens new."
            )
        if (state := token.state()) != "valid":
            raise unauthorized(f"the token {token.name} is {state}", hint="Ask an administrator for another.")
        with self._lock:
            self._used[digest] = datetime.now(UTC)
        imports = None if token.imports is None else frozenset(token.imports)
        expires = token.expires.timestamp() if token.expires else float("inf")
        return _Known(Principal(token.name, token.role, imports), 0.0, 0.0, expires)

    def _session(self, text: bytes) -> _Known:
        digest = hashlib.sha256(text).hexdigest()
        user = self._ledger.session_user(digest, LONGEST_SESSION)
        if user is None:
            raise unauthorized("the session has ended", hint="Sign in again.")
        with self._lock:
            self._alive[digest] = datetime.now(UTC) + SESSION
        return _Known(Principal(user.name, user.role), 0.0, 0.0, float("inf"))


def session_of(request: HTTPConnection) -> str | None:
    """What a browser shows that is signed in."""
    cookies: Mapping[str, str] = request.cookies
    return cookies.get(SAFE_COOKIE if request.url.scheme == "https" else COOKIE)


def unauthorized(detail: str, *, hint: str = "") -> Problem:
    """The answer to who is not let in."""
    return Problem(401, "unauthorized", detail, hint=hint, headers={"WWW-Authenticate": 'Bearer realm="headgate"'})


def too_many(wait: float) -> Problem:
    """The answer to who failed too often."""
    seconds = int(wait) + 1
    return Problem(
        429, "too-many-failures", f"too many failures; try again in {seconds} s", headers={"Retry-After": str(seconds)}
    )


def _shown(request: HTTPConnection) -> tuple[bytes, bool]:
    """What somebody shows, and whether it is a session.

    Raises:
        Problem: nothing, or something else.
    """
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            if value[:7].lower() != b"bearer ":
                raise unauthorized("only tokens let in here", hint="Send Authorization: Bearer hg_….")
            return value[7:].strip(), False
    if session := session_of(request):
        return session.encode(), True
    raise unauthorized("this needs a token", hint="Send Authorization: Bearer hg_…; headgate tokens new makes one.")


def _key(text: bytes, is_session: bool) -> bytes:
    digest = hashlib.sha256(text).digest()
    return b"session" + digest if is_session else digest


def _address(request: HTTPConnection) -> str:
    client = request.scope.get("client")
    return str(client[0]) if client else ""
