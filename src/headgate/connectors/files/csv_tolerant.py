"""Delimited text into batches when something is wrong with it: every bad record becomes a fault, and reading goes on.

On well-formed text it gives the same batches as the fast reading (`csv_fast`); a property test holds them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.record import Batch, Fault, Problem
from headgate.spi.source import BATCH_ROWS

from .dialect import Dialect
from .lines import Bad, Cell, Splitter, Stretch, stretches


class TolerantReader:
    """Reads the records of a UTF-8 file from some byte on.

    Attributes:
        at: the byte up to which it has read.
    """

    def __init__(self, path: Path, dialect: Dialect, schema: pa.Schema, splitter: Splitter) -> None:
        self._path, self._dialect, self._schema, self._splitter = path, dialect, schema, splitter
        self.at = 0

    def batches(self, start: int, ordinal: int, stop: int | None = None) -> Iterator[Batch]:
        """All records from byte `start` on, the first of which has the number `ordinal`, up to the byte `stop`.

        Raises:
            OSError: the file cannot be read.
        """
        pending = _Pending(self._schema, ordinal)
        for stretch, end in stretches(self._path, start, self._dialect, self._splitter, values=True, stop=stop):
            self.at = end
            yield from pending.add(stretch)
        if pending.count:
            yield pending.batch()


class _Pending:
    """The records of the next batch."""

    def __init__(self, schema: pa.Schema, ordinal: int) -> None:
        self._schema, self._ordinal = schema, ordinal
        self._pieces: list[pa.RecordBatch] = []
        self._bad: list[Bad] = []
        self.count = 0

    def add(self, stretch: Stretch) -> Iterator[Batch]:
        """Take records in; gives the batches that are full."""
        done = rows = bad = 0
        while done < stretch.count:
            take = min(BATCH_ROWS - self.count, stretch.count - done)
            bads = 0
            while bad + bads < len(stretch.bad) and stretch.bad[bad + bads].index < done + take:
                bads += 1
            good = take - bads
            self._pieces.append(_columns(stretch, rows, rows + good, self._schema))
            self._bad += [
                Bad(b.index - done + self.count, b.code, b.reason, b.cells) for b in stretch.bad[bad : bad + bads]
            ]
            self.count += take
            done, rows, bad = done + take, rows + good, bad + bads
            if self.count == BATCH_ROWS:
                yield self.batch()

    def batch(self) -> Batch:
        """What there is, as a batch; nothing is pending afterwards."""
        first, end = self._ordinal, self._ordinal + self.count
        ordinals: Sequence[int] = range(first, end)
        if self._bad:
            skipped = {first + b.index for b in self._bad}
            ordinals = [n for n in ordinals if n not in skipped]
        table = pa.Table.from_batches(self._pieces, self._schema).combine_chunks()
        records = table.to_batches()[0] if table.num_rows else _columns(Stretch(), 0, 0, self._schema)
        faults = tuple(Fault(first + b.index, Problem(b.code, b.reason), self._raw(b.cells)) for b in self._bad)
        self._pieces, self._bad, self._ordinal, self.count = [], [], end, 0
        return Batch(records, ordinals, faults)

    def _raw(self, cells: Sequence[Cell]) -> dict[str, str | None]:
        names = list(self._schema.names)
        names += [f"column_{i}" for i in range(len(names) + 1, len(cells) + 1)]
        return dict(zip(names, cells, strict=False))


def _columns(stretch: Stretch, first: int, end: int, schema: pa.Schema) -> pa.RecordBatch:
    """Good records `first` to `end` of a stretch as columns of text."""
    width, cells = len(schema), stretch.cells
    text = pa.string()
    nothing = pa.scalar(None, text)
    arrays = [pa.array(cells[first * width + j : end * width : width], text) for j in range(width)]
    arrays = [pc.if_else(pc.equal(a, ""), nothing, a) for a in arrays]
    empty: dict[int, set[int]] = {}
    for place in stretch.empty:
        if first * width <= place < end * width:
            empty.setdefault(place % width, set()).add(place // width - first)
    for column, rows in empty.items():
        mask = pa.array([i in rows for i in range(end - first)])
        arrays[column] = pc.if_else(mask, "", arrays[column])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
