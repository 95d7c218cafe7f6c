"""Calling an ASGI application without a server: its loop runs in a thread of its own, with its lifespan."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote

from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Asgi:
    """An application that is going on; a context manager."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._said: asyncio.Queue[Any] = asyncio.Queue()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(
            self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._told.get, self._said.put),
            self._loop,
        )
        self._lifespan("startup")
        return self

    def __exit__(self, *_: object) -> None:
        self._lifespan("shutdown")
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _lifespan(self, what: str) -> None:
        self._run(self._told.put({"type": f"lifespan.{what}"}))
        said = self._run(self._said.get())
        assert said["type"] == f"lifespan.{what}.complete", said

    def _run(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(120)

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, **how: Any
    ) -> Said:
        """Send a request and wait for the answer. May be called from several threads.

        Args:
            how: ``pieces``: the body in several; ``gone``: the client goes away after them.
        """
        return self._run(
            self._call(method, path, list(how.get("pieces", [body])), headers or {}, bool(how.get("gone")))
        )

    async def _call(self, method: str, path: str, pieces: list[bytes], headers: Mapping[str, str], gone: bool) -> Said:
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(k.lower().encode(), v.encode("utf-8", "surrogateescape")) for k, v in headers.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if pieces:
                return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces) or gone}
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        start, *rest = sent
        told = {k.decode(): v.decode() for k, v in start["headers"]}
        return Said(start["status"], told, b"".join(m.get("body", b"") for m in rest))
