"""PostgreSQL through ADBC: every type, parameters in their types, and only what is new."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from headgate.connectors.adbc import AdbcSource
from headgate.connectors.adbc.values import array_of
from headgate.model.errors import SourceError
from headgate.model.incremental import Since
from headgate.model.record import Batch
from headgate.model.spec import SourceSpec
from headgate.spi.registry import Connected
from headgate.spi.source import Declares, Scan

pytestmark = pytest.mark.needs_postgres


class Shop:
    def __init__(self, url: str) -> None:
        self.url = url

    def sql(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for one in statements:
                connection.execute(one)  # type: ignore[arg-type]

    def source(self, since: Since | None = None, **source: Any) -> AdbcSource:
        connection = {"url": "adbc://", "driver": "postgresql", "uri": self.url}
        return AdbcSource(SourceSpec(connection="shop", **source), Path("/"), Connected(connection, since))

    def batches(self, since: Since | None = None, **source: Any) -> tuple[Scan, list[Batch]]:
        with closing(self.source(since, **source)) as opened:
            scan = opened.open(opened.partitions()[0])
            batches = list(scan.batches())
            return scan, batches

    def rows(self, since: Since | None = None, **source: Any) -> list[dict[str, Any]]:
        return [r for b in self.batches(since, **source)[1] for r in b.records.to_pylist()]

    def newest(self, since: Since | None = None, **source: Any) -> object:
        with closing(self.source(since, **source)) as opened:
            scan = opened.open(opened.partitions()[0])
            list(scan.batches())
            return scan.findings["watermark"]


@pytest.fixture
def shop(pg_db: str) -> Iterator[Shop]:
    yield Shop(pg_db)


def test_values_come_in_their_types(shop: Shop) -> None:
    shop.sql(
        "create table item (s smallint, i integer, big bigint, n numeric(38, 12), free numeric, r real, f float8, t timestamp, "
        "tz timestamptz, d date, c time, b bytea, u uuid, j jsonb, o boolean, v varchar(9), nothing text)",
        "insert into item values (-3, 7, 9223372036854775807, 12345678901234567890123456.000000000001, 1e40, 1.5, 0.1, "
        "'2024-02-29 10:00:00.123456', '2024-02-29 10:00:00.123456+02', '0001-01-01', '23:59:59.999999', '\\x00ff', "
        """'6b1f1c1e-0000-4000-8000-000000000001', '{"a": 1.10}', true, 'é', null)""",
    )
    scan, (batch,) = shop.batches(table="item")
    assert batch.records.to_pylist() == [{
        "s": -3, "i": 7, "big": 2**63 - 1, "n": Decimal("12345678901234567890123456.000000000001"), "free": "1" + "0" * 40,
        "r": 1.5, "f": 0.1, "t": dt.datetime.fromisoformat("2024-02-29T10:00:00.123456"),
        "tz": dt.datetime(2024, 2, 29, 8, 0, 0, 123456, dt.UTC), "d": dt.date(1, 1, 1), "c": dt.time(23, 59, 59, 999999),
        "b": b"\x00\xff", "u": "6b1f1c1e-0000-4000-8000-000000000001", "j": '{"a": 1.10}', "o": True, "v": "é",
        "nothing": None,
    }]  # fmt: skip
    assert scan.schema.field("n").type == pa.decimal128(38, 12)
    assert isinstance(scan, Declares)
    assert {n: str(of) for n, of in scan.declared.items()} == {"u": "uuid", "j": "json"}


def test_what_has_no_type_here_is_text_as_the_database_shows_it(shop: Shop) -> None:
    shop.sql(
        'create table item (a integer[][], "i""v" interval, p inet, m money, z timetz, bits bit(3), g point)',
        "insert into item values ('{{1,NULL},{3,4}}', '3 days', '10.0.0.1/8', 12.5, '10:00+02', B'101', '(1,2)')",
        "insert into item default values",
    )
    assert shop.rows(table="item")[0] == {
        "a": "{{1,NULL},{3,4}}", 'i"v': "3 days", "p": "10.0.0.1/8", "m": "$12.50", "z": "10:00:00+02", "bits": "101",
        "g": "(1,2)",
    }  # fmt: skip
    query = "select m, p from item where a is not null and m > cast(:least as money)"
    assert shop.rows(query=query, params={"least": "5"}) == [{"m": "$12.50", "p": "10.0.0.1/8"}]


def test_what_is_beyond_its_type_is_a_fault_of_its_record(shop: Shop) -> None:
    shop.sql(
        "create table item (id integer, d date, t timestamp, tz timestamptz, m numeric(5, 2))",
        "insert into item values (0, '9999-12-31', '0001-01-01', '9999-12-31 23:59:59.999999Z', 1.5), "
        "(1, 'infinity', null, null, null), (2, null, '-infinity', null, null), (3, null, null, '0044-03-15 BC', null), "
        "(4, '10000-01-01', null, null, null), (5, null, null, null, 'NaN'), (6, null, null, null, null)",
    )
    _, (batch,) = shop.batches(table="item")
    assert batch.records["id"].to_pylist() == [0, 6]
    assert batch.records["d"][0].as_py() == dt.date(9999, 12, 31)
    assert [(f.ordinal, f.problem.code, f.problem.column) for f in batch.faults] == [
        (1, "RD09", "d"), (2, "RD09", "t"), (3, "RD09", "tz"), (4, "RD09", "d"), (5, "RD09", "m"),
    ]  # fmt: skip


def test_parameters_are_bound_in_the_types_they_are_compared_with(shop: Shop) -> None:
    shop.sql(
        "create table item (id integer, n numeric(9, 2), t timestamptz, d date, o boolean)",
        "insert into item values (1, 2.5, '2024-01-01 10:00Z', '2024-01-01', true), (2, 3, '2024-06-01 10:00Z', '2024-06-01', false)",
    )
    query = "select id from item where {} order by id"
    for condition, values, found in [
        ("n = :n", {"n": "2.50"}, [1]),
        ("n > :n", {"n": 2.5}, [2]),
        ("t >= :t and t < :u", {"t": "2024-01-01T10:00:00", "u": "2024-06-01 10:00:00Z"}, [1]),
        ("d = :d or :d = '2024-01-01'::date", {"d": "2024-01-01"}, [1, 2]),
        ("o = :o", {"o": False}, [2]),
        ("id = coalesce(:none, 2) and o is not null", {"none": None}, [2]),
        ("id < :half", {"half": 1.5}, [1]),
        ("id::text = :text", {"text": "'; drop table item; --"}, []),
    ]:
        assert [r["id"] for r in shop.rows(query=query.format(condition), params=values)] == found, condition


def test_an_answer_to_parameters_goes_on_over_many_fetches(shop: Shop) -> None:
    found = shop.rows(query="select g as id from generate_series(1, 40000) g where g > :least", params={"least": 1})
    assert [r["id"] for r in found] == list(range(2, 40001))


def test_only_what_is_new_is_read_to_the_last_digit(shop: Shop) -> None:
    shop.sql(
        "create table item (id integer, t timestamptz)",
        "insert into item values (1, '2024-01-01 10:00:00.000001Z'), (2, '2024-01-01 10:00:00.000002Z'), (3, null)",
    )
    growing = {"table": "item", "incremental": {"column": "t", "overlap": "1h"}}
    assert len(shop.rows(**growing)) == 3
    newest = shop.newest(**growing)
    assert newest == "2024-01-01T10:00:00.000002Z"
    exact = {"table": "item", "incremental": {"column": "t"}, "columns": ["id"]}
    assert shop.rows(Since(str(newest)), **exact) == [{"id": 2}]
    assert shop.rows(Since(str(newest), ties=False), **exact) == []
    assert shop.newest(Since(str(newest), ties=False), **exact) == newest
    assert [r["id"] for r in shop.rows(Since(str(newest)), **growing)] == [1, 2]


@pytest.mark.parametrize(
    ("column", "values", "newest"),
    [
        ("bigint", "(1), (9007199254740993)", 9007199254740993),
        ("numeric(20, 3)", "(1.5), (12345678901234567.125)", "12345678901234567.125"),
        ("date", "('2024-01-01'), ('2024-02-29')", "2024-02-29"),
        ("timestamp", "('2024-01-01'), ('2024-02-29 10:00')", "2024-02-29T10:00:00"),
        ("varchar(9)", "('a'), ('b')", "b"),
    ],
)
def test_anything_with_an_order_may_grow(shop: Shop, column: str, values: str, newest: object) -> None:
    shop.sql(f"create table item (g {column})", f"insert into item values {values}, (null)")
    query = {"query": "select * from item where g is not null or 1 = :one", "params": {"one": 1}}
    growing = query | {"incremental": {"column": "g"}}
    assert len(shop.rows(**growing)) == 3
    assert shop.newest(**growing) == newest
    assert isinstance(newest, int | str)
    assert len(shop.rows(Since(newest), **growing)) == 1


def test_a_highest_value_that_is_none_is_said(shop: Shop) -> None:
    shop.sql("create table item (t timestamp)", "insert into item values ('infinity')")
    with pytest.raises(SourceError, match="highest value of 't' is beyond"):
        shop.rows(table="item", incremental={"column": "t"})


def test_a_table_of_another_schema_is_read_and_one_that_is_not_there_said(shop: Shop) -> None:
    shop.sql('create schema "Sales"', 'create table "Sales".item (id integer)', 'insert into "Sales".item values (1)')
    assert shop.rows(table="Sales.item") == [{"id": 1}]
    with pytest.raises(SourceError, match="there is no table Sales.items") as said:
        shop.rows(table="Sales.items")
    assert "Sales.item" in said.value.hint
    shop.sql('drop schema "Sales" cascade')


def test_a_query_cannot_write(shop: Shop) -> None:
    shop.sql("create sequence s")
    with pytest.raises(SourceError, match="read-only transaction"):
        shop.rows(query="select nextval('s')")


def test_what_answers_is_said(shop: Shop) -> None:
    with closing(shop.source(table="item")) as source:
        assert source.reach().startswith("PostgreSQL 1")


def test_a_value_its_parameter_has_no_place_for_keeps_its_own_type() -> None:
    assert array_of(2.5, pa.int32()).type == pa.float64()
    assert array_of("soon", pa.timestamp("us")).to_pylist() == ["soon"]
    assert array_of(None, None).type == pa.string()
    assert array_of("2024-01-01T00:00:00", pa.timestamp("us", "UTC"))[0].as_py() == dt.datetime(
        2024, 1, 1, tzinfo=dt.UTC
    )
