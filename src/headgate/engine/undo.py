"""Taking a run back: its journal, reversed, is carried out like a plan, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from headgate.ledger import Ledger
from headgate.ledger.outbox import LedgerOutbox
from headgate.model.errors import UsageError
from headgate.model.outcome import Outcome
from headgate.model.record import Origin, Problem, Reject
from headgate.model.run import Kind, Run, Status
from headgate.model.sent import NEVER_SENT
from headgate.model.table import SchemaChange
from headgate.model.write import ACTION, NUMBER, OLD, Refusal, WriteSpec
from headgate.spi.destination import Destination, DropsColumns, Writer
from headgate.spi.reversal import reversal, reversed_batch

from .delivery import Checkpoint, Delivery, alive, claim, scope
from .journal import check_journal, read_journal
from .net import net_changes
from .prepare import IRREVERSIBLE, NO_JOURNAL
from .resume import settle_earlier
from .runner import Observe, Progress, aborting, delivering

DROPPED = "drop "
ACTIONS = {"created": ("created",), "updated": ("updated", "marked"), "deleted": ("deleted",)}


def check_undo(run: Run, ledger: Ledger) -> None:
    """Refuse what cannot be taken back.

    Raises:
        UsageError: a plan, not done, undone already, or without a journal.
    """
    if run.kind is Kind.PLAN:
        raise UsageError(f"{run.id} is a plan: nothing was written, so there is nothing to undo")
    _check_retries(run, ledger)
    if run.status is Status.UNDONE:
        done = [r.id for r in ledger.children(run.id) if r.kind is Kind.UNDO and r.status is Status.SUCCEEDED]
        hint = f"Run {done[-1]} did it; to have it again: headgate undo {done[-1]}." if done else ""
        raise UsageError(f"run {run.id} is undone already", hint=hint)
    if run.status in (Status.QUEUED, Status.RUNNING):
        raise UsageError(f"run {run.id} is not done yet", hint="Wait for it, or stop it, and undo it then.")
    if run.status in (Status.FAILED, Status.CANCELLED) and _sent(run, ledger):
        raise UsageError(
            f"run {run.id} was broken off while it was sending, and what it sent is in no account yet",
            hint=f"Run it again, which goes on with it (headgate run {run.import_name}), and undo it then.",
        )
    if run.status in (Status.FAILED, Status.CANCELLED) and not committed(run):
        raise UsageError(f"run {run.id} {run.status}: nothing of it was kept, so there is nothing to undo")
    made = ", ".join(c.summary.removeprefix(DROPPED) for c in run.schema_changes if c.summary.startswith(DROPPED))
    if run.kind is Kind.UNDO and made:
        raise UsageError(
            f"undo {run.id} also removed the {made}, which is not made again by taking it back",
            hint=f"Run the import again: headgate run {run.import_name}.",
        )
    why = next((w.partition(": ")[2] for w in run.warnings if w.startswith(IRREVERSIBLE)), "")
    if why not in ("", NO_JOURNAL) and not ledger.has_journal(run.id):
        raise UsageError(
            f"run {run.id} cannot be undone: {why}",
            hint="Take back there by hand what it did; once the connection says how, later runs can be undone.",
        )
    check_journal(ledger, run.id)


def _sent(run: Run, ledger: Ledger) -> bool:
    """Whether its import has sent something that is in no account yet."""
    left = LedgerOutbox(lambda: ledger).left(scope(ledger, run.lease)) if run.lease else []
    return any(one.answer != NEVER_SENT for one in left)


def _check_retries(run: Run, ledger: Ledger) -> None:
    """What was written last is taken back first; and what is open again is retried, not put back."""
    for number in reversed(ledger.retries(run.id)):
        retry = ledger.run(number)
        wrote = any(retry.account.outcomes[o] for o in (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED))
        if wrote and retry.status in (Status.SUCCEEDED, Status.PARTIAL):
            raise UsageError(
                f"run {number} retried records of run {run.id}, and what it wrote came later",
                hint=f"Undo that first: headgate undo {number}.",
            )
    of = ledger.run(run.parent_id) if run.kind is Kind.UNDO and run.parent_id is not None else None
    if of is not None and of.kind is Kind.RETRY:
        raise UsageError(
            f"run {run.id} took a retry back, and its records are open again",
            hint=f"Retry them: headgate retry {of.parent_id}.",
        )


def committed(run: Run) -> int:
    """Commits of a run that did not come to its end."""
    return Checkpoint.of(run.checkpoint).segments if len(run.checkpoint) > 2 else 0


class Undo:
    """The undo of one run.

    Args:
        of: the run.
        ledger: with its journal.
        forced: also what was edited since.
        only: of ``created``, ``updated``, ``deleted``: take back only those; all by default.
    """

    def __init__(self, of: Run, ledger: Ledger, *, forced: bool = False, only: str | None = None) -> None:
        self._of = of
        self._ledger = ledger
        self._only = ACTIONS[only] if only else None
        segments = read_journal(ledger.fetch_journal(of.id))
        if of.status in (Status.FAILED, Status.CANCELLED):
            segments = segments[: committed(of)]
        self._segments = segments
        self._written = segments[0].written
        self._forced = forced
        self.made_table = any(s.written.write.create for s in segments)
        self.added = sorted({name for s in segments for name in s.written.write.added})

    @property
    def write(self) -> WriteSpec:
        """What the writer is told."""
        return replace(reversal(self._written, forced=self._forced), journal=True)

    def look(self, destination: Destination, run: Run, observe: Observe) -> list[Reject]:
        """Find out what an undo would do, and write nothing.

        Returns:
            The records it would leave.
        """
        with aborting(destination.open(replace(self.write, journal=False))) as writer:
            rows = self._send(writer.write, observe)
            observe(Progress("matching", rows))
            matched = writer.match()
            run.account = matched.account
            run.account.read = rows
            return list(self._left(matched.refusals, destination))

    def run(self, destination: Destination, run: Run, observe: Observe) -> None:
        """Do it.

        Args:
            destination: where the run wrote.
            run: the undo's own record, begun in the ledger.
        """
        with alive(self._ledger, run):
            ticket, last = claim(destination, self._ledger, run)
            if last is not None and last.run != run.id:
                settle_earlier(self._ledger, last)
            write = replace(self.write, ticket=ticket)
            with delivering(destination, write, self._ledger, run) as (writer, delivery):
                self._carry_out(writer, delivery, destination, run, observe)

    def _carry_out(
        self, writer: Writer, delivery: Delivery, destination: Destination, run: Run, observe: Observe
    ) -> None:
        rows = self._send(delivery.write, observe)
        run.account.read = rows
        observe(Progress("matching", rows))
        writer.match()
        observe(Progress("writing", rows))
        applied = delivery.apply()
        run.account.merge_outcomes(applied.account)
        self._ledger.record_rejects(run.id, self._left(applied.refusals, destination))
        run.account.check("The undo")
        if not self._only and not run.account.rejects:
            self._drop(writer, run)
        observe(Progress("committing", rows, run.account.rejects))
        delivery.commit(done=True)

    def _drop(self, writer: Writer, run: Run) -> None:
        """Remove the table, or the columns, that the run made, if nothing else needs them."""
        table = self._written.write.table
        if self.added and not self.made_table and isinstance(writer, DropsColumns):
            gone = writer.drop_columns(self.added)
            run.schema_changes += [SchemaChange(f"{DROPPED}column {c} of {table}", "") for c in gone]
            run.warnings += [
                f"the column {c} of {table} stays: it holds values, or something refers to it"
                for c in self.added
                if c not in gone
            ]
        if not self.made_table:
            return
        if writer.drop():
            run.schema_changes.append(SchemaChange(f"{DROPPED}table {table}", ""))
        else:
            run.warnings.append(f"{self._of.destination} stays: it holds other records, or something refers to it")

    def _send(self, write: Callable[[pa.RecordBatch], None], observe: Observe) -> int:
        rows = 0
        for batch in self._turned():
            write(batch)
            rows += batch.num_rows
            observe(Progress("reading", rows))
        return rows

    def _turned(self) -> Iterator[pa.RecordBatch]:
        """What is to be taken back, numbered by its place in the journal."""
        done = self._taken_back()
        position = 0
        for batch in net_changes(self._segments):
            turned = reversed_batch(self._written, batch, position)
            position += batch.num_rows
            wanted = pc.invert(pc.is_in(turned.column(NUMBER), done))
            if self._only:
                actions = batch.column(ACTION) if ACTION in batch.schema.names else pa.repeat("created", batch.num_rows)
                wanted = pc.and_(wanted, pc.is_in(actions, pa.array(self._only)))
            turned = turned.filter(wanted)
            if turned.num_rows:
                yield turned

    def _taken_back(self) -> pa.Array:
        """Places in the journal of what earlier undos of the run have taken back; they left the rest."""
        numbers: list[pa.Array] = []
        for child in self._ledger.children(self._of.id):
            if child.kind is Kind.UNDO and child.status in (Status.SUCCEEDED, Status.PARTIAL):
                segments = read_journal(self._ledger.fetch_journal(child.id))
                numbers += [b.column(NUMBER) for s in segments for b in s.batches()]
        return pa.concat_arrays(numbers) if numbers else pa.array([], pa.int64())

    def _left(self, refusals: Sequence[Refusal], destination: Destination) -> Iterator[Reject]:
        """Records that stay as they are, with what they would have been."""
        by_number = {r.number: r for r in refusals}
        if not by_number:
            return
        wanted = pa.array(sorted(by_number), pa.int64())
        write = self.write
        readable = destination.readable if self._written.images is not None else str
        for batch in self._turned():
            for row in batch.filter(pc.is_in(batch.column(NUMBER), wanted)).to_pylist():
                refusal = by_number[row[NUMBER]]
                values = {f.name: row[f.name] if row[f.name] is not None else row[OLD + f.name] for f in write.fields}
                raw = {name: None if v is None else readable(v) for name, v in values.items()}
                which = ", ".join(f"{k} {raw[k]}" for k in write.key) or "a record"
                held = refusal.outcome == Outcome.HELD
                code = "HE03" if held else refusal.code
                reason = "it was edited or removed since the run, and was left as it is" if held else refusal.reason
                problem = Problem(code, f"{which}: {reason}")
                yield Reject(row[NUMBER], Outcome(refusal.outcome), (problem,), raw, Origin())
