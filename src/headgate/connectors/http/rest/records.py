"""The records that a writer was handed, made into rows as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from headgate.model.write import OLD
from headgate.spi.deciding import Row

from .shape import Fields, Shape
from .values import JsonText, columns_of, rows_of

_AT_ONCE: Final = 200
"""So many rows are made at once, so that the first can be sent while the rest are not made yet."""


class Records:
    """Keeps records as batches; as rows they take a multiple of the room, and time that who waits for an answer has left.

    Args:
        shape: of the records.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        names = [name for name, of in shape.types.items() if of.kind == "json"]
        self._json = [n for name in names for n in (name, OLD + name)]
        self._batches: list[pa.RecordBatch] = []

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self._batches)

    def __iter__(self) -> Iterator[Row]:
        for batch in self._slices():
            yield from self._rows(batch.schema.names, columns_of(batch))

    def with_fields(self, names: Sequence[str]) -> Iterator[tuple[Row, Fields | None]]:
        """Rows, each with the values of these fields as JSON has them; None where the API has a form of its own for some."""
        for batch in self._slices():
            columns = columns_of(batch)
            rows = self._rows(batch.schema.names, columns)
            if self._shape.settles:
                yield from ((row, None) for row in rows)
                continue
            by_name = dict(zip(batch.schema.names, columns, strict=True))
            given = [self._shape.given(name, by_name[name]) for name in names]
            yield from zip(rows, rows_of(names, given), strict=True)

    def _slices(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            for start in range(0, batch.num_rows, _AT_ONCE):
                yield batch.slice(start, _AT_ONCE)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take more of them."""
        self._batches.append(batch)

    def taken(self) -> list[Row]:
        """All of them as rows; they are not kept here any longer."""
        rows = list(self)
        self._batches = []
        return rows

    def forget(self) -> None:
        """Be ready for others."""
        self._batches = []

    def _rows(self, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Row]:
        rows = rows_of(names, columns)
        for name in self._json:
            for row in rows:
                if row.get(name) is not None:
                    row[name] = JsonText(row[name])
        for row in rows if self._shape.settles else ():
            self._shape.settle(row)
        return rows
