"""Running and planning: read, map and write overlap; then match, apply, commit.

The order at the end of a run is: rejects to the ledger, the destination's commit, the ledger's account. Whatever goes wrong
before the commit leaves the destination as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa

from headgate.ledger import Ledger
from headgate.model.counting import counted, verb
from headgate.model.errors import Cancelled, Fenced, HeadgateError, LimitExceeded
from headgate.model.outcome import Outcome
from headgate.model.record import Batch, Mapped, Reject
from headgate.model.run import Kind, PartitionRead, Run, Status
from headgate.model.write import Matched, Operation, WriteSpec
from headgate.spi.destination import Destination, NamesMade, Tells, Writer
from headgate.spi.source import Cancels, Fetches, Scan

from .ahead import ahead
from .anomaly import check_usual
from .crash import point
from .delivery import Delivery, alive, claim, done_status
from .earlier import earlier_runs
from .evolve import COLUMNS
from .identified import keep_ids
from .interrupts import breaking_off, uninterrupted
from .limits import check_expected, check_rejects, check_writes, kept, together
from .parents import made_in, make_entries, making
from .prepare import IRREVERSIBLE, NO_JOURNAL, Prepared
from .refused import InvalidRecords, RecordedAtOnce, late
from .resume import START, conclude, end, lost_sight_of, pieces, rest, resume, sent_before, settle_earlier, sources


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an execution has come, after every batch and at every change of phase.

    Attributes:
        phase: ``fetching`` (a slow source's records, before anything is done with them), ``looking up`` (which entries lookups lack), ``reading``, ``matching``, ``writing``, ``committing``.
        fraction: share of the source read, 0 to 1; None when not known.
    """

    phase: str
    read: int = 0
    rejects: int = 0
    partition: str = ""
    fraction: float | None = None


_AT_ONCE = 20_000
"""Most records of a commit where the destination has no transactions: they are held in memory one by one, and their requests in the
outbox."""

Observe = Callable[[Progress], None]
# Takes a plan's changes, and the limit that would stop a run of it (empty when none does).
Save = Callable[[Iterator[pa.RecordBatch], str], None]


@dataclass(frozen=True, slots=True)
class _Step:
    """What the reading side hands to the writing side: a batch, or the end of its partition."""

    partition: int
    scan: Scan
    batch: Batch | None
    mapped: Mapped | None = None
    due: bool = True  # false: it was committed before, by a process that died


