"""Python objects as a source: an iterable of dicts, or whatever gives Arrow (a table, a stream, a pandas or polars frame)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Problem
from headgate.model.types import FieldType
from headgate.spi.columns import scan_column, scan_type
from headgate.spi.kept import Kept, KeptScan, Page
from headgate.spi.registry import Connected
from headgate.spi.source import BATCH_ROWS, Partition
from headgate.spi.unreadable import unreadable

from .frames import is_pandas, without_index
from .values import as_text, declared

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
                hint="One record: [record]. A lazy frame: its collect(). A frame of an old library: its to_dict('records') or to_arrow().",
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
        reader = _reader(self._records)
        names = [str(n) for n in reader.schema.names]
        if len(set(names)) < len(names):
            raise SourceError(f"the records have several columns of one name: {', '.join(names)}")
        schema = pa.schema([(n, scan_type(f.type)) for n, f in zip(names, reader.schema, strict=True)])
        return Kept(schema, _arrow_pages(reader, schema))

    def _dicts(self) -> Kept:
        records = iter(self._records)
        first = list(itertools.islice(records, BATCH_ROWS))
        keys: dict[Any, None] = {}
        for number, record in enumerate(first):
            _check(record, number)
            keys.update(dict.fromkeys(record))
        if (nameless := next((k for k in keys if not isinstance(k, str)), keys)) is not keys:
            raise SourceError(
                f"the records have a key that is no text: {nameless!r}",
                hint="Name their columns: {str(key): value for key, value in record.items()}.",
            )
        names = [str(k) for k in keys]
        if not names:
            raise SourceError(
                "there are no records with columns, so it is not known which they have",
                hint="Give an Arrow table of no rows, whose schema says it, or do not run at all.",
            )
        found = {n: declared(r.get(n) for r in first) for n in names}
        self._declared = {n: of for n, of in found.items() if of is not None}
        schema = pa.schema([(n, pa.string()) for n in names])
        return Kept(schema, _dict_pages(itertools.chain(first, records), schema), len(first))


def _reader(records: Any) -> pa.RecordBatchReader:
    """What an object with ``__arrow_c_stream__`` gives.

    Raises:
        SourceError: it gives no Arrow, or none of columns with names.
    """
    what = type(records).__name__
    hint = "Give the column one type that Arrow has: astype() of pandas, cast() of polars."
    try:
        stream = without_index(records) if is_pandas(records) else records
        return pa.RecordBatchReader.from_stream(stream)
    except pa.ArrowException as e:
        if "non-struct type" in str(e):
            raise _no_columns(what) from e
        raise SourceError(f"the {what} cannot be read as Arrow: {_said(e)}", hint=hint) from e
    except (TypeError, ValueError) as e:  # pandas' own, of columns that Arrow has no type for
        raise SourceError(f"the {what} cannot be read as Arrow: {e}", hint=hint) from e


def _no_columns(what: str) -> SourceError:
    return SourceError(f"the {what} is one column, not records with columns", hint="Make a frame of it: to_frame().")


def _said(error: Exception) -> str:
    """The first line of what Arrow says; of what it says about a column of a frame both parts."""
    words = error.args if len(error.args) > 1 else (str(error).partition(". Detail:")[0].splitlines() or [""])[:1]
    return "; ".join(map(str, words))


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (pa.ArrowException, OSError) as e:  # the second is what Arrow makes of an OSError of what gives the stream
        if "struct has non-zero null count" in str(e):
            raise _no_columns("series") from e
        raise SourceError(
            f"the stream of records broke off: {_said(e)}", hint="Mend what gives it; nothing of the run was kept."
        ) from e


def _arrow_pages(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[Page]:
    for whole in _batches(reader):
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
        odd: dict[int, tuple[Problem, dict[str, str | None]]] = {}
        for row, record in enumerate(some):
            _check(record, number + row)
            if more := record.keys() - known:
                name = min(more, key=str)
                reason = f"the record has a column {str(name)!r}, which the first {BATCH_ROWS:,} did not have"
                value = as_text(record[name])
                odd[row] = Problem("RD02", reason, column=str(name), value=value), {str(name): value}
        columns = [_texts(n, [as_text(r.get(n)) for r in some], odd) for n in schema.names]
        yield _page(columns, schema, odd)
        number += len(some)


def _texts(name: str, values: list[str | None], odd: dict[int, tuple[Problem, dict[str, str | None]]]) -> pa.Array:
    """A column of texts; those with half of a surrogate pair, which is no character, are noted as `odd` and left out."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        for row, value in enumerate(values):
            if value is not None and any("\ud800" <= c <= "\udfff" for c in value):
                shown = value.encode("utf-8", "backslashreplace").decode()
                reason = "the value holds half of a surrogate pair, which is no character"
                odd.setdefault(row, (Problem("RD04", reason, column=name, value=shown), {}))[1][name] = shown
                values[row] = None
        return pa.array(values, pa.string())


def _page(columns: list[pa.Array], schema: pa.Schema, odd: Mapping[int, tuple[Problem, dict[str, str | None]]]) -> Page:
    records = pa.RecordBatch.from_arrays(columns, schema=schema)
    bad = unreadable(records)
    for row, (problem, more) in odd.items():
        raw = {n: column[row].as_py() for n, column in zip(schema.names, columns, strict=True)}
        bad[row] = (problem, raw | more)
    if not bad:
        return Page(records)
    kept = [n for n in range(records.num_rows) if n not in bad]
    return Page(records.take(pa.array(kept, pa.int64())), kept, [(row, *bad[row]) for row in sorted(bad)])


def _check(record: object, number: int) -> None:
    if not isinstance(record, Mapping):
        raise SourceError(f"record {number + 1:,} is a {type(record).__name__}, not a dict")
