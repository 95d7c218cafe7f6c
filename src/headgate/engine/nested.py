"""Values within values: fields by path (``address.city``), and one record for each entry of a list (`explode`).

Any source may have columns that hold JSON: JSON files and APIs, Parquet's and databases' nested types. Numbers and texts within are
given as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pyarrow as pa

from headgate.model.counting import counted, verb
from headgate.model.errors import SourceError
from headgate.model.record import Batch, Fault, Origin, Problem
from headgate.model.spec import ImportSpec
from headgate.model.types import FieldType
from headgate.spi.source import Declares, Partition, Scan, Source

from .around import Around, AroundScan, noted, parts

Raw = msgspec.Raw
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_INDEX = re.compile(r"\[(\d{1,9})\]", re.ASCII)


def nested(source: Source, spec: ImportSpec) -> Source:
    """The source, with its rows grouped and made to look into its values where the definition needs it."""
    if spec.source.group is not None:
        from .grouped import Grouped

        source = Grouped(source, spec.source.group, spec.source.max_record)
    paths = [c for f in spec.fields.values() for c in f.columns if "." in c or _INDEX.search(c)]
    return Nested(source, paths, spec.source.explode) if paths or spec.source.explode else source


class Nested(Around):
    """A source that looks into the values of another (`headgate.spi.source.Source`).

    Args:
        source: what is read.
        paths: columns that fields want; those the source has no column for are looked for within others.
        explode: the list that is taken apart, a column or a path; None to take none.
    """

    def __init__(self, source: Source, paths: Sequence[str], explode: str | None) -> None:
        super().__init__(source)
        self._paths, self._explode = list(dict.fromkeys(paths)), explode

    def open(self, partition: Partition) -> NestedScan:
        """Open one, and look at its first records for what a list's entries have.

        Raises:
            SourceError: there is no such list.
        """
        scan = self._source.open(partition)
        try:
            return NestedScan(scan, partition.name, self._paths, self._explode)
        except BaseException:
            scan.close()
            raise


class NestedScan(AroundScan):
    """One partition, opened; see `Nested`."""

    def __init__(self, scan: Scan, name: str, paths: Sequence[str], explode: str | None) -> None:
        super().__init__(scan)
        self._name, self._list = name, explode
        there = scan.schema.names
        self._above = _within(explode, there) if explode is not None else None
        if explode is not None and self._above is None:
            raise SourceError(
                f"{name} has no column {explode.partition('.')[0]!r} to explode",
                hint=f"Its columns are: {', '.join(there)}.",
            )
        kept = [f for f in scan.schema if f.name != explode]
        inner = [p for p in paths if explode is not None and p.startswith(f"{explode}.")]
        outer = [p for p in paths if p not in inner and p not in there and _within(p, there)]
        self._outer = {p: _within(p, there) or "" for p in outer}
        self._kept = [f.name for f in kept]
        self._entry = [explode] if explode is not None else []
        self._inner = list(dict.fromkeys([*inner, *(f"{explode}.{k}" for k in self._keys())])) if explode else []
        texts = [pa.field(n, pa.string()) for n in (*self._outer, *self._entry, *self._inner)]
        self._schema = pa.schema([*kept, *texts])
        self._without = 0

    def _keys(self) -> list[str]:
        """What the entries of the first records have."""
        found: dict[str, None] = {}
        batches = self._scan.batches()
        batch = next(batches, None)
        if close := getattr(batches, "close", None):
            close()
        for row in range(batch.records.num_rows if batch is not None else 0):
            try:
                for entry in self._entries(batch.records, row) if batch is not None else ():
                    if bytes(entry)[:1] == b"{":
                        found |= dict.fromkeys(_OBJECT.decode(entry))
            except msgspec.DecodeError:  # a fault, when it is read
                continue
        return list(found)

    def _entries(self, records: pa.RecordBatch, row: int) -> list[Raw]:
        """Raises msgspec.DecodeError: the value is no JSON."""
        assert self._list is not None
        assert self._above is not None
        raw = _find(records.column(self._above)[row].as_py(), _below(self._list, self._above))
        if raw is None or bytes(raw) == b"null":
            return []
        if bytes(raw)[:1] == b"[":
            return _LIST.decode(raw)
        msgspec.json.decode(raw)  # whole, or not at all
        return [raw]

    @property
    def schema(self) -> pa.Schema:
        """The scan's columns, those found by paths, and of an exploded list its entry and what that has."""
        return self._schema

    @property
    def declared(self) -> Mapping[str, FieldType]:
        """What the scan declares of columns that are as they were."""
        found = self._scan.declared if isinstance(self._scan, Declares) else {}
        return {n: of for n, of in found.items() if n in self._kept}

    @property
    def findings(self) -> Mapping[str, object]:
        """The scan's, and how many records had nothing in the list."""
        found = dict(self._scan.findings)
        said = f"{counted(self._without, 'record')} {verb(self._without, 'has', 'have')} nothing in {self._list}, and so gave none"
        return noted(found, said) if self._without else found

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        number, self._without = 0, 0
        for batch in self._scan.batches():
            made = self._made(batch, number)
            yield from parts(made, number)
            number += len(made)

    def _made(self, batch: Batch, number: int) -> Batch:
        rows: list[int] = []
        entries: list[Raw | None] = []
        ordinals: list[int] = []
        faults: list[Fault] = []
        waiting = list(batch.faults)
        texts: dict[str, list[str | None]] = {p: [] for p in self._outer}
        for row, ordinal in enumerate(batch.ordinals):
            while waiting and waiting[0].ordinal < ordinal:
                faults.append(self._passed(waiting.pop(0), number))
                number += 1
            column = ""
            try:
                values = {}
                for p, column in self._outer.items():
                    values[p] = _text(_find(batch.records.column(column)[row].as_py(), _below(p, column)))
                column = self._above or ""
                found: Sequence[Raw | None] = self._entries(batch.records, row) if self._list is not None else [None]
            except msgspec.DecodeError:
                faults.append(_no_json(number, batch.records, row, column))
                number += 1
                continue
            self._without += not found
            for entry in found:
                rows.append(row)
                entries.append(entry)
                ordinals.append(number)
                number += 1
                for p, value in values.items():
                    texts[p].append(value)
        for fault in waiting:
            faults.append(self._passed(fault, number))
            number += 1
        return Batch(self._records(batch.records, rows, texts, entries), ordinals, tuple(faults))

    def _passed(self, fault: Fault, number: int) -> Fault:
        """What was no record before, with what can be found in it by path: once it is mended, nobody looks again."""
        raw = dict(fault.raw)
        for p, column in self._outer.items():
            with suppress(msgspec.DecodeError):
                raw |= {p: _text(_find(fault.raw[column], _below(p, column)))} if column in fault.raw else {}
        return Fault(number, fault.problem, raw)

    def _records(
        self, records: pa.RecordBatch, rows: list[int], texts: dict[str, list[str | None]], entries: list[Raw | None]
    ) -> pa.RecordBatch:
        chosen = records.select(self._kept).take(pa.array(rows, pa.int64()))
        columns = [*chosen.columns, *(pa.array(v, pa.string()) for v in texts.values())]
        if self._list is not None:
            columns.append(pa.array([_text(e) for e in entries], pa.string()))
            for name in self._inner:
                path = _below(name, self._list)
                columns.append(pa.array([_text(_step(e, path)) for e in entries], pa.string()))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """Where the records lie whose list it was. Costs a pass over the input."""
        if self._list is None:
            return self._scan.locate(ordinals)
        above: list[int] = []
        number, todo = 0, 0
        for batch in self._scan.batches():
            made = self._counts(batch)
            for ordinal, count in made:
                while todo < len(ordinals) and ordinals[todo] < number + count:
                    above.append(ordinal)
                    todo += 1
                number += count
            if todo == len(ordinals):
                break
        places = dict(zip(dict.fromkeys(above), self._scan.locate(list(dict.fromkeys(above))), strict=True))
        return [places[o] for o in above]

    def _counts(self, batch: Batch) -> list[tuple[int, int]]:
        """Each record and fault by its ordinal in the scan, and how many records it gives."""
        found = [(f.ordinal, 1) for f in batch.faults]
        for row, ordinal in enumerate(batch.ordinals):
            try:
                for p, column in self._outer.items():
                    _find(batch.records.column(column)[row].as_py(), _below(p, column))
                found.append((ordinal, len(self._entries(batch.records, row))))
            except msgspec.DecodeError:
                found.append((ordinal, 1))
        return sorted(found)