class Runner:
    """One execution of a prepared import.

    Args:
        run: its record, begun in the ledger.
        observe: is told of progress, from the calling thread.
    """

    def __init__(self, prepared: Prepared, ledger: Ledger, run: Run, observe: Observe) -> None:
        self._prepared = prepared
        self._ledger = ledger
        self._run = run
        self._observe = observe
        self._account = run.account
        self._start = START

    def plan(self, save: Save) -> None:
        """Do everything but writing, and hand the changes to `save`."""
        self._fetch()
        write = replace(self._prepared.write, journal=False)
        if not self._prepared.write.journal and not any(w.startswith(IRREVERSIBLE) for w in self._run.warnings):
            self._run.warnings.append(f"{IRREVERSIBLE}: {NO_JOURNAL}")
        with aborting(self._prepared.destination.open(write), self._prepared.first) as writer:
            self._plan(writer, save)

    def run(self) -> None:
        """Do it; or the rest of it, where an earlier process has left it."""
        p, run = self._prepared, self._run
        with alive(self._ledger, run):
            self._fetch()
            ticket, last = claim(p.destination, self._ledger, run)
            run.in_doubt = False
            if last is not None and last.run != run.id:
                self._check_unsettled(settle_earlier(self._ledger, last))
            for earlier in self._ledger.in_doubt(run.lease):
                conclude(self._ledger, earlier, last)
            pending = sent_before(p.destination, ticket)
            if run.resumed:
                self._start = resume(self._ledger, run, p.partitions, last, pending)
                self._account = run.account
            elif pending:
                run.warnings.append(lost_sight_of(pending))
            write = replace(p.write, ticket=ticket)
            with delivering(p.destination, write, self._ledger, run, p.first) as (writer, delivery):
                delivery.sources = sources(p.partitions)
                if not p.destination.capabilities.transactional and not run.resumed:
                    delivery.begin()
                self._execute(writer, delivery)

    def _fetch(self) -> None:
        """Have a slow source's records here before the destination is kept waiting for them."""
        if isinstance(self._prepared.first, Fetches):
            name = self._prepared.partitions[0].name
            for here in self._prepared.first.fetch():
                self._observe(Progress("fetching", here, partition=name))

    def _check_unsettled(self, earlier: Run | None) -> None:
        """What a retry carries was chosen before it was known that an earlier run had been done after all."""
        if earlier is not None and self._run.kind is Kind.RETRY:
            raise HeadgateError(
                f"run {earlier.id}, which was taken for failed, had been done after all; nothing was tried again",
                hint=f"Look at it (headgate show {earlier.id}), and retry what is still open.",
            )

    def _plan(self, writer: Writer, save: Save) -> None:
        self._make_entries(writer)
        self._run.warnings += made_in(self._prepared, lambda what: f"would create {what}")
        for mapped in self._mapped():
            writer.write(mapped.accepted)
        matched = self._match(writer)
        keep_ids(self._ledger, self._run, writer)  # a plan's run does not look at what needs no change
        self._settle(matched)
        stops = ""
        try:
            self._check_expected()
            check_writes(self._prepared.spec, self._account, matched.in_scope)
            self._check_rejects()
            self._check_usual()
        except LimitExceeded as e:
            stops = e.message
            self._run.warnings.append(f"a run would stop here: {stops}")
        save(writer.changes(), stops)

    def _execute(self, writer: Writer, delivery: Delivery) -> None:
        self._make_entries(writer)
        pending = True  # without any record too: the table may have to be made
        for step, mapped in self._accepted():
            delivery.write(mapped.accepted)
            pending = not self._prepared.write.batched
            if not pending and step.batch is not None:
                delivery.position = step.partition, end(step.batch)
                self._finish(writer, delivery, done=False)
        if pending and not self._committed_before:
            self._finish(writer, delivery, done=not self._prepared.write.batched)
        if self._prepared.write.batched:
            self._check_usual()

    @property
    def _committed_before(self) -> bool:
        return self._start != START

    def _finish(self, writer: Writer, delivery: Delivery, *, done: bool) -> None:
        matched = self._match(writer)
        self._check_expected()
        both = together(self._account, matched)
        check_writes(self._prepared.spec, both, matched.in_scope)
        whole, batched = self._prepared.destination.capabilities.transactional, self._prepared.write.batched
        if not whole and not batched:  # all was read, and nothing was sent yet
            try:
                check_rejects(self._prepared.spec, both, finished=True)
            except LimitExceeded:
                self._settle(matched)
                raise
        self._tell("writing")
        if isinstance(writer, Tells):
            writer.watch(self._tell_written)
        applied = delivery.apply()
        self._run.warnings += applied.warnings
        self._settle(applied)
        if whole:
            self._check_rejects()
            if not batched:
                self._check_usual()
        self._account.check("The run")
        self._tell_made()
        self._tell("committing")
        delivery.commit(done=done)
        if not whole:  # what was done is done, and must be accounted for
            self._check_rejects("" if batched else "what was sent is kept")
            if not batched:
                self._check_usual()

    def _make_entries(self, writer: Writer) -> None:
        if making(self._prepared.fields):
            self._tell("looking up")
            make_entries(self._prepared, writer)

    def _tell_made(self) -> None:
        """What was made for lookups is part of the first commit."""
        made = made_in(self._prepared, lambda what: f"created {what}")
        self._run.warnings += [words for words in made if words not in self._run.warnings]

    def _check_rejects(self, stays: str = "") -> None:
        check_rejects(self._prepared.spec, self._account, finished=True, stays=stays)

    def _check_expected(self) -> None:
        check_expected(self._prepared.spec, self._account)
        self._prepared.totals.check(self._account, kept(self._prepared.spec))

    def _check_usual(self) -> None:
        spec = self._prepared.spec
        if spec.anomaly is not None:
            before = [r.account for r in earlier_runs(self._ledger, self._run, spec.anomaly.runs)]
            self._run.warnings += check_usual(spec.anomaly, self._account, before, kept(spec))

    def _match(self, writer: Writer) -> Matched:
        self._tell("matching")
        deletions = True
        if self._prepared.spec.operation is Operation.MIRROR:
            if self._account.read == self._account.outcomes[Outcome.SKIPPED]:
                left = " that the filter lets through" if self._account.read else ""
                raise LimitExceeded(
                    f"the source has no records{left}, and mirror does not take that for an order to delete everything",
                    hint="Check the source. To empty the table, do it at the destination.",
                )
            if refused := self._account.rejects:
                deletions = False
                self._run.warnings.append(
                    f"nothing was deleted: {counted(refused, 'record')} of the source {verb(refused, 'was', 'were')} refused, and must not be taken for gone"
                )
        matched = writer.match(deletions=deletions)
        if isinstance(writer, NamesMade):
            self._run.schema_changes = writer.made()
        return matched

    def _settle(self, matched: Matched) -> None:
        """Take a writer's account into the run's and its refusals to the ledger."""
        self._account.merge_outcomes(matched.account)
        if matched.refusals:
            p = self._prepared
            first = None if p.write.batched else p.first  # which is still being read then
            self._record(late(matched.refusals, p.source, p.partitions, first, p.fields))
        self._account.check("The run")

    def _record(self, rejects: Iterable[Reject]) -> None:
        self._ledger.check_held(self._run)
        self._ledger.record_rejects(self._run.id, rejects)

    def _mapped(self) -> Iterator[Mapped]:
        return (mapped for _, mapped in self._accepted())

    def _accepted(self) -> Iterator[tuple[_Step, Mapped]]:
        """Mapped batches with accepted records in them; everything else of them is accounted for here."""
        invalid: InvalidRecords | RecordedAtOnce | None = None
        with closing(self._steps()) as steps:
            for step in steps:
                if invalid is None:
                    invalid = self._invalid(step)
                if step.batch is None:
                    invalid.flush()
                    self._end_of_partition(step)
                    invalid = None
                    continue
                if step.mapped is None or not step.due:
                    continue
                if (
                    self._prepared.write.batched
                ):  # what follows goes under the run's number, which who takes it over keeps
                    self._ledger.check_held(self._run)
                self._count(step.batch, step.mapped)
                invalid.add(step.mapped.rejects)
                if step.mapped.accepted.num_rows:
                    self._prepared.totals.add(step.mapped.accepted)
                    yield step, step.mapped
                self._tell("reading", step)

    def _invalid(self, step: _Step) -> InvalidRecords | RecordedAtOnce:
        if not self._prepared.write.batched:
            return InvalidRecords(step.partition, step.scan, self._record)
        name = self._prepared.partitions[step.partition].name
        return RecordedAtOnce(step.partition, name, step.scan, self._ledger, self._run.id)

    def _steps(self) -> Generator[_Step]:
        yield from ahead(self._map(ahead(self._read())))

    def _read(self) -> Generator[_Step]:
        p = self._prepared
        partition, ordinal = self._start
        for index in range(partition, len(p.partitions)):
            scan = p.first if index == 0 else p.source.open(p.partitions[index])
            batches = scan.batches()
            if not p.destination.capabilities.transactional:
                batches = (piece for batch in batches for piece in pieces(batch, _AT_ONCE))
            for batch, due in rest(batches, ordinal if index == partition else 0):
                yield _Step(index, scan, batch, due=due)
            yield _Step(index, scan, None)

    def _map(self, steps: Iterator[_Step]) -> Generator[_Step]:
        """Batches that are not due are mapped all the same where later ones must know their values."""
        knowing = any(f.unique for f in self._prepared.fields.values())
        for step in steps:
            if step.batch is None or not (step.due or knowing):
                yield step
                continue
            program = self._prepared.program(step.scan, self._prepared.partitions[step.partition].name)
            yield replace(step, mapped=program.map(step.batch, step.partition))

    def _count(self, batch: Batch, mapped: Mapped) -> None:
        self._account.read += len(batch)
        self._account.add(Outcome.SKIPPED, mapped.skipped, reason="filter")
        held = mapped.rejects.held
        self._account.add(Outcome.HELD, held)
        self._account.add(Outcome.INVALID, len(mapped.rejects) - held)
        if len(batch) != mapped.accepted.num_rows + mapped.skipped + len(mapped.rejects):
            self._account.check("A batch")
        check_rejects(self._prepared.spec, self._account, finished=False)

    def _end_of_partition(self, step: _Step) -> None:
        name = self._prepared.partitions[step.partition].name
        read = self._account.read - sum(p.read for p in self._run.partitions)
        findings = dict(step.scan.findings)
        if not self._run.partitions:
            findings[COLUMNS] = list(step.scan.schema.names)
        if not self._run.partitions and self._prepared.found:
            findings["lookups"] = self._prepared.found
        self._run.warnings += [f"{name}: {words}" for words in source_warnings(findings)]
        self._run.partitions.append(
            PartitionRead(name, findings, read, self._prepared.partitions[step.partition].digest)
        )
        if step.partition:
            step.scan.close()

    def _tell_written(self, count: int) -> None:
        """How many of the records that were read are written, while that takes long."""
        before = sum(self._run.account.outcomes.values())
        fraction = min(1.0, (before + count) / max(1, self._account.read))
        self._observe(Progress("writing", self._account.read, self._account.rejects, fraction=fraction))

    def _tell(self, phase: str, step: _Step | None = None) -> None:
        count = len(self._prepared.partitions)
        if step is None:
            self._observe(Progress(phase, self._account.read, self._account.rejects))
            return
        fraction = (step.partition + step.scan.progress()) / count
        name = self._prepared.partitions[step.partition].name
        self._observe(Progress(phase, self._account.read, self._account.rejects, name, fraction))


