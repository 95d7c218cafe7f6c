"""The command line as a person uses it: what it printed, its exit code, and what is in the destination afterwards."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
import pytest
import yaml

from headgate.cli.main import run
from headgate.connectors.mysql.connection import Access
from support import forked
from support.shop import Ask, Define, Headgate, Rows, Said, Shop, Start


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, with a ledger of its own."""
    home = tmp_path / "here"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    return home


@pytest.fixture
def headgate(folder: Path, capfd: pytest.CaptureFixture[str]) -> Headgate:
    """Runs a command in this process."""

    def command(*words: object) -> Said:
        capfd.readouterr()
        code = run([str(w) for w in words])
        return Said(code, *capfd.readouterr()).no_fault()

    return command


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a command in a process of its own; whatever is left of it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def command(*words: object, **streams: Any) -> subprocess.Popen[str]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        process = forked.start(*words, text=True, **streams)
        started.append(process)
        return process

    yield command
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def rows(folder: Path) -> Ask:
    """Asks the SQLite file shop.db of the current folder."""

    def ask(query: str) -> Rows:
        with closing(sqlite3.connect(folder / "shop.db")) as connection:
            return connection.execute(query).fetchall()

    return ask


@pytest.fixture
def sqlite_shop(folder: Path) -> Iterator[Shop]:
    """shop.db in the current folder."""
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as connection:
        yield Shop("sqlite", "sqlite:///shop.db", connection)


class DuckdbFile:
    """A file that is open only while it is asked, as one process at a time can have it, with settings of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.description: Any = None

    def execute(self, sql: str, values: Sequence[object] = ()) -> DuckdbFile:
        with duckdb.connect(str(self._path)) as connection:
            done = connection.execute(sql, list(values))
            self.description = done.description
            self._rows = done.fetchall()
        return self

    def fetchall(self) -> Rows:
        return self._rows


@pytest.fixture
def duckdb_shop(folder: Path) -> Shop:
    """shop.duckdb in the current folder."""
    return Shop("duckdb", "duckdb:///shop.duckdb", DuckdbFile(folder / "shop.duckdb"))


@pytest.fixture
def postgres_shop(folder: Path, pg_db: str) -> Iterator[Shop]:
    """An empty PostgreSQL database."""
    with psycopg.connect(pg_db, autocommit=True) as connection:
        yield Shop("postgres", pg_db, connection)


@pytest.fixture
def maria_shop(folder: Path, maria_db: str) -> Iterator[Shop]:
    """An empty MariaDB database."""
    with _mysql_shop(maria_db) as made:
        yield made


@pytest.fixture
def mysql_shop(folder: Path, mysql_db: str) -> Iterator[Shop]:
    """An empty MySQL database."""
    with _mysql_shop(mysql_db) as made:
        yield made


@contextmanager
def _mysql_shop(url: str) -> Iterator[Shop]:
    with pymysql.connect(
        ssl_disabled=True, **Access.read({"url": url}).params, charset="utf8mb4", autocommit=True
    ) as connection:
        yield Shop("mysql", url, connection)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Each destination in turn."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


@pytest.fixture
def define(folder: Path) -> Define:
    """Makes the current folder a project with an import `items` of items.csv into the table `item` of a shop."""

    def write(shop: Shop | str, data: str | bytes | None = None, /, **definition: Any) -> None:
        url = shop if isinstance(shop, str) else shop.url
        definition = {
            "source": "items.csv",
            "key": "id",
            "destination": {"connection": "shop", "table": "item"},
        } | definition
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"shop": url}}))
        (folder / "imports").mkdir(exist_ok=True)
        (folder / "imports" / "items.yaml").write_text(
            yaml.safe_dump({k: v for k, v in definition.items() if v is not None}, sort_keys=False)
        )
        if data is not None:
            (folder / "items.csv").write_bytes(data.encode() if isinstance(data, str) else data)

    return write
