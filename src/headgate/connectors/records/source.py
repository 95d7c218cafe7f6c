"""Python objects as a source: an iterable of dicts, or whatever gives Arrow (a table, a stream, a pandas or polars frame)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Problem
from headgate.model.text import text_form
from headgate.model.types import TEXT, FieldType
from headgate.spi.columns import as_json, scan_column, scan_type
from headgate.spi.kept import Kept, KeptScan, Page
from headgate.spi.nul import nul_fault, with_nul
from headgate.spi.registry import Connected
from headgate.spi.source import BATCH_ROWS, Partition

_NAME = "records"


class RecordsSource:
    """Records of a program (`headgate.spi.source.Source`): one partition, read once and kept in a temporary file.

    Args:
        records: an iterable of dicts (their keys are the columns; those of the first 65,536 count), or an object with
            ``__arrow_c_stream__``: Arrow's tables, batches and readers, frames of pandas (2.2 and later) and polars.

    Raises:
        SourceError: it is neither.
    """

    def __init__(self, records: Any, base: Path | None = None, connected: Connected | None = None) -> None:
        del base, connected
        is_arrow = hasattr(records, "__arrow_c_stream__")
        if not is_arrow and (not isinstance(records, Iterable) or isinstance(records, str | bytes | Mapping)):
            raise SourceError(
                f"records are an iterable of dicts, an Arrow table or stream, or a frame; not {type(records).__name__}",
                hint="One record: [record]. A frame of an old library: its to_dict('records') or to_arrow().",
            )
        self._records = records
        self._is_arrow = is_arrow
        self._kept: Kept | None = None
        self._declared: dict[str, FieldType] = {}

    def partitions(self) -> list[Partition]:
        """The one there is."""
        return [Partition(_NAME)]

    def open(self, partition: Partition) -> KeptScan:
        """Look at the first records.

        Raises:
            SourceError: they are no records.
        """
        if self._kept is None:
            self._kept = self._arrow() if self._is_arrow else self._dicts()
        return KeptScan(partition.name, self._kept, lambda: {"format": _NAME}, self._declared)

    def close(self) -> None:
        """Remove what was kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _arrow(self) -> Kept:
        reader = pa.RecordBatchReader.from_stream(self._records)
        names = [str(n) for n in reader.schema.names]
        if len(set(names)) < len(names):
            raise SourceError(f"the records have several columns of one name: {', '.join(names)}")
        schema = pa.schema([(n, scan_type(f.type)) for n, f in zip(names, reader.schema, strict=True)])
        return Kept(schema, _arrow_pages(reader, schema))

    def _dicts(self) -> Kept:
        records = iter(self._records)
        first = list(itertools.islice(records, BATCH_ROWS))
        names: dict[str, None] = {}
        for number, record in enumerate(first):
            _check(record, number)
            names.update(dict.fromkeys(map(str, record)))
        texts = {n for n in names if any(isinstance(r.get(n), str) for r in first)}
        self._declared = {n: TEXT for n in texts if all(isinstance(r.get(n), str | None) for r in first)}
        schema = pa.schema([(n, pa.string()) for n in names])
        return Kept(schema, _dict_pages(itertools.chain(first, records), schema), len(first))


def _arrow_pages(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[Page]:
    for whole in reader:
        for start in range(0, whole.num_rows, BATCH_ROWS):
            batch = whole.slice(start, BATCH_ROWS)
            columns = [scan_column(c, f.type) for c, f in zip(batch.columns, schema, strict=True)]
            yield _page(columns, schema, {})


def _dict_pages(records: Iterator[Any], schema: pa.Schema) -> Iterator[Page]:
    """Values as text, so that each field's rules say what they are; a record with a column that others do not have is a
    fault.
    """
    known = set(schema.names)
    number = 0
    while some := list(itertools.islice(records, BATCH_ROWS)):
        odd: dict[int, tuple[str, str | None]] = {}
        for row, record in enumerate(some):
            _check(record, number + row)
            if more := record.keys() - known:
                name = min(more, key=str)
                odd[row] = str(name), _text(record[name])
        columns = [pa.array([_text(r.get(n)) for r in some], pa.string()) for n in schema.names]
        yield _page(columns, schema, odd)
        number += len(some)


def _page(columns: list[pa.Array], schema: pa.Schema, odd: Mapping[int, tuple[str, str | None]]) -> Page:
    records = pa.RecordBatch.from_arrays(columns, schema=schema)
    bad = sorted({*odd, *with_nul(columns)})
    if not bad:
        return Page(records)
    faults = []
    for row, found in zip(bad, records.take(pa.array(bad)).to_pylist(), strict=True):
        raw = {k: None if v is None else str(v) for k, v in found.items()}
        if row in odd:
            name, value = odd[row]
            reason = f"the record has a column {name!r}, which the first {BATCH_ROWS:,} did not have"
            faults.append((row, Problem("RD02", reason, column=name, value=value), raw | {name: value}))
        else:
            faults.append((row, *nul_fault(raw)))
    out = set(bad)
    kept = [n for n in range(records.num_rows) if n not in out]
    return Page(records.take(pa.array(kept, pa.int64())), kept, faults)


def _check(record: object, number: int) -> None:
    if not isinstance(record, Mapping):
        raise SourceError(f"record {number + 1:,} is a {type(record).__name__}, not a dict")


def _text(value: object) -> str | None:
    return as_json(value) if isinstance(value, dict | list | tuple) else text_form(value)
