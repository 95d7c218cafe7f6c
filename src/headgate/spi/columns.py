"""Arrow columns of any kind in the types that scans give: their own where a destination may know such, text for the rest."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
from uuid import UUID

import pyarrow as pa

from headgate.model.values import python_values

_VIEWS = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def scan_column(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    """An array in the type that `scan_type` gives for its own."""
    if wanted != pa.string():
        array = array.storage if isinstance(array, pa.ExtensionArray) else array
        return array if array.type == wanted else _decoded(array).cast(wanted)
    kind = plain(array.type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _decoded(array.storage if isinstance(array, pa.ExtensionArray) else array).cast(wanted)
    return pa.array([None if v is None else _text(v) for v in python_values(array)], wanted)


def as_json(value: object) -> str:
    """A nested value as JSON; exact numbers, dates and bytes in it become texts."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=json_scalar)


def _decoded(array: pa.Array) -> pa.Array:
    if pa.types.is_run_end_encoded(array.type):
        import pyarrow.compute as pc

        return pc.run_end_decode(array)
    # Arrow can take no views out of a dictionary, which is what polars' categories are.
    if isinstance(array, pa.DictionaryArray) and (views := _VIEWS.get(array.type.value_type)):
        return pa.DictionaryArray.from_arrays(array.indices, array.dictionary.cast(views))
    return array


def plain(kind: pa.DataType) -> pa.DataType:
    """The type a value has once dictionaries and extensions are taken off."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind) else kind


def scan_type(kind: pa.DataType) -> pa.DataType:
    """The type a column is given in: its own where a destination may know such, else text."""
    if isinstance(kind, pa.UuidType):
        return pa.string()
    kind = plain(kind)
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind):  # a negative scale, which databases have not, means zeros before the point
        precision, scale = kind.precision - min(kind.scale, 0), max(kind.scale, 0)
        return pa.decimal128(precision, scale) if precision <= 38 else pa.string()
    own = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal128, pa.types.is_boolean, pa.types.is_date,
        pa.types.is_time, pa.types.is_timestamp, pa.types.is_binary, pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
    )  # fmt: skip
    return kind if any(of(kind) for of in own) else pa.string()


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case decimal.Decimal():
            return format(value, "f")
        case UUID() | dt.timedelta():
            return str(value)
        case pa.MonthDayNano():
            seconds = format(decimal.Decimal(value.nanoseconds).scaleb(-9), "f").rstrip("0").rstrip(".")
            return f"{value.months} months {value.days} days {seconds} seconds"
    return as_json(value)


def json_scalar(value: object) -> object:
    """A value that JSON has no word for as one it has."""
    match value:
        case decimal.Decimal():
            return format(value, "f")
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    if type(value).__module__ == "numpy" and (kind := getattr(value, "dtype", None)) is not None:
        return value.astype(str).tolist() if kind.kind in "mM" else value.tolist()  # type: ignore[attr-defined]
    return str(value)
