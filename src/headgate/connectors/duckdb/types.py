"""Field types and DuckDB's."""

from __future__ import annotations

import re
from typing import Final

from headgate.model.types import FieldType

_NAMES: Final = {
    "text": "VARCHAR", "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE",
    "boolean": "BOOLEAN", "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ",
    "uuid": "UUID", "json": "JSON", "binary": "BLOB",
}  # fmt: skip
_KINDS: Final = {
    "VARCHAR": "text", "TINYINT": "smallint", "UTINYINT": "smallint", "SMALLINT": "smallint", "USMALLINT": "integer",
    "INTEGER": "integer", "UINTEGER": "bigint", "BIGINT": "bigint", "FLOAT": "double", "DOUBLE": "double",
    "BOOLEAN": "boolean", "DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp", "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz", "UUID": "uuid", "JSON": "json",
    "BLOB": "binary",
}  # fmt: skip
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def native(of: FieldType) -> str:
    """The name of a field type."""
    if of.native:
        return of.native
    if of.kind == "decimal":
        return f"DECIMAL({of.precision},{of.scale})"
    return _NAMES.get(of.kind, "VARCHAR")


def field_type(spelled: str) -> FieldType:
    """The field type of a column, by DuckDB's name of its type."""
    if m := _DECIMAL.fullmatch(spelled):
        return FieldType("decimal", precision=int(m[1]), scale=int(m[2]), native=spelled)
    if spelled == "UBIGINT":
        return FieldType("decimal", precision=20, scale=0, native=spelled)
    return FieldType(_KINDS.get(spelled, "other"), native=spelled)
