"""Looking up in a database file, and adding records that others are about to refer to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.errors import DestinationError
from headgate.model.reading import REFUSED, TAKEN, Parents, Reading
from headgate.model.text import text_array, text_form
from headgate.model.types import FieldType
from headgate.sql import Refused, swallowed, with_parameters

from .connect import failure
from .session import SqliteSession
from .tables import Found, find, quoted
from .types import affinity, can_damage, damage, decode, encode, unstorable

_PAGE: Final = 65_536


def read(con: sqlite3.Connection, path: Path, reading: Reading) -> Iterator[pa.RecordBatch]:
    """See `headgate.spi.destination.Readable.read`; the connection is closed at the end."""
    with closing(con):
        try:
            con.execute("pragma query_only = on")
            types = _types(con, path, reading)
            cursor = con.execute(*_select(reading))
            while page := cursor.fetchmany(_PAGE):
                columns = zip(*page, strict=True)
                arrays = [_texts(v, types.get(n)) for n, v in zip(reading.columns, columns, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=list(reading.columns))
        except sqlite3.Error as e:
            raise failure(e, path) from e


def _types(con: sqlite3.Connection, path: Path, reading: Reading) -> dict[str, FieldType]:
    """Types of the table's columns; a query's have none."""
    if reading.query:
        return {}
    found = _found(con, path, reading.table, [*reading.columns, *reading.values])
    return {c.name: c.type for c in found.schema.columns}


def _found(con: sqlite3.Connection, path: Path, table: str, columns: list[str]) -> Found:
    found = find(con, table)
    if found is None:
        raise DestinationError(f"{path}: there is no table {table!r} to look up in", hint="Correct the lookup's table.")
    for name in columns:
        if found.schema.column(name) is None:
            there = ", ".join(c.name for c in found.schema.columns)
            raise DestinationError(f"{path}: table {table} has no column {name!r}", hint=f"There are: {there}.")
    return found


def _select(reading: Reading) -> tuple[str, dict[str, object] | list[object]]:
    columns = ", ".join(f"hg.{quoted(c)}" for c in reading.columns)
    if reading.query:
        query = with_parameters(reading.query, reading.values, lambda name: f":{name}")
        return f"select {columns} from ({query}\n) hg", dict(reading.values)
    where = " and ".join(f"hg.{quoted(c)} is ?" for c in reading.values) or "true"
    return f"select {columns} from {quoted(reading.table.removeprefix('main.'))} hg where {where}", [
        *reading.values.values()
    ]


def _texts(values: tuple[object, ...], type: FieldType | None) -> pa.Array:
    """As text by the column's type, where it has one and the value is of it; otherwise as it is stored."""
    plain = [text_form(v) for v in values]
    if type is None or type.kind in ("text", "other"):
        return pa.array(plain, pa.string())
    typed = text_array(decode(values, type)).to_pylist()
    return pa.array([p if t is None else t for t, p in zip(typed, plain, strict=True)], pa.string())


def add_parents(
    con: sqlite3.Connection, session: SqliteSession, path: Path, parents: Parents, rows: pa.RecordBatch
) -> pa.Table:
    """See `headgate.spi.destination.AddsParents.add_parents`; a transaction is open."""
    names = [f.name for f in parents.fields]
    found = _found(con, path, parents.table, [*names, parents.take])
    columns = ", ".join(map(quoted, names))
    marks = ", ".join("?" * len(names))
    statement = (
        f"insert or abort into {quoted(found.name)} ({columns}) values ({marks}) returning {quoted(parents.take)}"
    )
    take = found.schema.column(parents.take)
    encoded = [encode(rows.column(f.name), f.type, affinity(found.declared[f.name])) for f in parents.fields]
    damaged = _damaged(parents, rows, encoded, found.declared)
    taken: list[str | None] = []
    refused: list[str | None] = []
    for n, values in enumerate(zip(*(e.to_pylist() for e in encoded), strict=True)):
        answer, why = (None, damaged[n]) if n in damaged else _added(session, statement, values)
        taken.append(None if why else _texts((answer,), take.type if take else None)[0].as_py())
        refused.append(why)
    return pa.table({TAKEN: pa.array(taken, pa.string()), REFUSED: pa.array(refused, pa.string())})


def _damaged(
    parents: Parents, rows: pa.RecordBatch, encoded: Sequence[pa.Array], declared: Mapping[str, str]
) -> dict[int, str]:
    """What would become of values that their columns would damage, by the place of their record."""
    found: dict[int, str] = {}
    for f, values in zip(parents.fields, encoded, strict=True):
        if can_damage(f.type, affinity(declared[f.name])):
            for n in pc.indices_nonzero(unstorable(values, f.type)).to_pylist():
                found.setdefault(n, damage(rows.column(f.name)[n].as_py(), declared[f.name]))
    return found


def _added(session: SqliteSession, statement: str, values: tuple[object, ...]) -> tuple[object, str | None]:
    """The value taken of the new record, or why there is none."""
    try:
        rows = session.attempt_rows(statement, values)
    except Refused as e:
        return None, e.reason
    return (rows[0][0], None) if rows else (None, str(swallowed()))
