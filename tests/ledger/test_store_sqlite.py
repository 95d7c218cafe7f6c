"""What only a file can do wrong: full, read-only, another kind of file."""

from __future__ import annotations

import os
import sys

import pytest

from headgate.ledger import Ledger, open_ledger
from headgate.ledger.store_sqlite import SqliteStore
from headgate.model.errors import HeadgateError
from headgate.model.run import Kind, Status
from support.processes import program


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
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
with open_ledger(sys.argv[1]) as ledger:
    run = ledger.begin(new_run())
    try:
        ledger.record_rejects(run.id, new_rejects(20_000))
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


def test_a_file_in_the_place_of_the_plans_is_an_error(tmp_path, new_run):
    (tmp_path / "plans").write_text("")
    with open_ledger(tmp_path / "ledger.db") as ledger, pytest.raises(HeadgateError, match="cannot keep plans"):
        ledger.begin(new_run(kind=Kind.PLAN))
