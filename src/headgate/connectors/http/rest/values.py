"""Values of fields as JSON has them, and back."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.types import IMAGE, INTEGERS, FieldType
from headgate.spi.unheld import Why

from .paths import at
from .template import ENCODER

DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
"""Reads JSON with every digit of its numbers."""


_WIDE: Final = Context(prec=1_000)


class Foreign:
    """A value of the API's that is none of its field's type; it is equal to nothing."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __deepcopy__(self, memo: object) -> Foreign:
        return self


class JsonText(str):
    """JSON as it was written; equal to what says the same."""

    __slots__ = ("_said",)

    def __init__(self, text: str) -> None:
        self._said = image(DECODER.decode(text))

    def __hash__(self) -> int:
        return hash(self._said)

    def __eq__(self, other: object) -> bool:
        return self._said == other._said if isinstance(other, JsonText) else str.__eq__(self, str(other))

    def __ne__(self, other: object) -> bool:
        return not self == other


def give(value: Any, of: FieldType) -> Any:
    """A value of a field as it is sent.

    Raises:
        ValueError: JSON has no way to write it.
    """
    way = giver(of)
    return value if value is None or way is None else way(value)


def giver(of: FieldType) -> Callable[[Any], Any] | None:
    """What makes a field's values what is sent, but for None; None where JSON has them as they are."""
    return _GIVERS.get(of.kind)


def columns_of(batch: pa.RecordBatch) -> list[list[Any]]:
    """The values of each column, as `to_pylist` gives them, which looks a time's zone up for every value."""
    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type) and column.type.tz == "UTC":
            bare = column.cast(pa.timestamp(column.type.unit)).to_pylist()
            columns.append([None if v is None else v.replace(tzinfo=UTC) for v in bare])
        else:
            columns.append(column.to_pylist())
    return columns


def rows_of(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Values of columns row by row, by the columns' names."""
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    return value


def _time(value: datetime) -> str:
    if not value.tzinfo:
        return value.isoformat()
    if value.tzinfo is UTC:
        return f"{value.isoformat()[:-6]}Z"  # +00:00
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_GIVERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "image": DECODER.decode,
    "json": lambda v: DECODER.decode(str(v)),  # a plain text again
    "double": _finite,
    "timestamp": _time,
    "timestamptz": _time,
    "date": date.isoformat,
    "time": time.isoformat,
    "binary": lambda v: base64.b64encode(v).decode(),
}


def plain(wire: Any) -> Any:
    """A value as APIs have it that have texts only: numbers without exponents, ``true`` and ``false``, JSON of the rest."""
    if wire is None or isinstance(wire, str):
        return wire
    if isinstance(wire, Decimal | float):
        return format(Decimal(str(wire)), "f")
    return ENCODER.encode(wire).decode()


def take(wire: Any, of: FieldType) -> Any:
    """A value of the API's as a field holds it; `Foreign` where it is none of its type."""
    if wire is None:
        return None
    if of == IMAGE:
        return image(wire)
    try:
        return _TAKERS.get(of.kind, _as_text)(wire, of)
    except (ValueError, TypeError, InvalidOperation, OverflowError, pa.ArrowException):
        return Foreign()


def image(wire: Any) -> str | None:
    """A value of the API's as a text that is the same for the same value, and gives it back."""
    return None if wire is None else ENCODER.encode(_plain(wire)).decode()


def matches(entry: Any, conditions: Mapping[str, Any]) -> bool:
    """Whether what is at each of the paths is (one of) the values; null also stands for an empty list."""
    return all(_is(at(entry, path), wanted) for path, wanted in conditions.items())


def _is(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return any(_is(value, one) for one in wanted)
    if wanted is None:
        return value is None or value == []
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    return bool(value == wanted) or (isinstance(wanted, str) and not isinstance(value, str) and str(value) == wanted)


def _plain(wire: Any) -> Any:
    """The value in a form of which equal ones have but one: names in order, numbers without idle zeros."""
    if isinstance(wire, Mapping):
        return {k: _plain(wire[k]) for k in sorted(wire)}
    if isinstance(wire, list):
        return [_plain(v) for v in wire]
    if isinstance(wire, Decimal | float):
        number = _WIDE.normalize(Decimal(str(wire)))
        if number.is_zero() and number.is_signed():
            return -0.0
        return int(number) if number == number.to_integral_value() and abs(number) < 1 << 63 else number
    return wire


def _as_text(wire: Any, of: FieldType) -> Any:
    if isinstance(wire, int | Decimal) and not isinstance(wire, bool):
        return str(wire)
    if not isinstance(wire, str):
        raise TypeError("no text")
    return wire.lower() if of.kind == "uuid" else wire


def _as_integer(wire: Any, of: FieldType) -> Any:
    number = Decimal(str(wire)) if not isinstance(wire, bool) else Decimal("nan")
    if number != number.to_integral_value() or not -(1 << INTEGERS[of.kind] - 1) <= number < 1 << INTEGERS[of.kind] - 1:
        raise ValueError("no whole number")
    return int(number)


def _as_decimal(wire: Any, of: FieldType) -> Any:
    if isinstance(wire, bool):
        raise TypeError("no number")
    return pa.scalar(Decimal(str(wire))).cast(of.arrow).as_py()


def _as_double(wire: Any, _: FieldType) -> Any:
    if isinstance(wire, bool):
        raise TypeError("no number")
    return float(wire)


def _as_boolean(wire: Any, _: FieldType) -> Any:
    if isinstance(wire, str):
        return {"true": True, "false": False}[wire.lower()] if wire.lower() in ("true", "false") else Foreign()
    if not isinstance(wire, bool):
        raise TypeError("neither true nor false")
    return wire


def _as_date(wire: Any, _: FieldType) -> Any:
    moment = datetime.fromisoformat(wire)  # many APIs have dates as the moments at which they begin, wherever that is
    if moment.time() != time():
        raise ValueError("more than a date")
    return moment.date()


def _as_time(wire: Any, _: FieldType) -> Any:
    return time.fromisoformat(wire)


def _as_moment(wire: Any, of: FieldType) -> Any:
    moment = datetime.fromisoformat(wire)
    if of.kind == "timestamp":
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _as_json(wire: Any, _: FieldType) -> Any:
    return JsonText(ENCODER.encode(wire).decode())


def _as_bytes(wire: Any, _: FieldType) -> Any:
    return base64.b64decode(wire, validate=True)


_TAKERS: Final = {
    "smallint": _as_integer, "integer": _as_integer, "bigint": _as_integer, "decimal": _as_decimal, "double": _as_double,
    "boolean": _as_boolean, "date": _as_date, "time": _as_time, "timestamp": _as_moment, "timestamptz": _as_moment,
    "json": _as_json, "binary": _as_bytes,
}  # fmt: skip


def unwritable(column: str, values: pa.Array, of: FieldType) -> tuple[pa.Array, Why] | None:
    """Numbers that JSON has no way to write."""
    del column
    if of.kind != "double" or of == IMAGE:
        return None
    return pc.fill_null(pc.invert(pc.is_finite(values)), False), lambda v: f"JSON has no {v}"
