"""Large tables are read by a process of their own: one state of the file, ended whenever it is not wanted, and never cut short in silence."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.sqlite import apart
from headgate.connectors.sqlite.source import SqliteSnapshot
from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError
from headgate.sql.source import Wanted

COUNT = 200_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a large table."""
    found = tmp_path / "shop.db"
    with closing(sqlite3.connect(found)) as con, con:
        con.execute("create table t (id integer primary key, name text, price decimal(9,2))")
        con.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) "
            "insert into t select i, 'name ' || i, i / 100.0 from n",
            (COUNT,),
        )
    return found


@pytest.fixture
def there(path: Path) -> Iterator[SqliteSnapshot]:
    """It, about to be read."""
    with closing(SqliteSnapshot(path, Wanted(table="t"))) as found:
        yield found


def rows(there: SqliteSnapshot) -> list[dict[str, Any]]:
    return [r for p in there.pages() for r in p.records.to_pylist()]


def test_the_process_reads_it(there: SqliteSnapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(there, "_here", lambda: pytest.fail("it was read here"))
    found = rows(there)
    assert [r["id"] for r in found] == list(range(1, COUNT + 1))
    assert found[0] == {"id": 1, "name": "name 1", "price": "0.01"}
    assert found[-1] == {"id": COUNT, "name": f"name {COUNT}", "price": "2000"}


def test_where_it_cannot_be_started_the_table_is_read_here(
    there: SqliteSnapshot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "scan.py").write_text("raise SystemExit('no driver')")
    monkeypatch.setattr(apart, "_SCAN", tmp_path / "scan.py")
    assert len(rows(there)) == COUNT
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    assert not apart.Apart.possible()


def test_a_process_that_dies_is_no_end_of_the_table(there: SqliteSnapshot) -> None:
    pages = there.pages()
    next(pages)
    assert there._apart is not None
    there._apart._process.kill()
    with pytest.raises(DestinationError, match="ended with -9|shop.db"):
        list(pages)


def test_it_can_be_stopped(there: SqliteSnapshot) -> None:
    pages = there.pages()
    next(pages)
    there.cancel()
    with pytest.raises(Cancelled):
        list(pages)


def test_nobody_is_left_behind(there: SqliteSnapshot) -> None:
    pages = there.pages()
    next(pages)
    pages.close()
    assert there._apart is not None
    assert there._apart._process.returncode is not None


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_what_others_write_meanwhile_is_not_read(path: Path, journal: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as writer:
        writer.execute(f"pragma journal_mode = {journal}")
        writer.execute("begin")
        writer.execute(f"update t set name = 'uncommitted' where id = {COUNT}")
        with closing(SqliteSnapshot(path, Wanted(table="t"))) as there:
            pages = there.pages()
            first = next(pages)
            if journal == "wal":
                writer.execute("commit")
            else:
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    writer.execute("commit")
            names = {r["name"] for p in (first, *pages) for r in p.records.to_pylist()}
        assert len(names) == COUNT
        if journal == "delete":
            writer.execute("commit")  # the lock is let go with the last record


def test_a_locked_file_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "BUSY_SECONDS", 0)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as writer,
        closing(SqliteSnapshot(path, Wanted(table="t"))) as there,
    ):
        there._con.execute("pragma busy_timeout = 0")
        writer.execute("begin exclusive")
        with pytest.raises(ConnectionFailed, match="locked the database"):
            rows(there)
