"""How field types are declared in SQLite, and how values are bound and read back.

SQLite gives columns no types but *affinities*: what a column tries to turn a value into. A declared type is therefore
chosen so that its affinity keeps every value of the field:

| field type | declared as | stored as |
| --- | --- | --- |
| smallint, integer, bigint | `INTEGER` | integer |
| decimal(p,s), p at most 15 | `DECIMAL(p,s)` | integer or real: SQLite keeps 15 digits exactly, sums and sorts them |
| decimal(p,s), p above 15 | `DECIMAL_TEXT(p,s)` | text, all s digits after the point |
| double | `DOUBLE` | real |
| boolean | `BOOLEAN` | 0 or 1 |
| date, time | `DATE`, `TIME` | text, `2024-12-31`, `23:59:59[.ffffff]` |
| timestamp | `TIMESTAMP` | text, `2024-12-31 23:59:59[.ffffff]` |
| timestamptz | `TIMESTAMPTZ` | text in UTC, `2024-12-31 23:59:59[.ffffff]+00:00` |
| text, uuid, json | `TEXT` | text |
| binary | `BLOB` | blob |

The fraction of a second is written with six digits, and left out where it is zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.types import INTEGERS, MAX_PRECISION, FieldType

EXACT_DIGITS: Final = 15
"""Decimal digits every value of SQLite's REAL keeps."""

_DECLARED: Final = {
    "double": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ", "binary": "BLOB",
}  # fmt: skip
_KINDS: Final = {
    "BOOL": "boolean", "BOOLEAN": "boolean", "DATE": "date", "TIME": "time", "DATETIME": "timestamp",
    "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamptz", "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "DATETIMEOFFSET": "timestamptz", "UUID": "uuid", "GUID": "uuid", "JSON": "json", "JSONB": "json",
    "BINARY": "binary", "VARBINARY": "binary", "BYTEA": "binary",
}  # fmt: skip
_DECIMALS: Final = ("DECIMAL", "NUMERIC", "DECIMAL_TEXT")
_SHAPE: Final = re.compile(r"\s*([^()]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")
_NUMBER: Final = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_PLAIN_NUMBER: Final = r"^(0|-?[1-9]\d{0,14}|-?(0|[1-9]\d{0,6})\.\d{0,6}[1-9])$"


def native(type: FieldType) -> str:
    """What a column for this field type is declared as."""
    if type.kind in INTEGERS:
        return "INTEGER"
    if type.kind == "decimal":
        name = "DECIMAL" if (type.precision or MAX_PRECISION) <= EXACT_DIGITS else "DECIMAL_TEXT"
        return f"{name}({type.precision},{type.scale})"
    return _DECLARED.get(type.kind, "TEXT")


def affinity(declared: str) -> str:
    """INTEGER, TEXT, BLOB, REAL or NUMERIC, by SQLite's rules for a declared type (a BLOB column keeps what it is given)."""
    upper = declared.upper()
    if "INT" in upper:
        return "INTEGER"
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not upper or "BLOB" in upper:
        return "BLOB"
    return "REAL" if any(word in upper for word in ("REAL", "FLOA", "DOUB")) else "NUMERIC"


def field_type(declared: str) -> FieldType:
    """The field type of an existing column. SQLite enforces no lengths, so text has none here."""
    m = _SHAPE.fullmatch(declared.upper())
    name, first, second = (m[1], m[2], m[3]) if m else ("", None, None)
    if name in _DECIMALS:
        precision = int(first) if first else MAX_PRECISION
        scale = int(second or 0) if first else 10
        if 1 <= precision <= MAX_PRECISION and scale <= precision:
            return FieldType("decimal", precision=precision, scale=scale, native=declared)
    if name in _KINDS:
        return FieldType(_KINDS[name], native=declared)
    kinds = {"INTEGER": "bigint", "TEXT": "text", "REAL": "double", "BLOB": "binary" if name else "other"}
    return FieldType(kinds.get(affinity(declared), "other"), native=declared)


def encode(values: pa.Array, type: FieldType, target: str) -> pa.Array:
    """Values of a field as SQLite is to be given them for a column of affinity `target`: int64, double, text or binary."""
    if type.kind == "binary":
        return values
    if type.kind == "decimal":
        return _encode_decimal(values, type, target)
    if type.kind in ("date", "time", "timestamp", "timestamptz"):
        return _encode_time(values, type.kind)
    if target == "TEXT":
        return values.cast(pa.string())
    if type.kind == "boolean":
        return values.cast(pa.int8()).cast(pa.int64())
    if type.kind in INTEGERS:
        return values.cast(pa.int64())
    return values


