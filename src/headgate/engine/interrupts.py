"""Ctrl-C: promptly where a database is busy for long, and not at all where something must not be half done.

Only the main thread gets signals; in any other thread nothing here has an effect.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal to stop that comes within takes effect at the end."""
    if not _in_main_thread():
        yield
        return
    came: list[int] = []
    before = [(number, signal.signal(number, lambda got, _: came.append(got))) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def breaking_off(cancel: Callable[[], None]) -> Iterator[None]:
    """A signal to stop that comes within also calls `cancel`, from another thread.

    The signal's handler itself has to wait until the main thread is back from the database.
    """
    if not _in_main_thread():
        yield
        return
    woken, waker = socket.socketpair()
    waker.setblocking(False)

    def watch() -> None:
        while got := woken.recv(64):
            if any(number in _SIGNALS for number in got):
                cancel()

    thread = threading.Thread(target=watch, name="headgate-interrupts", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        waker.close()
        thread.join()
        woken.close()
