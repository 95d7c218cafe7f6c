"""How connections end when the server does."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GRACE_SECONDS: Final = 1.0
"""How long a client may take to answer that a connection is closed."""


class Protocol(HttpToolsProtocol):
    """uvicorn's, for TLS, where the end of a connection is a word of both sides: a browser that keeps one open and says nothing
    would hold the server up for half a minute.
    """

    def shutdown(self) -> None:
        """Close the connection when its request has been answered."""
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(GRACE_SECONDS, self.transport.abort)
