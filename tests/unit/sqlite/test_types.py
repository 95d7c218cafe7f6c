from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.connectors.sqlite.types import affinity, can_damage, decode, encode, field_type, native, unstorable
from headgate.model.types import FieldType


def stored_and_back(values: list[object], type: FieldType) -> list[object]:
    declared = native(type)
    con = sqlite3.connect(":memory:")
    con.execute(f"create table t (v {declared})")
    bound = encode(pa.array(values, type.arrow), type, affinity(declared)).to_pylist()
    con.executemany("insert into t values (?)", [(v,) for v in bound])
    kept = [r[0] for r in con.execute("select v from t order by rowid")]
    con.close()
    return decode(kept, type).to_pylist()


@st.composite
def decimals(draw: st.DrawFn) -> tuple[FieldType, list[Decimal]]:
    precision = draw(st.integers(1, 38))
    scale = draw(st.integers(0, precision))
    most = 10**precision - 1
    unscaled = st.one_of(st.integers(-most, most), st.sampled_from([0, 1, -1, most, -most]))
    with_scale = draw(st.lists(unscaled, min_size=1, max_size=20))
    return FieldType("decimal", precision=precision, scale=scale), [Decimal(f"{u}E-{scale}") for u in with_scale]


@settings(deadline=None, max_examples=200)
@given(decimals())
def test_a_decimal_comes_back_as_it_was(case: tuple[FieldType, list[Decimal]]) -> None:
    assert stored_and_back(list(case[1]), case[0]) == case[1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.datetimes(), min_size=1, max_size=20))
def test_a_point_in_time_comes_back_as_it_was_and_sorts_as_text(values: list[datetime]) -> None:
    utc = [v.replace(tzinfo=UTC) for v in values]
    assert stored_and_back(list(values), FieldType("timestamp")) == values
    assert stored_and_back(list(utc), FieldType("timestamptz")) == utc
    assert stored_and_back([v.date() for v in values], FieldType("date")) == [v.date() for v in values]
    assert stored_and_back([v.time() for v in values], FieldType("time")) == [v.time() for v in values]
    for kind, sortable in (("timestamp", values), ("timestamptz", utc)):
        texts = encode(pa.array(sorted(sortable), FieldType(kind).arrow), FieldType(kind), "NUMERIC").to_pylist()
        assert texts == sorted(texts)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1))
def test_a_double_comes_back_as_it_was(values: list[object]) -> None:
    assert stored_and_back(values, FieldType("double")) == values


@pytest.mark.parametrize(
    ("declared", "type"),
    [
        ("INTEGER", "bigint"), ("int", "bigint"), ("UNSIGNED BIG INT", "bigint"), ("NVARCHAR(40)", "text"), ("CLOB", "text"),
        ("DATETIME", "timestamp"), ("TIMESTAMP WITH TIME ZONE", "timestamptz"), ("DATE", "date"), ("TIME", "time"),
        ("NUMERIC(10,2)", "decimal(10,2)"), ("DECIMAL_TEXT(38,4)", "decimal(38,4)"), ("decimal", "decimal(38,10)"),
        ("FLOAT", "double"), ("DOUBLE PRECISION", "double"), ("bool", "boolean"), ("BLOB", "binary"), ("VARBINARY(16)", "binary"),
        ("", ""), ("MONEY", "MONEY"), ("ANY", "ANY"), ("DECIMAL(99,2)", "DECIMAL(99,2)"),
    ],
)  # fmt: skip
def test_declared_types_are_understood(declared: str, type: str) -> None:
    assert str(field_type(declared)) == type
    assert field_type(declared).native == declared


@pytest.mark.parametrize(
    "declared", ["INT", "TEXT", "", "BLOB", "ANY THING", "FLOATING POINT", "STRING", "REAL", "CHARINT", "DECIMAL(3)"]
)
def test_affinities_are_sqlites_own(declared: str) -> None:
    con = sqlite3.connect(":memory:")
    con.execute(f"create table t (v {declared})")
    con.execute("insert into t values ('5')")
    got = con.execute("select typeof(v) from t").fetchone()[0]
    con.close()
    expected = {"INTEGER": "integer", "NUMERIC": "integer", "REAL": "real", "TEXT": "text", "BLOB": "text"}
    if declared != "ANY THING":
        assert got == expected[affinity(declared)]


def test_text_that_a_numeric_column_would_change_is_found() -> None:
    values = [
        "00501",
        "501",
        "1E5",
        "1.5",
        "1.50",
        " 7",
        "abc",
        "",
        "12345678901234567890",
        None,
        "-0",
        "0",
        "2024-01-01",
    ]
    damaged = unstorable(pa.array(values), FieldType("text")).to_pylist()
    con = sqlite3.connect(":memory:")
    con.execute("create table t (v NUMERIC)")
    con.executemany("insert into t values (?)", [(v,) for v in values])
    kept = [r[0] for r in con.execute("select v from t order by rowid")]
    con.close()
    assert damaged == [v is not None and str(k) != v for v, k in zip(values, kept, strict=True)]


def test_a_decimal_of_more_digits_than_a_numeric_column_keeps_is_found() -> None:
    money = FieldType("decimal", precision=19, scale=4)
    values = [Decimal("123456789012345.6789"), Decimal("12345678901.2345"), Decimal("-0.0001"), None]
    assert can_damage(money, "NUMERIC")
    assert not can_damage(money, "TEXT")
    assert unstorable(encode(pa.array(values, money.arrow), money, "NUMERIC"), money).to_pylist() == [
        True,
        False,
        False,
        False,
    ]


def test_what_is_no_value_of_the_type_is_read_as_null() -> None:
    assert decode(["abc", 7, 2.5, 3.0, None], FieldType("bigint")).to_pylist() == [None, 7, None, 3, None]
    assert decode([40_000, 1], FieldType("smallint")).to_pylist() == [None, 1]
    assert decode(["2024-13-01", "2024-12-01"], FieldType("date")).to_pylist() == [None, date(2024, 12, 1)]
    assert decode(["25:00", "23:00"], FieldType("time")).to_pylist() == [None, time(23)]
    assert decode([2, 1, 0, "t"], FieldType("boolean")).to_pylist() == [None, True, False, True]
    assert decode([b"\xff", b"a"], FieldType("text")).to_pylist() == [None, "a"]
