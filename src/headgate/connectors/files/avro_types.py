"""What the types of an Avro schema become: Arrow types, and how values as they are stored become exactly such values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from headgate.spi.columns import as_json, json_scalar

_TEXT: Final = pa.string()
_PLAIN: Final[Mapping[str, pa.DataType]] = {
    "null": _TEXT, "boolean": pa.bool_(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(),
    "double": pa.float64(), "bytes": pa.binary(), "string": _TEXT, "enum": _TEXT, "fixed": pa.binary(),
}  # fmt: skip
_LOGICAL: Final[Mapping[tuple[str, str], tuple[pa.DataType, pa.DataType]]] = {
    ("int", "date"): (pa.int32(), pa.date32()),
    ("int", "time-millis"): (pa.int32(), pa.time32("ms")),
    ("long", "time-micros"): (pa.int64(), pa.time64("us")),
    **{
        ("long", f"{local}timestamp-{unit}"): (pa.int64(), pa.timestamp(short, "" if local else "UTC"))
        for local in ("", "local-")
        for unit, short in (("millis", "ms"), ("micros", "us"), ("nanos", "ns"))
    },
}
_DAY: Final = {pa.time32("ms"): 86_400_000, pa.time64("us"): 86_400_000_000}
_NESTED: Final = ("record", "array", "map", "error")


class ValueOutOfRangeError(Exception):
    """A value is none of what its schema says."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the records.

    Attributes:
        stored: its schema without logical types where values are converted here, so that the reader leaves them as stored.
        type: what it becomes.
        array: makes that of stored values.
        nested: it becomes JSON text.
    """

    name: str
    stored: Any
    type: pa.DataType
    array: Callable[[Sequence[Any]], pa.Array]
    nested: bool = False


def column(name: str, schema: Any, named: Mapping[str, Any]) -> Column:
    """What a field of the records becomes.

    Args:
        named: schemas that have names, by their full names.
    """
    branches = [b for b in schema if b != "null"] if isinstance(schema, list) else [schema]
    kinds = [_resolved(b, named) for b in branches]
    if len(kinds) == 1 and (own := _scalar(kinds[0])):
        kind, array = own
        bare = _bare(kinds[0])
        stored = [b if b == "null" else bare for b in schema] if isinstance(schema, list) else bare
        return Column(name, stored, kind, array)
    if kinds and {k["type"] for k in kinds} == {"int", "long"} and not any("logicalType" in k for k in kinds):
        return Column(name, schema, pa.int64(), lambda values: pa.array(values, pa.int64()))
    nested = any(k["type"] in _NESTED for k in kinds)
    return Column(name, schema, _TEXT, _texts, nested)


def _resolved(schema: Any, named: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema as a mapping with a type; of one that is named elsewhere, that one."""
    while isinstance(schema, str) and schema in named:
        schema = named[schema]
    if isinstance(schema, str):
        return {"type": schema}
    if isinstance(schema, list):
        return {"type": "union"}
    kind = schema["type"]
    return schema if isinstance(kind, str) and kind not in named else _resolved(kind, named)


def _bare(schema: Mapping[str, Any]) -> Any:
    """The schema without its logical type; a named one keeps its name."""
    return {k: v for k, v in schema.items() if k != "logicalType"}


def _scalar(schema: Mapping[str, Any]) -> tuple[pa.DataType, Callable[[Sequence[Any]], pa.Array]] | None:
    """The Arrow type of a schema of single values, and what makes it of them; None for nested ones."""
    kind, logical = str(schema["type"]), schema.get("logicalType")
    if kind in ("bytes", "fixed") and logical == "decimal":
        return _decimal(int(schema.get("precision", 0)), int(schema.get("scale", 0)))
    if kind == "fixed" and logical == "uuid" and schema.get("size") == 16:
        return _TEXT, lambda values: pa.array([None if v is None else str(UUID(bytes=v)) for v in values], _TEXT)
    if kind == "fixed" and logical == "duration" and schema.get("size") == 12:
        return _TEXT, lambda values: pa.array([None if v is None else _duration(v) for v in values], _TEXT)
    if found := _LOGICAL.get((kind, str(logical))):
        return found[1], lambda values: _moments(values, *found)
    if kind not in _PLAIN:
        return None
    return _PLAIN[kind], lambda values: pa.array(values, _PLAIN[kind])


def _moments(values: Sequence[Any], stored: pa.DataType, kind: pa.DataType) -> pa.Array:
    array = pa.array(values, stored)
    if (day := _DAY.get(kind)) is not None and len(array):
        ends = pc.min_max(array).as_py()
        if ends["min"] is not None and (ends["min"] < 0 or ends["max"] >= day):
            raise ValueOutOfRangeError("a time is none of a day")
    return array.cast(kind)


def _decimal(precision: int, scale: int) -> tuple[pa.DataType, Callable[[Sequence[Any]], pa.Array]]:
    def exact(value: bytes | None) -> Decimal | None:
        if value is None:
            return None
        whole = int.from_bytes(value, "big", signed=True)
        return Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale))

    if not 0 < precision <= 38 or not 0 <= scale <= precision:
        return _TEXT, lambda values: pa.array(
            [None if v is None else format(v, "f") for v in map(exact, values)], _TEXT
        )
    kind = pa.decimal128(precision, scale)

    def array(values: Sequence[Any]) -> pa.Array:
        try:
            return pa.array(list(map(exact, values)), kind)
        except pa.ArrowInvalid:
            raise ValueOutOfRangeError(f"a decimal has more than the {precision} digits that its schema says") from None

    return kind, array


def _duration(value: bytes) -> str:
    months, days, millis = (int.from_bytes(value[i : i + 4], "little") for i in (0, 4, 8))
    return f"P{months}M{days}DT{millis // 1000}.{millis % 1000:03d}S"


def _texts(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if v is None else _text(v) for v in values], _TEXT)


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case dict() | list():
            return as_json(value)
    return str(json_scalar(value))
