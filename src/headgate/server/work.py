"""The worker in the server: one thread that takes work from the queue. Each run is a process, so requests do not wait for it."""

from __future__ import annotations

import asyncio
import logging
import threading

from headgate.app.worker import GRACE, Worker

from .context import Context

_log = logging.getLogger("headgate.worker")


class Working:
    """Carries out runs beside requests; a `Component`. One of it is a part of the context, also where it does not work.

    Args:
        concurrency: runs at the same time; 0 to leave them to workers elsewhere.
    """

    def __init__(self, context: Context, concurrency: int, grace: float = GRACE) -> None:
        self._context = context
        self._concurrency = concurrency
        self._grace = grace
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Something waits: look at once."""
        if self._worker is not None:
            self._worker.wake()

    async def start(self) -> None:
        """Begin to take work."""
        if not self._concurrency:
            return
        worker = await asyncio.to_thread(Worker, self._context.project, self._concurrency, _log.info)
        self._worker = worker
        self._thread = threading.Thread(target=worker.run, kwargs={"grace": self._grace}, name="headgate-worker")
        self._thread.start()

    async def stop(self) -> None:
        """Take no more; finish or hand back what is under way."""
        if self._worker is not None and self._thread is not None:
            self._worker.stop()
            await asyncio.to_thread(self._thread.join)
