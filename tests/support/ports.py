"""Ports for servers that must be told theirs before they start."""

from __future__ import annotations

import itertools
import os
import re
import socket

# Below those that a system gives to whoever asks for any port: between the choice and the server's start nobody gets one of these.
FIRST = 10_000
EACH = 2_000

_worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
_next = itertools.count(os.getpid())


def free_port() -> int:
    """A port of loopback that nobody listens on, and that no other worker of the same run of tests gets."""
    for number in itertools.islice(_next, EACH):
        port = FIRST + _worker % 10 * EACH + number % EACH
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: an ended one's port is free
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("all ports are taken")