def source_warnings(findings: dict[str, object]) -> list[str]:
    """What of the source's end is no part of the table, in words: nobody would miss it until it is missed; and what else the
    source warns of."""
    left, told = findings.get("left_out"), findings.get("warnings")
    words = [one["words"] for one in left if one["what"] != "before the table"] if isinstance(left, list) else []
    return [*words, *(told if isinstance(told, list) else [])]


@contextmanager
def aborting(writer: Writer, scan: Scan | None = None) -> Iterator[Writer]:
    """The writer; on leaving, what was not committed is forgotten. Ctrl-C breaks off what it and the scan are busy with."""
    try:
        with breaking_off(_both(writer, scan)):
            yield writer
    finally:
        with uninterrupted():
            writer.abort()


def _both(writer: Writer, scan: Scan | None) -> Callable[[], None]:
    def cancel() -> None:
        if isinstance(scan, Cancels):
            scan.cancel()
        writer.cancel()

    return cancel


@contextmanager
def delivering(
    destination: Destination, write: WriteSpec, ledger: Ledger, run: Run, scan: Scan | None = None
) -> Iterator[tuple[Writer, Delivery]]:
    """A writer with its journal and checkpoints; on leaving, what was not committed is forgotten. Ctrl-C breaks off what
    it and the scan are busy with.
    """
    writer = destination.open(write)
    delivery = Delivery(writer, write, ledger, run)
    try:
        with breaking_off(_both(writer, scan)):
            yield writer, delivery
    finally:
        with uninterrupted():
            delivery.abort()


