"""Databases through their ADBC drivers as sources, through the suite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from headgate.spi.source import Cancels
from headgate.testing.values import VALUES
from support.databases import DatabaseTests, Execute, PostgresTests, open_source, read


@pytest.mark.needs_postgres
class TestAdbcOnPostgres(PostgresTests):
    @pytest.fixture
    def url(self, pg_db: str) -> str:
        return f"adbc+{pg_db}"

    @pytest.fixture
    def execute(self, pg_db: str) -> Iterator[Execute]:  # type: ignore[override]
        with psycopg.connect(pg_db, autocommit=True) as connection:

            def ask(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
                cursor = connection.execute(sql, values) if values else connection.execute(sql)  # type: ignore[arg-type]
                return cursor.fetchall() if cursor.description else []

            yield ask


class TestAdbcOnDuckdb(DatabaseTests):
    mark = "?"
    most = 1000

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"adbc+duckdb:///{tmp_path}/shop.duckdb"

    @pytest.fixture
    def execute(self, tmp_path: Path) -> Execute:  # type: ignore[override]
        def ask(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
            with duckdb.connect(tmp_path / "shop.duckdb") as connection:
                return connection.execute(sql, list(values)).fetchall()

        return ask

    def fill(self, execute: Execute, table: str, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """All rows at once, as each statement opens the file."""
        super().fill(execute, table, names, [])
        if rows:
            one = f"({', '.join('?' * len(names))})"
            execute(f"insert into {table} values {', '.join([one] * len(rows))}", [v for row in rows for v in row])


class TestAdbcOnSqlite(DatabaseTests):
    """Its driver tells types by the values that it meets, whatever the table declares."""

    mark = "?"

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"adbc+sqlite:///{tmp_path}/shop.db"

    @pytest.fixture
    def execute(self, tmp_path: Path, url: str) -> Iterator[Execute]:
        with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as connection:
            yield lambda sql, values=(): connection.execute(sql, values).fetchall()

    def test_reading_is_broken_off_from_another_thread(self, url: str, execute: Execute) -> None:
        """It knows no cancellation: asked for one, it goes on, and closing waits for it."""
        self.fill(execute, "item", ["id"], [[str(i)] for i in range(100)])
        with closing(open_source(url, table="item")) as source:
            scan = source.open(source.partitions()[0])
            assert isinstance(scan, Cancels)
            scan.cancel()
            assert sum(map(len, scan.batches())) == 100

    @pytest.mark.parametrize("type_name", [t for t in VALUES if t != "boolean"])
    def test_what_was_written_is_read(self, url: str, execute: Execute, type_name: str) -> None:
        super().test_what_was_written_is_read(url, execute, type_name)

    def test_booleans_are_the_numbers_that_they_are_stored_as(self, url: str, execute: Execute) -> None:
        execute("create table item (v boolean)")
        execute("insert into item values (true), (null), (false)")
        assert [r["v"] for r in read(url, table="item")] == [1, None, 0]
