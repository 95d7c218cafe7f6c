"""Every database as a source, through the suite; and what a destination wrote comes back from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.connectors.mysql.connection import Access
from headgate.connectors.sqlite.source import _array
from headgate.model.errors import HeadgateError, SourceError, UsageError
from headgate.model.text import text_form
from support.databases import DatabaseTests, Execute, PostgresTests, open_source, read


class TestSqlite(DatabaseTests):
    mark = "?"

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/shop.db"

    @pytest.fixture
    def execute(self, tmp_path: Path, url: str) -> Iterator[Execute]:
        with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as connection:
            yield lambda sql, values=(): connection.execute(sql, values).fetchall()

    @pytest.mark.parametrize(
        ("column", "value", "word"),
        [
            ("integer", "soon", "whole number"),
            ("integer", 1.5, "whole number"),
            ("real", "much", "number"),
            ("boolean", 7, "boolean"),
        ],
    )
    def test_a_value_that_is_none_of_its_column_is_a_fault(
        self, url: str, execute: Execute, column: str, value: object, word: str
    ) -> None:
        execute(f"create table item (id integer, v {column})")
        for i, v in enumerate([1, value, 0, value, None]):
            execute("insert into item values (?, ?)", (i, v))
        with closing(open_source(url, table="item")) as source:
            (batch,) = source.open(source.partitions()[0]).batches()
        assert [(f.ordinal, f.problem.code, f.problem.column, f.problem.value) for f in batch.faults] == [
            (n, "RD09", "v", str(value)) for n in (1, 3)
        ]
        assert f"is no {word}" in batch.faults[0].problem.reason
        assert list(batch.ordinals) == [0, 2, 4]
        assert batch.records["id"].to_pylist() == [0, 2, 4]

    def test_values_of_any_kind_are_text_in_a_column_without_one(self, url: str, execute: Execute) -> None:
        execute("create table item (v)")
        values: list[object] = ["007", 7, 2.5, b"\x01\xff", None, 2**62]
        for v in values:
            execute("insert into item values (?)", (v,))
        assert [r["v"] for r in read(url, query="select v from item")] == [text_form(v) for v in values]

    def test_a_read_that_failed_keeps_no_lock(self, url: str, execute: Execute) -> None:
        execute("create table item (v text)")
        execute("insert into item values (cast(x'ff' as text)), ('a')")
        with pytest.raises(SourceError, match="UTF-8") as said:
            read(url, query="select v from item")
        execute("insert into item values ('b')")  # while the error is still known, and with it all that it came from
        assert "'v'" in said.value.message

    def test_a_virtual_table_is_read(self, url: str, execute: Execute) -> None:
        execute("create virtual table item using fts5(v)")
        execute("insert into item values ('lamp')")
        assert read(url, table="item") == [{"v": "lamp"}]

    def test_bytes_of_a_fault_are_hexadecimal(self, url: str, execute: Execute) -> None:
        execute("create table item (n integer, b blob)")
        execute("insert into item values ('soon', x'ff')")
        with closing(open_source(url, table="item")) as source:
            (batch,) = source.open(source.partitions()[0]).batches()
        assert batch.faults[0].raw == {"n": "soon", "b": "ff"}


class TestDuckdb(DatabaseTests):
    mark = "?"

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"duckdb:///{tmp_path}/shop.duckdb"

    @pytest.fixture
    def execute(self, tmp_path: Path, url: str) -> Execute:
        def ask(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
            with Access_of_duckdb(url) as connection:
                return connection.execute(sql, list(values)).fetchall()

        return ask

    def test_types_of_its_own_are_text(self, url: str, execute: Execute) -> None:
        execute(
            "create table item (l integer[], s struct(a integer, b varchar), h hugeint, i interval, e enum('x', 'y'), u uuid)"
        )
        execute(
            "insert into item values ([1, null], {'a': 1, 'b': 'é'}, 170141183460469231731687303715884105727, interval 3 days, 'y', "
            "'6b1f1c1e-0000-4000-8000-000000000001')"
        )
        assert read(url, table="item") == [
            {
                "l": "[1,null]", "s": '{"a":1,"b":"é"}', "h": "170141183460469231731687303715884105727", "i": "3 days", "e": "y",
                "u": "6b1f1c1e-0000-4000-8000-000000000001",
            }
        ]  # fmt: skip

    def test_lists_of_decimals_are_text_too(self, url: str, execute: Execute) -> None:
        execute("create table item (l decimal(38,10)[])")
        execute("insert into item values ([12345678901234567890.0000000001, null])")
        assert read(url, table="item") == [{"l": "[12345678901234567890.0000000001,null]"}]

    def test_the_end_of_a_day_is_not_its_beginning(self, url: str, execute: Execute) -> None:
        execute("create table item (t time)")
        execute("insert into item values ('24:00:00'), ('23:59:59')")
        with closing(open_source(url, table="item")) as source:
            (batch,) = source.open(source.partitions()[0]).batches()
        assert [text_form(v) for v in batch.records["t"].to_pylist()] == ["23:59:59"]
        assert [(f.problem.code, f.problem.value) for f in batch.faults] == [("RD09", "24:00:00")]


def Access_of_duckdb(url: str) -> duckdb.DuckDBPyConnection:
    """With the settings that the connector has, as one process opens a file with one set of them."""
    from headgate.connectors.duckdb.connection import Access as DuckdbAccess

    return DuckdbAccess.read({"url": url}, Path("/")).connect()


@pytest.mark.needs_postgres
class TestPostgres(PostgresTests):
    def test_a_table_without_columns_is_said(self, url: str, execute: Execute) -> None:
        execute("create table item ()")
        execute("insert into item default values")
        with pytest.raises(SourceError, match="item has no columns"):
            read(url, table="item")

    def test_what_has_no_type_here_is_text_and_what_is_beyond_its_type_a_fault(
        self, url: str, execute: Execute
    ) -> None:
        execute("create table item (id integer, a integer[], n numeric, j jsonb, d date, m numeric(5, 2))")
        execute("""insert into item values (1, '{1,NULL}', 1e50, '{"a": 1.10}', '2024-12-31', 1.5), (2, null, 'NaN', null, 'infinity', 0),
            (3, null, null, null, null, 'NaN'), (4, null, null, null, '0044-03-15 BC', null), (5, null, null, null, '10000-01-01', null)""")
        with closing(open_source(url, table="item")) as source:
            (batch,) = source.open(source.partitions()[0]).batches()
        assert not [f for f in batch.faults if f.ordinal == 0]
        (first,) = batch.records.to_pylist()
        assert {k: text_form(v) for k, v in first.items()} == {
            "id": "1", "a": "{1,NULL}", "n": "1" + "0" * 50, "j": '{"a": 1.10}', "d": "2024-12-31", "m": "1.50",
        }  # fmt: skip
        assert [(f.ordinal, f.problem.column, f.problem.value) for f in batch.faults] == [
            (1, "d", "infinity"), (2, "m", "NaN"), (3, "d", "0044-03-15 BC"), (4, "d", "10000-01-01"),
        ]  # fmt: skip


class TestMariadb(DatabaseTests):
    text = "text character set utf8mb4"
    quotes = "`"
    endless = DatabaseTests.endless.replace(
        "a.id || b.id || c.id || d.id = e.id || 'x'", "concat(a.id, b.id, c.id, d.id) = concat(e.id, 'x')"
    )
    most = 1000

    @pytest.fixture
    def url(self, maria_db: str) -> str:
        return maria_db

    @pytest.fixture
    def execute(self, url: str) -> Iterator[Execute]:
        with pymysql.connect(
            ssl_disabled=True, **Access.read({"url": url}).params, charset="utf8mb4", autocommit=True
        ) as connection:

            def ask(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
                with connection.cursor() as cursor:
                    cursor.execute(sql, tuple(values) or None)
                    return list(cursor.fetchall())

            yield ask

    def test_a_date_that_is_none_is_a_fault(self, url: str, execute: Execute) -> None:
        execute("set sql_mode = ''")
        execute("create table item (id int, d date, b bit(3), u bigint unsigned)")
        execute(
            "insert into item values (1, '2024-02-29', b'101', 18446744073709551615), (2, '0000-00-00', null, null)"
        )
        with closing(open_source(url, table="item")) as source:
            (batch,) = source.open(source.partitions()[0]).batches()
        (first,) = batch.records.to_pylist()
        assert {k: text_form(v) for k, v in first.items()} == {
            "id": "1", "d": "2024-02-29", "b": "5", "u": "18446744073709551615",
        }  # fmt: skip
        assert [(f.ordinal, f.problem.value) for f in batch.faults] == [(1, "0000-00-00")]

    def test_a_server_that_goes_away_meanwhile_is_said(self, url: str, execute: Execute) -> None:
        execute("create table item (v longtext)")
        execute("insert into item select repeat('x', 2000) from seq_1_to_30000")
        with closing(open_source(url, table="item")) as source:
            scan = source.open(source.partitions()[0])
            batches = scan.batches()
            assert len(next(batches)) == 10_000
            for number, *_, statement in execute("select id, info from information_schema.processlist"):
                if statement and "`v`" in statement:
                    execute(f"kill {number}")
            with pytest.raises(HeadgateError, match="Lost connection|gone away|killed"):
                list(batches)

    def test_a_float_has_all_its_digits(self, url: str, execute: Execute) -> None:
        execute("create table item (id int, f float)")
        execute("insert into item values (1, 16777216), (2, 0.1), (3, -1234567), (4, null), (5, 3.4e38), (6, 1e-40)")
        expected = [16777216.0, 0.1, -1234567.0, None, 3.4e38, 1e-40]
        assert [r["f"] for r in read(url, table="item")] == expected
        query = "select f from item order by id"
        assert [None if (f := r["f"]) is None else float(f) for r in read(url, query=query)] == expected


class TestSqlalchemyOnSqlite(TestSqlite):
    """Of any other database; what is SQLite's own is not tested."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite+pysqlite:///{tmp_path}/shop.db"

    @pytest.mark.parametrize(
        ("column", "value", "word"), [("integer", "soon", "whole number"), ("real", "much", "number")]
    )
    def test_a_value_that_is_none_of_its_column_is_a_fault(
        self, url: str, execute: Execute, column: str, value: object, word: str
    ) -> None:
        super().test_a_value_that_is_none_of_its_column_is_a_fault(url, execute, column, value, word)


