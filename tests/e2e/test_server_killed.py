"""A PostgreSQL server that dies while a run is at it, and comes back: as if nothing had happened, and nothing is left over."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import psycopg
import pytest

from support.postgres import Server
from support.shop import Define, Headgate, Rows, Start, counts, finish, stopped

pytestmark = pytest.mark.needs_postgres
PARTS, RECORDS = 3, 500
DONE = [(i, f"name {i}", i) for i in range(PARTS * RECORDS)]
MAKE = """
drop schema if exists _headgate cascade; drop table if exists item;
create table item (id integer primary key, name text, qty integer);
insert into item select i, 'old', i from generate_series(0, 1499, 3) i
"""
WAITING = "select 1 from pg_stat_activity where application_name = 'headgate' and wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One of its own, that keeps what it commits when it is killed."""
    try:
        server = Server(synchronous_commit="on")
    except (ImportError, OSError, RuntimeError) as e:
        pytest.skip(f"no PostgreSQL: {e}")
    yield server
    server.stop()


@pytest.fixture
def project(server: Server, folder: Path, define: Define) -> Path:
    """An import of three files, so that `commit: batch` commits three times."""
    with psycopg.connect(server.url, autocommit=True) as c:
        c.execute(MAKE)
    for part in range(PARTS):
        lines = (f"{i},{name},{qty}\n" for i, name, qty in DONE[part * RECORDS : (part + 1) * RECORDS])
        (folder / f"part{part}.csv").write_text("id,name,qty\n" + "".join(lines))
    return folder


def rows(server: Server) -> Rows:
    with psycopg.connect(server.url) as c:
        return sorted(c.execute("select * from item").fetchall())


def ledger(folder: Path, sql: str) -> Rows:
    with closing(sqlite3.connect(folder.parent / "state" / "ledger.db")) as c:
        return c.execute(sql).fetchall()


def nothing_left_over(folder: Path) -> None:
    """Accounts of runs that are done add up, nobody is at the import, and only what is done has a journal."""
    done = set()
    for number, status, account in ledger(folder, "select id, status, account from headgate_run"):
        assert status in ("succeeded", "failed")
        if status == "succeeded":
            told = json.loads(account)
            assert told["read"] == sum(
                v for k, v in told.items() if isinstance(v, int) and k not in ("read", "balance")
            )
            done.add(str(number))
    assert ledger(folder, "select run_id from headgate_lease where run_id is not null") == []
    assert ledger(folder, "select id from headgate_run where in_doubt = 1") == []
    assert {p.name for p in (folder.parent / "state" / "journal").iterdir()} == done


def then_all_is_well(server: Server, folder: Path, headgate: Headgate) -> dict[str, Any]:
    """The same command again gives what an undisturbed run gives; what it said."""
    again = headgate("run", "items", "--json")
    assert again.code == 0
    assert rows(server) == DONE
    nothing_left_over(folder)
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": len(DONE)}
    told: dict[str, Any] = again.json
    return told


@pytest.mark.parametrize(
    ("number", "commit", "at", "kept"),
    [
        (signal.SIGKILL, "run", "stage.after:1", 0),
        (signal.SIGQUIT, "run", "commit.before:1", 0),
        (signal.SIGQUIT, "batch", "commit.after:1", 1),
        (signal.SIGKILL, "batch", "commit.before:2", 1),
        (signal.SIGKILL, "batch", "match.after:3", 2),
    ],
)
def test_a_server_that_dies_under_a_run(
    number: signal.Signals, commit: str, at: str, kept: int, server: Server, project: Path, define: Define,
    headgate: Headgate, start: Start,
) -> None:  # fmt: skip
    define(server.url, source="part*.csv", commit=commit)
    process = start("run", "items", env={**os.environ, "HEADGATE_CRASH": f"{at}:stop"})
    stopped(process)
    server.kill(number)
    process.send_signal(signal.SIGCONT)
    said = finish(process)
    assert (said.code, said.out) == (1, "")
    assert "connection was lost" in said.err or "cannot be reached" in said.err
    if "commit.before" not in at:
        refused = headgate("run", "items")
        assert (refused.code, "cannot be reached" in refused.err) == (1, True)
    server.restart()
    found = rows(server)
    assert sum(name != "old" for _, name, _ in found) == kept * RECORDS
    told = then_all_is_well(server, project, headgate)
    assert told["account"]["read"] == len(DONE)
    assert counts(told) == {"created": 1000, "updated": 500}


