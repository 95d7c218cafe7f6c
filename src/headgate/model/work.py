"""Work that waits for a worker: an execution that somebody, or something, asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class WorkKind(StrEnum):
    """What is to be done. ``plan_run`` writes what a plan says."""

    RUN = "run"
    PLAN = "plan"
    PLAN_RUN = "plan_run"
    UNDO = "undo"
    RETRY = "retry"


class WorkStatus(StrEnum):
    """Where it stands; how it ended its run says."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(slots=True)
class Work:
    """One piece of work.

    Attributes:
        kind: what is to be done.
        import_name: the import concerned: of one, only one piece of work that writes is done at a time.
        cause: why, for people (``schedule``, ``watch inbox/a.csv``, ``after products``, ``request by NAME``, ``hook NAME``).
        parameters: what else there is to know, by the kind (`headgate.app.requests`); JSON.
        not_before: it is not begun before that.
        id: number of the run that was given out when it came; 0 before it is in the queue.
        run_id: number of the run that carries it out: `id`, or a later one when it was begun again, or an earlier one that
            was left half-way and goes on.
        attempts: how often a worker has taken it without finishing it or handing it back.
        worker: who has it, for people.
        cancel: it is to be stopped.
        progress: how far it has come, as the worker said last (``phase``, ``read``, ``rejects``, ``partition``, ``fraction``).
    """

    kind: WorkKind
    import_name: str
    cause: str
    parameters: dict[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None
    requested: datetime | None = None
    id: int = 0
    status: WorkStatus = WorkStatus.QUEUED
    run_id: int = 0
    attempts: int = 0
    worker: str = ""
    cancel: bool = False
    progress: dict[str, Any] = field(default_factory=dict)
