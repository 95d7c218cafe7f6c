"""Bringing records to a destination so that a crash at any instant loses nothing and doubles nothing.

The order of every commit is: the journal on the disk, the destination's commit with the checkpoint in it, the ledger. So
whatever was committed can be taken back, and what the ledger does not know yet the destination's checkpoint says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from headgate.ledger import Ledger, patience
from headgate.model.errors import DestinationError, Fenced, HeadgateError, NoCheckpoint
from headgate.model.outcome import Account, Outcome
from headgate.model.run import PartitionRead, Run, Status
from headgate.model.write import Matched, Ticket, WriteSpec
from headgate.spi.destination import Destination, Writer

from .crash import point
from .identified import keep_ids
from .interrupts import uninterrupted
from .journal import Journal


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a destination keeps of the last commit.

    Attributes:
        run: number of the run.
        done: it was the run's last.
        account: of the run so far.
        partitions: those that were read to their end.
        position: index of the partition, and ordinal in it, of the next record to be read.
        segments: of its journal.
        warnings: so far.
        whole: `Run.whole`.
        sources: names and contents of all partitions.
        group: of a run that serves requests: the number of the group that was committed.
        requests: those in it.
        answers: to those of them that may be asked for again.
        counted: what the destination counted itself: outcomes to add to the account, skips by their reasons.
    """

    run: int
    done: bool
    account: Account
    partitions: list[PartitionRead]
    position: tuple[int, int]
    segments: int
    warnings: list[str]
    whole: bool = True
    sources: list[tuple[str, str]] = field(default_factory=list)
    group: int = 0
    requests: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    counted: dict[str, int] | str = field(default_factory=dict)

    def text(self) -> str:
        """The checkpoint as it is kept."""
        return json.dumps({
            "run": self.run, "done": self.done, "account": self.account.as_dict(), "position": self.position,
            "partitions": [[p.name, p.findings, p.read, p.digest] for p in self.partitions],
            "segments": self.segments, "warnings": self.warnings, "whole": self.whole,
            "sources": self.sources, "group": self.group, "requests": self.requests, "answers": self.answers,
            "counted": self.counted,
        }, default=str)  # fmt: skip

    @classmethod
    def of(cls, text: str) -> Checkpoint:
        """The checkpoint that `text` was made of."""
        data: dict[str, Any] = json.loads(text)
        return cls(
            data["run"], data["done"], Account.from_dict(data["account"]), [PartitionRead(*p) for p in data["partitions"]],
            tuple(data["position"]), data["segments"], data["warnings"], data["whole"],
            [(name, digest) for name, digest in data["sources"]], data.get("group", 0), data.get("requests", []),
            data.get("answers", {}),
        )._with(data.get("counted") or {})  # fmt: skip

    def _with(self, counted: dict[str, int]) -> Checkpoint:
        for what, count in counted.items():
            skipped = what in ("existing", "missing")
            self.account.read += count
            self.account.add(Outcome.SKIPPED if skipped else Outcome(what), count, reason=what if skipped else "")
        if not counted:
            return self
        self.partitions[0] = replace(self.partitions[0], read=self.account.read)
        return replace(self, position=(0, self.account.read), counted={})

    def settles(self, run: Run) -> bool:
        """Bring a run's record up to what was committed; whether that was all of it."""
        run.account, run.partitions, run.warnings = self.account, self.partitions, self.warnings
        run.whole = self.whole
        if self.done:
            run.status, run.error = done_status(self.account), ""
        return self.done


def done_status(account: Account) -> Status:
    """The status of a run that came to its end with this account."""
    return Status.PARTIAL if account.rejects else Status.SUCCEEDED


