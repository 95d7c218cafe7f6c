"""Whose address is not public, and who is asked by a URL."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def is_private(host: str, *, look: bool = False) -> bool:
    """Whether a host is in one's own network.

    Args:
        look: ask what address it has; otherwise only what its name says counts.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal", ".lan")):
        return True
    try:
        return not ip_address(name).is_global
    except ValueError:
        pass
    if not look:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(not ip_address(str(a[4][0]).partition("%")[0]).is_global for a in found)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None
