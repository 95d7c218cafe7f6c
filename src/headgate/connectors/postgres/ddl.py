"""Tables that Headgate makes."""

from __future__ import annotations

from headgate.model.errors import DestinationError
from headgate.model.table import TableSchema

from .catalog import split
from .connection import identifier
from .types import native

MAX_IDENTIFIER = 63


def create_table(wanted: TableSchema) -> str:
    """The statement that makes a table with its key.

    Raises:
        DestinationError: a name is too long, which PostgreSQL would cut without an error.
    """
    schema, table = split(wanted.name)
    for name in (schema or "", table, *(c.name for c in wanted.columns)):
        if len(name.encode()) > MAX_IDENTIFIER:
            raise DestinationError(
                f"the name {name!r} is too long for PostgreSQL ({len(name.encode())} bytes, at most {MAX_IDENTIFIER})",
                hint="Give the field a shorter name.",
            )
    items = [f"{identifier(c.name)} {native(c.type)}{'' if c.nullable else ' not null'}" for c in wanted.columns]
    if wanted.key:
        items.append(f"primary key ({', '.join(identifier(k) for k in wanted.key)})")
    name = ".".join(identifier(p) for p in (schema, table) if p is not None)
    return f"create table {name} ({', '.join(items)})"
