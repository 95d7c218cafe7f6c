"""Every type comes back exactly as it was sent, whichever way it went."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from .conftest import Database, spec

UTC = dt.UTC
VALUES: dict[str, list[object]] = {
    "text": ["", "a", "naïve 🚲", "x" * 1_000_000, 'quote " and \\ and\nline', "\\.", "\\N", None],
    "text(5)": ["", "abcde", "🚲🚲🚲🚲🚲", " a ", None],
    "smallint": [0, -32768, 32767, None],
    "integer": [0, -(2**31), 2**31 - 1, None],
    "bigint": [0, 5, -(2**63), 2**63 - 1, None],
    "decimal(12,2)": [Decimal("0.00"), Decimal("9999999999.99"), Decimal("-9999999999.99"), Decimal("-0.01"), Decimal("100.00"), None],
    "decimal(38,0)": [Decimal(10**38 - 1), Decimal(-(10**38) + 1), Decimal(10**20), Decimal(0), None],
    "decimal(38,38)": [Decimal("0." + "9" * 38), Decimal("-0." + "0" * 37 + "1"), None],
    "decimal(38,10)": [Decimal("1234567890123456789012345678.0123456789"), Decimal("0.0000000001"), Decimal(10000), None],
    "decimal(5,3)": [Decimal("-99.999"), Decimal("0.001"), Decimal("12.340"), None],
    "double": [0.0, -0.0, 5.0, 0.1, 1e308, 5e-324, -2.5e-323, None],
    "boolean": [True, False, None],
    "date": [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1970, 1, 1), dt.date(1999, 12, 31), dt.date(2000, 2, 29), None],
    "time": [dt.time(0), dt.time(23, 59, 59, 999999), dt.time(1, 2, 3, 4), None],
    "timestamp": [dt.datetime.fromisoformat(t) for t in ("0001-01-01", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.000001")],
    "timestamptz": [dt.datetime(1, 1, 1, tzinfo=UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), dt.datetime(2024, 3, 31, 1, 30, tzinfo=UTC), None],
    "uuid": ["00000000-0000-0000-0000-000000000000", "0a5e8f0e-5d0c-4d1e-9a55-1f1f5b7f2a10", "ffffffff-ffff-ffff-ffff-ffffffffffff", None],
    "json": ['{"a": 1.10}', "null", '"text"', "[1, 2]", None],
    "binary": [b"", b"\x00\xff", b"a" * 100_000, None],
}  # fmt: skip


@pytest.mark.parametrize("of", VALUES)
@pytest.mark.parametrize("way", ["into a new table", "by the stage"])
def test_values_come_back_as_they_were_sent(db: Database, of: str, way: str) -> None:
    values = VALUES[of]
    plain = spec("t", "upsert", "id", id="bigint", v=of)
    records = list(enumerate(values))
    if way == "by the stage":
        db.write(replace(plain, create=True))
        created = db.write(plain, *records).account.as_dict()["created"]
    else:
        created = db.write(replace(plain, create=True), *records).account.as_dict()["created"]
    assert created == len(values)
    deleted = db.changes(spec("t", "delete", "id", id="bigint"), *((i,) for i, _ in records))
    assert deleted.num_rows == len(values)
    again = db.write(plain, *records)
    assert again.account.as_dict()["unchanged"] == len(values)
    shown = db.changes(plain, *((i, None if v is not None else _other(of)) for i, v in records)).sort_by("id")
    assert shown.column("_old_v").to_pylist() == values


def _other(of: str) -> object:
    return next(v for v in VALUES[of] if v is not None)


NATIVE: dict[str, tuple[str, str, str, str]] = {
    "inet": ("text", "10.0.0.1", "10.0.0.2", "no address"),
    "interval": ("text", "1 day", "02:00:00", "long"),
    "mood": ("text", "glad", "sad", "hungry"),
    "integer[]": ("text", "{1,2}", "{3}", "{x}"),
    "point": ("text", "(1,2)", "(3,4)", "here"),
    "real": ("double", "1.5", "0.1", "1e300"),
    "money": ("text", "$1.00", "$2.00", "much"),
    "posint": ("integer", "1", "2", "-1"),
    "int4range": ("text", "[1,3)", "empty", "[3,1)"),
    "json": ("json", '{"b": 2, "a": 1}', "[]", "{"),
    "jsonb": ("json", '{"a": 1}', "[]", '"\\u0000"'),
    "bit(3)": ("text", "101", "111", "2"),
    "timestamp(0)": ("timestamp", "2024-01-01 00:00:00", "2024-01-02 00:00:00", ""),
    "character(4)": ("text", "ab", "abcd", "abcde"),
    "name": ("text", "a", "b", ""),
}


@pytest.mark.parametrize("native", NATIVE)
def test_columns_of_any_type_take_values_and_refuse_what_is_none(db: Database, native: str) -> None:
    kind, first, second, bad = NATIVE[native]
    db.sql("create type mood as enum ('glad', 'sad')")
    db.sql("create domain posint as integer check (value > 0)")
    db.sql(f"create table t (id bigint primary key, v {native})")
    table = db.destination().inspect("t")
    assert table is not None
    column = table.columns[1]
    given = spec("t", "upsert", "id", id="bigint", v="text")
    given = replace(given, fields=(given.fields[0], replace(given.fields[1], type=column.type)))
    convert = {"double": float, "integer": int, "timestamp": dt.datetime.fromisoformat}.get(column.type.kind, str)
    assert column.type.kind == kind or (column.type.kind == "other" and kind == "text")
    records = [(1, convert(first)), (2, convert(second)), (3, None), *([(4, convert(bad))] if bad else [])]
    matched = db.write(given, *records)
    wanted = [(1, first), (2, second), (3, None)]
    cast = [f"select {i}, {'null' if v is None else repr(v)}::{native}::text" for i, v in wanted]
    assert db.sql("select id, v::text from t order by id") == db.sql(" union all ".join(cast) + " order by 1")
    assert [(r.number, r.outcome, r.code) for r in matched.refusals] == (
        [(3, "rejected", "DE03" if native == "posint" else "DE05")] if bad else []
    )
    again = db.write(given, *records)
    assert again.account.as_dict()["unchanged"] == 3


def test_fields_may_be_narrower_than_their_columns(db: Database) -> None:
    db.sql(
        "create table t (id numeric primary key, a bigint, b numeric, c double precision, d text, e text, f varchar(10))"
    )
    given = spec(
        "t",
        "upsert",
        "id",
        id="integer",
        a="smallint",
        b="decimal(5,2)",
        c="integer",
        d="date",
        e="integer",
        f="text(3)",
    )
    record = (1, 2, Decimal("1.50"), 3, dt.date(2024, 1, 2), 4, "abc")
    db.write(given, record)
    assert db.sql("select * from t") == [(Decimal(1), 2, Decimal("1.50"), 3.0, "2024-01-02", "4", "abc")]
    assert db.write(given, record).account.as_dict()["unchanged"] == 1
    shown = db.changes(given, (1, 9, Decimal("1.51"), 9, dt.date(2024, 1, 3), 5, "x"))
    assert [shown.column(f"_old_{n}").to_pylist() for n in "abcef"] == [[2], [Decimal("1.50")], [3], [4], ["abc"]]


def test_old_values_that_no_field_can_hold_are_shown_as_none(db: Database) -> None:
    db.sql("create table t (id int primary key, d date, ts timestamptz, n numeric(6,2), x double precision)")
    db.sql(
        "insert into t values (1, 'infinity', '-infinity', 'NaN', 'NaN'), (2, '4000-01-01 BC', 'infinity', 1, 'Infinity')"
    )
    given = spec("t", "upsert", "id", id="integer", d="date", ts="timestamptz", n="decimal(6,2)", x="double")
    shown = db.changes(given, (1, None, None, None, None), (2, None, None, None, None))
    assert shown.column("_old_d").to_pylist() == [None, None]
    assert shown.column("_old_ts").to_pylist() == [None, None]
    assert shown.column("_old_n").to_pylist() == [None, Decimal("1.00")]
    assert str(shown.column("_old_x").to_pylist()) == "[nan, inf]"


def test_sliced_and_dictionary_free_batches_are_sent_whole(db: Database) -> None:
    given = spec("t", "insert", "id", create=True, id="bigint", u="uuid", s="text", b="boolean")
    from .conftest import batch

    whole = batch(
        given,
        [
            (i, None if i % 3 else f"{i:032x}"[:8] + "-0000-0000-0000-" + f"{i:012x}", f"s{i}", i % 2 == 0)
            for i in range(100)
        ],
    )
    writer = db.writer(given)
    for start in range(0, 100, 7):
        writer.write(whole.slice(start, 7))
    writer.match()
    writer.apply()
    writer.commit()
    assert db.sql("select count(*), count(u), min(s), sum(b::int) from t") == [(100, 34, "s0", 50)]
