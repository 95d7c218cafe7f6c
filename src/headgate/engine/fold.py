"""Folding rows into records; see `headgate.engine.grouped`."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from headgate.mapping import Condition
from headgate.model.record import Batch, Fault, Problem

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_SHOWN = 100
"""Rows that are kept of a record that has too many."""
_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Folding:
    """What is folded, and how.

    Attributes:
        by: columns of the key; none where headers begin a record.
        kept: columns of the record.
        take: what a line has: the column of each by its name.
        name: the column with the lines.
        numbers: of those that a line has, what is written as a number.
        max_rows, max_bytes: what a record may have of lines.
    """

    by: Sequence[str]
    kept: Sequence[str]
    take: Mapping[str, str]
    name: str
    numbers: frozenset[str]
    max_rows: int
    max_bytes: int


@dataclass(slots=True)
class _Open:
    """The record that rows are being folded into.

    Attributes:
        key: None where there is none.
        place: its first row among those at hand; None where that could not be read as a record.
        first, last: ordinals of its first and last row.
        raw: of a record without such a row, what it has in common as text.
        differing: values beside the first row's, by column.
    """

    key: tuple[str | None, ...] | None
    place: int | None
    first: int
    last: int
    raw: dict[str, str | None] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    rows: int = 0
    problem: Problem | None = None
    differing: dict[str, list[str | None]] = field(default_factory=dict)


class Fold:
    """One pass over the rows of a partition.

    Args:
        schema: of the records.
        condition: which rows are headers; None where a key says what belongs together.
        wanted: records whose rows are to be known afterwards, and nothing else of them.

    Attributes:
        number: of the next record.
        folded: rows that are in records by now.
        spans: ordinals of the first and the last row of records that were wanted.
    """

    def __init__(
        self, folding: Folding, schema: pa.Schema, condition: Condition | None, wanted: set[int] | None = None
    ) -> None:
        self._folding, self._schema, self._condition, self._wanted = folding, schema, condition, wanted
        self._kept = pa.schema([schema.field(c) for c in folding.kept])
        self._prior: pa.RecordBatch | None = None
        self._open: _Open | None = None
        self._seen = _Seen()
        self.number = self.folded = 0
        self.spans: dict[int, tuple[int, int]] = {}

    def add(self, batch: Batch) -> Batch:
        """Fold the rows of a batch; gives the records that are whole with them."""
        return _Pass(self, batch).run()

    def end(self) -> Batch:
        """The last record."""
        empty = pa.RecordBatch.from_arrays([pa.array([], f.type) for f in self._kept], schema=self._kept)
        done = _Done(self, _stacked(self._prior, empty))
        if self._open is not None:
            done.close(self._open)
        self._open = None
        return done.batch()

    def close(self) -> None:
        """Let go of the keys."""
        self._seen.close()


class _Done:
    """The records that became whole: `rows` has the first row of each."""

    def __init__(self, fold: Fold, rows: pa.Table) -> None:
        self._fold, self._rows = fold, rows
        self._places: list[int] = []
        self._lines: list[str] = []
        self._ordinals: list[int] = []
        self._faults: list[Fault] = []

    def close(self, group: _Open) -> None:
        """Take a record, or a fault."""
        fold, folding = self._fold, self._fold._folding
        number, fold.number, fold.folded = fold.number, fold.number + 1, fold.folded + group.rows
        if fold._wanted is not None:
            if number in fold._wanted:
                fold.spans[number] = (group.first, group.last)
            return
        if folding.by and group.key is not None and (before := fold._seen.before(group.key, number)) is not None:
            group.problem = group.problem or self._again(group.key, before)
        lines = b"[" + b",".join(group.lines) + b"]"
        if group.problem is None and group.place is not None:
            self._places.append(group.place)
            self._lines.append(lines.decode())
            self._ordinals.append(number)
            return
        raw = self._raw(group) | {folding.name: lines.decode()}
        problem = group.problem or Problem("RD11", "a line has no header", column=folding.name)
        self._faults.append(Fault(number, problem, raw))

    def _again(self, key: tuple[str | None, ...], before: int) -> Problem:
        column = self._fold._folding.by[-1]
        return Problem(
            "RD10", f"{_shown(self._fold._folding.by, key)} came before, in record {before + 1:,}, and rows of another one are between",
            "", column, key[-1],
        )  # fmt: skip

    def _raw(self, group: _Open) -> dict[str, str | None]:
        raw = dict.fromkeys(self._fold._folding.kept) | group.raw
        if group.place is not None:
            row = self._rows.slice(group.place, 1)
            raw |= {c: _text(_values(row.column(c))[0]) for c in self._fold._folding.kept}
        for column, others in group.differing.items():
            raw[column] = _json([raw[column], *others]).decode()
        return raw

    def batch(self) -> Batch:
        """What was taken."""
        chosen = self._rows.take(pa.array(self._places, pa.int64())).combine_chunks()
        columns = [_whole(chosen.column(c)) for c in self._fold._folding.kept]
        records = pa.RecordBatch.from_arrays([*columns, pa.array(self._lines, pa.string())], schema=self._fold._schema)
        return Batch(records, self._ordinals, tuple(self._faults))


class _Pass:
    """The rows of one batch on their way into records."""

    def __init__(self, fold: Fold, batch: Batch) -> None:
        self._fold, self._batch, folding = fold, batch, fold._folding
        self._before = 0 if fold._prior is None else 1
        self._rows = _stacked(fold._prior, batch.records.select(folding.kept))
        wanted = dict.fromkeys([*folding.kept, *folding.take.values()])
        self._values = {c: _values(batch.records.column(c)) for c in wanted}
        self._keys = list(zip(*(map(_text, self._values[c]) for c in folding.by), strict=True))
        self._heads = _heads(fold._condition, batch.records) if fold._condition is not None else []
        # Of all but the first row at hand; that one's are looked up once.
        self._common = [] if fold._condition is not None else [c for c in folding.kept if c not in folding.by]
        self._prior = (
            {} if fold._prior is None else {c: _values(self._rows.column(c).slice(0, 1))[0] for c in self._common}
        )
        self._done = _Done(fold, self._rows)

    def run(self) -> Batch:
        """Fold them."""
        faults = iter(self._batch.faults)
        fault = next(faults, None)
        for row, ordinal in enumerate(self._batch.ordinals):
            while fault is not None and fault.ordinal < ordinal:
                self._fault(fault)
                fault = next(faults, None)
            self._row(row, ordinal)
        while fault is not None:
            self._fault(fault)
            fault = next(faults, None)
        group, fold = self._fold._open, self._fold
        if group is not None and group.place is not None:
            fold._prior = self._rows.slice(group.place, 1).combine_chunks().to_batches()[0].take(pa.array([0]))
            group.place = 0
        else:
            fold._prior = None
        return self._done.batch()

    def _row(self, row: int, ordinal: int) -> None:
        if self._fold._condition is not None:
            self._row_of_header(row, ordinal)
            return
        key = self._keys[row]
        known = None if all(not (k or "").strip() for k in key) else key
        group = self._into(known, row, ordinal)
        if known is None:
            group.problem = group.problem or Problem(
                "RD11", f"no value in {', '.join(self._fold._folding.by)}, by which rows are grouped", "", self._fold._folding.by[0]
            )  # fmt: skip
        if group.rows:
            self._compare(group, row)
        self._line(group, row)

    def _row_of_header(self, row: int, ordinal: int) -> None:
        head, name = self._heads[row], self._fold._folding.name
        if head:
            self._begin(None, row, ordinal).rows = 1
            return
        group = self._fold._open or self._begin(None, None, ordinal)
        group.last = ordinal
        if head is None:
            said = f"group.header has no answer for row {group.rows + 1:,} of it"
            group.problem = group.problem or Problem("RD14", said, "", name)
        if group.place is None:
            group.problem = group.problem or Problem("RD11", "a line before any header", "", name)
        self._line(group, row)

    def _fault(self, fault: Fault) -> None:
        """A row that is no record spoils the record that it is part of; its key counts where it has one."""
        folding, group = self._fold._folding, self._fold._open
        key = tuple(fault.raw.get(c) for c in folding.by)
        if folding.by and any(key) and (group is None or group.key != key):
            group = None
        if group is None:
            group = self._begin(key if any(key) else None, None, fault.ordinal)
            group.raw = {c: fault.raw.get(c) for c in folding.kept} if folding.by else {}
        group.last = fault.ordinal
        self._append(group, _json(fault.raw))
        reason = f"row {group.rows:,} of it: {fault.problem.reason}"
        group.problem = group.problem or Problem(fault.problem.code, reason, "", folding.name, fault.problem.value)

    def _into(self, key: tuple[str | None, ...] | None, row: int, ordinal: int) -> _Open:
        group = self._fold._open
        if group is None or group.key != key:
            return self._begin(key, row, ordinal)
        if group.place is None:
            group.place = row + self._before
        group.last = ordinal
        return group

    def _begin(self, key: tuple[str | None, ...] | None, row: int | None, ordinal: int) -> _Open:
        if self._fold._open is not None:
            self._done.close(self._fold._open)
        place = row + self._before if row is not None else None
        self._fold._open = _Open(key, place, ordinal, ordinal)
        return self._fold._open

    def _compare(self, group: _Open, row: int) -> None:
        """Refuse values that differ where they should not."""
        if group.place is None or group.place == row + self._before:
            return
        first = group.place - self._before
        for c in self._common:
            there = self._values[c][first] if first >= 0 else self._prior[c]
            here = self._values[c][row]
            if there == here or (there != there and here != here):
                continue
            others = group.differing.setdefault(c, [])
            if len(others) < _SHOWN and _text(here) not in others:
                others.append(_text(here))
            group.problem = group.problem or Problem(
                "RD12", f"{c} is {_said(there)} in its first row and {_said(here)} in row {group.rows + 1:,} of it", "", c, _text(here)
            )  # fmt: skip

    def _line(self, group: _Open, row: int) -> None:
        pieces = []
        for name, column in self._fold._folding.take.items():
            value = self._values[column][row]
            if name in self._fold._folding.numbers and isinstance(value, str):
                written = value.strip()
                if _NUMBER.fullmatch(written):
                    pieces.append((name, written.encode()))
                    continue
                if not written:
                    value = None
                else:
                    group.problem = group.problem or Problem(
                        "RD14", f"{name} {value!r} in row {group.rows + 1:,} of it is no number as JSON writes it", "", self._fold._folding.name, value
                    )  # fmt: skip
            pieces.append((name, _written(value)))
        self._append(group, b"{" + b",".join(_json(n) + b":" + w for n, w in pieces) + b"}")

    def _append(self, group: _Open, line: bytes) -> None:
        folding = self._fold._folding
        group.rows += 1
        group.size += len(line) + 1
        if group.rows > folding.max_rows or group.size > folding.max_bytes:
            much = f"{folding.max_rows:,} rows" if group.rows > folding.max_rows else f"{folding.max_bytes:,} bytes"
            if group.problem is None or group.problem.code != "RD13":
                said = f"it has more than {much}, of which the first {min(_SHOWN, len(group.lines)):,} are shown"
                group.problem = Problem("RD13", said, "", folding.name)
                del group.lines[_SHOWN:]
            return
        group.lines.append(line)


class _Seen:
    """The keys of a partition, in a file where they are many."""

    def __init__(self) -> None:
        self._con = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._con.execute("PRAGMA journal_mode = OFF")
        self._con.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID")

    def before(self, key: tuple[str | None, ...], number: int) -> int | None:
        """The record that had the key first; None where that is this one."""
        query = "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO UPDATE SET number = number RETURNING number"
        ((first,),) = self._con.execute(query, (_json(key), number)).fetchall()
        return None if first == number else int(first)

    def close(self) -> None:
        """Let go of them."""
        self._con.close()


def _stacked(prior: pa.RecordBatch | None, records: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([records] if prior is None else [prior, records], schema=records.schema)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _heads(condition: Condition, records: pa.RecordBatch) -> list[bool | None]:
    texts = [pa.array(list(map(_text, _values(c))), pa.string()) for c in records.columns]
    return condition.of(pa.Table.from_arrays(texts, names=records.schema.names))


def _values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Values as JSON can have them; what it cannot have as text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    plain = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)  # fmt: skip
    if any(of(kind) for of in plain):
        return list(column.to_pylist())
    if pa.types.is_temporal(kind):
        return list(pc.cast(column, pa.string()).to_pylist())
    return [v.hex() if isinstance(v, bytes) else _text(v) for v in column.to_pylist()]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _written(value: Any) -> bytes:
    if isinstance(value, Decimal):
        return format(value, "f").encode()
    if isinstance(value, float) and not math.isfinite(value):
        return _json(str(value))
    return _json(value)


def _said(value: Any) -> str:
    return "nothing" if value is None else repr(_text(value))


def _shown(columns: Sequence[str], key: tuple[str | None, ...]) -> str:
    return ", ".join(f"{c} {_said(k)}" for c, k in zip(columns, key, strict=True))
