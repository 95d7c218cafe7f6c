"""What only a file can do wrong: full, read-only, another kind of file, another version, several processes at once."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headgate.ledger import Ledger, migrate, open_ledger
from headgate.ledger.store import SqliteStore
from headgate.model.errors import HeadgateError
from headgate.model.run import Kind, Status

PROGRAM = """
import os, sys
from datetime import UTC, datetime
from headgate.ledger import open_ledger
from headgate.model.outcome import Outcome
from headgate.model.record import Problem, Reject
from headgate.model.run import Kind, Run
def new_run():
    return Run("products", Kind.RUN, "upsert", "shop", "f1", datetime.now(UTC))
def new_rejects(count):
    return (Reject(n, Outcome.INVALID, (Problem("TY02", "bad"),), {"a": "x" * 500}) for n in range(count))
"""


def program(text: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + text, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def schema(path: Path) -> dict[tuple[str, str], str]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "select type, name, sql from sqlite_master where name <> 'headgate_schema'"
        ).fetchall()
    finally:
        connection.close()

    def plain(sql: str) -> str:
        return re.sub(r"\s+", " ", sql).replace("( ", "(").replace(" )", ")").replace(" ,", ",")

    return {(kind, name): plain(sql) for kind, name, sql in rows if not name.startswith("sqlite_")}


def test_the_migrations_replayed_make_the_schema(tmp_path):
    with open_ledger(tmp_path / "replayed.db") as ledger:
        assert migrate.prepare(ledger._store, create=True)
    written = sqlite3.connect(tmp_path / "written.db")
    for statement in migrate.split((migrate.FOLDER.parent / "schema.sql").read_text("utf-8")):
        written.execute(statement)
    written.commit()
    written.close()
    assert schema(tmp_path / "replayed.db") == schema(tmp_path / "written.db") != {}


def test_migrations_are_numbered_in_order():
    numbers = [n for n, _ in migrate.migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    assert len(list(migrate.FOLDER.iterdir())) == len(migrate.migrations())


def test_a_migration_that_fills_a_gap_is_applied_where_later_ones_were(tmp_path, new_run, monkeypatch):
    first, *later = migrate.migrations()
    (tmp_path / "0009_later.sql").write_text("create table later (a bigint);")
    monkeypatch.setattr(migrate, "migrations", lambda: (first, (9, tmp_path / "0009_later.sql")))
    store = SqliteStore(tmp_path / "ledger.db")
    assert migrate.prepare(store, create=True)
    assert store.query("select version from headgate_schema order by version") == [(1,), (9,)]
    monkeypatch.setattr(migrate, "migrations", lambda: (first, *later, (9, tmp_path / "0009_later.sql")))
    with Ledger(store) as ledger:
        assert ledger.begin(new_run()).id == 1
    assert store.query("select version from headgate_schema where version < 9") == [
        (n,) for n, _ in (first, *later) if n < 9
    ]


def test_a_ledger_without_the_latest_migrations_is_brought_up_to_date(tmp_path, new_run):
    store = SqliteStore(tmp_path / "ledger.db")
    store.create()
    with store.transaction() as session:
        session.query(migrate.statements.CREATE_VERSIONS)
    store.close()
    with open_ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.runs() == []
        assert ledger.begin(new_run()).id == 1


@pytest.mark.parametrize("verb", ["runs", "begin"])
def test_a_ledger_of_a_newer_version_is_refused(tmp_path, new_run, verb):
    path = tmp_path / "ledger.db"
    with open_ledger(path) as ledger:
        ledger.begin(new_run())
    connection = sqlite3.connect(path)
    connection.execute("insert into headgate_schema values (99, '0099_later', '')")
    connection.commit()
    connection.close()
    with open_ledger(path) as ledger, pytest.raises(HeadgateError, match="newer Headgate.*99") as caught:
        ledger.runs() if verb == "runs" else ledger.begin(new_run())
    assert "Update Headgate" in caught.value.hint


def test_another_kind_of_file_is_refused_and_left_as_it_is(tmp_path, new_run):
    path = tmp_path / "ledger.db"
    path.write_text("sku,name\n" * 200)
    with open_ledger(path) as ledger:
        with pytest.raises(HeadgateError, match="not a database"):
            ledger.runs()
        with pytest.raises(HeadgateError, match="not a database"):
            ledger.begin(new_run())
    assert path.read_text() == "sku,name\n" * 200


def test_a_folder_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path, new_run):
    (tmp_path / "file").write_text("")
    with open_ledger(tmp_path / "file" / "ledger.db") as ledger, pytest.raises(HeadgateError, match="ledger") as caught:
        ledger.begin(new_run())
    assert "keep the ledger elsewhere" in caught.value.hint


def test_a_folder_in_the_ledgers_place_is_an_error(tmp_path, new_run):
    with open_ledger(tmp_path) as ledger, pytest.raises(HeadgateError, match="unable to open"):
        ledger.begin(new_run())


def test_a_ledger_that_may_not_be_written_says_so(tmp_path, new_run):
    store = SqliteStore(tmp_path / "ledger.db")
    with Ledger(store) as ledger:
        ledger.begin(new_run())
        store.query("pragma query_only = on")
        with pytest.raises(HeadgateError, match="readonly") as caught:
            ledger.begin(new_run())
        assert "Allow writing" in caught.value.hint
        assert [r.id for r in ledger.runs()] == [1]


def test_a_full_disk_says_so_and_leaves_what_was_there(tmp_path, new_run, new_reject, account):
    store = SqliteStore(tmp_path / "ledger.db")
    with Ledger(store) as ledger:
        run = ledger.begin(new_run())
        ledger.record_rejects(run.id, [new_reject(1)])
        ((pages,),) = store.query("pragma page_count")
        store.query(f"pragma max_page_count = {pages + 1}")
        with pytest.raises(HeadgateError, match="full") as caught:
            ledger.record_rejects(run.id, (new_reject(n) for n in range(2, 5000)))
        assert "Free some space" in caught.value.hint
        assert [r.number for r in ledger.rejects(run.id)] == [1]
        assert [c.records for c in ledger.reject_counts(run.id)] == [1]
        store.query("pragma max_page_count = 1000000")
        ledger.record_rejects(run.id, [new_reject(2)])
        run.status, run.account = Status.PARTIAL, account(2, invalid=2)
        ledger.finish(run)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_a_write_the_system_refuses_says_so(tmp_path):
    text = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
with open_ledger(sys.argv[1]) as ledger:
    run = ledger.begin(new_run())
    try:
        ledger.record_rejects(run.id, new_rejects(5000))
    except Exception as e:
        print(type(e).__name__, len(list(ledger.rejects(run.id))))
"""
    output, _ = program(text, str(tmp_path / "ledger.db")).communicate(timeout=60)
    assert output.split() == ["HeadgateError", "0"]


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no modes there")
def test_a_ledger_in_a_read_only_folder_can_be_read(tmp_path, new_run):
    folder = tmp_path / "medium"
    with open_ledger(folder / "ledger.db") as ledger:
        ledger.begin(new_run())
    text = """
if os.geteuid() == 0:
    # Modes do not bind root. Everything is used once before, as others may not be let to import it.
    with open_ledger(sys.argv[1] + ".tried") as ledger:
        ledger.begin(new_run())
    os.unlink(sys.argv[1] + ".tried")
    os.setgid(65534)
    os.setuid(65534)
with open_ledger(sys.argv[1]) as ledger:
    print([r.id for r in ledger.runs()])
    try:
        ledger.begin(new_run())
    except Exception as e:
        print(type(e).__name__)
"""
    closed = [p for p in folder.parents if os.geteuid() == 0 and p.stat().st_mode & 0o005 != 0o005]
    modes = {p: p.stat().st_mode for p in (folder, *closed)}
    try:
        for p in modes:
            p.chmod(0o555 if p == folder else 0o755)
        output, _ = program(text, str(folder / "ledger.db")).communicate(timeout=60)
    finally:
        for p, mode in modes.items():
            p.chmod(mode)
    assert output.split() == ["[1]", "HeadgateError"], output


