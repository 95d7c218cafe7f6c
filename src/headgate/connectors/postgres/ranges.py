"""Dividing a table into ranges of a key, of about as many records each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import psycopg

from headgate.model.errors import SourceError

from .catalog import Relation
from .connection import PostgresSession, identifier, literal

_SAMPLE: Final = 30_000
"""Records by whose values a large table is divided: its blocks are then met well enough for ranges of about one size."""
_DIVISIBLE: Final = "rpm"


@dataclass(frozen=True, slots=True)
class Divided:
    """A table's ranges.

    Attributes:
        order: what to order by, so that the records of a range come in an order that only the data decides.
        ranges: conditions; each range's are read one after another. All together, they hold for each record exactly once.
    """

    order: str
    ranges: list[tuple[str, ...]]


def key_of(relation: Relation, by: str, what: str) -> tuple[str, ...]:
    """The columns to divide and order by: the first divides.

    Args:
        by: the column that the definition names; empty for the first of the primary key.
        what: the table, for messages.

    Raises:
        SourceError: it is no table, or has no such key.
    """
    if relation.kind not in _DIVISIBLE:
        kind = "view" if relation.kind == "v" else "foreign table"
        raise SourceError(
            f"{what} is a {kind}, whose records cannot be divided", hint="Leave source.parallel out, or read its table."
        )
    key = relation.table.key
    if not by and not key:
        raise SourceError(f"{what} has no primary key to divide it by", hint="Name a column: source.parallel.by.")
    return key if key and by in ("", key[0]) else (by,)


def divide(
    session: PostgresSession, relation: Relation, key: tuple[str, ...], where: str, count: int, rows: int
) -> Divided:
    """Divide a table.

    Args:
        session: in the transaction that reads.
        key: from `key_of`.
        where: the condition of an incremental source, with its `where`; or nothing.
        count: how many ranges there are at most; there are fewer where the column has too few values.
        rows: about how many records there are.

    Raises:
        SourceError: the column's values have no order.
    """
    column = f"hg.{identifier(key[0])}"
    found = relation.table.column(key[0])
    bounds = [literal(b) for b in _bounds(session, relation, column, where, count, rows)]
    ranges: list[tuple[str, ...]] = [
        (" and ".join([*([f"{column} >= {low}"] if low else []), *([f"{column} < {high}"] if high else [])]),)
        for low, high in pairwise(["", *bounds, ""])
    ]
    if not bounds:
        ranges = [("true",)]
    elif found is None or found.nullable:
        ranges[-1] = (*ranges[-1], f"{column} is null")
    return Divided(", ".join(f"hg.{name}" for name in _order(relation, key)), ranges)


def _order(relation: Relation, key: tuple[str, ...]) -> list[str]:
    """The key, and where it leaves records that are equal, their places. A table with heirs has a key without them only."""
    unique = key == relation.table.key and (relation.kind == "p" or not relation.inherited)
    return [*map(identifier, key), *(() if unique else relation.locators or ())]


def _bounds(session: PostgresSession, relation: Relation, column: str, where: str, count: int, rows: int) -> list[str]:
    """Where ranges end and begin: quantiles, of a part of the table that is the same each time where there is much."""
    share = min(1.0, _SAMPLE / max(rows, 1))
    sample = f" tablesample system ({100 * share:.6f}) repeatable (0)" if share < 1 else ""
    parts = ", ".join(str(n / count) for n in range(1, count))
    try:
        found = session.connection.execute(
            f"select (percentile_disc(array[{parts}]) within group (order by {column}))::text[] "
            f"from {relation.sql} hg{sample}{where}".encode()
        ).fetchone()
    except (psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedObject, psycopg.errors.CannotCoerce):
        raise SourceError(
            f"the values of {relation.table.name}.{column.removeprefix('hg.')} have no order that could divide the table",
            hint="Name another column: source.parallel.by.",
        ) from None
    bounds = (found[0] if found else None) or []
    return list(dict.fromkeys(b for b in bounds if b is not None))
