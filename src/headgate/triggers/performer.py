"""Running what triggers have started.

An entry leaves the ledger when its run has ended, whatever it came to, so that a process which dies leaves it to the next.
What it had committed before, that one finds out from the destination.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from headgate.app.project import Project, only
from headgate.app.service import run_import
from headgate.ledger.due import Due, DueLedger
from headgate.ledger.triggers import Triggers, Turn
from headgate.model.errors import Busy, Cancelled, HeadgateError, UsageError

_AGAIN: Final = 2.0


class DueQueue:
    """Puts runs where a `Performer` of any process at the ledger finds them (`clock.Queue`)."""

    def __init__(self, project: Project) -> None:
        store = project.ledger.store()
        self._due, self._triggers = DueLedger(store), Triggers(store)

    def waiting(self, name: str) -> str:
        """See `clock.Queue`."""
        if (run := self._triggers.going(name)) is not None:
            return f"run {run} was going on"
        return "another run was waiting" if self._due.waiting(name) else ""

    def put(self, turn: Turn, name: str, reason: str, files: Sequence[str] | None) -> int:
        """See `clock.Queue`."""
        return self._due.put(turn.session, name, reason, files)


class Performer:
    """Runs what is due, one after the other.

    Args:
        mine: whether it is this process's turn.
        log: where it says what became of runs.
    """

    def __init__(self, project: Project, mine: Callable[[], bool], log: Callable[[str], None]) -> None:
        self._project, self._mine, self._log = project, mine, log
        self._due = DueLedger(project.ledger.store())
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._go_on, name="performer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Break off what is going on, which is run again by whoever comes next, and end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _go_on(self) -> None:
        while not self._ending.wait(0.3):
            with suppress(HeadgateError):  # of the ledger; the keeper says so
                if self._mine():
                    self.perform()

    def perform(self) -> int:
        """Run all that is due now.

        Returns:
            How many were run.
        """
        done = 0
        for due in self._due.entries():
            if self._ending.is_set():
                break
            if self._run(due):
                self._due.remove(due.id)
                done += 1
        return done

    def _run(self, due: Due) -> bool:
        name = due.import_name
        try:
            definition = self._project.load(name)
            if due.files is not None:
                definition = only(definition, due.files)
            run = run_import(self._project, definition, self._observe)
        except Busy:
            self._ending.wait(_AGAIN)
            return False
        except Cancelled:
            return False
        except HeadgateError as e:
            self._log(f"{name}: {e.message}")
        else:
            self._log(f"{name}: run {run.id} {run.status.value}")
        return True

    def _observe(self, progress: object) -> None:
        del progress
        if self._ending.is_set():
            raise Cancelled("the server is ending")


def known(project: Project, name: str) -> str:
    """An import's name, when there is such an import.

    Raises:
        UsageError: there is none.
    """
    try:
        project.load(name)
    except UsageError:
        if name not in project.import_files:
            raise
    return name
