"""Going on where a run that commits batch by batch was left."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from headgate.ledger import Ledger
from headgate.ledger.answers import Answers
from headgate.model.counting import counted, verb
from headgate.model.errors import SourceError, UsageError
from headgate.model.outcome import Account
from headgate.model.record import Batch, record_number
from headgate.model.run import Run, Status
from headgate.model.write import Ticket
from headgate.spi.destination import Destination
from headgate.spi.outbox import Remembers
from headgate.spi.source import Partition

from .delivery import NOTHING, Checkpoint

START = (0, 0)


UNKNOWN = "; whether its last commit was done is not known until its destination answers, which every command asks"
"""What the error of a run in doubt ends with."""


def conclude(ledger: Ledger, run: Run, last: Checkpoint | None) -> None:
    """Close a run in doubt as what its destination says of it.

    Args:
        last: what was committed last of its import.
    """
    run.in_doubt, run.error = False, run.error.removesuffix(UNKNOWN)
    if last is None or last.run != run.id:
        ledger.forget(ledger.journal_path(run.id))
        shutil.rmtree(ledger.journal_path(run.id), ignore_errors=True)
    elif last.requests:
        keep_answers(ledger, last)
        last.settles(run)
        ledger.forget_rejects(run.id, record_number(*last.position), abandoned=True)
    elif not last.settles(run):
        run.status = Status.FAILED
        run.error += f"; {counted(last.account.read, 'record')} {verb(last.account.read, 'was', 'were')} read and committed, and the next run goes on from there"
    ledger.settle(run)


def keep_answers(ledger: Ledger, last: Checkpoint) -> None:
    """Keep the answers to requests that a checkpoint says were committed: who was at them may have died before it could."""
    if not last.requests and not last.answers:
        return
    try:
        name = ledger.run(last.run).import_name
    except UsageError:  # pruned
        return
    without: dict[str, list[dict[str, object]]] = {r: [] for r in last.requests}
    Answers(ledger).answered(name, without | last.answers)


def settle_earlier(ledger: Ledger, last: Checkpoint) -> Run | None:
    """Set right how an earlier run was closed, if its destination knows better; that run, if it was.

    A process that dies between its destination's commit and the ledger is taken for failed until somebody asks.
    """
    try:
        run = ledger.run(last.run)
    except UsageError:  # pruned
        return None
    if run.status not in (Status.FAILED, Status.CANCELLED) or not last.settles(run):
        return None
    run.finished = run.finished or datetime.now(UTC)
    run.in_doubt = False
    ledger.settle(run)
    return run


def sent_before(destination: Destination, ticket: Ticket | None) -> int:
    """How many requests an earlier process sent that no account has; none where the destination has transactions."""
    if ticket is None or not isinstance(destination, Remembers):
        return 0
    return destination.pending(ticket.scope)


def lost_sight_of(pending: int) -> str:
    """What is said of requests that this run does not go on with."""
    return f"{counted(pending, 'request')} that an earlier run had sent before it was broken off {verb(pending, 'is', 'are')} in no account; look at the destination what became of {verb(pending, 'it', 'them')}"


def resume(
    ledger: Ledger, run: Run, partitions: list[Partition], last: Checkpoint | None, pending: int = 0
) -> tuple[int, int]:
    """Bring a run that goes on to where its destination says it was left.

    Args:
        last: what the destination says.
        pending: how many requests were sent after that.

    Returns:
        Index of the partition and ordinal in it of the first record to be read.

    Raises:
        SourceError: the source is another one than it was, and reading it from its beginning would add records twice.
    """
    if last is None or last.run != run.id:
        run.account, run.partitions, run.warnings, run.checkpoint = Account(), [], [], NOTHING
        ledger.forget_rejects(run.id, 0)
        return START
    # The ledger may be one commit behind.
    run.checkpoint = last.text()
    same = last.sources == sources(partitions) and all(digest for _, digest in last.sources)
    if not same and run.operation in ("append", "insert") and (last.account.read or pending):
        sent = f" and {pending:,} more requests" if pending else ""
        raise SourceError(
            f"run {run.id} was left after {counted(last.account.read, 'record')}{sent}, and the source has changed since",
            hint="What was committed stays. To import the source as it is now from its beginning: --from-start.",
        )
    last.settles(run)
    run.status = Status.RUNNING
    if same:
        ledger.forget_rejects(run.id, record_number(*last.position))
        return last.position
    run.account, run.partitions = Account(), []
    if last.account.read or pending:
        run.warnings.append("the source has changed since the run was left, so it was read again from its beginning")
    ledger.forget_rejects(run.id, 0)
    return START


def sources(partitions: list[Partition]) -> list[tuple[str, str]]:
    """Names and contents of the partitions, as a checkpoint keeps them."""
    return [(p.name, p.digest) for p in partitions]


def rest(batches: Iterator[Batch], ordinal: int) -> Iterator[tuple[Batch, bool]]:
    """All batches, each with whether it is to be done: those before `ordinal` were done already."""
    for batch in batches:
        if not ordinal or end(batch) <= ordinal:
            yield batch, not ordinal
            continue
        new = [i for i, o in enumerate(batch.ordinals) if o >= ordinal]
        first = new[0] if new else batch.records.num_rows
        faults = [f.ordinal >= ordinal for f in batch.faults]
        done = Batch(
            batch.records.slice(0, first), batch.ordinals[:first],
            tuple(f for f, later in zip(batch.faults, faults, strict=True) if not later),
        )  # fmt: skip
        if len(done):
            yield done, False
        later = tuple(f for f, is_later in zip(batch.faults, faults, strict=True) if is_later)
        yield Batch(batch.records.slice(first), batch.ordinals[first:], later), True


def pieces(batch: Batch, rows: int) -> Iterator[Batch]:
    """A batch in batches of at most so many records, with the faults that stand among them."""
    count, after = batch.records.num_rows, -1
    for start in range(0, max(count, 1), rows):
        last = start + rows >= count
        numbers = batch.ordinals[start : start + rows]
        until = sys.maxsize if last else numbers[-1]
        faults = tuple(f for f in batch.faults if after < f.ordinal <= until)
        yield Batch(batch.records.slice(start, rows), numbers, faults)
        after = until


def end(batch: Batch) -> int:
    """The ordinal that follows a batch's last record."""
    last = batch.ordinals[-1] if len(batch.ordinals) else -1
    return max(last, *(f.ordinal for f in batch.faults), -1) + 1
