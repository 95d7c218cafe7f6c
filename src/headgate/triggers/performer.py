"""A worker of the plainest kind: it takes runs of imports from the queue, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from headgate.app.oneline import definition_for
from headgate.app.project import Project
from headgate.app.service import run_import
from headgate.ledger.queue import Queue
from headgate.model.errors import Busy, Cancelled, HeadgateError
from headgate.model.work import Work, WorkKind

_PAUSE = 0.3
_SIGN = 2.0


class Performer:
    """Runs what is in the queue.

    Args:
        log: where it says what became of runs.
    """

    def __init__(self, project: Project, log: Callable[[str], None]) -> None:
        self._project, self._log = project, log
        self._queue = Queue(project.ledger.store())
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin, in threads of its own."""
        for work in (self._go_on, self._give_signs):
            thread = threading.Thread(target=work, name="performer", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Break off what is going on, which is run again by whoever comes next, and end."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _give_signs(self) -> None:
        while not self._ending.wait(_SIGN):
            with suppress(HeadgateError):
                self._queue.heartbeat()
                self._queue.recover_stale()

    def _go_on(self) -> None:
        while not self._ending.wait(_PAUSE):
            with suppress(HeadgateError):
                while not self._ending.is_set() and (work := self._queue.claim()) is not None:
                    self._do(work)

    def _do(self, work: Work) -> None:
        name = work.import_name
        if work.kind is not WorkKind.RUN:
            self._queue.hand_back(work.id, 60)
            return
        try:
            definition = definition_for(self._project, name, settings=tuple(work.parameters.get("settings", ())))
            self._project.ledger.fulfil(work.id)
            run = run_import(self._project, definition, self._observe)
        except (Busy, Cancelled) as e:
            self._queue.hand_back(work.id, 1, words=e.message)
        except HeadgateError as e:
            self._queue.finish(work.id, e.message)
            self._log(f"{name}: {e.message}")
        else:
            self._queue.finish(work.id)
            self._log(f"{name}: run {run.id} {run.status.value}")

    def _observe(self, progress: object) -> None:
        del progress
        if self._ending.is_set():
            raise Cancelled("the server is ending")
