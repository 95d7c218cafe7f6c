"""Looking up in a database, and adding records that others are about to refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import psycopg
import pyarrow as pa
from psycopg import adapters

from headgate.model.reading import REFUSED, TAKEN, Parents, Reading
from headgate.sql import swallowed, with_parameters
from headgate.sql.relation import check_columns

from .catalog import Relation, find, missing
from .connection import Access, PostgresSession, identifier
from .errors import refusal
from .types import native

_PAGE: Final = 65_536
_BEGIN, _BACK, _DONE = (f"{word} hg_parents" for word in ("savepoint", "rollback to savepoint", "release savepoint"))


def read(access: Access, reading: Reading) -> Iterator[pa.RecordBatch]:
    """See `headgate.spi.destination.Readable.read`."""
    with closing(PostgresSession(access)) as session:
        session.begin()
        session.run("set transaction read only")
        try:
            yield from _pages(session, reading)
        except psycopg.Error as e:
            raise session.failure(e) from None


def _pages(session: PostgresSession, reading: Reading) -> Iterator[pa.RecordBatch]:
    source, values = _source(session, reading)
    names = ", ".join(f"hg.{_escaped(identifier(c))}" for c in reading.columns)
    described = session.connection.execute(f"select {names} from {source} limit 0".encode(), values).description or []
    columns = [
        _as_text(f"hg.{_escaped(identifier(name))}", type_name(column.type_code))
        for name, column in zip(reading.columns, described, strict=True)
    ]
    with session.connection.cursor(name="hg_read") as cursor:
        cursor.execute(f"select {', '.join(columns)} from {source}".encode(), values)
        while page := cursor.fetchmany(_PAGE):
            arrays = [pa.array(values, pa.string()) for values in zip(*page, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, names=list(reading.columns))


def _source(session: PostgresSession, reading: Reading) -> tuple[str, dict[str, Any]]:
    """What stands after FROM, and the values bound in it."""
    if reading.query:
        query = with_parameters(reading.query, reading.values, lambda name: f"%({name})s", _escaped)
        return f"({query}\n) hg", dict(reading.values)
    relation = _relation(session, reading.table, [*reading.columns, *reading.values])
    conditions, values = [], {}
    for n, (name, value) in enumerate(reading.values.items()):
        column = _escaped(identifier(name))
        conditions.append(f"{column} is null" if value is None else f"{column} = %(v{n})s")
        values[f"v{n}"] = str(value).lower() if isinstance(value, bool) else str(value)
    where = " and ".join(conditions) or "true"
    return f"(select * from {_escaped(relation.sql)} where {where}) hg", values


def _escaped(sql: str) -> str:
    """SQL in which a per cent sign is none of a parameter."""
    return sql.replace("%", "%%")


def type_name(oid: int) -> str:
    """PostgreSQL's name of one of its own types; empty for others, and for arrays."""
    known = adapters.types.get(oid)
    return known.name if known is not None and known.oid == oid else ""  # it finds an array's element, too


def _as_text(column: str, type_name: str) -> str:
    """The value in the form of `headgate.model.text.text_form`."""
    match type_name:
        case "timestamp":
            return f"replace({column}::text, ' ', 'T')"
        case "timestamptz":
            return f"replace(replace({column}::text, ' ', 'T'), '+00', 'Z')"
        case "bytea":
            return f"encode({column}, 'hex')"
        case _:
            return f"{column}::text"


def _relation(session: PostgresSession, table: str, columns: Sequence[str]) -> Relation:
    relation = find(session.rows, table)
    if relation is None:
        raise missing(session.rows, table, session.name, create=False)
    check_columns(relation.table, columns, session.name)
    return relation


def add_parents(session: PostgresSession, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
    """See `headgate.spi.destination.AddsParents.add_parents`; no COPY is under way.

    All are added at once, and one by one only where the table refuses some.
    """
    names = [f.name for f in parents.fields]
    relation = _relation(session, parents.table, [*names, parents.take])
    types = {c.name: c.type for c in relation.table.columns}
    values = ", ".join(f"%s::{_escaped(native(types[n]))}" for n in names)
    take = identifier(parents.take)
    of = session.connection.execute(f"select {take} from {relation.sql} limit 0".encode()).description or []
    columns = ", ".join(_escaped(identifier(n)) for n in names)
    returned = _as_text(_escaped(take), type_name(of[0].type_code))
    statement = f"insert into {_escaped(relation.sql)} ({columns}) values ({values}) returning {returned}"
    given = list(zip(*(rows.column(n).to_pylist() for n in names), strict=True))
    results = _attempt(session, statement, given)
    if isinstance(results, str):
        one_by_one = [_attempt(session, statement, [one]) for one in given]
        taken = [None if isinstance(r, str) else r[0] for r in one_by_one]
        refused = [r if isinstance(r, str) else None for r in one_by_one]
    else:
        taken, refused = results, [None] * len(given)
    return pa.table({TAKEN: pa.array(taken, pa.string()), REFUSED: pa.array(refused, pa.string())})


def _attempt(session: PostgresSession, statement: str, given: Sequence[tuple[object, ...]]) -> list[str | None] | str:
    """Add these records under a savepoint: what is taken of each, or why the table refuses them."""
    session.run(_BEGIN)
    taken: list[str | None] = []
    try:
        with session.connection.cursor() as cursor:
            cursor.executemany(statement.encode(), given, returning=True)
            while True:
                taken += [row[0] for row in cursor.fetchall()]
                if not cursor.nextset():
                    break
    except psycopg.Error as e:
        why = refusal(e)
        if why is None or session.cancelled:
            raise session.failure(e) from None
        session.run(f"{_BACK}; {_DONE}")
        return why.reason
    if len(taken) != len(given):
        session.run(f"{_BACK}; {_DONE}")
        return str(swallowed())
    session.run(_DONE)
    return taken
