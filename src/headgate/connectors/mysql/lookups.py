"""Looking up in a database, and adding records that others are about to refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE

from headgate.model.errors import DestinationError
from headgate.model.reading import REFUSED, TAKEN, Parents, Reading
from headgate.model.text import text_form
from headgate.model.types import INTEGERS
from headgate.sql import Refused, with_parameters
from headgate.sql.relation import check_columns

from .catalog import Relation, check_writable, find, missing
from .connection import Access, MysqlSession, identifier, literal
from .load import escaped
from .types import no_number

_NUMBERS: Final = (*INTEGERS, "decimal", "double", "boolean")
_KINDS: Final = {
    FIELD_TYPE.FLOAT: "double", FIELD_TYPE.DOUBLE: "double", FIELD_TYPE.DATETIME: "timestamp",
    FIELD_TYPE.TIMESTAMP: "timestamptz", FIELD_TYPE.TIME: "time", FIELD_TYPE.BIT: "bit",
}  # fmt: skip


def read(access: Access, reading: Reading) -> Iterator[pa.RecordBatch]:
    """See `headgate.spi.destination.Readable.read`."""
    with closing(MysqlSession(access)) as session:
        session.run("start transaction read only")
        source, kinds = _query(session, reading) if reading.query else _table(session, access.name, reading)
        for page in session.pages(f"select {_columns(reading)} from {source}"):
            arrays = [
                pa.array([text_of(v, kind) for v in values], pa.string())
                for values, kind in zip(zip(*page, strict=True), kinds, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=list(reading.columns))


def _columns(reading: Reading) -> str:
    return ", ".join(f"hg.{identifier(c)}" for c in reading.columns)


def _query(session: MysqlSession, reading: Reading) -> tuple[str, list[str]]:
    """What stands after FROM, and the kinds of the columns."""
    given = {name: _parameter(value) for name, value in reading.values.items()}
    source = f"({with_parameters(reading.query, given, lambda name: given.get(name, 'null'), mysql=True)}\n) hg"
    described = session.describe(f"select {_columns(reading)} from {source} limit 0")
    return source, [kind_of(d) for d in described]


def kind_of(described: tuple[Any, ...]) -> str:
    """What `text_of` must know of a column, as the driver describes it."""
    # A comparison's answer is an integer of one digit; only a column is a tinyint.
    is_boolean = described[1] == FIELD_TYPE.TINY and described[3] == 1
    return "boolean" if is_boolean else _KINDS.get(described[1], "")


def _parameter(value: str | float | bool | None) -> str:
    if value is None:
        return "null"
    return literal(value) if isinstance(value, str) else str(value).lower()


def _table(session: MysqlSession, name: str, reading: Reading) -> tuple[str, list[str]]:
    """What stands after FROM, and the kinds of the columns."""
    relation = _relation(session, name, reading.table, [*reading.columns, *reading.values])
    types = {c.name: c.type for c in relation.table.columns}
    where = " and ".join(_condition(f"{reading.table}.{c}", types[c].kind, c, v) for c, v in reading.values.items())
    bits = {c for c, of in types.items() if of.native.startswith("bit")}
    kinds = ["bit" if c in bits else types[c].kind for c in reading.columns]
    return f"(select * from {relation.sql} where {where or 'true'}) hg", kinds


def _condition(what: str, kind: str, column: str, value: str | float | bool | None) -> str:
    """A number is compared as one: beside a text, the database would take any word for 0."""
    quoted = identifier(column)
    if value is None:
        return f"{quoted} is null"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if kind not in _NUMBERS:
        return f"{quoted} = {literal(text)}"
    if text in ("true", "false"):
        return f"{quoted} = {text}"
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise DestinationError(f"{what} holds numbers, and {text!r} is none", hint="Correct the lookup's where.")
    return f"{quoted} = {number}"


def _relation(session: MysqlSession, name: str, table: str, columns: Sequence[str]) -> Relation:
    relation = find(session.rows, table)
    if relation is None:
        raise missing(session.rows, table, name, create=False)
    check_columns(relation.table, columns, name)
    return relation


def text_of(value: Any, kind: str) -> str | None:
    """What the server sent, in the form of `headgate.model.text.text_form`."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return str(int.from_bytes(value)) if kind == "bit" else value.hex()
    text = str(value)
    match kind:
        case "boolean":
            return {"0": "false", "1": "true"}.get(text, text)
        case "double":
            return text_form(float(text))
        case "time":
            return _short(text)
        case "timestamp":
            return _short(text.replace(" ", "T"))
        case "timestamptz":
            return _short(text.replace(" ", "T")) + "Z"
        case _:
            return text


