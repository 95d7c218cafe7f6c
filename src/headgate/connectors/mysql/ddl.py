"""Tables that Headgate makes."""

from __future__ import annotations

from typing import Final

from headgate.model.errors import DestinationError
from headgate.model.table import Column, TableSchema

from .catalog import BEYOND, split
from .connection import identifier, literal
from .types import MARK, mark, native

MAX_IDENTIFIER: Final = 64
_KEY_BYTES: Final = 3072
_LEAST: Final = 1


def exact_collation(*, mariadb: bool) -> str:
    """The collation under which two texts are equal when they are the same characters, trailing blanks included."""
    return "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin"


def create_table(wanted: TableSchema, *, mariadb: bool, temporary: bool = False) -> str:
    """The statement that makes a table with its key.

    A text without a length becomes a ``varchar`` where it is part of the key, as long as an index takes; a record with a
    longer value is refused by the table.

    Raises:
        DestinationError: a name is none the database takes.
    """
    schema, table = split(wanted.name)
    for name in (schema or "", table, *(c.name for c in wanted.columns)):
        _check(name)
    room = _room(wanted)
    items = [_column(c, room if c.name in wanted.key else None, mariadb=mariadb) for c in wanted.columns]
    if wanted.key:
        items.append(f"primary key ({', '.join(identifier(k) for k in wanted.key)})")
    name = ".".join(identifier(p) for p in (schema, table) if p is not None)
    collation = exact_collation(mariadb=mariadb)
    return (
        f"create {'temporary ' if temporary else ''}table {name} ({', '.join(items)}) "
        f"engine = InnoDB row_format = dynamic character set utf8mb4 collate {collation}"
    )


def _column(column: Column, room: int | None, *, mariadb: bool) -> str:
    of, said, check = native(column.type), mark(column.type), ""
    if of == "json" and not mariadb:  # MySQL's own would keep numbers as doubles
        of, said, check = "longtext", f"{MARK}json", f" check (json_valid({identifier(column.name)}))"
    if room is not None and of == "longtext":
        of, said = f"varchar({room})", f"{MARK}text"
    elif room is not None and of == "longblob":
        of, said = f"varbinary({room * 4})", ""
    comment = f" comment {literal(said)}" if said else ""
    return f"{identifier(column.name)} {of}{' null' if column.nullable else ' not null'}{comment}{check}"


def _room(wanted: TableSchema) -> int:
    """Characters that each text of the key may have."""
    keys = [c for c in wanted.columns if c.name in wanted.key]
    texts = sum(native(c.type) in ("longtext", "longblob") for c in keys)
    fixed = sum(
        4 * c.type.length if c.type.length else 36 for c in keys if native(c.type) not in ("longtext", "longblob")
    )
    return max(_LEAST, (_KEY_BYTES - fixed) // 4 // max(1, texts))


def _check(name: str) -> None:
    if len(name) > MAX_IDENTIFIER:
        raise DestinationError(
            f"the name {name!r} is too long for MySQL ({len(name)} characters, at most {MAX_IDENTIFIER})",
            hint="Give the field a shorter name.",
        )
    if name.endswith(" ") or max(name, default="") > BEYOND:
        raise DestinationError(
            f"{name!r} is no name for MySQL: names have no blank at their end and no characters beyond U+FFFF",
            hint="Give the field another name.",
        )
