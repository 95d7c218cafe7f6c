"""What tables there are, and what they look like."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from headgate.model.errors import DestinationError
from headgate.model.table import Column, TableSchema

from .types import field_type, native

_STRICT = re.compile(r"\bSTRICT\b[^)]*$", re.IGNORECASE)
_HIDDEN, *_GENERATED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Found:
    """A table, with what only SQLite knows of it.

    Attributes:
        name: as the database has it.
        schema: as everybody sees it.
        declared: declared type by column.
        collations: key column to the collation by which it is unique, where that is not BINARY.
        locators: quoted columns that find a row again.
        references: the column of the only foreign key; empty when there are none or several.
    """

    name: str
    schema: TableSchema
    declared: dict[str, str]
    collations: dict[str, str]
    locators: tuple[str, ...]
    references: str


def quoted(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def plain(table: str) -> str:
    """The table's own name; `main.` before it is understood."""
    return table.removeprefix("main.")


def names(con: sqlite3.Connection) -> list[str]:
    """Tables a person has made, sorted; Headgate's own are not shown."""
    rows = con.execute(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite!_%' escape '!' "
        "and name not like '!_headgate!_%' escape '!' and sql not like 'create virtual%' order by name"
    )
    return [str(r[0]) for r in rows]


def find(con: sqlite3.Connection, table: str) -> Found | None:
    """Look at a table; None when there is none. Case does not matter, as everywhere in SQLite.

    Raises:
        DestinationError: it is a view, or a virtual table.
    """
    row = con.execute(
        "select type, name, sql from sqlite_master where type in ('table', 'view') and name = ? collate nocase",
        (plain(table),),
    ).fetchone()
    if row is None:
        return None
    kind, name, sql = row
    if kind == "view" or str(sql).lstrip().upper().startswith("CREATE VIRTUAL"):
        what = "view" if kind == "view" else "virtual table"
        raise DestinationError(f"{name} is a {what}, which cannot be imported into", hint="Name the table behind it.")
    info = con.execute(
        'select name, type, "notnull", dflt_value, pk, hidden from pragma_table_xinfo(?)', (name,)
    ).fetchall()
    info = [r for r in info if r[5] != _HIDDEN]
    key = tuple(r[0] for r in sorted((r for r in info if r[4]), key=lambda r: r[4]))
    if _STRICT.search(sql):  # only there ANY means what it says; elsewhere it makes numbers of text
        info = [(r[0], "" if r[1].upper() == "ANY" else r[1], *r[2:]) for r in info]
    without_rowid = _without_rowid(con, name)
    counted = len(key) == 1 and not without_rowid and not _has_key_index(con, name)  # the key is the row number
    columns = tuple(
        Column(
            name=r[0],
            type=field_type(r[1]),
            nullable=not r[2] and not r[4],
            default=r[3] is not None or (counted and r[0] in key) or r[5] in _GENERATED,
            generated=r[5] in _GENERATED,
        )
        for r in info
    )
    unique, collations = _uniques(con, name, key)
    fks = con.execute('select "from", id from pragma_foreign_key_list(?)', (name,)).fetchall()
    return Found(
        name=name,
        schema=TableSchema(table, columns, key, unique),
        declared={r[0]: r[1] for r in info},
        collations=collations,
        locators=_locators({r[0].lower() for r in info}, key, without_rowid=without_rowid),
        references=fks[0][0] if len(fks) == 1 else "",
    )


def planned(wanted: TableSchema) -> Found:
    """A table that `create_statement` will have made."""
    declared = {c.name: native(c.type) for c in wanted.columns}
    columns = tuple(replace(c, type=replace(c.type, native=declared[c.name])) for c in wanted.columns)
    schema = replace(wanted, columns=columns)
    locators = _locators({n.lower() for n in declared}, wanted.key, without_rowid=False)
    return Found(plain(wanted.name), schema, declared, {}, locators, "")


def extended(found: Found, added: Sequence[Column]) -> Found:
    """The table as it will be with more columns."""
    declared = {c.name: native(c.type) for c in added}
    columns = tuple(replace(c, type=replace(c.type, native=declared[c.name])) for c in added)
    schema = replace(found.schema, columns=(*found.schema.columns, *columns))
    return replace(found, schema=schema, declared={**found.declared, **declared})


def add_column(table: str, column: Column, schema: str = "") -> str:
    """The statement that adds a column to a table."""
    name = (f"{schema}." if schema else "") + quoted(plain(table))
    return f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {native(column.type)}"


def _without_rowid(con: sqlite3.Connection, name: str) -> bool:
    """A WITHOUT ROWID table's primary key index is the table itself, and holds the other columns too."""
    rows = con.execute("select name from pragma_index_list(?) where origin = 'pk'", (name,)).fetchall()
    return any(
        con.execute("select count(*) from sqlite_master where name = ?", (r[0],)).fetchone()[0] == 0 for r in rows
    )


def _has_key_index(con: sqlite3.Connection, name: str) -> bool:
    return con.execute("select 1 from pragma_index_list(?) where origin = 'pk'", (name,)).fetchone() is not None


def _uniques(
    con: sqlite3.Connection, name: str, key: tuple[str, ...]
) -> tuple[tuple[tuple[str, ...], ...], dict[str, str]]:
    unique: list[tuple[str, ...]] = []
    collations: dict[str, str] = {}
    for index, origin in con.execute(
        'select name, origin from pragma_index_list(?) where "unique" and not partial', (name,)
    ).fetchall():
        parts = con.execute(
            "select name, coll from pragma_index_xinfo(?) where key order by seqno", (index,)
        ).fetchall()
        if any(p[0] is None for p in parts):  # an index on an expression
            continue
        collations.update({p[0]: p[1] for p in parts if p[1].upper() != "BINARY"})
        if origin != "pk" and {p[0] for p in parts} != set(key):
            unique.append(tuple(p[0] for p in parts))
    return tuple(unique), collations


def _locators(columns: set[str], key: tuple[str, ...], *, without_rowid: bool) -> tuple[str, ...]:
    free = next((r for r in ("rowid", "_rowid_", "oid") if r not in columns), None)
    if without_rowid or free is None:
        return tuple(quoted(k) for k in key)
    return (free,)


def create_statement(wanted: TableSchema, schema: str = "") -> str:
    """The CREATE TABLE for a table. A single integer key becomes SQLite's row number itself, the quickest key it has."""
    alone = (
        len(wanted.key) == 1 and (only := wanted.column(wanted.key[0])) is not None and native(only.type) == "INTEGER"
    )
    lines = [f"  {quoted(c.name)} {native(c.type)}{_ending(c, wanted.key, alone=alone)}" for c in wanted.columns]
    if wanted.key and not alone:
        lines.append(f"  PRIMARY KEY ({', '.join(quoted(k) for k in wanted.key)})")
    name = (f"{schema}." if schema else "") + quoted(plain(wanted.name))
    return f"CREATE TABLE {name} (\n" + ",\n".join(lines) + "\n)"


def _ending(column: Column, key: tuple[str, ...], *, alone: bool) -> str:
    if alone and column.name in key:
        return " PRIMARY KEY"
    return "" if column.nullable and column.name not in key else " NOT NULL"
