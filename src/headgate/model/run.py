"""One execution of an import, as the ledger keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .outcome import Account
from .table import SchemaChange


class Kind(StrEnum):
    """What was executed; all are numbered together. An undo takes a run back, a retry tries refused records of one again."""

    RUN = "run"
    PLAN = "plan"
    UNDO = "undo"
    RETRY = "retry"
    REQUESTS = "requests"


class Status(StrEnum):
    """How far an execution has come. ``partial`` is done with some rejects."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class PartitionRead:
    """One piece of the source as it was read: its name, what was found by looking, how many records it had, and, where it
    was asked for, by what its content is known again."""

    name: str
    findings: dict[str, object]
    read: int = 0
    digest: str = ""


@dataclass(slots=True)
class Run:
    """One execution.

    Attributes:
        id: number in the ledger, counted up from 1; 0 before it is there.
        import_name: name of the definition, or of the file for one-line imports.
        operation, destination: what was done where (``upsert``, ``sqlite:///shop.db#product``, without secrets).
        fingerprint: hash of the definition; a plan is run only with the definition it was made with.
        plan_id: the plan that was run, if one was.
        parent_id: of an undo: the run that is taken back; of a retry: the run whose records it tries again, never a retry.
        account: the outcomes; balanced unless the run failed.
        partitions: what was read.
        schema_changes: what was, or would be, changed in the destination's schema.
        warnings: for people.
        error: why it failed, for people; empty otherwise.
        started, finished: in UTC.
        base: folder that a relative path in the destination starts from.
        lease: the import at its destination, of which only one run goes on at a time; empty for plans.
        fence: the right to commit there; the highest counts.
        checkpoint: how far it has come, of a run that commits batch by batch; empty for others.
        resumed: whether it goes on where it was left by an earlier process.
        whole: of an undo: whether all of the run was to be taken back.
        in_doubt: the destination has not said what was committed: it did not answer to a commit, or the process is gone.
    """

    import_name: str
    kind: Kind
    operation: str
    destination: str
    fingerprint: str
    started: datetime
    id: int = 0
    plan_id: int | None = None
    parent_id: int | None = None
    status: Status = Status.RUNNING
    account: Account = field(default_factory=Account)
    partitions: list[PartitionRead] = field(default_factory=list)
    schema_changes: list[SchemaChange] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    finished: datetime | None = None
    base: str = ""
    lease: str = ""
    fence: int = 0
    checkpoint: str = ""
    resumed: bool = False
    whole: bool = True
    in_doubt: bool = False

    @property
    def seconds(self) -> float:
        """How long it took, or has taken up to its last record in the ledger; 0 while it is running."""
        return (self.finished - self.started).total_seconds() if self.finished else 0.0
