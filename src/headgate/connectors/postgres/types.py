"""Field types and PostgreSQL's."""

from __future__ import annotations

from typing import Final

from headgate.model.types import FieldType

_NAMES: Final = {
    "text": "text", "smallint": "smallint", "integer": "integer", "bigint": "bigint", "double": "double precision",
    "boolean": "boolean", "date": "date", "time": "time without time zone", "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone", "uuid": "uuid", "json": "jsonb", "binary": "bytea",
}  # fmt: skip
_KINDS: Final = {
    "text": "text", "name": "text", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "double",
    "float8": "double", "bool": "boolean", "date": "date", "time": "time", "timestamp": "timestamp",
    "timestamptz": "timestamptz", "uuid": "uuid", "json": "json", "jsonb": "json", "bytea": "binary",
}  # fmt: skip
_HEADER: Final = 4  # a typmod counts the length word of a varlena


def native(of: FieldType) -> str:
    """PostgreSQL's name for a field type, as in a table Headgate makes."""
    if of.native:
        return of.native
    if of.kind == "decimal":
        return f"numeric({of.precision},{of.scale})"
    if of.kind == "text" and of.length:
        return f"character varying({of.length})"
    return _NAMES[of.kind]


def staged(of: FieldType) -> str:
    """The type in which the stage holds a field's values, which must be what COPY is sent."""
    if of.kind == "decimal":
        return "numeric"
    return "text" if of.kind in ("json", "other", "image") else _NAMES[of.kind]


def field_type(name: str, typmod: int, spelled: str) -> FieldType:
    """The field type of a column.

    Args:
        name: ``typname`` of its base type; empty when that is not one of PostgreSQL's own.
        typmod: its modifier, -1 for none.
        spelled: the base type as `format_type` gives it.
    """
    if name in ("varchar", "bpchar"):
        return FieldType("text", length=typmod - _HEADER if typmod >= _HEADER else None, native=spelled)
    if name == "numeric":
        return _numeric(typmod, spelled)
    return FieldType(_KINDS.get(name, "other"), native=spelled)


def _numeric(typmod: int, spelled: str) -> FieldType:
    if typmod < _HEADER:
        plain = FieldType.parse("decimal")
        return FieldType("decimal", precision=plain.precision, scale=plain.scale, native=spelled)
    precision, scale = (typmod - _HEADER) >> 16 & 0xFFFF, (typmod - _HEADER) & 0x7FF
    if precision > 38 or scale > precision:  # a negative scale is a large one here
        return FieldType("other", native=spelled)
    return FieldType("decimal", precision=precision, scale=scale, native=spelled)
