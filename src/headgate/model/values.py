"""Arrow's values as Python's, also those that Python has no type for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_ENDS: Final[Mapping[int, str]] = {
    2**31 - 1: "infinity",
    -(2**31) + 1: "-infinity",
    2**63 - 1: "infinity",
    -(2**63) + 1: "-infinity",
}
"""What databases mean by the last and the first moment that their numbers can say."""
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def python_values(array: pa.Array) -> list[Any]:
    """The same as `to_pylist`; a date, a time or a span of time that Python cannot hold (a nanosecond, an infinite date) is a
    text."""
    kind = array.type
    if pa.types.is_time(kind) and _has_no_time(array):
        return [_python(value) for value in array]
    try:
        if _is_moment(kind) and kind.unit == "ns":
            return list(array.cast(_micro(kind)).to_pylist())
        if not _has_nanoseconds(kind):
            return list(array.to_pylist())
    except (ValueError, OverflowError):
        pass
    return [_python(value) for value in array]


def _has_no_time(times: pa.Array) -> bool:
    """Whether a time is past the end of a day, or at it: Python would begin again at 0:00."""
    numbers = times.cast(pa.int32() if pa.types.is_time32(times.type) else pa.int64())
    last = pc.max(numbers).as_py()
    return last is not None and last >= 86_400 * _PER_SECOND[times.type.unit]


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind))


def _has_nanoseconds(kind: pa.DataType) -> bool:
    """Whether values of the type go by nanoseconds, of which Arrow makes pandas' objects where pandas is installed, or leaves out
    what Python cannot hold.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return _has_nanoseconds(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _has_nanoseconds(kind.value_type)
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return any(_has_nanoseconds(kind.field(at).type) for at in range(kind.num_fields))
    return _is_moment(kind) and kind.unit == "ns"


def _micro(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")


def python_rows(records: pa.RecordBatch) -> list[dict[str, Any]]:
    """Records as dicts, their values as `python_values` gives them."""
    columns = [python_values(column) for column in records.columns]
    names = records.schema.names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _python(value: pa.Scalar) -> Any:
    if not value.is_valid:
        return None
    kind = value.type
    if pa.types.is_time(kind) and value.value >= 86_400 * _PER_SECOND[kind.unit]:
        return _clock(value.value, _PER_SECOND[kind.unit])
    try:
        if not _has_nanoseconds(kind):
            return value.as_py()
        if _is_moment(kind):
            return value.cast(_micro(kind)).as_py()
    except (ValueError, OverflowError):
        pass
    if isinstance(value, pa.DictionaryScalar | pa.ExtensionScalar | pa.RunEndEncodedScalar):
        return _python(value.value)
    if isinstance(value, pa.MapScalar):
        entries = value.values
        keys, items = entries.field(0), entries.field(1)
        return list(zip(python_values(keys), python_values(items), strict=True))
    if pa.types.is_struct(kind):
        return {field.name: _python(value[at]) for at, field in enumerate(kind)}
    if pa.types.is_nested(kind):
        return python_values(value.values)
    if pa.types.is_duration(kind):
        return _span(value.value, _PER_SECOND[kind.unit])
    return _moment(value)


def _span(count: int, per_second: int) -> str:
    """A span as Python writes shorter ones, `1 day, 2:00:00.000000001`."""
    whole, rest = divmod(count, per_second)
    days, seconds = divmod(whole, 86_400)
    day = f"{days} day{'' if abs(days) == 1 else 's'}, " if days else ""
    return f"{day}{seconds // 3600}:{_below_an_hour(seconds, rest, per_second)}"


def _clock(count: int, per_second: int) -> str:
    """A time that no clock shows, `24:00:00`."""
    seconds, rest = divmod(count, per_second)
    return f"{seconds // 3600:02}:{_below_an_hour(seconds, rest, per_second)}"


def _below_an_hour(seconds: int, rest: int, per_second: int) -> str:
    digits = len(str(per_second)) - 1
    return f"{seconds // 60 % 60:02}:{seconds % 60:02}" + (f".{rest:0{digits}d}" if rest else "")


def _moment(value: pa.Scalar) -> str:
    """A date, a time or a timestamp as ISO 8601 writes it, with all its digits."""
    kind, number = value.type, int(value.value)
    if number in _ENDS and (pa.types.is_date(kind) or kind.unit != "ns"):
        return _ENDS[number]
    zone = pa.types.is_timestamp(kind) and kind.tz is not None
    bare = value.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.timestamp(kind.unit)) if zone else value
    text = str(bare.cast(pa.string()).as_py())
    if text.startswith("<"):  # Arrow has no word for it either
        return str(number)
    return text.replace(" ", "T") + ("+00:00" if zone else "")
