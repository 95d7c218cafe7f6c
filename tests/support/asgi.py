"""Calling an ASGI application without a server: its loop runs in a thread of its own, with its lifespan."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote

from starlette.applications import Starlette


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

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._stack.enter_async_context(self._app.router.lifespan_context(self._app)))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stack.aclose())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

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
