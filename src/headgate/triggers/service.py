"""Everything that goes on by itself, in one process: what is due is found, run and told."""

from __future__ import annotations

from headgate.app.project import Project

from .keeper import Keeper, log
from .performer import Performer
from .queue import WorkQueue


class Service:
    """Of several at one ledger, one is at it at a time."""

    def __init__(self, project: Project) -> None:
        self._keeper = Keeper(project, WorkQueue(project))
        self._performer = Performer(project, log)

    def start(self) -> None:
        """Begin."""
        self._keeper.start()
        self._performer.start()

    def stop(self) -> None:
        """End; another process may go on at once."""
        self._performer.stop()
        self._keeper.stop()
