"""DuckDBs that are lent to one after the other: nothing of one borrower reaches the next, or another one."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from headgate.mapping.sql import connect
from headgate.model.instances import Instances

LOCKED = ("CREATE MACRO twice(x) AS 2 * x", "SET enable_external_access = false", "SET lock_configuration = true")
MANY = "CREATE TEMP TABLE t AS SELECT i, md5(i::VARCHAR) AS a, md5((i + 1)::VARCHAR) AS b FROM range(600_000) r(i)"


@pytest.fixture
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instances:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Instances({"threads": 1, "memory_limit": "30MB"}, LOCKED, spills=True)


def test_the_next_borrower_finds_nothing_but_what_was_there_first(instances: Instances) -> None:
    with instances.borrow() as first:
        first.con.execute("CREATE TEMP TABLE t AS SELECT 1 AS x")
        first.con.register("batch", pa.table({"x": [1]}))
        first.con.execute("PREPARE q AS SELECT 1")
        first.con.execute("CREATE TEMP MACRO mine(x) AS x")
        instance = first._instance
    with instances.borrow() as second:
        assert second._instance is instance
        for sql in ("FROM t", "FROM batch", "EXECUTE q", "SELECT mine(1)"):
            with pytest.raises(duckdb.Error):
                second.con.execute(sql)
        with pytest.raises(duckdb.Error, match="locked"):
            second.con.execute("SET memory_limit = '1GB'")
        with pytest.raises(duckdb.Error, match="disabled by configuration"):
            second.con.execute("FROM read_csv('/etc/passwd')")
        assert second.con.execute("SELECT twice(21)").fetchall() == [(42,)]


def test_those_at_once_have_an_instance_each(instances: Instances) -> None:
    with instances.borrow() as first, instances.borrow() as second:
        first.con.execute(MANY)  # with the memory of one, there would be none left
        second.con.execute(MANY)
        assert first._instance is not second._instance
        assert first.con.execute("SELECT count(DISTINCT a) FROM t").fetchall() == [(600_000,)]
        assert second.con.execute("SELECT count(DISTINCT b) FROM t").fetchall() == [(600_000,)]


def test_what_does_not_fit_goes_into_a_folder_that_is_there_while_it_is_needed(
    instances: Instances, tmp_path: Path
) -> None:
    for _ in range(3):
        with instances.borrow() as own:
            (folder,) = tmp_path.iterdir()
            assert folder.stat().st_mode & 0o777 == 0o700
            own.con.execute(MANY)
            assert list(folder.iterdir())
        own.close()
        assert list(tmp_path.iterdir()) == []
    forgotten = instances.borrow()
    assert list(tmp_path.iterdir())
    del forgotten
    assert list(tmp_path.iterdir()) == []


def test_an_instance_that_no_longer_works_is_not_lent(instances: Instances) -> None:
    with instances.borrow() as own:
        broken = own._instance
    broken.con.close()
    with instances.borrow() as own:
        assert own._instance is not broken
        assert own.con.execute("SELECT 1").fetchall() == [(1,)]


def test_few_are_kept(instances: Instances) -> None:
    many = [instances.borrow() for _ in range(7)]
    for own in many:
        own.close()
    assert len(instances._idle) == 4


def test_one_that_is_wanted_soon_is_opened_before_it_is_borrowed(
    instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    openers: list[threading.Thread] = []
    real = duckdb.connect

    def connect(*args: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        openers.append(threading.current_thread())
        return real(*args, **options)

    monkeypatch.setattr(duckdb, "connect", connect)
    instances.soon()
    instances.soon()  # it is coming already
    with instances.borrow() as own:
        assert own.con.execute("SELECT twice(21)").fetchall() == [(42,)]
    instances.soon()  # it is there already
    with instances.borrow() as own:
        assert len(openers) == 1
    assert openers[0] is not threading.current_thread()


def test_why_none_can_be_opened_is_told_who_borrows_one() -> None:
    wrong = Instances({"no_such_setting": 1})
    wrong.soon()
    with pytest.raises(duckdb.Error, match="no_such_setting"):
        wrong.borrow()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_has_its_own() -> None:
    code = """if True:
        import os
        from headgate.connectors.files.csv_fast import _instances as other
        from headgate.mapping.sql import _instances, connect
        connect().close()
        assert len(_instances._idle) == 1
        other.soon()
        if pid := os.fork():
            raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        with connect() as own, other.borrow():
            raise SystemExit(own.con.execute("SELECT 1").fetchall() != [(1,)])
    """
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_expressions_have_the_time_zone_and_no_optimizer_whoever_borrowed_before() -> None:
    for _ in range(2):
        with connect() as own:
            found = own.con.execute(
                "SELECT current_setting('TimeZone'), current_setting('enable_optimizer')"
            ).fetchall()
            assert found == [("UTC", False)]
