"""Counting failures, so that nobody can go on guessing."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable


class Failures:
    """How often something failed of late. Bounded: when there are too many to remember, the oldest are forgotten.

    Args:
        most: after so many failures within `seconds` of the first of them, nothing more is tried until they are over.
        keys: how many are remembered.
    """

    def __init__(
        self, most: int, seconds: float, *, keys: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._seconds, self._keys, self._clock = most, seconds, keys, clock
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait(self, key: str) -> float:
        """Seconds until it may be tried again; 0 when it may."""
        count, end = self._counts.get(key, (0, 0.0))
        return max(end - self._clock(), 0.0) if count >= self._most else 0.0

    def add(self, key: str) -> None:
        """One more failure."""
        with self._lock:
            count, end = self._counts.get(key, (0, 0.0))
            now = self._clock()
            if now >= end:
                self._counts.pop(key, None)
                count, end = 0, now + self._seconds
            self._counts[key] = (count + 1, end)
            if len(self._counts) > self._keys:
                del self._counts[next(iter(self._counts))]

    def forget(self, key: str) -> None:
        """It went well."""
        with self._lock:
            self._counts.pop(key, None)


def place_of(address: str) -> str:
    """What is counted as one client: an address; of IPv6 the network of 64 bits that one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
