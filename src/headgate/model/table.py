"""What a destination's table looks like."""

from __future__ import annotations

from dataclasses import dataclass

from .types import FieldType


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        nullable: whether it takes NULL.
        default: whether the destination fills it when it is left out (default, identity, generated).
        generated: whether it must not be written at all.
    """

    name: str
    type: FieldType
    nullable: bool = True
    default: bool = False
    generated: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table as inspected, or as wanted.

    Attributes:
        name: as the user wrote it (``table`` or ``schema.table``).
        key: the primary key's columns, in its order.
        unique: other sets of columns that are unique.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A change of the destination's schema that a run would make.

    Attributes:
        summary: for a person (``create table product (sku text, ...) with key sku``).
        statement: what would be executed.
    """

    summary: str
    statement: str
