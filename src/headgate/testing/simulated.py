"""What the APIs for tests have in common that records are sent to: a server on 127.0.0.1 that remembers what it was asked and goes
wrong when it is told to, before, during and after it acts."""

from __future__ import annotations

import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

FaultKind = Literal["status", "cut_before", "cut_after", "hang_before", "hang_after", "status_after"]
Answer = tuple[int, dict[str, str], Any]
"""Status, headers and body: bytes as they are, anything else as JSON."""

_DECODE = msgspec.json.Decoder(float_hook=Decimal)
_ENCODE = msgspec.json.Encoder(decimal_format="number")


@dataclass(slots=True)
class Trouble:
    """Something that goes wrong.

    Attributes:
        kind: ``status`` (that answer, and nothing is done), ``status_after`` (done, and that answer), ``cut_before`` and
            ``cut_after`` (the connection is lost before, or after it was done), ``hang_before`` and ``hang_after`` (no answer until
            the server is closed).
        method, path: which requests; the path is a regular expression.
        skip: how many of them go well first.
        times: how often it goes wrong then.
        has: only requests whose body has this text.
        body: of the answer with `status`; by default what the API says to that status.
    """

    kind: FaultKind
    method: str = ""
    path: str = ""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int = 1
    has: str = ""
    body: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the server has seen."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, but not that a client is gone: tests kill them."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class SimulatedApi(ABC):
    """A server on a free port of 127.0.0.1, in a thread of its own.

    Args:
        delay: seconds that every answer takes.
        port: a port of its own, or 0 for a free one.

    Attributes:
        calls: every request, in order.
        most: how many were under way at once, at the most.
    """

    def __init__(self, *, delay: float = 0.0, port: int = 0) -> None:
        self.delay = delay
        self.calls: list[Call] = []
        self.most = self._busy = 0
        self._troubles: list[Trouble] = []
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="simulated-api", daemon=True
        )
        self._thread.start()

    @abstractmethod
    def respond(
        self, method: str, path: str, query: dict[str, list[str]], headers: Mapping[str, str], body: Any
    ) -> Answer:
        """Do what a request asks for; one at a time. `headers` has the names in lower case."""

    def failure(self, status: int) -> Any:
        """The body of an answer with this status, for faults."""
        return {"error": f"fault {status}"}

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fault(self, kind: FaultKind, **more: Any) -> None:
        """Have something go wrong (`Trouble` says what can be told)."""
        self._troubles.append(Trouble(kind, **more))

    def mend(self) -> None:
        """Have everything go well from now on."""
        self._troubles.clear()

    def close(self) -> None:
        """Stop, and let go of who hangs."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Answer | None:
        """What a request is answered with; None where the connection is to be lost."""
        parts = urlsplit(target)
        body = _decoded(raw)
        lower = {k.lower(): v for k, v in headers.items()}
        with self._lock:
            self.calls.append(Call(method, target, lower, body))
            trouble = self._trouble(method, parts.path, raw)
            self._busy += 1
            self.most = max(self.most, self._busy)
        try:
            if self.delay:
                time.sleep(self.delay)
            if trouble is not None and trouble.kind in ("status", "cut_before", "hang_before"):
                return self._failed(trouble)
            with self._lock:
                found = self.respond(method, parts.path, parse_qs(parts.query), lower, body)
            return found if trouble is None else self._failed(trouble)
        finally:
            with self._lock:
                self._busy -= 1

    def _failed(self, trouble: Trouble) -> Answer | None:
        if trouble.kind.startswith("hang"):
            self._closing.wait()
        if trouble.kind.startswith("status"):
            body = trouble.body if trouble.body is not None else self.failure(trouble.status)
            return trouble.status, trouble.headers, body
        return None

    def _trouble(self, method: str, path: str, raw: bytes) -> Trouble | None:
        for one in self._troubles:
            if (
                (one.method and one.method != method)
                or (one.path and not re.fullmatch(one.path, path))
                or one.has.encode() not in raw
            ):
                continue
            if one.skip:
                one.skip -= 1
            elif one.times:
                one.times -= 1
                return one
        return None


def _decoded(raw: bytes) -> Any:
    try:
        return _DECODE.decode(raw) if raw else None
    except msgspec.DecodeError:
        return raw.decode(errors="replace")


def _handler(server: SimulatedApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = server.answer(self.command, self.path, dict(self.headers), raw)
            if found is None:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            status, headers, body = found
            packed = body if isinstance(body, bytes) else b"" if body is None else _ENCODE.encode(body)
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - as the library calls them

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    return Handler