class Delivery:
    """The writing side of one run: a writer with its journal and its checkpoints.

    Args:
        writer: open.
        write: what it was told.
        ledger: where the run is.
        run: its record.
    """

    def __init__(self, writer: Writer, write: WriteSpec, ledger: Ledger, run: Run) -> None:
        self._writer = writer
        self._write = write
        self._ledger = ledger
        self._run = run
        kept = Checkpoint.of(run.checkpoint).segments if run.resumed and run.checkpoint not in ("", NOTHING) else 0
        self._journal = Journal(ledger, run.id, kept) if write.journal else None
        self._committed = kept
        self._in_doubt = False
        self.position = (0, 0)
        self.sources: list[tuple[str, str]] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Hand over mapped records."""
        point("stage.before")
        self._writer.write(batch)
        if self._journal is not None and self._write.spooled:
            self._ledger.check_held(self._run)
            self._journal.add(batch)
        point("stage.after")

    def apply(self) -> Matched:
        """Carry out what was matched, with what is needed to take it back on the disk."""
        point("match.after")
        point("journal.before")
        applied = self._writer.apply() if self._journal is None else self._journaled(self._journal)
        point("journal.after")
        return applied

    def _journaled(self, journal: Journal) -> Matched:
        self._ledger.check_held(self._run)
        writer, images = self._writer, None
        if not self._write.spooled:
            for batch in writer.before():
                journal.add(batch)
            images = writer.images()
        applied = writer.apply()
        point("apply.after")
        self._ledger.check_held(self._run)
        if images is not None:
            for batch in writer.after():
                journal.add(batch)
        repeated = images is None and bool(applied.account.skips["duplicate"])
        journal.close(self._write, images, _refused(applied), repeated=repeated)
        return applied

    def begin(self) -> None:
        """Keep what the run is about to read, where it can be broken off before its first commit with something done."""
        run, account = self._run, Account()
        start = Checkpoint(run.id, False, account, [], self.position, 0, list(run.warnings), run.whole, self.sources)
        self._writer.commit(start.text())

    def commit(self, *, done: bool) -> None:
        """Make it last.

        Args:
            done: whether the run is at its end.
        """
        run, account = self._run, Account.from_dict(self._run.account.as_dict())
        segments = self._journal.segments if self._journal is not None else 0
        checkpoint = Checkpoint(
            run.id,
            done,
            account,
            list(run.partitions),
            self.position,
            segments,
            list(run.warnings),
            run.whole,
            self.sources,
        ).text()
        keep_ids(self._ledger, run, self._writer)
        point("commit.before")
        with uninterrupted():
            try:
                self._writer.commit(checkpoint)
            except Fenced:
                raise
            except DestinationError:
                run.in_doubt = self._in_doubt = self._write.ticket is not None
                raise
            self._committed = segments
            point("commit.after")
            if done:
                run.status = done_status(run.account)
            else:
                run.checkpoint = checkpoint
                self._ledger.checkpoint(run)
                point("checkpoint.after")

    def abort(self) -> None:
        """Forget what was not committed, the journal's part of it too."""
        self._writer.abort()
        # Who goes on with a run that commits batch by batch writes its journal in the same place.
        alone = not self._run.checkpoint or self._ledger.holds(self._run)
        if self._journal is not None and not self._in_doubt and alone:
            self._journal.abandon(self._committed)


NOTHING = "{}"
"""The checkpoint of a run that commits batch by batch and has committed nothing yet."""


def _refused(applied: Matched) -> list[int]:
    return [r.number for r in applied.refusals if r.number is not None]


def ticket_for(ledger: Ledger, run: Run) -> Ticket:
    """A run's right to commit."""
    return Ticket(scope(ledger, run.lease), run.fence)


def scope(ledger: Ledger, lease: str) -> str:
    """The scope in which runs of an import follow each other at their destination."""
    import hashlib

    name = lease if len(lease) <= 200 else f"{lease[:150]}…{hashlib.sha256(lease.encode()).hexdigest()[:32]}"
    return f"{ledger.identity()}/{name}"


def claim(destination: Destination, ledger: Ledger, run: Run) -> tuple[Ticket | None, Checkpoint | None]:
    """Take the import over at its destination.

    Returns:
        The right to commit, None where the destination keeps no checkpoints; and the last checkpoint.

    Raises:
        NoCheckpoint: it cannot here, and this run would need it.
    """
    if not destination.capabilities.checkpoints:
        return None, None
    ticket = ticket_for(ledger, run)
    try:
        found = destination.claim(ticket)
    except NoCheckpoint as e:
        if run.checkpoint and run.operation in ("append", "insert"):
            raise
        run.warnings.append(f"{e.message}; after a crash it may not be known what was committed. {e.hint}".strip())
        return None, None
    return ticket, Checkpoint.of(found) if found else None


@contextmanager
def alive(ledger: Ledger, run: Run) -> Iterator[None]:
    """Give signs of life while the run goes on."""
    if not run.lease:
        yield
        return
    over, every = threading.Event(), patience() / 4

    def beat() -> None:
        while not over.wait(every):
            try:
                ledger.heartbeat(run)
            except HeadgateError:  # the next one may get through; if none does, the fence decides
                continue

    thread = threading.Thread(target=beat, name="headgate-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
