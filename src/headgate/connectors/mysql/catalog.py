"""What the database says about its tables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from headgate.model.errors import DestinationError, UsageError
from headgate.model.table import Column, TableSchema

from .connection import identifier, literal
from .types import field_type

Rows = Callable[[str], list[tuple[Any, ...]]]

_NAME: Final = re.compile(r"(?:(?:`((?:[^`]|``)+)`|([^`.]+))\.)?(?:`((?:[^`]|``)+)`|([^`.]+))")
BEYOND: Final = "\uffff"
"""The last character that names may have."""

_OWN: Final = "_headgate%"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the database knows it.

    Attributes:
        schema: the database it is in.
        kind: ``BASE TABLE``, ``VIEW`` and others.
        engine: who keeps its records; empty for views.
        locators: columns that find a record again: the primary key, or another unique key without NULLs; empty where
            there is none.
        collations: of its texts, by column.
    """

    schema: str
    name: str
    kind: str
    engine: str
    table: TableSchema
    locators: tuple[str, ...]
    collations: dict[str, str]

    @property
    def sql(self) -> str:
        """The name for statements."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"


def split(name: str) -> tuple[str | None, str]:
    """The database, if there is one, and the table of a name as a user writes it (``orders``, ``sales.orders``,
    ```odd.name```).

    Raises:
        UsageError: it is no name.
    """
    m = _NAME.fullmatch(name)
    if m is None:
        raise UsageError(f"{name!r} is no name of a table", hint="It looks like orders, sales.orders or `odd.name`.")
    quoted_schema, schema, quoted_table, table = (part.replace("``", "`") if part else None for part in m.groups())
    return quoted_schema or schema, quoted_table or table or ""


def find(rows: Rows, name: str) -> Relation | None:
    """Look a table up."""
    schema, table = split(name)
    if max(name) > BEYOND:
        return None
    of = literal(schema) if schema else "database()"
    found = rows(
        "select table_schema, table_name, table_type, coalesce(engine, '') from information_schema.tables "
        f"where table_schema = {of} and table_name = {literal(table)}"
    )
    if not found:
        return None
    where = f"table_schema = {literal(found[0][0])} and table_name = {literal(found[0][1])}"
    columns, collations = _columns(rows, where)
    key, unique = _keys(rows, where)
    required = {c.name for c in columns if not c.nullable}
    locators = key or next((u for u in unique if required.issuperset(u)), ())
    in_schema, exact, kind, engine = found[0]
    return Relation(in_schema, exact, kind, engine, TableSchema(name, columns, key, unique), locators, collations)


def _columns(rows: Rows, where: str) -> tuple[tuple[Column, ...], dict[str, str]]:
    found = rows(
        "select column_name, column_type, is_nullable, column_default is not null and column_default <> 'NULL' "
        "or extra like '%auto_increment%' or extra like '%default_generated%', "
        "generation_expression <> '', column_comment, coalesce(collation_name, '') "
        f"from information_schema.columns where {where} order by ordinal_position"
    )
    json = _json(rows, where)
    columns = tuple(
        Column(
            name,
            field_type(spelled, comment, json=name in json),
            nullable=nullable == "YES",
            default=bool(default or generated),
            generated=bool(generated),
        )
        for name, spelled, nullable, default, generated, comment, _ in found
    )
    return columns, {row[0]: row[6] for row in found if row[6]}


def _json(rows: Rows, where: str) -> set[str]:
    """Columns that hold JSON by a constraint, as MariaDB makes them."""
    if "mariadb" not in str(rows("select version()")[0][0]).lower():
        return set()
    checks = rows(
        "select check_clause from information_schema.check_constraints where "
        + where.replace("table_schema", "constraint_schema", 1)
    )
    valid = (re.fullmatch(r"\(*json_valid\(`((?:[^`]|``)+)`\)\)*", clause) for (clause,) in checks)
    return {m[1].replace("``", "`") for m in valid if m}


def _keys(rows: Rows, where: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    found = rows(
        f"select index_name, column_name, sub_part from information_schema.statistics where {where} and non_unique = 0 "
        "order by index_name <> 'PRIMARY', index_name, seq_in_index"
    )
    sets: dict[str, list[str | None]] = {}
    for index, column, part in found:
        # An index of an expression or of a column's beginning makes nothing of the column itself unique.
        sets.setdefault(index, []).append(column if part is None else None)
    whole = {index: tuple(c for c in columns if c) for index, columns in sets.items() if None not in columns}
    return whole.pop("PRIMARY", ()), tuple(whole.values())


def names(rows: Rows) -> list[str]:
    """All tables and views of the connection's database, sorted."""
    found = rows(
        "select table_name from information_schema.tables where table_schema = database() "
        f"and table_name not like {literal(_OWN.replace('_', chr(92) + '_'))} order by table_name"
    )
    return [identifier(n) if "." in n or "`" in n else n for (n,) in found]


def missing(rows: Rows, name: str, what: str, *, create: bool = True) -> DestinationError:
    """What to raise when there is no table of that name; names those it may have meant, and that it could be made."""
    there = names(rows)
    near = difflib.get_close_matches(name, there, n=3)
    listed = f"There are: {', '.join(there[:20])}." if there else "There are no tables."
    hint = f"Did you mean {' or '.join(near)}?" if near else listed
    return DestinationError(
        f"{what}: there is no table {name!r}", hint=f"{hint} To make it, say create: true." if create else hint
    )


def check_writable(relation: Relation, what: str) -> None:
    """Refuse what cannot be written in a transaction.

    Raises:
        DestinationError: it is a view, or of an engine without transactions.
    """
    name = relation.table.name
    if relation.kind != "BASE TABLE":
        raise DestinationError(f"{what}: {name} is a {relation.kind.lower()}", hint="Write to its tables.")
    if relation.engine.lower() != "innodb":
        raise DestinationError(
            f"{what}: {name} is a table of {relation.engine}, which has no transactions; a run could not be taken back",
            hint=f"alter table {relation.sql} engine = InnoDB",
        )


def is_referred_to(rows: Rows, schema: str, name: str) -> bool:
    """Whether a foreign key of another table refers to the table."""
    found = rows(
        "select 1 from information_schema.referential_constraints where "
        f"unique_constraint_schema = {literal(schema)} and referenced_table_name = {literal(name)} "
        f"and not (constraint_schema = {literal(schema)} and table_name = {literal(name)}) limit 1"
    )
    return bool(found)
