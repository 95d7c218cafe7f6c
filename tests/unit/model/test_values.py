"""Values of Arrow that Python has no type for."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from headgate.model.values import python_rows, python_values

_FINE = 1_714_557_600_000_000_001


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (pa.array([_FINE, None], pa.timestamp("ns")), ["2024-05-01T10:00:00.000000001", None]),
        (pa.array([_FINE], pa.timestamp("ns", "Europe/Paris")), ["2024-05-01T10:00:00.000000001+00:00"]),
        (pa.array([86_400, 1], pa.time32("s")), ["24:00:00", dt.time(0, 0, 1)]),
        (pa.array([[86_400 * 10**6 + 1]], pa.list_(pa.time64("us"))).flatten(), ["24:00:00.000001"]),
        (pa.array([1], pa.time64("ns")), ["00:00:00.000000001"]),
        (pa.array([86_400 * 10**9 + 1, -1], pa.duration("ns")), ["1 day, 0:00:00.000000001", "-1 day, 23:59:59.999999999"]),
        (pa.array([2**31 - 1, -(2**31) + 1, 2_932_897], pa.date32()), ["infinity", "-infinity", "10000-01-01"]),
        (pa.array([2**63 - 1, -(2**63) + 1, 2**63 - 2], pa.timestamp("us")), ["infinity", "-infinity", str(2**63 - 2)]),
        (pa.array([[2**31 - 1, 0]], pa.list_(pa.date32())), [["infinity", dt.date(1970, 1, 1)]]),
        (pa.array([{"at": _FINE}], pa.struct({"at": pa.timestamp("ns")})), [{"at": "2024-05-01T10:00:00.000000001"}]),
        (pa.array([[("k", _FINE)]], pa.map_(pa.string(), pa.timestamp("ns"))), [[("k", "2024-05-01T10:00:00.000000001")]]),
        (pa.array([2**31 - 1], pa.date32()).dictionary_encode(), ["infinity"]),
    ],
    ids=lambda v: str(v.type) if isinstance(v, pa.Array) else "",
)  # fmt: skip
def test_what_python_cannot_hold_is_a_text(array: pa.Array, values: list[object]) -> None:
    assert python_values(array) == values


def test_everything_else_is_as_arrow_gives_it() -> None:
    records = pa.RecordBatch.from_pylist([{"id": 1, "day": dt.date(9999, 12, 31)}, {"id": 2, "day": None}])
    assert python_rows(records) == records.to_pylist()
