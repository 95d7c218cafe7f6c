"""Putting runs where workers find them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from headgate.app.moving import manifest_of
from headgate.app.project import Definition, Project, only
from headgate.app.service import destination_name
from headgate.ledger.queue import Queue
from headgate.ledger.triggers import Triggers, Turn
from headgate.model.run import Kind, Run
from headgate.model.work import Work, WorkKind
from headgate.model.write import Operation


class WorkQueue:
    """The queue of a project's ledger, as triggers use it (`clock.Queue`)."""

    def __init__(self, project: Project) -> None:
        store = project.ledger.store()
        self._project, self._queue, self._triggers = project, Queue(store), Triggers(store)

    def waiting(self, name: str) -> str:
        """See `clock.Queue`."""
        found = self._triggers.going(name)
        return f"run {found[0]} was {'going on' if found[1] else 'waiting'}" if found else ""

    def put(self, turn: Turn, definition: Definition, reason: str, files: Sequence[str] | None) -> int:
        """See `clock.Queue`."""
        spec = definition.spec
        # What a mirror does not see it takes to be gone; and a list may be about files that came before it.
        whole = files is None or spec.operation is Operation.MIRROR or any(map(manifest_of(definition), files))
        settings = [] if whole else [only(spec.source, files or (), rooted=spec.moves_files)]
        operation, destination = definition.spec.operation.value, destination_name(self._project, definition)
        run = Run(definition.name, Kind.RUN, operation, destination, definition.fingerprint, datetime.now(UTC))
        run.base = str(definition.base)
        parameters = {"settings": settings, "from_start": False}
        return self._queue.enter(turn.session, Work(WorkKind.RUN, definition.name, reason, parameters), run)