@pytest.mark.parametrize("commit", ["run", "batch"])
def test_a_server_that_dies_while_it_commits_is_asked_when_it_is_back(
    commit: str, server: Server, project: Path, define: Define, headgate: Headgate, start: Start
) -> None:
    define(server.url, source="part*.csv", commit=commit)
    process = start("run", "items", env={**os.environ, "HEADGATE_CRASH": "commit.before:1:stop"})
    stopped(process)
    with psycopg.connect(server.url, autocommit=True) as c:
        # A commit is on the disk then, and not answered: it waits for a standby that never comes.
        _set(c, "nobody")
        _commits_wait(server, c)
        process.send_signal(signal.SIGCONT)
        _until(c, WAITING, process)
        server.kill()
    said = finish(process)
    assert said.code == 1
    assert "whether the last commit of run 1 was done is not known" in said.err
    assert "not known until its destination answers" in headgate("show", 1, "--json").json["error"]
    server.restart()
    with psycopg.connect(server.url, autocommit=True) as c:
        _set(c, "")
    shown = headgate("show", 1, "--json").json
    if commit == "run":
        assert (shown["status"], shown["error"]) == ("succeeded", "")
        assert counts(shown) == {"created": 1000, "updated": 500}
        nothing_left_over(project)
        assert rows(server) == DONE
        assert headgate("undo", 1).code == 0
        assert all(name == "old" for _, name, _ in rows(server))
    else:
        assert shown["status"] == "failed"
        assert shown["error"].endswith("500 records were read and committed, and the next run goes on from there")
        told = then_all_is_well(server, project, headgate)
        assert (told["id"], counts(told)) == (1, {"created": 1000, "updated": 500})


def test_a_run_that_was_committed_when_process_and_server_died_is_known_when_the_server_is_back(
    server: Server, project: Path, define: Define, headgate: Headgate, start: Start
) -> None:
    define(server.url, source="part*.csv")
    process = start("run", "items", env={**os.environ, "HEADGATE_CRASH": "commit.after"})
    assert process.wait(60) == -signal.SIGKILL
    server.kill()
    for _ in range(2):
        assert "not known until its destination answers" in headgate("show", 1, "--json").json["error"]
    assert headgate("run", "items").code == 1, "another one that gets nowhere changes nothing"
    server.restart()
    runs = {r["id"]: (r["status"], r["error"]) for r in headgate("runs", "--json").json}
    assert runs[1] == ("succeeded", "")
    assert rows(server) == DONE
    nothing_left_over(project)
    assert counts(headgate("show", 1, "--json").json) == {"created": 1000, "updated": 500}
    assert headgate("undo", 1).code == 0
    assert all(name == "old" for _, name, _ in rows(server))


def _commits_wait(server: Server, c: psycopg.Connection[Any]) -> None:
    """The server has taken its setting up when a commit of ours waits, which is then let go."""
    with (
        psycopg.connect(server.url, autocommit=True, application_name="probe") as probe,
        ThreadPoolExecutor(1) as aside,
    ):
        deadline = time.monotonic() + 60
        for n in range(1000):
            writing = aside.submit(probe.execute, f"comment on schema public is 'try {n}'".encode())
            while not writing.done():
                assert time.monotonic() < deadline
                if c.execute(WAITING.replace("'headgate'", "'probe'")).fetchall():
                    c.execute("select pg_cancel_backend(%s)", (probe.info.backend_pid,))
                    writing.result(60)
                    return
    raise AssertionError("no commit waits")


def _set(c: psycopg.Connection[Any], standby: str) -> None:
    c.execute(f"alter system set synchronous_standby_names = '{standby}'".encode())
    c.execute("select pg_reload_conf()")
    _until(c, f"select 1 where current_setting('synchronous_standby_names') = '{standby}'")


def _until(c: psycopg.Connection[Any], condition: str, process: Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 60
    while not c.execute(condition.encode()).fetchall():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
