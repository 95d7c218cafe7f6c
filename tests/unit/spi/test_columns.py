"""Arrow columns in the types that scans give."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headgate.spi.columns import scan_column, scan_type


@pytest.mark.parametrize(
    ("nanoseconds", "said"),
    [
        (0, "0"),
        (5, "0.000000005"),
        (86_399_123_456_789, "86399.123456789"),
        (-1_500_000_000, "-1.5"),
        (3_600 * 10**9, "3600"),
    ],
)
def test_an_interval_has_all_its_nanoseconds(nanoseconds: int, said: str) -> None:
    given = pa.array([(1, 2, nanoseconds)], pa.month_day_nano_interval())
    assert scan_column(given, scan_type(given.type)).to_pylist() == [f"1 months 2 days {said} seconds"]
