"""Parquet files as scans. Columns keep their own types; lists, structs and maps become JSON text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin
from headgate.spi.source import BATCH_ROWS, Scan

from .base import Input
from .typed import WRITE_AGAIN, TypedColumns, first_line


def open_parquet(given: Input, sheet: str | None = None) -> Scan:
    """Open a Parquet file.

    Raises:
        SourceError: it is none, is damaged, or lacks a column named in `source.columns`.
    """
    del sheet
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(given.path, memory_map=True)
    except (pa.ArrowException, OSError) as e:
        what = "is empty" if not given.path.stat().st_size else f"is not a whole Parquet file: {first_line(e)}"
        raise SourceError(f"{given.name} {what}", hint=WRITE_AGAIN) from None
    try:
        return ParquetScan(given, file)
    except SourceError:
        file.close()
        raise


class ParquetScan:
    """A scan of one Parquet file, row group by row group."""

    def __init__(self, given: Input, file: Any) -> None:
        self._given, self._file = given, file
        self._columns = TypedColumns(given, file.schema_arrow)
        self._done = 0

    @property
    def schema(self) -> pa.Schema:
        """The file's columns with its own types; nested ones as text."""
        return self._columns.schema

    @property
    def findings(self) -> Mapping[str, object]:
        """Format, number of records and row groups, and which columns become JSON text."""
        found: dict[str, object] = {
            "format": "parquet",
            "records": self._file.metadata.num_rows,
            "row_groups": self._file.metadata.num_row_groups,
        }
        return found | ({"notes": self._columns.notes} if self._columns.notes else {})

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        self._done = 0
        read = self._file.iter_batches(batch_size=BATCH_ROWS, columns=self._columns.names, use_threads=False)
        while True:
            try:
                batch = next(read, None)
            except (pa.ArrowException, OSError) as e:
                raise SourceError(
                    f"{self._given.name} is damaged after record {self._done:,}: {first_line(e)}", hint=WRITE_AGAIN
                ) from None
            if batch is None:
                return
            first = self._done
            self._done += batch.num_rows
            if batch.num_rows:
                yield self._columns.batch(batch, first)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`; the row is the record's number."""
        return self._columns.locate(ordinals)

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._done / max(1, int(self._file.metadata.num_rows)))

    def close(self) -> None:
        """See `Scan`."""
        self._file.close()
