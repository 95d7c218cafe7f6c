from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from headgate.model.text import text_array, text_form


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("00501", "00501"), ("", ""), (7, "7"), (-7, "-7"), (True, "true"), (False, "false"),
        (Decimal("1.10"), "1.10"), (Decimal("1E-10"), "0.0000000001"), (Decimal("0E-2"), "0.00"), (1.0, "1"), (0.1, "0.1"),
        (1e22, "1e+22"), (dt.date(2024, 12, 31), "2024-12-31"), (dt.time(23, 5), "23:05:00"), (dt.time(1, 2, 3, 400_000), "01:02:03.4"),
        (dt.datetime(2024, 1, 2, 3, 4, 50), "2024-01-02T03:04:50"), (dt.datetime(1, 1, 1, 0, 0, 0, 10), "0001-01-01T00:00:00.00001"),  # noqa: DTZ001
        (dt.datetime(2024, 1, 2, 3, 4, tzinfo=dt.UTC), "2024-01-02T03:04:00Z"), (b"\x00\xff", "00ff"),
    ],
)  # fmt: skip
def test_the_text_of_a_value(value: object, text: str | None) -> None:
    assert text_form(value) == text
    if value is not None:
        assert text_array(pa.array([value, None])).to_pylist() == [text, None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.datetime(2024, 1, 1, 10, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2024-01-01T08:00:00Z"),
        (dt.datetime(2024, 7, 1, 10, tzinfo=ZoneInfo("Europe/Paris")), "2024-07-01T08:00:00Z"),
        (
            dt.datetime(2024, 1, 1, 1, 0, 0, 500, tzinfo=dt.timezone(-dt.timedelta(hours=5))),
            "2024-01-01T06:00:00.0005Z",
        ),
        (dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), "0001-01-01T00:00:00+02:00"),
        (dt.time(10, 5, tzinfo=dt.UTC), "10:05:00+00:00"),
    ],
)
def test_a_moment_is_the_same_in_whatever_zone_it_was_given(value: object, text: str) -> None:
    assert text_form(value) == text


def test_moments_of_a_column_with_a_zone_are_in_utc() -> None:
    column = pa.array([0, None], pa.timestamp("us", "Europe/Paris"))
    assert text_array(column).to_pylist() == ["1970-01-01T00:00:00Z", None]