def finishing(ledger: Ledger, run: Run, work: Callable[[], None], kept: str = "nothing was kept") -> Run:
    """Do the work and close the run in the ledger, however it ends.

    Args:
        kept: what is at the destination when the work does not come to its end, for people.

    Raises:
        HeadgateError: what stopped it; the run is then failed (or cancelled) in the ledger.
    """
    taken_over = False
    try:
        work()
        run.status = done_status(run.account)
    except Fenced:
        taken_over = True  # whoever took over has closed it, or goes on with it
        raise
    except (KeyboardInterrupt, Cancelled):
        if run.status is Status.RUNNING:
            run.status, run.error = Status.CANCELLED, f"cancelled by hand; {kept}"
            raise Cancelled(f"{run.kind} {run.id} was cancelled; {kept}") from None
        raise stopped_late(run) from None
    except HeadgateError as e:
        run.status, run.error = Status.FAILED, str(e)
        raise
    except BaseException as e:
        run.status, run.error = Status.FAILED, f"a fault of Headgate's own: {type(e).__name__}: {e}"
        raise
    finally:
        run.finished = datetime.now(UTC)
        with uninterrupted():
            point("ledger.before")
            if not taken_over:
                ledger.finish(run)
            point("ledger.after")
    return run


def stopped_late(run: Run) -> Cancelled:
    """What to raise for a signal to stop that came when a run was over."""
    if run.status in (Status.SUCCEEDED, Status.PARTIAL):
        return Cancelled(f"stopped; {run.kind} {run.id} was done already, and what it did is kept")
    return Cancelled(f"stopped; {run.kind} {run.id} {run.status}", hint=f"See: headgate show {run.id}.")
