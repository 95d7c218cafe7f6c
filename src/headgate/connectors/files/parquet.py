"""Parquet files as scans. Columns keep their own types; lists, structs and maps become JSON text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Fault, Origin
from headgate.spi.columns import as_json, plain, scan_type
from headgate.spi.nul import nul_fault, with_nul
from headgate.spi.source import BATCH_ROWS, Scan

from .base import Input
from .gather import without

_HINT = "Copy it again, or have it written again."


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
        what = "is empty" if not given.path.stat().st_size else f"is not a whole Parquet file: {_first(e)}"
        raise SourceError(f"{given.name} {what}", hint=_HINT) from None
    try:
        return ParquetScan(given, file)
    except SourceError:
        file.close()
        raise


class ParquetScan:
    """A scan of one Parquet file, row group by row group."""

    def __init__(self, given: Input, file: Any) -> None:
        self._given = given
        self._file = file
        self._done = 0
        whole = file.schema_arrow
        wanted = given.options.columns or whole.names
        if lost := [n for n in wanted if n not in whole.names]:
            raise SourceError(
                f"{given.name} has no column {lost[0]!r}", hint=f"Its columns are: {', '.join(whole.names)}."
            )
        if len(set(whole.names)) < len(whole.names):
            raise SourceError(f"{given.name} has several columns of one name: {', '.join(whole.names)}", hint=_HINT)
        self._wanted = list(wanted)
        self._schema = pa.schema([pa.field(n, scan_type(whole.field(n).type)) for n in wanted])

    @property
    def schema(self) -> pa.Schema:
        """The file's columns with its own types; nested ones as text."""
        return self._schema

    @property
    def findings(self) -> Mapping[str, object]:
        """Format, number of records and row groups, and which columns become JSON text."""
        whole = self._file.schema_arrow
        found: dict[str, object] = {
            "format": "parquet",
            "records": self._file.metadata.num_rows,
            "row_groups": self._file.metadata.num_row_groups,
        }
        if nested := [n for n in self._wanted if pa.types.is_nested(plain(whole.field(n).type))]:
            found["notes"] = [f"lists and structs become JSON text: {', '.join(nested)}"]
        return found

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        self._done = 0
        read = self._file.iter_batches(batch_size=BATCH_ROWS, columns=self._wanted, use_threads=False)
        while True:
            try:
                batch = next(read, None)
            except (pa.ArrowException, OSError) as e:
                raise SourceError(
                    f"{self._given.name} is damaged after record {self._done:,}: {_first(e)}", hint=_HINT
                ) from None
            if batch is None:
                return
            first = self._done
            self._done += batch.num_rows
            if batch.num_rows:
                columns = [self._column(batch.column(n), self._schema.field(n).type) for n in self._wanted]
                yield self._batch(pa.RecordBatch.from_arrays(columns, schema=self._schema), first)

    def _batch(self, records: pa.RecordBatch, first: int) -> Batch:
        bad = with_nul(records.columns)
        if not bad:
            return Batch(records, range(first, first + records.num_rows))
        rows = records.take(pa.array(bad)).to_pylist()
        raws = [{k: None if v is None else str(v) for k, v in row.items()} for row in rows]
        faults = tuple(Fault(first + n, *nul_fault(raw)) for n, raw in zip(bad, raws, strict=True))
        out = set(bad)
        kept = [n for n in range(records.num_rows) if n not in out]
        return Batch(records.take(pa.array(kept, pa.int64())), [first + n for n in kept], faults)

    def _column(self, array: pa.Array, wanted: pa.DataType) -> pa.Array:
        if pa.types.is_nested(plain(array.type)):
            return pa.array([None if v is None else as_json(v) for v in array.to_pylist()], pa.string())
        array = array if array.type == wanted else array.cast(wanted)
        return without(array, self._given.options.nulls) if wanted == pa.string() else array

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`; the row is the record's number."""
        return [Origin(self._given.name, row=n + 1) for n in ordinals]

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._done / max(1, int(self._file.metadata.num_rows)))

    def close(self) -> None:
        """See `Scan`."""
        self._file.close()


def _first(e: BaseException) -> str:
    """The first line of a library's message, which may go on with addresses and advice of its own."""
    return str(e).partition("\n")[0].rstrip(". ")
