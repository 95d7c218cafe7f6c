"""Small pieces of an input into batches."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa

from headgate.model.record import Batch, Fault, Problem
from headgate.spi.source import BATCH_ROWS

BATCH_BYTES = 32 << 20


def without(array: pa.Array, nulls: Sequence[str]) -> pa.Array:
    """The array with the words that mean no value made null."""
    if not nulls:
        return array
    import pyarrow.compute as pc

    return pc.if_else(pc.is_in(array, pa.array(nulls, pa.string())), pa.scalar(None, pa.string()), array)


@dataclass(slots=True)
class Decoded:
    """What became of one piece of an input.

    Attributes:
        count: records in it, faults included.
        columns: of the records at `kept` (positions among the `count`).
        kept: a range when there are no faults.
        faults: position, problem and raw values of the others.
    """

    count: int
    columns: list[pa.Array]
    kept: range | list[int]
    faults: list[tuple[int, Problem, dict[str, str | None]]]


class Places:
    """In which rows of an input its records stand, as runs of consecutive ones; noted by whoever reads, from any thread.

    Attributes:
        count: records whose rows are known, the first ones.
    """

    def __init__(self) -> None:
        self._ordinals, self._rows = array("q"), array("q")
        self.count = 0
        self._lock = Lock()

    def note(self, first: int, rows: Sequence[int]) -> None:
        """Take the rows of the records from the ordinal `first` on, which is no further than `count`."""
        with self._lock:
            if (fresh := rows[self.count - first :]) and fresh[-1] - fresh[0] == len(fresh) - 1:
                self._run(self.count, fresh[0])
            else:
                for ordinal, row in enumerate(fresh, self.count):
                    self._run(ordinal, row)
            self.count += len(fresh)

    def _run(self, ordinal: int, row: int) -> None:
        if not self._rows or row - self._rows[-1] != ordinal - self._ordinals[-1]:
            self._ordinals.append(ordinal)
            self._rows.append(row)

    def __getitem__(self, ordinal: int) -> int:
        """The row of a record whose row is known."""
        run = bisect_right(self._ordinals, ordinal) - 1
        return self._rows[run] + ordinal - self._ordinals[run]


class Batches:
    """Gathers decoded pieces into batches of bounded rows and bytes."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._parts: list[pa.RecordBatch] = []
        self._ordinals: list[range | list[int]] = []
        self._faults: list[Fault] = []
        self._rows = 0
        self._bytes = 0
        self._next = 0

    def add(self, decoded: Decoded, size: int) -> Iterator[Batch]:
        """Take one piece of `size` bytes; gives the batches that are full."""
        if self._rows + decoded.count > BATCH_ROWS or self._bytes + size > BATCH_BYTES:
            yield from self.rest()
        part = pa.RecordBatch.from_arrays(decoded.columns, schema=self._schema)
        first = self._next
        kept = decoded.kept
        self._ordinals.append(range(first, first + len(kept)) if isinstance(kept, range) else [first + k for k in kept])
        self._parts.append(part)
        self._faults += [Fault(first + at, problem, raw) for at, problem, raw in decoded.faults]
        self._next += decoded.count
        self._rows += decoded.count
        self._bytes += size

    def rest(self) -> Iterator[Batch]:
        """Give what has been gathered."""
        if not self._rows:
            return
        records = pa.Table.from_batches(self._parts, self._schema).combine_chunks().to_batches()
        whole = records[0] if records else pa.RecordBatch.from_pylist([], self._schema)
        ordinals: range | list[int] = [n for part in self._ordinals for n in part]
        if not self._faults:
            ordinals = range(self._next - self._rows, self._next)
        faults = tuple(self._faults)
        first = self._next - self._rows
        self._parts, self._ordinals, self._faults, self._rows, self._bytes = [], [], [], 0, 0
        yield from _cut(Batch(whole, ordinals, faults), first)


def _cut(batch: Batch, first: int) -> Iterator[Batch]:
    """The batch in parts of at most `BATCH_ROWS` records and faults."""
    if len(batch) <= BATCH_ROWS:
        yield batch
        return
    done = 0
    for start in range(first, first + len(batch), BATCH_ROWS):
        end = start + BATCH_ROWS
        faults = tuple(f for f in batch.faults if start <= f.ordinal < end)
        rows = min(BATCH_ROWS - len(faults), batch.records.num_rows - done)
        yield Batch(batch.records.slice(done, rows), batch.ordinals[done : done + rows], faults)
        done += rows