def _short(moment: str) -> str:
    return moment.rstrip("0").removesuffix(".") if "." in moment else moment


def add_parents(session: MysqlSession, name: str, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
    """See `headgate.spi.destination.AddsParents.add_parents`.

    They are added one by one: what the table takes for equal to a record it has, by a collation without case or accents,
    is refused alone.
    """
    names = [f.name for f in parents.fields]
    relation = _relation(session, name, parents.table, [*names, parents.take])
    check_writable(relation, name)
    auto = _auto_increment(session, relation)
    insert = f"insert into {relation.sql} ({', '.join(map(identifier, names))}) values"
    select = f"select {identifier(parents.take)} from {relation.sql} where"
    kind = next(c.type.kind for c in relation.table.columns if c.name == parents.take)
    unheld = _unheld(parents, rows)
    taken: list[str | None] = []
    refused: list[str | None] = []
    for n, values in enumerate(zip(*(_spelled(rows.column(f.name), f.type.kind) for f in parents.fields), strict=True)):
        why = unheld.get(n)
        if why is None:
            try:
                session.attempt(f"{insert} ({', '.join(values)})", 1)
            except Refused as e:
                why = e.reason
        answer = None
        if why is None:
            found = session.rows(
                f"{select} {_found_by(relation, dict(zip(names, values, strict=True)), auto, parents)}"
            )
            if len(found) != 1 or found[0][0] is None:
                raise DestinationError(f"{name}: {parents.table}: a record that was added cannot be found again")
            answer = text_of(found[0][0], kind)
        taken.append(answer)
        refused.append(why)
    return pa.table({TAKEN: pa.array(taken, pa.string()), REFUSED: pa.array(refused, pa.string())})


def _auto_increment(session: MysqlSession, relation: Relation) -> str | None:
    """The column the table numbers its records by."""
    found = session.rows(
        f"select column_name from information_schema.columns where table_schema = {literal(relation.schema)} "
        f"and table_name = {literal(relation.name)} and extra like '%auto_increment%'"
    )
    return str(found[0][0]) if found else None


def _found_by(relation: Relation, given: dict[str, str], auto: str | None, parents: Parents) -> str:
    """The condition that finds the record that was added last: MySQL cannot return it, as MariaDB can."""
    if auto is not None and given.get(auto, "null") == "null":
        return f"{identifier(auto)} = last_insert_id()"
    known = {c for c, v in given.items() if v != "null"}
    for names in (relation.table.key, *relation.table.unique):
        if names and known.issuperset(names):
            return " and ".join(f"{identifier(c)} = {given[c]}" for c in names)
    if parents.take in known:
        return f"{identifier(parents.take)} = {given[parents.take]} limit 1"
    raise DestinationError(
        f"{parents.table} has no key by which a record that was added is found again",
        hint=f"Make a column of it auto_increment, or {' and '.join(given)} unique.",
    )


def _spelled(values: pa.Array, kind: str) -> list[str]:
    """Values as literals. Numbers are not quoted, as a number is compared with a text by the first digits of both."""
    before, after = ("x'", "'") if kind == "binary" else ("", "") if kind in _NUMBERS else ("'", "'")
    return ["null" if text is None else f"{before}{text}{after}" for text in escaped(values, kind).to_pylist()]


def _unheld(parents: Parents, rows: pa.RecordBatch) -> dict[int, str]:
    """Why values that no column holds are refused, by the place of their record."""
    found: dict[int, str] = {}
    for f in parents.fields:
        if (looked := no_number(f.name, rows.column(f.name), f.type)) is not None:
            mask, why = looked
            for n in pc.indices_nonzero(mask).to_pylist():
                found.setdefault(n, why(rows.column(f.name)[n].as_py()))
    return found
