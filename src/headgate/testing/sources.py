"""A source whose records are in memory already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from headgate.model.record import Batch, Origin
from headgate.spi.source import BATCH_ROWS, Partition


class RecordsScan:
    """All records of a table, from the first on, as often as one likes."""

    def __init__(self, table: pa.Table, name: str, batch_rows: int) -> None:
        self._table = table
        self._name = name
        self._batch_rows = batch_rows
        self._read = 0
        self.schema: pa.Schema = table.schema
        self.findings: Mapping[str, object] = {"format": "records"}

    def batches(self) -> Iterator[Batch]:
        """The records, at most `batch_rows` a batch."""
        self._read = 0
        for records in self._table.combine_chunks().to_batches(max_chunksize=self._batch_rows):
            first, self._read = self._read, self._read + records.num_rows
            yield Batch(records, range(first, self._read))

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """Rows counted from 1."""
        return [Origin(file=self._name, row=o + 1) for o in ordinals]

    def progress(self) -> float:
        """Share of the records read."""
        return self._read / self._table.num_rows if self._table.num_rows else 1.0

    def close(self) -> None:
        """Nothing is held."""


class RecordsSource:
    """A source of one partition: the records of an Arrow table.

    Args:
        table: the records.
        name: name of the partition.
        batch_rows: most records a batch.
    """

    def __init__(self, table: pa.Table, *, name: str = "records", batch_rows: int = BATCH_ROWS) -> None:
        self._table = table
        self._name = name
        self._batch_rows = batch_rows

    def partitions(self) -> list[Partition]:
        """The one partition."""
        return [Partition(self._name, int(self._table.nbytes))]

    def open(self, partition: Partition) -> RecordsScan:
        """A scan of all records."""
        return RecordsScan(self._table, partition.name, self._batch_rows)

    def close(self) -> None:
        """Nothing is held."""
