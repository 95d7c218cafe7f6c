"""Values of typed columns that no record may have: texts with a NUL, and dates, times and timestamps that no person could write.

Infinite dates, those before Christ and after the year 9999 are numbers to Arrow, but neither Python nor most databases have
them, and Arrow's own text of them is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.record import Problem
from headgate.model.text import text_form
from headgate.model.values import python_rows

from .nul import nul_fault, with_nul

Bad = tuple[Problem, dict[str, str | None]]

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
_PER_DAY: Final = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000}  # nanoseconds do not go as far


def beyond(values: pa.Array) -> pa.Array | None:
    """Which of the values are dates, times or timestamps that no person could write, as a mask; None where none is."""
    kind = values.type
    if pa.types.is_date32(kind):
        numbers, per_day = values.cast(pa.int32()), 1
    elif pa.types.is_date64(kind):
        numbers, per_day = values.cast(pa.int64()), _PER_DAY["ms"]
    elif pa.types.is_timestamp(kind) and kind.unit in _PER_DAY:
        numbers, per_day = values.cast(pa.int64()), _PER_DAY[kind.unit]
    elif pa.types.is_time(kind):
        numbers = values.cast(pa.int32() if pa.types.is_time32(kind) else pa.int64())
        return _outside(numbers, 0, _PER_DAY.get(kind.unit, 86_400 * 10**9))
    else:
        return None
    return _outside(numbers, _FIRST_DAY * per_day, (_LAST_DAY + 1) * per_day)


def _outside(numbers: pa.Array, first: int, behind: int) -> pa.Array | None:
    """Which of the numbers are not from `first` to before `behind`; None where none is."""
    ends = pc.min_max(numbers)
    low, high = ends["min"].as_py(), ends["max"].as_py()
    if low is None or (low >= first and high < behind):
        return None
    return pc.fill_null(pc.or_(pc.less(numbers, first), pc.greater_equal(numbers, behind)), False)


def rows_beyond(columns: Sequence[pa.Array]) -> dict[int, int]:
    """The rows with such a date, time or timestamp, and in which column (the first one)."""
    found: dict[int, int] = {}
    for at, array in enumerate(columns):
        if (mask := beyond(array)) is not None:
            for row in pc.indices_nonzero(mask).to_pylist():
                found.setdefault(row, at)
    return found


def unreadable(records: pa.RecordBatch) -> dict[int, Bad]:
    """By row, in order, what is wrong with the records that hold such a value, and their values as text."""
    past = rows_beyond(records.columns)
    rows = sorted({*past, *with_nul(records.columns)})
    if not rows:
        return {}
    found = {}
    for row, values in zip(rows, python_rows(records.take(pa.array(rows))), strict=True):
        raw = {name: text_form(v) for name, v in values.items()}
        if row in past:
            field = records.schema.field(past[row])
            found[row] = beyond_fault(raw, field.name, field.type)
        else:
            found[row] = nul_fault(raw)
    return found


def beyond_fault(raw: dict[str, str | None], column: str, of: pa.DataType) -> Bad:
    """What is said of a record with such a date, time or timestamp."""
    what = "timestamp" if pa.types.is_timestamp(of) else "time" if pa.types.is_time(of) else "date"
    return Problem("RD09", f"{raw[column]!r} is no {what} that can be read", "", column, raw[column]), raw