def _encode_decimal(values: pa.Array, type: FieldType, target: str) -> pa.Array:
    precision, scale = type.precision or MAX_PRECISION, type.scale or 0
    if precision > EXACT_DIGITS or target == "TEXT":
        return _decimal_text(values)
    # An integer below 2**53 divided by a power of ten below 10**22 is rounded once: the nearest double, which the decimal's
    # text would become too. A plain cast multiplies by 10**-scale, and is often one bit off.
    unscaled = pc.multiply(values, pa.scalar(Decimal(10**scale), pa.decimal128(scale + 1, 0))).cast(pa.int64())
    return pc.divide(unscaled.cast(pa.float64()), float(10**scale))


def _decimal_text(values: pa.Array) -> pa.Array:
    text = values.cast(pa.string())
    if pc.any(pc.match_substring(text, "E")).as_py():  # Arrow writes small values as 1E-10
        return pa.array([None if v is None else f"{v:f}" for v in values.to_pylist()], pa.string())
    return text


def _encode_time(values: pa.Array, kind: str) -> pa.Array:
    if kind == "date":
        return values.cast(pa.string())
    if kind == "timestamptz":
        values = values.cast(pa.timestamp("us"))
    try:
        text = values.cast(pa.time32("s") if kind == "time" else pa.timestamp("s")).cast(pa.string())
    except pa.ArrowInvalid:  # some have a fraction
        text = pc.replace_substring_regex(values.cast(pa.string()), r"\.0+$", "")
    return pc.binary_join_element_wise(text, "+00:00", "") if kind == "timestamptz" else text


def can_damage(type: FieldType, target: str) -> bool:
    """Whether a column of affinity `target` may turn an encoded value into another one.

    Text that looks like a number becomes one in a numeric column (`00501` becomes 501), a decimal of more than 15
    digits a rounded one, and NaN becomes NULL wherever it is not kept as text.
    """
    if type.kind == "double":
        return target != "TEXT"
    if target in ("TEXT", "BLOB"):
        return False
    long = type.kind == "decimal" and (type.precision or MAX_PRECISION) > EXACT_DIGITS
    return long or type.kind in ("text", "json", "other")


def unstorable(values: pa.Array, type: FieldType) -> pa.Array:
    """Which encoded values a column would damage, as a mask without nulls; only where it `can_damage` any."""
    if type.kind == "double":
        damaged = pc.is_nan(values)
    elif type.kind == "decimal":
        digits = pc.utf8_length(pc.replace_substring_regex(values, r"^-?[0.]*|\.|\.?0*$", ""))
        damaged = pc.greater(digits, EXACT_DIGITS)
    else:
        damaged = pc.and_not(pc.match_substring_regex(values, _NUMBER), pc.match_substring_regex(values, _PLAIN_NUMBER))
    return damaged.fill_null(False)


def damage(value: object, declared: str) -> str:
    """What would become of an `unstorable` value in a column declared so."""
    if isinstance(value, float):
        return "SQLite has no NaN: it would be no value at all"
    return f"a column declared {declared} would turn {value} into another number"


def decode(values: Sequence[object], type: FieldType) -> pa.Array:
    """Values read from SQLite as the field's Arrow type holds them; null where a value cannot be one of that type."""
    read = _READERS.get(type.kind, _text)
    kept: list[object] = []
    for v in values:
        try:
            kept.append(None if v is None else read(v))
        except (ValueError, InvalidOperation):
            kept.append(None)
    try:
        return pa.array(kept, type.arrow)
    except (pa.ArrowInvalid, OverflowError):
        return pa.array([_one(v, type.arrow) for v in kept], type.arrow)


def _one(value: object, arrow: pa.DataType) -> object:
    try:
        return pa.scalar(value, arrow).as_py()
    except (pa.ArrowInvalid, OverflowError):
        return None


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _integer(value: object) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value) if isinstance(value, (int, float)) else int(_text(value))


def _boolean(value: object) -> bool:
    text = _text(value).lower()
    if text not in ("1", "0", "true", "false", "t", "f"):
        raise ValueError(value)
    return text in ("1", "true", "t")


def _timestamp(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _timestamptz(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _binary(value: object) -> bytes:
    return value if isinstance(value, bytes) else _text(value).encode()


_READERS: Final[dict[str, Callable[[object], object]]] = {
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "decimal": lambda v: Decimal(_text(v)),
    "double": lambda v: float(_text(v)),
    "boolean": _boolean,
    "date": lambda v: date.fromisoformat(_text(v)[:10]),
    "time": lambda v: time.fromisoformat(_text(v)),
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "binary": _binary,
}
