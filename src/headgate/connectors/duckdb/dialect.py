"""How DuckDB spells what `headgate.sql` needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from headgate.model.table import Column
from headgate.model.types import IMAGE, INTEGERS, FieldType
from headgate.model.write import WriteField

from .connection import identifier, literal
from .types import native

_TEXTS: Final = ("text", "uuid", "json", "other", "image")
_NUMBERS: Final = (*INTEGERS, "decimal", "double")


class DuckdbDialect:
    """Pure text.

    Args:
        collated: columns of the destination's table that compare texts by a collation, which may take different texts for
            equal.
    """

    overriding = ""

    def __init__(self, collated: frozenset[str] = frozenset()) -> None:
        self._collated = collated

    def _exact(self, expr: str, column: Column) -> str:
        return f"decode(encode({expr}))" if column.name in self._collated else expr

    def literal(self, value: object, column: Column) -> str:
        """A value from a definition in the column's type."""
        if value is None:
            return "null"
        if isinstance(value, bytes):
            return f"unhex('{value.hex()}')"
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f"cast({literal(text)} as {native(column.type)})"

    def state_table(self, name: str) -> str:
        """A table beside the others; its name begins with an underscore."""
        return f"main.{identifier(name)}"

    def state_type(self, of: str) -> str:
        """Texts are compared exactly."""
        return "BIGINT" if of == "number" else "VARCHAR"

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return identifier(name)

    def temp(self, name: str) -> str:
        """In the database of temporary tables."""
        return f"temp.{name}"

    def create_temp(self, name: str, columns: Sequence[tuple[str, str]]) -> str:
        """A temporary table."""
        return f"create temp table {name} ({', '.join(f'{n} {t}' for n, t in columns)})"

    def create_temp_as(self, name: str, select: str) -> str:
        """A temporary table from a query."""
        return f"create temp table {name} as {select}"

    def index_temp(self, name: str, column: str) -> str:
        """Rows are found by the least and greatest value of each part of a table; an index would only cost."""
        return f"select count({column}) from {self.temp(name)} limit 0"

    def staged_type(self, of: FieldType) -> str:
        """The type Arrow's becomes."""
        if of.kind in _TEXTS:
            return "VARCHAR"
        return native(FieldType(of.kind, of.length, of.precision, of.scale))

    def distinct(self, a: str, b: str) -> str:
        """IS DISTINCT FROM."""
        return f"({a} is distinct from {b})"

    def is_true(self, expr: str) -> str:
        """NULL counts as false."""
        return f"coalesce({expr}, false)"

    def value(self, expr: str, field: WriteField, column: Column) -> str:
        """The staged value in the column's type."""
        of = native(column.type)
        if field.type == IMAGE and column.type.kind == "binary":
            return f"unhex({expr})"
        return expr if of == self.staged_type(field.type) else f"cast({expr} as {of})"

    def can_fail(self, field: WriteField, column: Column) -> bool:
        """Wherever a cast is needed."""
        return native(column.type) != self.staged_type(field.type)

    def comparable(self, expr: str, column: Column) -> str:
        """Texts and documents are compared character by character."""
        return f"cast({expr} as VARCHAR)" if column.type.kind == "json" else self._exact(expr, column)

    def shown(self, expr: str, field: WriteField, column: Column) -> str:
        """The value in the field's type; NULL for what that has no value for."""
        kind = field.type.kind
        if field.type == IMAGE:
            return self.image(expr, column)
        if kind in _TEXTS:
            return f"cast({self._exact(expr, column)} as VARCHAR)"
        of = self.staged_type(field.type)
        if kind in ("date", "timestamp", "timestamptz") and column.type.kind == kind:
            return f"case when isfinite({expr}) then try_cast({expr} as {of}) end"
        if kind in (*INTEGERS, "decimal") and column.type.kind in _NUMBERS:
            exact = f"try_cast({expr} as {of})"
            return f"case when {exact} = {expr} then {exact} end" if kind in INTEGERS else exact
        if kind == column.type.kind or (kind == "double" and column.type.kind in _NUMBERS):
            return f"try_cast({expr} as {of})"
        return f"cast(null as {of})"

    def image(self, expr: str, column: Column) -> str:
        """The value's text; hexadecimal digits of bytes."""
        return f"hex({expr})" if column.type.kind == "binary" else f"cast({self._exact(expr, column)} as VARCHAR)"

    def all_same(self, left: Sequence[str], right: Sequence[str]) -> str:
        """Pair by pair."""
        return " and ".join(f"{a} is not distinct from {b}" for a, b in zip(left, right, strict=True))

    def update_from(self, target: str, sets: Sequence[tuple[str, str]], source: str, where: str) -> str:
        """``UPDATE ... FROM``."""
        return f"update {target} t set {', '.join(f'{c} = {v}' for c, v in sets)} from {source} s where {where}"

    def delete_using(self, target: str, source: str, locators: Sequence[str], where: str) -> str:
        """``DELETE ... USING``."""
        on = " and ".join(f"t.{loc} = s._l{i}" for i, loc in enumerate(locators))
        return f"delete from {target} t using {source} s where {on} and {where}"
