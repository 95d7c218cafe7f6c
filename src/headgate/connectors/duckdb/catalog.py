"""What the database says about its tables, and the statement that makes one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headgate.model.errors import DestinationError, UsageError
from headgate.model.table import Column, TableSchema

from .connection import identifier, literal
from .types import field_type, native

Rows = Callable[[str], list[tuple[Any, ...]]]

_NAME: Final = re.compile(r'(?:(?:"((?:[^"]|"")+)"|([^".]+))\.)?(?:"((?:[^"]|"")+)"|([^".]+))')
_HERE: Final = "database_name = current_database()"


@dataclass(frozen=True, slots=True)
class Found:
    """A table as the database knows it.

    Attributes:
        sql: its name for statements.
        locators: quoted columns that find a row again; none where only its values could.
        collated: columns that compare texts by a collation.
    """

    sql: str
    table: TableSchema
    locators: tuple[str, ...]
    collated: frozenset[str]


def split(name: str) -> tuple[str, str]:
    """The schema (``main`` if none is said) and the table of a name as a user writes it (``orders``, ``sales.orders``,
    ``"odd.name"``).

    Raises:
        UsageError: it is no name.
    """
    m = _NAME.fullmatch(name)
    if m is None:
        raise UsageError(f"{name!r} is no name of a table", hint='It looks like orders, sales.orders or "odd.name".')
    quoted_schema, schema, quoted_table, table = (part.replace('""', '"') if part else None for part in m.groups())
    return quoted_schema or schema or "main", quoted_table or table or ""


def sql_name(name: str) -> str:
    """The name for statements, so that no temporary table is meant."""
    schema, table = split(name)
    return f"{identifier(schema)}.{identifier(table)}"


def find(rows: Rows, name: str) -> Found | None:
    """Look a table up; None when there is none. Case does not matter.

    Raises:
        DestinationError: it is a view.
    """
    schema, table = split(name)
    where = f"{_HERE} and lower(schema_name) = lower({literal(schema)})"
    of_table = f"{where} and lower(table_name) = lower({literal(table)})"
    found = rows(
        "select column_name, data_type, is_nullable, column_default is not null, is_generated "
        f"from duckdb_columns() where {of_table} order by column_index"
    )
    if not found:
        return None
    if rows(f"select 1 from duckdb_views() where {where} and lower(view_name) = lower({literal(table)})"):
        raise DestinationError(f"{name} is a view, which cannot be imported into", hint="Name the table behind it.")
    columns = tuple(
        Column(n, field_type(of), nullable=nullable, default=default or generated, generated=generated)
        for n, of, nullable, default, generated in found
    )
    key, unique = _keys(rows, of_table)
    free = all(c.name.lower() != "rowid" for c in columns)
    locators = ("rowid",) if free else tuple(identifier(k) for k in key)
    return Found(sql_name(name), TableSchema(name, columns, key, unique), locators, _collated(rows, of_table, columns))


def _collated(rows: Rows, where: str, columns: Iterable[Column]) -> frozenset[str]:
    """Only the statement that makes a table tells the collations of its columns."""
    ((statement,),) = rows(f"select sql from duckdb_tables() where {where}")
    if " COLLATE " not in statement:
        return frozenset()

    def said(name: str) -> bool:
        return (
            re.search(rf"(?:{re.escape(identifier(name))}|[(\s]{re.escape(name)}) VARCHAR COLLATE ", statement)
            is not None
        )

    return frozenset(c.name for c in columns if said(c.name))


def _keys(rows: Rows, where: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    found = rows(
        "select constraint_type = 'PRIMARY KEY', constraint_column_names from duckdb_constraints() "
        f"where {where} and constraint_type in ('PRIMARY KEY', 'UNIQUE') order by constraint_index"
    )
    key: tuple[str, ...] = next((tuple(names) for primary, names in found if primary), ())
    unique = [tuple(names) for primary, names in found if not primary]
    known = {n: n for (n,) in rows(f"select column_name from duckdb_columns() where {where}")}
    known |= {identifier(n): n for n in known}
    for (expressions,) in rows(f"select expressions from duckdb_indexes() where {where} and is_unique"):
        # Of an index of expressions nothing is known; those of columns are listed by name: [id, "other name"].
        columns = [known.get(e.strip().strip("'")) for e in str(expressions).strip("[]").split(",")]
        if all(columns):
            unique.append(tuple(c for c in columns if c))
    return key, tuple(unique)


def names(rows: Rows) -> list[str]:
    """All tables a person has made, sorted; those outside the schema ``main`` with their schema."""
    found = rows(
        f"select schema_name, table_name from duckdb_tables() where {_HERE} and not temporary "
        "and not starts_with(table_name, '_headgate_') order by schema_name <> 'main', schema_name, table_name"
    )
    return [_written(t) if s == "main" else f"{_written(s)}.{_written(t)}" for s, t in found]


def _written(name: str) -> str:
    return identifier(name) if "." in name or '"' in name else name


def missing(rows: Rows, name: str, path: Path, *, create: bool = True) -> DestinationError:
    """What to raise when there is no table of that name; names those it may have meant, and that it could be made."""
    there = names(rows)
    near = difflib.get_close_matches(name, there, 3, 0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(there[:20]) or 'none'}."
    return DestinationError(
        f"{path}: there is no table {name}", hint=f"{hint} With create: true the run makes it." if create else hint
    )


def create_table(wanted: TableSchema, temporary: str = "") -> str:
    """The statement that makes a table with its key, or a temporary one of that name like it."""
    items = [
        f"{identifier(c.name)} {native(c.type)}{'' if c.nullable and c.name not in wanted.key else ' NOT NULL'}"
        for c in wanted.columns
    ]
    if wanted.key:
        items.append(f"PRIMARY KEY ({', '.join(identifier(k) for k in wanted.key)})")
    what = f"TEMP TABLE {temporary}" if temporary else f"TABLE {sql_name(wanted.name)}"
    return f"CREATE {what} ({', '.join(items)})"
