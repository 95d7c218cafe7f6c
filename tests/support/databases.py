"""Databases as sources: what the tests of every one of them share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from headgate.connectors.adbc import AdbcSource
from headgate.model.errors import HeadgateError, SourceError
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
    if scheme(url).startswith("adbc+"):
        return AdbcSource(spec, Path("/"), registry.Connected(through_adbc(url)))
    known = scheme(url) in registry.names(registry.SOURCES)
    factory: registry.SourceFactory = registry.load(registry.SOURCES, scheme(url) if known else "sqlalchemy")
    return factory(spec, Path("/"), registry.Connected({"url": url}))


def through_adbc(url: str) -> dict[str, Any]:
    """The connection that reads ``adbc+postgresql://…``, ``adbc+sqlite:///…`` or ``adbc+duckdb:///…``."""
    native = url.removeprefix("adbc+")
    driver, path = scheme(native), native.partition("://")[2][1:]
    where = {"uri": native} if driver == "postgresql" else {"options": {"uri" if driver == "sqlite" else "path": path}}
    return {"url": "adbc://", "driver": driver, **where}


def read(url: str, **source: Any) -> list[Row]:
    with closing(open_source(url, **source)) as opened:
        scan = opened.open(opened.partitions()[0])
        return [r for b in scan.batches() for r in b.records.to_pylist()]


WIDER = {"sqlite": ("bigint", "text"), "duckdb": (), "postgresql": (), "mysql": ("text",)}
WIDER |= dict.fromkeys(("adbc+sqlite", "adbc+duckdb", "adbc+postgresql"), ("text",))
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
        native = url.replace("+pysqlite", "").replace("+psycopg", "").removeprefix("adbc+")
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
