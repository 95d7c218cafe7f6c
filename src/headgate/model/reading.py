"""What lookups ask of a destination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .write import WriteField

TAKEN = "taken"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reading:
    """Columns of a table or of a query, to be read as text.

    Attributes:
        columns: which, in the order in which they are given.
        table: the table as a definition names it; empty where there is a query.
        query: one SELECT without a semicolon, in which names after colons are parameters; empty where there is a table.
        values: of a table: only records that have these values (None: that have none) in these columns; of a query: its
            parameters.
    """

    columns: tuple[str, ...]
    table: str = ""
    query: str = ""
    values: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parents:
    """Records that others are about to refer to.

    Attributes:
        table: where they are added, as a definition names it.
        fields: what is known of them; the table fills the rest.
        take: the column by which they are referred to.
    """

    table: str
    fields: tuple[WriteField, ...]
    take: str
