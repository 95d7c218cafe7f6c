"""Telling the ledger who was here."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .guard import LedgerGuard


class Presence:
    """Tells the ledger every minute when tokens were used and until when sessions go on; a `Component`."""

    def __init__(self, guard: LedgerGuard, seconds: float = 60.0) -> None:
        self._guard, self._seconds = guard, seconds
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """Tell what is still to be told."""
        self._stopped.set()
        if self._task is not None:
            await self._task
        await asyncio.to_thread(self._guard.write_down)

    async def _go_on(self) -> None:
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), self._seconds)
                return
            await asyncio.to_thread(self._guard.write_down)
