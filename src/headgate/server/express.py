"""Requests of one import on the event loop: sent off in groups and answered without a thread, where none has to wait.

Between threads, a request and its answer would each wait for the interpreter's lock; that is most of the time a small request
takes. What cannot go this way (a record that takes judgement, a key, a definition that changed) goes to the import's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from headgate.app.lane import Lane
from headgate.app.synchronous import Overloaded
from headgate.engine.mapped import Request
from headgate.model.counting import counted, verb


class Express:
    """The way of one import.

    Args:
        lane: the import.
        thread: gives a request to the import's thread.
        wake: tells who awaits requests that they are done.
        most: requests that may wait.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        lane: Lane,
        thread: Callable[[Request], None],
        wake: Callable[[Sequence[Request]], None],
        most: int,
    ) -> None:
        self._loop, self._lane, self._thread, self._wake, self._most = loop, lane, thread, wake, most
        self._waiting: list[Request] = []
        self._under_way: list[Request] = []
        self._planned = False

    def offer(self, request: Request) -> None:
        """Let a request wait for its turn.

        Raises:
            Overloaded: too many wait.
        """
        if len(self._waiting) >= self._most:
            raise Overloaded(
                f"{counted(len(self._waiting), 'request')} {verb(len(self._waiting), 'waits', 'wait')} for this import already",
                hint="Send again after the time in Retry-After, more records in a request, or fewer requests at once.",
            )
        self._waiting.append(request)
        self._plan()

    def _plan(self) -> None:
        """Begin when all that has arrived by now has been read."""
        if not self._planned and not self._under_way and self._waiting:
            self._planned = True
            self._loop.call_soon(self._go)

    def _go(self) -> None:
        self._planned = False
        group: list[Request] = []
        records = 0
        for request in self._waiting:
            records += len(request.records)
            if group and records > Lane.RECORDS:
                break
            group.append(request)
        del self._waiting[: len(group)]
        if not self._lane.begin(group):
            self._hand_over(group)
            self._plan()
            return
        self._under_way = group
        if (file := self._lane.fileno()) >= 0:
            self._loop.add_reader(file, self._look, file)
        else:
            self._finish()

    def _look(self, file: int) -> None:
        if self._lane.ready():
            self._loop.remove_reader(file)
            self._finish()

    def _finish(self) -> None:
        group, self._under_way = self._under_way, []
        left = self._lane.end()
        if left:
            self._hand_over(left)
        else:
            self._wake(group)
            if late := [r for r in group if r.late]:
                self._loop.run_in_executor(None, self._lane.settle, late)
        self._plan()

    def _hand_over(self, requests: Sequence[Request]) -> None:
        for request in requests:
            try:
                self._thread(request)
            except Overloaded as e:
                request.error = e
                self._wake([request])
