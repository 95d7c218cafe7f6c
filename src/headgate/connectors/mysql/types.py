"""Field types and MariaDB's and MySQL's.

A column's comment says what its type alone does not, in tables that Headgate makes: `headgate: text` of a text that is
part of a key and therefore has a length, `headgate: timestamptz` of a `datetime(6)` in UTC (a `timestamp` ends in 2038),
`headgate: uuid` of a `char(36)`, and in MySQL `headgate: json` of a text that is JSON.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.types import KINDS, FieldType
from headgate.sql import Why

MARK: Final = "headgate: "
_NAMES: Final = {
    "text": "longtext", "smallint": "smallint", "integer": "int", "bigint": "bigint", "double": "double",
    "boolean": "tinyint(1)", "date": "date", "time": "time(6)", "timestamp": "datetime(6)", "timestamptz": "datetime(6)",
    "uuid": "char(36) character set ascii collate ascii_bin", "json": "json", "binary": "longblob",
}  # fmt: skip
_KINDS: Final = {
    "tinyint": "smallint", "smallint": "smallint", "mediumint": "integer", "int": "integer", "bigint": "bigint", "year": "smallint",
    "double": "double", "float": "double", "date": "date", "time": "time", "datetime": "timestamp", "timestamp": "timestamptz",
    "json": "json", "uuid": "uuid", "char": "text", "varchar": "text", "tinytext": "text", "text": "text", "mediumtext": "text",
    "longtext": "text", "binary": "binary", "varbinary": "binary", "tinyblob": "binary", "blob": "binary",
    "mediumblob": "binary", "longblob": "binary",
}  # fmt: skip
_WIDER: Final = {"smallint": "integer", "mediumint": "integer", "int": "bigint"}
_LONGEST_VARCHAR: Final = 16_383  # characters of four bytes in a row of 65,535
_SHAPE: Final = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))?.*", re.DOTALL)


def no_number(source: str, values: pa.Array, of: FieldType) -> tuple[pa.Array, Why] | None:  # noqa: ARG001
    """Which values of a field are NaN or infinite: no column holds them, and LOAD DATA LOCAL would make 0 of them."""
    if of.kind != "double":
        return None
    mask = pc.invert(pc.is_finite(values)).fill_null(False)
    if not pc.any(mask).as_py():
        return None
    return mask, lambda value: f"MySQL has no number {value}"


def native(of: FieldType) -> str:
    """The name of a field type, as in a table Headgate makes."""
    if of.native:
        return of.native
    if of.kind == "decimal":
        return f"decimal({of.precision},{of.scale})"
    if of.kind == "text" and of.length and of.length <= _LONGEST_VARCHAR:
        return f"varchar({of.length})"
    return _NAMES.get(of.kind, "longtext")


def mark(of: FieldType) -> str:
    """What the comment of a column of that type says, or nothing."""
    return f"{MARK}{of.kind}" if of.kind in ("timestamptz", "uuid") and not of.native else ""


def field_type(column_type: str, comment: str, *, json: bool) -> FieldType:
    """The field type of a column.

    Args:
        column_type: as information_schema spells it (``int(10) unsigned``).
        comment: the column's.
        json: whether a constraint of the column says that it holds JSON, which is what MariaDB makes of the type json.
    """
    m = _SHAPE.fullmatch(column_type.lower())
    if m is None:
        return FieldType("other", native=column_type)
    name, first, second = m[1], m[2], m[3]
    if json:
        return FieldType("json", native=column_type)
    kind = comment.removeprefix(MARK)
    if comment.startswith(MARK) and kind in KINDS and kind != "other":
        return FieldType(kind, native=column_type)
    if name == "tinyint" and first == "1":
        return FieldType("boolean", native=column_type)
    if "unsigned" in column_type and name in _WIDER:
        return FieldType(_WIDER[name], native=column_type)
    if "unsigned" in column_type and name == "bigint":
        return FieldType("decimal", precision=20, scale=0, native=column_type)
    if name == "decimal":
        precision, scale = int(first or 10), int(second or 0)
        if precision > 38:
            return FieldType("other", native=column_type)
        return FieldType("decimal", precision=precision, scale=scale, native=column_type)
    kind = _KINDS.get(name, "other")
    length = int(first) if name in ("char", "varchar") and first else None
    return FieldType(kind, length=length, native=column_type)
