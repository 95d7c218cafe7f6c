"""How PostgreSQL spells what the method needs."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.model.table import Column
from headgate.model.types import IMAGE, INTEGERS, FieldType
from headgate.model.write import WriteField

from .connection import identifier, literal
from .types import native, staged

STATE_SCHEMA = "_headgate"
_TEXTS = ("text", "uuid", "json", "other", "image")


class PostgresSpelling:
    """What needs no table to be known."""

    def literal(self, value: object, column: Column) -> str:
        """A literal of the column's type."""
        if value is None:
            return f"null::{native(column.type)}"
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f"{literal(text)}::{native(column.type)}"

    def state_table(self, name: str) -> str:
        """A table of a schema of Headgate's own."""
        return f"{STATE_SCHEMA}.{identifier(name.removeprefix(f'{STATE_SCHEMA}_'))}"

    def state_type(self, of: str) -> str:
        """``bigint`` or ``text``."""
        return "bigint" if of == "number" else "text"


class PostgresDialect(PostgresSpelling):
    """PostgreSQL's dialect.

    Args:
        incomparable: columns whose type has no equality (json, xml, geometric ones).
    """

    overriding = "overriding system value"

    def __init__(self, incomparable: frozenset[str] = frozenset()) -> None:
        self._incomparable = incomparable

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return identifier(name)

    def temp(self, name: str) -> str:
        """Temporary tables have a schema of their own."""
        return f"pg_temp.{name}"

    def create_temp(self, name: str, columns: Sequence[tuple[str, str]]) -> str:
        """A temporary table that goes with the transaction."""
        return f"create temporary table {name} ({', '.join(f'{n} {t}' for n, t in columns)}) on commit drop"

    def create_temp_as(self, name: str, select: str) -> str:
        """A temporary table from a query."""
        return f"create temporary table {name} on commit drop as {select}"

    def index_temp(self, name: str, column: str) -> str:
        """An index for it."""
        return f"create index on {self.temp(name)} ({column})"

    def staged_type(self, of: FieldType) -> str:
        """The type COPY is sent."""
        return staged(of)

    def distinct(self, a: str, b: str) -> str:
        """``IS DISTINCT FROM``."""
        return f"{a} is distinct from {b}"

    def is_true(self, expr: str) -> str:
        """A boolean that is true."""
        return f"{expr} is true"

    def value(self, expr: str, field: WriteField, column: Column) -> str:
        """The staged value, cast where the column's type is another one. A text too long for its column is left to the
        assignment, which refuses it; a cast would cut it.
        """
        of = native(column.type)
        if column.type.kind == "text":
            return expr if field.type.kind in _TEXTS and field.type.kind != "uuid" else f"{expr}::text"
        if (column.type.kind == "decimal" and field.type != IMAGE) or of == staged(field.type):
            return expr
        return f"{expr}::{of}"

    def can_fail(self, field: WriteField, column: Column) -> bool:
        """Casts from text, and to a narrower float."""
        if column.type.kind == "text":
            return False
        return (
            column.type.kind in ("other", "json")
            or column.type.native == "real"
            or (staged(field.type) == "text" and column.type.kind not in _TEXTS)
        )

    def comparable(self, expr: str, column: Column) -> str:
        """Trailing blanks of ``character(n)`` do not count; types without equality are compared as text."""
        if column.name in self._incomparable:
            return f"{expr}::text"
        return f"{expr}::bpchar" if column.type.native.startswith("character(") else expr

    def shown(self, expr: str, field: WriteField, column: Column) -> str:
        """The value in the field's type; NULL for what that has no value for (infinity, NaN, the year 12000)."""
        kind = field.type.kind
        if kind == "decimal":
            return self._decimal(expr, field.type, column)
        if kind in INTEGERS:
            return self._integer(expr, INTEGERS[kind], column)
        if kind in _TEXTS:
            return f"{expr}::text"
        if kind != column.type.kind:
            return f"null::{staged(field.type)}"
        if kind in ("date", "timestamp", "timestamptz"):
            return f"case when {expr} >= '0001-01-01' and {expr} < '10000-01-01' then {expr} end"
        if kind == "time":
            return f"case when {expr} < '24:00' then {expr} end"
        # Through text a real gives the digits that were written to it.
        return f"{expr}::text::double precision" if column.type.native == "real" else expr

    def _number(self, expr: str, column: Column) -> str:
        """Whatever the column holds as numeric, NULL where it is no number."""
        if column.type.kind in ("text", "other"):
            return f"case when {expr}::text ~ '^[-+]?[0-9]{{1,40}}([.][0-9]{{1,40}})?$' then {expr}::text::numeric end"
        if column.type.kind in INTEGERS or column.type.kind == "decimal":
            return f"{expr}::numeric" if column.type.kind in INTEGERS else expr
        return f"{expr}::text::numeric" if column.type.kind == "double" else "null::numeric"

    def _decimal(self, expr: str, of: FieldType, column: Column) -> str:
        number = self._number(expr, column)
        most = f"1e{(of.precision or 0) - (of.scale or 0)}"
        # NaN is greater than every number in PostgreSQL, so it falls out here too.
        return f"case when abs(round({number}, {of.scale or 0})) < {most} then round({number}, {of.scale or 0}) end"

    def _integer(self, expr: str, bits: int, column: Column) -> str:
        if column.type.kind in INTEGERS and INTEGERS[column.type.kind] <= bits:
            return expr
        number = self._number(expr, column)
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        return f"case when {number} between {low} and {high} and {number} = trunc({number}) then ({number})::bigint end"

    def image(self, expr: str, column: Column) -> str:  # noqa: ARG002 - every type has a text form that it reads back
        """The value's text, with the settings of `PostgresSession.begin`."""
        return f"{expr}::text"

    def all_same(self, left: Sequence[str], right: Sequence[str]) -> str:
        """By the text of the whole row, which can be hashed; ``IS NOT DISTINCT FROM`` cannot."""
        return f"row({', '.join(left)})::text = row({', '.join(right)})::text"

    def update_from(self, target: str, sets: Sequence[tuple[str, str]], source: str, where: str) -> str:
        """``UPDATE ... FROM``."""
        return f"update {target} t set {', '.join(f'{c} = {v}' for c, v in sets)} from {source} s where {where}"

    def delete_using(self, target: str, source: str, locators: Sequence[str], where: str) -> str:
        """``DELETE ... USING``."""
        on = " and ".join(f"t.{loc} = s._l{i}" for i, loc in enumerate(locators))
        return f"delete from {target} t using {source} s where {on} and {where}"
