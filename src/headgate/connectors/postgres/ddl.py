"""Tables that Headgate makes."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.model.errors import DestinationError
from headgate.model.table import Column, SchemaChange, TableSchema

from .catalog import split
from .connection import identifier
from .types import native

MAX_IDENTIFIER = 63


def create_table(wanted: TableSchema) -> str:
    """The statement that makes a table with its key.

    Raises:
        DestinationError: a name is too long, which PostgreSQL would cut without an error.
    """
    name = _checked(wanted.name, wanted.columns)
    items = [f"{identifier(c.name)} {native(c.type)}{'' if c.nullable else ' not null'}" for c in wanted.columns]
    if wanted.key:
        items.append(f"primary key ({', '.join(identifier(k) for k in wanted.key)})")
    return f"create table {name} ({', '.join(items)})"


def alter_table(table: str, added: Sequence[Column], widened: Sequence[Column]) -> list[SchemaChange]:
    """The statements that add columns to a table, and give columns of it other types.

    Args:
        table: as the user wrote it.

    Raises:
        DestinationError: a name is too long.
    """
    name = _checked(table, added)
    changes = [
        SchemaChange(
            f"add column {c.name} {native(c.type)} to {table}",
            f"alter table {name} add column {identifier(c.name)} {native(c.type)}",
        )
        for c in added
    ]
    return changes + [
        SchemaChange(
            f"change column {c.name} of {table} to {native(c.type)}",
            f"alter table {name} alter column {identifier(c.name)} type {native(c.type)}",
        )
        for c in widened
    ]


def _checked(name: str, columns: Sequence[Column]) -> str:
    """A table's name for statements, when it and its columns' are short enough."""
    schema, table = split(name)
    for n in (schema or "", table, *(c.name for c in columns)):
        if len(n.encode()) > MAX_IDENTIFIER:
            raise DestinationError(
                f"the name {n!r} is too long for PostgreSQL ({len(n.encode())} bytes, at most {MAX_IDENTIFIER})",
                hint="Give the field a shorter name.",
            )
    return ".".join(identifier(p) for p in (schema, table) if p is not None)
