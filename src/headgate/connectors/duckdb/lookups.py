"""Looking up in a database file, and adding records that others are about to refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.model.reading import REFUSED, TAKEN, Parents, Reading
from headgate.model.text import text_array
from headgate.sql import Refused, with_parameters
from headgate.sql.relation import check_columns

from .catalog import Found, find, missing
from .connection import Access, DuckdbSession, identifier, literal


def read(access: Access, reading: Reading) -> Iterator[pa.RecordBatch]:
    """See `headgate.spi.destination.Readable.read`."""
    if not access.is_there:
        what = f"table {reading.table}" if reading.table else "query of it"
        raise DestinationError(
            f"{access.path}: there is no such file, and so no {what}", hint="Correct the connection's url."
        )
    with closing(DuckdbSession(access)) as session:
        session.run("begin transaction read only")
        source = _query(reading) if reading.query else _table(session, access.path, reading)
        columns = [f"hg.{identifier(c)}" for c in reading.columns]
        described = session.rows(f"describe select {', '.join(columns)} from {source}")
        texts = [_text(c, str(d[1])) for c, d in zip(columns, described, strict=True)]
        sql = f"select {', '.join(f'{t} as c{i}' for i, t in enumerate(texts))} from {source}"
        for page in session.pages(sql):
            yield pa.RecordBatch.from_arrays([text_array(c) for c in page.columns], names=list(reading.columns))


def _text(column: str, type_name: str) -> str:
    """The value in the form of `headgate.model.text.text_form`; of a double only the caller can make it."""
    match type_name:
        case "TIMESTAMP" | "TIMESTAMP_S" | "TIMESTAMP_MS" | "TIMESTAMP_NS":
            return f"replace(cast({column} as varchar), ' ', 'T')"
        case "TIMESTAMP WITH TIME ZONE":
            return f"replace(replace(cast({column} as varchar), ' ', 'T'), '+00', 'Z')"
        case "BLOB":
            return f"lower(hex({column}))"
        case "DOUBLE":
            return column
        case _ if type_name.startswith("DECIMAL"):  # which leaves out a zero before the point
            return f"regexp_replace(cast({column} as varchar), '^(-?)[.]', '\\10.')"
        case _:
            return f"cast({column} as varchar)"


def _query(reading: Reading) -> str:
    given = {name: _parameter(value) for name, value in reading.values.items()}
    return f"({with_parameters(reading.query, given, lambda name: given.get(name, 'null'))}\n) hg"


def _parameter(value: str | float | bool | None) -> str:
    if value is None:
        return "null"
    return literal(value) if isinstance(value, str) else str(value).lower()


def _table(session: DuckdbSession, path: Path, reading: Reading) -> str:
    found = _found(session, path, reading.table, [*reading.columns, *reading.values])
    where = " and ".join(f"t.{identifier(c)} is not distinct from {_parameter(v)}" for c, v in reading.values.items())
    return f"(select * from {found.sql} t where {where or 'true'}) hg"


def _found(session: DuckdbSession, path: Path, table: str, columns: Sequence[str]) -> Found:
    found = find(session.rows, table)
    if found is None:
        raise missing(session.rows, table, path, create=False)
    check_columns(found.table, columns, path)
    return found


def add_parents(session: DuckdbSession, path: Path, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
    """See `headgate.spi.destination.AddsParents.add_parents`; the transaction has not begun.

    They are added in a transaction that is forgotten, and what the table made of them is added again when the run's begins.
    All are tried at once, and one by one only where the table refuses some.
    """
    names = [f.name for f in parents.fields]
    found = _found(session, path, parents.table, [*names, parents.take])
    types = {c.name: c.type.native for c in found.table.columns}
    whole = [identifier(c.name) for c in found.table.columns if not c.generated]
    taken = f"{_text(identifier(parents.take), types[parents.take])} as {TAKEN}"

    def add(part: pa.RecordBatch) -> list[str | None]:
        columns = ", ".join(map(identifier, names))
        with session.registered("_hg_parents", part):
            made = session.tried(
                f"insert into {found.sql} ({columns}) select {columns} from _hg_parents returning {taken}, {', '.join(whole)}"
            )
        session.first(found.sql, whole, made.drop_columns([TAKEN]))
        return list(text_array(made[TAKEN].combine_chunks()).to_pylist())

    try:
        answers: list[tuple[str | None, str | None]] = [(t, None) for t in add(rows)]
    except Refused:
        answers = [_alone(add, rows.slice(n, 1)) for n in range(rows.num_rows)]
    columns = list(zip(*answers, strict=True)) or [(), ()]
    return pa.table({name: pa.array(c, pa.string()) for name, c in zip((TAKEN, REFUSED), columns, strict=True)})


def _alone(add: Callable[[pa.RecordBatch], list[str | None]], one: pa.RecordBatch) -> tuple[str | None, str | None]:
    """What was taken of one record, or why it is refused."""
    try:
        return add(one)[0], None
    except Refused as e:
        return None, e.reason
