"""How a database spells what the method needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headgate.model.table import Column
from headgate.model.types import FieldType
from headgate.model.write import WriteField

from .checkpoints import Spelling


@dataclass(frozen=True, slots=True)
class Target:
    """The destination's table as statements see it.

    Attributes:
        name: quoted, with its schema where it needs one.
        columns: its columns by name.
        locators: what finds a row again within the transaction: quoted columns or system columns (``ctid``, ``rowid``),
            or the quoted key where there is nothing better.
        unique: whether the key of the run is unique there, so that a record finds at most one row.
    """

    name: str
    columns: Mapping[str, Column]
    locators: tuple[str, ...]
    unique: bool


class Dialect(Spelling, Protocol):
    """Pure text: nothing here talks to a database.

    In joins the destination's table is always called ``t`` and the other side ``s``. Internal columns are called
    ``_n``, ``_o``, ``_delete``, ``_action``, ``_l0``, ``f0``, ``k0``, ``p0`` and need no quoting.
    """

    overriding: str
    """What stands between the column list and the SELECT of an INSERT (``overriding system value``), or nothing."""

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        ...

    def temp(self, name: str) -> str:
        """A temporary table of that name, so that no other table is meant."""
        ...

    def create_temp(self, name: str, columns: Sequence[tuple[str, str]]) -> str:
        """Make a temporary table; columns are (name, type)."""
        ...

    def create_temp_as(self, name: str, select: str) -> str:
        """Make a temporary table from a query."""
        ...

    def index_temp(self, name: str, column: str) -> str:
        """Index a column of a temporary table."""
        ...

    def staged_type(self, of: FieldType) -> str:
        """The type in which the stage holds a field's values; also used for ``bigint``, ``boolean`` and ``text``."""
        ...

    def distinct(self, a: str, b: str) -> str:
        """Condition: the two differ, where NULL equals NULL."""
        ...

    def is_true(self, expr: str) -> str:
        """Condition: a staged boolean is true; NULL counts as false."""
        ...

    def value(self, expr: str, field: WriteField, column: Column) -> str:
        """A staged value as the destination's column holds it."""
        ...

    def can_fail(self, field: WriteField, column: Column) -> bool:
        """Whether `value` can fail for some value (a cast to one of the database's own types)."""
        ...

    def comparable(self, expr: str, column: Column) -> str:
        """A value of that column in a form for which equality is defined."""
        ...

    def shown(self, expr: str, field: WriteField, column: Column) -> str:
        """A value of that column in the field's type, as changes show it and plans keep it; NULL where that type has
        no such value.
        """
        ...

    def image(self, expr: str, column: Column) -> str:
        """A value of that column as a text from which `value`, of a field of type ``image``, makes it again. Equal texts
        are equal values.
        """
        ...

    def all_same(self, left: Sequence[str], right: Sequence[str]) -> str:
        """Condition: the values are pairwise equal, where NULL equals NULL; such that large tables can be joined by it."""
        ...

    def update_from(self, target: str, sets: Sequence[tuple[str, str]], source: str, where: str) -> str:
        """Update rows of ``target t`` from ``source s``; `sets` are (quoted column, expression)."""
        ...

    def delete_using(self, target: str, source: str, locators: Sequence[str], where: str) -> str:
        """Delete rows of ``target t`` that `source s` names: ``t.locators[i] = s._l{i}``; `where` concerns ``s`` alone."""
        ...
