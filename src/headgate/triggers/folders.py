"""Hearing of changes in folders of this machine at once, where the system tells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path


class Folders:
    """Tells when something changes in folders. Those that lie on another machine may be silent: looking is what counts.

    Args:
        told: called from another thread.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._watched: set[Path] = set()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, folders: set[Path]) -> None:
        """Listen to these folders, and to no others."""
        if folders == self._watched:
            return
        self.stop()
        self._watched, self._ending = set(folders), threading.Event()
        if folders:
            self._thread = threading.Thread(
                target=self._listen, args=(sorted(folders), self._ending), name="folders", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Listen no longer."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self._thread, self._watched = None, set()

    def _listen(self, folders: list[Path], ending: threading.Event) -> None:
        try:
            import watchfiles

            # Not deeper: the ledger, which is written all the time, may lie below.
            for _ in watchfiles.watch(
                *folders, recursive=False, stop_event=ending, debounce=400, rust_timeout=1_000, raise_interrupt=False
            ):
                self._told()
        except (ImportError, OSError, RuntimeError):
            return  # the system has no more of it; the folders are looked at from time to time
