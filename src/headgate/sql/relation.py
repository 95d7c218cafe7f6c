"""What is asked of every table before it is read or written."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.model.errors import DestinationError
from headgate.model.table import TableSchema


def check_columns(table: TableSchema, names: Iterable[str], place: object) -> None:
    """Refuse columns that a table does not have.

    Args:
        place: where the table is, for the message.

    Raises:
        DestinationError: there is such a name; the hint has those there are.
    """
    for name in names:
        if table.column(name) is None:
            there = ", ".join(c.name for c in table.columns)
            raise DestinationError(f"{place}: {table.name} has no column {name!r}", hint=f"There are: {there}.")
