"""Every database as a source, through the suite; and what a destination wrote comes back from it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
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
from headgate.model.spec import SourceSpec
from headgate.model.text import text_form
from headgate.model.write import Operation, WriteSpec
from headgate.spi import registry
from headgate.spi.source import Cancels, Declares, Source
from headgate.testing.hostile_sources import MakeOf
from headgate.testing.runs import Row, fields, run
from headgate.testing.source import Make, SourceConformance
from headgate.testing.values import VALUES, as_compared

Execute = Callable[..., list[tuple[Any, ...]]]


def scheme(url: str) -> str:
    return url.partition("://")[0]


def open_source(url: str, **source: Any) -> Source:
    spec = SourceSpec(connection="shop", **source)
    known = scheme(url) in registry.names(registry.SOURCES)
    factory: registry.SourceFactory = registry.load(registry.SOURCES, scheme(url) if known else "sqlalchemy")
    return factory(spec, Path("/"), registry.Connected({"url": url}))


def read(url: str, **source: Any) -> list[Row]:
    with closing(open_source(url, **source)) as opened:
        scan = opened.open(opened.partitions()[0])
        return [r for b in scan.batches() for r in b.records.to_pylist()]


WIDER = {"sqlite": ("bigint", "text"), "duckdb": (), "postgresql": (), "mysql": ("text",)}
WIDER |= {"sqlite+pysqlite": ("bigint", "text"), "postgresql+psycopg": ("bigint", "text")}


def seen(kind: str, value: object) -> object:
    """A value in a form in which equal is equal, where a database has only texts and numbers too."""
    if kind == "decimal" and value is not None:
        return Decimal(str(value))
    text = text_form(value)
    if text is not None and kind in ("timestamp", "timestamptz"):
        text = text.replace(" ", "T").replace("+00:00", "Z")
    return as_compared(kind, text)


class DatabaseTests(SourceConformance):
    """Subclasses give `url` and `execute`."""

    mark = "%s"
    text = "text"
    most = 10_000
    quotes = '"'
    endless = "select a.id from item a, item b, item c, item d, item e where a.id || b.id || c.id || d.id = e.id || 'x'"

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def execute(self, url: str) -> Iterator[Execute]:
        raise NotImplementedError

    def named(self, name: str) -> str:
        return self.quotes + name.replace(self.quotes, self.quotes * 2) + self.quotes

    def fill(self, execute: Execute, table: str, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        execute(f"create table {table} ({', '.join(f'{self.named(n)} {self.text}' for n in names)})")
        for row in rows:
            execute(f"insert into {table} values ({', '.join([self.mark] * len(names))})", list(row))

    @pytest.fixture
    def make(self, url: str, execute: Execute) -> Make:
        rows = [[str(i), f"n{i}"] for i in range(100)]
        self.fill(execute, "item", ["id", "name"], rows)
        self.expected = [{"id": a, "name": b} for a, b in rows]
        return lambda: open_source(url, table="item")

    @pytest.fixture
    def make_missing(self, url: str, execute: Execute) -> Make:
        return lambda: open_source(url, table="nothing")

    @pytest.fixture
    def make_of(self, url: str, execute: Execute) -> MakeOf:
        def make(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Source | None:
            wide = max(len(n.encode()) for n in names) > 63 or len(names) > self.most
            if wide or not all(n.strip() for n in names) or len({n.casefold() for n in names}) < len(names):
                return None
            self.fill(execute, "item", names, rows)
            return open_source(url, table="item")

        return make

    def test_odd_names(self, make_of: MakeOf) -> None:
        names = [
            'sel"ect',
            "per%cent",
            "co:lon",
            "it's",
            "back`tick",
            "日本語",
            "order",
            "a b",
            "brace{",
            "Mixed",
            "semi;colon",
        ]
        rows = [[f"{i} {n}" for n in names] for i in range(3)]
        assert self._values(self._read(make_of, names, rows)) == [tuple(r) for r in rows]

    @pytest.mark.parametrize("type_name", VALUES)
    def test_what_was_written_is_read(self, url: str, execute: Execute, type_name: str) -> None:
        made = fields(id="integer", v=type_name)
        kind = made[1].type.kind
        native = url.replace("+pysqlite", "").replace("+psycopg", "")
        factory: registry.DestinationFactory = registry.load(registry.DESTINATIONS, scheme(native))
        with closing(factory({"url": native}, Path("/"))) as destination:
            if kind not in destination.capabilities.exact_types and kind != "json":
                pytest.skip(f"not stated: {kind}")
            rows: list[Row] = [{"id": i, "v": v} for i, v in enumerate([None, *VALUES[type_name]])]
            spec = WriteSpec("value", made, ("id",), Operation.INSERT, create=True)
            written = run(destination.open(spec), spec, rows).count("created")
        found = {r["id"]: seen(kind, r["v"]) for r in read(url, table="value")}
        assert len(found) == written
        assert found == {r["id"]: seen(kind, r["v"]) for r in rows if r["id"] in found}
        with closing(open_source(url, table="value")) as source:
            scan = source.open(source.partitions()[0])
            assert isinstance(scan, Declares)
            assert str(scan.declared.get("v", "text")).partition("(")[0] in (
                type_name.partition("(")[0],
                *WIDER[scheme(url)],
            )

    def test_a_query_is_read_with_its_parameters_bound(self, url: str, execute: Execute) -> None:
        self.fill(execute, "item", ["id", "name"], [["1", "lamp"], ["2", "it's; 100% :x"], ["3", None]])
        query = "select id, name as what from item where name = :name or id = :id -- :no"
        found = read(url, query=query, params={"name": "it's; 100% :x", "id": "3"})
        assert sorted(found, key=lambda r: r["id"]) == [{"id": "2", "what": "it's; 100% :x"}, {"id": "3", "what": None}]

    def test_what_comes_later_is_not_seen(self, url: str, execute: Execute) -> None:
        """All scans of a source see the same records."""
        self.fill(execute, "item", ["id", "name"], [["1", "lamp"]])
        with closing(open_source(url, table="item")) as source:
            scan = source.open(source.partitions()[0])
            first = [r for b in scan.batches() for r in b.records.to_pylist()]
            execute("insert into item values ('2', 'desk')")
            again = source.open(source.partitions()[0])
            assert [r for b in again.batches() for r in b.records.to_pylist()] == first == [{"id": "1", "name": "lamp"}]

    def test_reading_is_broken_off_from_another_thread(self, url: str, execute: Execute) -> None:
        self.fill(execute, "item", ["id"], [[str(i)] for i in range(100)])
        said: list[BaseException] = []
        with closing(open_source(url, query=self.endless)) as source:
            scan = source.open(source.partitions()[0])
            assert isinstance(scan, Cancels)

            def reading() -> None:
                try:
                    for _ in scan.batches():
                        pass
                except HeadgateError as e:
                    said.append(e)

            thread = threading.Thread(target=reading)
            thread.start()
            while thread.is_alive():  # SQLite knows nothing of a cancellation that came before its query
                scan.cancel()
                thread.join(0.05)
        assert len(said) == 1
        scan.cancel()

    def test_columns_are_chosen_and_named_if_not_there(self, url: str, execute: Execute) -> None:
        self.fill(execute, "item", ["id", "name"], [["1", "lamp"]])
        assert read(url, table="item", columns=["name"]) == [{"name": "lamp"}]
        with pytest.raises(SourceError, match="has no column 'nam'") as said:
            read(url, table="item", columns=["nam"])
        assert "id, name" in said.value.hint

    def test_a_view_is_read(self, url: str, execute: Execute) -> None:
        self.fill(execute, "item", ["id", "name"], [["1", "lamp"]])
        execute("create view shown as select name from item")
        assert read(url, table="shown") == [{"name": "lamp"}]

    @pytest.mark.parametrize(
        ("table", "query"), [("nothing", None), (None, "select * from nothing"), (None, "select 1 +")]
    )
    def test_what_is_not_there_is_said(self, url: str, execute: Execute, table: str | None, query: str | None) -> None:
        self.fill(execute, "item", ["id"], [])
        with pytest.raises(HeadgateError) as said:
            read(url, **({"table": table} if table else {"query": query}))
        assert "create" not in said.value.hint
        assert table is None or "item" in said.value.hint


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


def Access_of_duckdb(url: str) -> duckdb.DuckDBPyConnection:
    """With the settings that the connector has, as one process opens a file with one set of them."""
    from headgate.connectors.duckdb.connection import Access as DuckdbAccess

    return DuckdbAccess.read({"url": url}, Path("/")).connect()


class PostgresTests(DatabaseTests):
    most = 1000  # a row of texts has no place for more

    @pytest.fixture
    def url(self, pg_db: str) -> str:
        return pg_db

    @pytest.fixture
    def execute(self, url: str) -> Iterator[Execute]:
        with psycopg.connect(url, autocommit=True) as connection:

            def ask(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
                cursor = connection.execute(sql, values) if values else connection.execute(sql)  # type: ignore[arg-type]
                return cursor.fetchall() if cursor.description else []

            yield ask

    def test_a_query_that_breaks_off_is_no_end(self, url: str, execute: Execute) -> None:
        query = "select 100000 / (150000 - g) as v from generate_series(1, 200000) g"
        with closing(open_source(url, query=query)) as source:
            scan = source.open(source.partitions()[0])
            with pytest.raises(SourceError, match="division by zero"):
                list(scan.batches())

    def test_a_text_longer_than_a_piece_is_read(self, url: str, execute: Execute) -> None:
        execute("create table item (v text)")
        execute("insert into item select repeat('é\"\n,', 5000000) from generate_series(1, 2)")
        assert [len(r["v"]) for r in read(url, table="item")] == [20_000_000] * 2


@pytest.mark.needs_postgres
class TestPostgres(PostgresTests):
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
        with pymysql.connect(**Access.read({"url": url}).params, charset="utf8mb4", autocommit=True) as connection:

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
