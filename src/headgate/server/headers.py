"""What every answer says to browsers, whatever it is about."""

from __future__ import annotations

from typing import Final

from starlette.types import Message, Scope, Send

# An answer that says otherwise itself is left alone: pages of the console have scripts and styles of their own.
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_OVER_TLS: Final = (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000"))


def with_headers(scope: Scope, send: Send) -> Send:
    """Sends an answer with the headers that it lacks."""
    if scope["type"] != "http":
        return send
    wanted = _OVER_TLS if scope["scheme"] == "https" else _ALWAYS

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name for name, _ in headers}
            message = {**message, "headers": headers + [pair for pair in wanted if pair[0] not in there]}
        await send(message)

    return sending