def test_two_processes_begin_at_once_in_a_ledger_that_is_not_there_yet(tmp_path):
    text = """
with open_ledger(sys.argv[1]) as ledger:
    for _ in range(20):
        run = ledger.begin(new_run())
        ledger.record_rejects(run.id, new_rejects(20))
        print(run.id)
"""
    both = [program(text, str(tmp_path / "new" / "ledger.db")) for _ in range(2)]
    outputs = [p.communicate(timeout=60)[0].split() for p in both]
    assert sorted(int(n) for o in outputs for n in o) == list(range(1, 41)), outputs
    with open_ledger(tmp_path / "new" / "ledger.db") as ledger:
        assert len(ledger.runs(100)) == 40
        assert all(len(list(ledger.rejects(n))) == 20 for n in range(1, 41))


def test_threads_take_turns(tmp_path, new_run, new_reject):
    with open_ledger(tmp_path / "ledger.db") as ledger:

        def work(_: int) -> int:
            run = ledger.begin(new_run())
            ledger.record_rejects(run.id, [new_reject(n) for n in range(10)])
            return len(list(ledger.rejects(run.id)))

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(40))) == [10] * 40
        assert {r.id for r in ledger.runs(100)} == set(range(1, 41))


def test_the_run_of_a_process_that_was_killed_is_recovered_and_others_are_left(tmp_path, new_run):
    path = tmp_path / "ledger.db"
    text = """
ledger = open_ledger(sys.argv[1])
run = ledger.begin(new_run())
ledger.record_rejects(run.id, new_rejects(5))
print("begun", flush=True)
sys.stdin.readline() if len(sys.argv) < 3 else os.kill(os.getpid(), 9)
"""
    with open_ledger(path) as ledger:
        mine = ledger.begin(new_run())
        killed = program(text, str(path), "die")
        assert killed.communicate(timeout=60)[0] == "begun\n"
        assert [r.id for r in ledger.recover()] == [2]
        lost = ledger.run(2)
        assert (lost.status, lost.error) == (Status.FAILED, "the process ended without finishing the run")
        assert lost.finished is not None
        assert len(list(ledger.rejects(2))) == 5
        assert ledger.run(mine.id).status is Status.RUNNING
        assert ledger.recover() == []


def test_a_later_process_with_the_same_number_does_not_keep_a_run_alive(tmp_path, new_run):
    if not Path("/proc/self/stat").exists():
        pytest.skip("the start of a process is known from /proc only")
    store = SqliteStore(tmp_path / "ledger.db")
    with Ledger(store) as ledger:
        run = ledger.begin(new_run())
        with store.transaction() as session:
            session.query("update headgate_run set born = born || '1' where pid = ?", [os.getpid()])
        assert [r.id for r in ledger.recover()] == [run.id]


def test_a_file_in_the_place_of_the_plans_is_an_error(tmp_path, new_run):
    (tmp_path / "plans").write_text("")
    with open_ledger(tmp_path / "ledger.db") as ledger, pytest.raises(HeadgateError, match="cannot keep plans"):
        ledger.begin(new_run(kind=Kind.PLAN))
