"""How MariaDB and MySQL spell what the method needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from headgate.model.table import Column
from headgate.model.types import IMAGE, INTEGERS, FieldType
from headgate.model.write import WriteField
from headgate.sql import DECIDED, EXTRA, KEPT

from .connection import identifier, literal
from .ddl import exact_collation
from .types import native

_TEXTS: Final = ("text", "uuid", "json", "other", "image")
_FRACTION: Final = re.compile(r"\w+\((\d)\)")


class MysqlSpelling:
    """What needs no table to be known."""

    def literal(self, value: object, column: Column) -> str:
        """A literal, which the column it is compared with or assigned to gives its type."""
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, bytes):
            return f"x'{value.hex()}'"
        return literal(str(value)) if column.type.kind != "double" else f"({literal(str(value))} + 0e0)"

    def state_table(self, name: str) -> str:
        """A table beside the others; its name begins with an underscore."""
        return identifier(name)

    def state_type(self, of: str) -> str:
        """Names are compared byte by byte."""
        return {"name": "varbinary(1000)", "number": "bigint", "text": "longtext character set utf8mb4"}[of]


class MysqlDialect(MysqlSpelling):
    """The dialect of one server, for one table.

    Args:
        mariadb: whether the server is MariaDB.
        collations: of the table's texts, by column; those that are not named have the one of tables Headgate makes.
    """

    overriding = ""

    def __init__(self, *, mariadb: bool, collations: Mapping[str, str] | None = None) -> None:
        self._exact = exact_collation(mariadb=mariadb)
        self._collations = collations or {}

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return identifier(name)

    def temp(self, name: str) -> str:
        """A temporary table hides another of its name."""
        return name

    def create_temp(self, name: str, columns: Sequence[tuple[str, str]]) -> str:
        """A temporary table, in which texts are equal when they are the same."""
        made = ", ".join(f"{n} {t}" for n, t in columns)
        return f"create temporary table {name} ({made}) engine = InnoDB character set utf8mb4 collate {self._exact}"

    def create_temp_as(self, name: str, select: str) -> str:
        """A temporary table from a query. Its index is made with it: to index it later would commit the transaction."""
        index = "(key (_n)) " if name in (DECIDED, KEPT, EXTRA) else ""
        return f"create temporary table {name} {index}engine = InnoDB character set utf8mb4 collate {self._exact} as {select}"

    def index_temp(self, name: str, column: str) -> str:  # noqa: ARG002 - see create_temp_as
        """The index is there."""
        return "do 0"

    def staged_type(self, of: FieldType) -> str:
        """The type LOAD DATA reads the text as."""
        if of.kind in _TEXTS:
            return "longtext"
        return native(FieldType(of.kind, of.length, of.precision, of.scale))

    def distinct(self, a: str, b: str) -> str:
        """The opposite of ``<=>``."""
        return f"not ({a} <=> {b})"

    def is_true(self, expr: str) -> str:
        """A number that is not 0."""
        return f"({expr} is true)"

    def _is_text(self, column: Column) -> bool:
        if column.name in self._collations or (column.type.kind == "json" and column.type.native != "json"):
            return True
        return not column.type.native and native(column.type).startswith(("varchar", "longtext", "char"))

    def _collation(self, column: Column) -> str:
        """The column's, or where it is of another character set, one that can hold every text."""
        of = self._collations.get(column.name, self._exact)
        if of.startswith(("utf8mb4_", "uca1400")):
            return of
        if of.endswith("_bin") or of == "binary":
            return self._exact
        return "utf8mb4_general_ci"

    def value(self, expr: str, field: WriteField, column: Column) -> str:
        """The staged value, in the type and with the collation of the column, so that keys are equal when the column's
        index says so. A value that does not fit is left to the assignment, which refuses it.
        """
        of = native(column.type)
        if field.type == IMAGE:
            return self._of_image(expr, column)
        if self._is_text(column):
            text = expr if field.type.kind in _TEXTS else f"cast({expr} as char character set utf8mb4)"
            if of.startswith("char("):  # trailing blanks of a char(n) are none
                text = f"trim(trailing ' ' from {text})"
            return f"convert({text} using utf8mb4) collate {self._collation(column)}"
        if column.type.kind in ("time", "timestamp", "timestamptz") and field.type.kind == column.type.kind:
            return f"cast({expr} as {self._moment(column)})"
        if of.startswith("float"):
            return f"cast({expr} as float)"
        if column.type.kind == "json":
            return f"cast({expr} as json)"
        return expr

    def _moment(self, column: Column) -> str:
        """``time`` or ``datetime`` with the column's digits of a second."""
        m = _FRACTION.match(native(column.type))
        return f"{'time' if column.type.kind == 'time' else 'datetime'}({m[1] if m else 0})"

    def can_fail(self, field: WriteField, column: Column) -> bool:
        """Only JSON of MySQL; everything else is refused when it is assigned."""
        return column.type.kind == "json" and not self._is_text(column) and field.type != IMAGE

    def comparable(self, expr: str, column: Column) -> str:
        """Texts are compared character by character, whatever the column's collation says."""
        return self._text(expr) if self._is_text(column) else expr

    def _text(self, expr: str) -> str:
        return f"convert({expr} using utf8mb4) collate {self._exact}"

    def shown(self, expr: str, field: WriteField, column: Column) -> str:
        """The value in the field's type; NULL for what that has no value for."""
        kind = field.type.kind
        if field.type == IMAGE:
            return self.image(expr, column)
        if kind in _TEXTS:
            return self._text(expr if self._is_text(column) else f"cast({expr} as char)")
        if kind in INTEGERS:
            return self._integer(expr, INTEGERS[kind], column)
        if kind == "decimal":
            return self._decimal(expr, field.type, column)
        if kind == "double" and native(column.type).startswith("float"):
            return f"cast({expr} as double)"
        if kind != column.type.kind:
            return "null"
        if kind == "date" or kind.startswith("timestamp"):
            return f"case when {expr} >= '0001-01-01' then {expr} end"
        return f"case when {expr} >= '00:00:00' and {expr} < '24:00:00' then {expr} end" if kind == "time" else expr

    def _integer(self, expr: str, bits: int, column: Column) -> str:
        if column.type.kind not in (*INTEGERS, "decimal", "double"):
            return "null"
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        return f"case when {expr} between {low} and {high} and {expr} = truncate({expr}, 0) then cast({expr} as signed) end"

    def _decimal(self, expr: str, of: FieldType, column: Column) -> str:
        if column.type.kind not in (*INTEGERS, "decimal", "double"):
            return "null"
        most = "1" + "0" * ((of.precision or 0) - (of.scale or 0))  # as 1e38 it would be a double
        shape = f"decimal({of.precision},{of.scale})"
        return f"case when abs(round({expr}, {of.scale})) < {most} then cast({expr} as {shape}) end"

    def image(self, expr: str, column: Column) -> str:
        """The value's text; hexadecimal digits of bytes, every digit of a number."""
        of = native(column.type)
        if column.type.kind == "binary":
            text = f"hex({expr})"
        elif of.startswith("bit"):
            text = f"cast({expr} + 0 as char)"
        elif of.startswith("float"):
            text = f"cast(cast({expr} as double) as char)"
        else:
            text = expr if self._is_text(column) else f"cast({expr} as char)"
        return self._text(text)

    def _of_image(self, expr: str, column: Column) -> str:
        of = native(column.type)
        kind = column.type.kind
        if kind == "binary":
            return f"unhex({expr})"
        if self._is_text(column):
            return f"convert({expr} using utf8mb4) collate {self._collation(column)}"
        if kind == "decimal":
            return f"cast({expr} as decimal({column.type.precision},{column.type.scale}))"
        if kind in ("time", "timestamp", "timestamptz"):
            return f"cast({expr} as {self._moment(column)})"
        if kind in INTEGERS or kind == "boolean":
            return f"cast({expr} as signed)"
        if kind == "double":
            return f"({expr} * 1e0)"  # an addition would take the sign from -0.0
        if of.startswith("bit"):
            return f"cast({expr} as unsigned)"
        return {"date": f"cast({expr} as date)", "json": f"cast({expr} as json)"}.get(kind, expr)

    def all_same(self, left: Sequence[str], right: Sequence[str]) -> str:
        """``<=>``, pair by pair."""
        return " and ".join(f"{a} <=> {b}" for a, b in zip(left, right, strict=True))

    def update_from(self, target: str, sets: Sequence[tuple[str, str]], source: str, where: str) -> str:
        """``UPDATE ... JOIN``."""
        return f"update {target} t join {source} s set {', '.join(f't.{c} = {v}' for c, v in sets)} where {where}"

    def delete_using(self, target: str, source: str, locators: Sequence[str], where: str) -> str:
        """``DELETE t FROM``."""
        on = " and ".join(f"t.{loc} = s._l{i}" for i, loc in enumerate(locators))
        return f"delete t from {target} t join {source} s on {on} where {where}"
