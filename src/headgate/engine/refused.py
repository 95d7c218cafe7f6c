"""Bringing refused records to the ledger with their raw values and their place in the source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice, takewhile

from headgate.ledger import Ledger
from headgate.model.outcome import Outcome
from headgate.model.record import Batch, Origin, Problem, Reject, RejectSet, record_number, split_number
from headgate.model.spec import FieldSpec
from headgate.model.values import python_rows
from headgate.model.write import Refusal
from headgate.spi.source import Partition, Rereads, Scan, Source

Record = Callable[[Iterable[Reject]], None]
BUFFERED = 50_000


class InvalidRecords:
    """Collects what mapping refused in one partition and records it with its places.

    Finding places costs a pass over the input, so it is done for many records at once.

    Args:
        partition: index of the partition.
        record: takes the rejects, in order.
    """

    def __init__(self, partition: int, scan: Scan, record: Record) -> None:
        self._partition = partition
        self._scan = scan
        self._record = record
        self._sets: list[RejectSet] = []
        self._count = 0

    def add(self, rejects: RejectSet) -> None:
        """Take the refused records of one batch."""
        if len(rejects):
            self._sets.append(rejects)
            self._count += len(rejects)

    def flush(self) -> None:
        """Record what is collected. The scan must not be reading."""
        if not self._count:
            return
        ordinals = [o for s in self._sets for o in s.ordinals]
        origins = self._scan.locate(ordinals)
        rejects = (r for s in self._sets for r in s.rejects(self._partition))
        self._record(replace(r, origin=o) for r, o in zip(rejects, origins, strict=True))
        self._sets, self._count = [], 0


class RecordedAtOnce:
    """The same for a run that commits batch by batch: what was refused must be in the ledger before its batch is committed,
    and gets its places when the partition was read, also what an earlier process refused.

    Args:
        partition: index of the partition.
        name: its name.
        ledger: takes the rejects.
        run_id: whose they are.
    """

    def __init__(self, partition: int, name: str, scan: Scan, ledger: Ledger, run_id: int) -> None:
        self._partition = partition
        self._unplaced = Origin(file=name)
        self._scan = scan
        self._ledger = ledger
        self._run_id = run_id

    def add(self, rejects: RejectSet) -> None:
        """Record the refused records of one batch."""
        if len(rejects):
            found = (replace(r, origin=self._unplaced) for r in rejects.rejects(self._partition))
            self._ledger.record_rejects(self._run_id, found)

    def flush(self) -> None:
        """Find the places. The scan must not be reading."""
        first, beyond = record_number(self._partition, 0), record_number(self._partition + 1, 0)
        stored = self._ledger.rejects(self._run_id, after=first - 1)
        unplaced = (r for r in takewhile(lambda r: r.number < beyond, stored) if r.origin == self._unplaced)
        while piece := list(islice(unplaced, BUFFERED)):
            origins = self._scan.locate([split_number(r.number)[1] for r in piece])
            placed = [replace(r, origin=o) for r, o in zip(piece, origins, strict=True)]
            self._ledger.place_rejects(self._run_id, placed)


def late(
    refusals: list[Refusal],
    source: Source,
    partitions: list[Partition],
    first: Scan | None,
    fields: dict[str, FieldSpec],
) -> Iterator[Reject]:
    """Refusals found while matching or writing, as rejects: their records are read again from the source.

    Args:
        first: the first partition's scan, still open and read; None where it is still being read.
    """
    by_partition: dict[int, dict[int, list[Refusal]]] = defaultdict(lambda: defaultdict(list))
    for refusal in refusals:
        partition, ordinal = split_number(refusal.number)
        by_partition[partition][ordinal].append(refusal)
    for index in sorted(by_partition):
        scan = source.open(partitions[index]) if index or first is None else first
        try:
            yield from _of_scan(scan, by_partition[index], fields)
        finally:
            if scan is not first:
                scan.close()


def _of_scan(scan: Scan, wanted: dict[int, list[Refusal]], fields: dict[str, FieldSpec]) -> Iterator[Reject]:
    ordinals = sorted(wanted)
    raws = scan.reread(ordinals) if isinstance(scan, Rereads) else None
    if raws is None:
        raws = _raw(scan, ordinals)
    for ordinal, raw, origin in zip(ordinals, raws, scan.locate(ordinals), strict=True):
        for refusal in wanted[ordinal]:
            column = fields[refusal.field].column or refusal.field if refusal.field in fields else ""
            value = raw.get(column) if column else None
            problem = Problem(refusal.code, refusal.reason, refusal.field, column if column in raw else "", value)
            yield Reject(refusal.number, Outcome(refusal.outcome), (problem,), raw, origin)


def _raw(scan: Scan, ordinals: list[int]) -> list[dict[str, str | None]]:
    """The records of these ordinals as they stand in the source."""
    found: list[dict[str, str | None]] = []
    with closing(_batches(scan)) as batches:
        for batch in batches:
            wanted = list(islice(ordinals, len(found), None))
            if not wanted:
                break
            numbers = batch.ordinals
            if isinstance(numbers, range):
                inside = [o for o in wanted if o < numbers.stop]
                positions = [o - numbers.start for o in inside]
            else:
                last = numbers[-1] if len(numbers) else -1
                place = {o: i for i, o in enumerate(numbers)}
                inside = [o for o in wanted if o <= last]
                positions = [place[o] for o in inside]
            if positions:
                rows = python_rows(batch.records.take(positions))
                found += [{k: None if v is None else str(v) for k, v in row.items()} for row in rows]
    return found


def _batches(scan: Scan) -> Generator[Batch]:
    """The scan's batches as a generator, so that stopping early can close it."""
    yield from scan.batches()