def _within(path: str | None, columns: Sequence[str]) -> str | None:
    """The column that a path leads into: the longest that it begins with."""
    found = [c for c in columns if path is not None and (path == c or path.startswith((f"{c}.", f"{c}[")))]
    return max(found, key=len, default=None)


def _below(path: str, key: str) -> str:
    """What of a path lies below the key it begins with."""
    return path[len(key) :].removeprefix(".")


def _find(value: Any, path: str) -> Raw | None:
    """What is at a path of a column's value. Raises msgspec.DecodeError: the value is no JSON."""
    if value is None or value == "":
        return None
    raw = Raw(str(value))
    if not path and bytes(raw)[:1] not in (b"[", b"{"):
        return Raw(msgspec.json.encode(str(value)))  # a text of its own, not JSON's
    return _step(raw, path)


def _step(raw: Raw | None, path: str) -> Raw | None:
    """What is at a path, keys joined by dots; a key may have dots itself, and an entry of a list its number in brackets."""
    if raw is None or not path:
        return raw
    if (index := _INDEX.match(path)) and bytes(raw).lstrip()[:1] == b"[":
        entries, at = _LIST.decode(raw), int(index[1])
        return _step(entries[at], path[index.end() :].removeprefix(".")) if at < len(entries) else None
    if bytes(raw).lstrip()[:1] != b"{":
        msgspec.json.decode(raw)  # what is no JSON at all is to be said
        return None
    there = _OBJECT.decode(raw)
    key = _within(path, list(there))
    return _step(there[key], _below(path, key)) if key is not None else None


def _text(raw: Raw | None) -> str | None:
    """A text as it is, null as nothing, everything else as it is written."""
    if raw is None:
        return None
    written = bytes(raw)
    if written[:1] == b'"':
        return str(msgspec.json.decode(written, type=str))
    return None if written == b"null" else written.decode()


def _no_json(number: int, records: pa.RecordBatch, row: int, column: str) -> Fault:
    found = {n: records.column(n)[row].as_py() for n in records.schema.names}
    raw = {n: None if v is None else str(v) for n, v in found.items()}
    return Fault(number, Problem("RD05", f"the value of {column} is no JSON", "", column, raw[column]), raw)