# SQLAlchemy leaves psycopg's cursor of a query that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.needs_postgres
class TestSqlalchemyOnPostgres(PostgresTests):
    @pytest.fixture
    def url(self, pg_db: str) -> str:
        return pg_db.replace("postgresql:", "postgresql+psycopg:")

    @pytest.fixture
    def execute(self, pg_db: str) -> Iterator[Execute]:  # type: ignore[override]
        with psycopg.connect(pg_db, autocommit=True) as connection:

            def ask(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
                cursor = connection.execute(sql, values) if values else connection.execute(sql)  # type: ignore[arg-type]
                return cursor.fetchall() if cursor.description else []

            yield ask


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(allow_nan=False) | st.integers(-(10**9), 10**9).map(lambda n: n / 1000), min_size=1))
def test_numbers_are_the_same_texts_one_by_one_and_together(values: list[float]) -> None:
    assert _array(tuple(values), pa.string()).to_pylist() == [text_form(v) for v in values]


def test_a_url_that_nobody_knows_is_said() -> None:
    with pytest.raises(UsageError, match="no connector knows URLs that begin with oracel://"):
        read("oracel://localhost/x", table="item")


def test_batches_of_many_records_are_the_same_each_time(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table item (id integer)")
        connection.executemany("insert into item values (?)", ((i if i % 1000 else "x",) for i in range(150_000)))
        connection.commit()
    with closing(open_source(f"sqlite:///{tmp_path}/shop.db", table="item")) as source:
        scan = source.open(source.partitions()[0])
        begun = scan.batches()
        next(begun)
        other = list(source.open(source.partitions()[0]).batches())
        rest = list(begun)
        again = list(scan.batches())
    assert [len(b) for b in other] == [65_536, 65_536, 18_928]
    for one, two in zip(other, again, strict=True):
        assert (list(one.ordinals), one.faults) == (list(two.ordinals), two.faults)
        assert one.records.equals(two.records)
    assert sum(map(len, rest)) == 150_000 - 65_536
    assert pa.Table.from_batches([b.records for b in other]).num_rows == 150_000 - 150
