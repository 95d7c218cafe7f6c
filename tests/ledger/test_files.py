"""Files that belong to runs: beside a ledger in a file, and in a ledger that machines share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.ledger import Ledger, open_ledger
from headgate.model.errors import HeadgateError
from headgate.model.run import Kind, Status

CONTENT = bytes(range(256)) * 8192 + b"and the rest"  # two pieces and a third that is not full


@pytest.fixture
def machines(pg_db: str, tmp_path: Path) -> tuple[Ledger, Ledger]:
    """One ledger from two machines, each with a local folder of its own."""
    return open_ledger(pg_db, files=tmp_path / "one"), open_ledger(pg_db, files=tmp_path / "two")


def test_a_kept_file_is_where_it_was_put(ledger, new_run):
    path = ledger.changes_path(ledger.begin(new_run(kind=Kind.PLAN)).id)
    path.write_bytes(CONTENT)
    ledger.keep(path)
    assert ledger.fetch(path).read_bytes() == CONTENT


def test_a_file_that_is_not_there_cannot_be_kept(ledger, new_run):
    path = ledger.changes_path(ledger.begin(new_run(kind=Kind.PLAN)).id)
    with pytest.raises(HeadgateError, match="1.arrow cannot be"):
        ledger.keep(path)
    assert not ledger.fetch(path).exists()


@pytest.mark.parametrize("content", [CONTENT, CONTENT[: 1 << 20], b"x"], ids=["pieces", "one full piece", "short"])
def test_a_file_comes_to_another_machine_whole(machines, new_run, content):
    one, two = machines
    with one, two:
        plan = one.begin(new_run(kind=Kind.PLAN))
        path = one.changes_path(plan.id)
        path.write_bytes(b"what was there before")
        one.keep(path)
        path.write_bytes(content)
        one.keep(path)
        there = two.fetch(two.changes_path(plan.id))
        assert there != path
        assert there.read_bytes() == content
        assert [p.name for p in there.parent.iterdir()] == ["1.arrow"]


def test_a_file_of_a_forgotten_plan_comes_to_nobody(machines, new_run):
    one, two = machines
    with one, two:
        for _ in range(11):
            plan = one.begin(new_run(kind=Kind.PLAN))
            one.changes_path(plan.id).write_bytes(b"x")
            one.keep(one.changes_path(plan.id))
        plan = one.run(1)
        plan.status = Status.FAILED
        one.finish(plan)
        assert one.prune(datetime.now(UTC) + timedelta(days=1)) == [1]
        assert not two.fetch(two.changes_path(1)).exists()
        assert two.fetch(two.changes_path(11)).read_bytes() == b"x"


def test_plans_of_another_ledger_are_never_read(pg_db, tmp_path, new_run):
    schema = f"{pg_db}{'&' if '?' in pg_db else '?'}schema=second"
    with open_ledger(pg_db, files=tmp_path) as first, open_ledger(schema, files=tmp_path) as second:
        for ledger in (first, second):
            plan = ledger.begin(new_run(kind=Kind.PLAN))
        first.changes_path(plan.id).write_bytes(b"the first one's")
        first.keep(first.changes_path(plan.id))
        assert not second.fetch(second.changes_path(plan.id)).exists()


def test_a_file_that_cannot_be_written_is_an_error(machines, new_run, tmp_path):
    one, two = machines
    with one, two:
        plan = one.begin(new_run(kind=Kind.PLAN))
        one.changes_path(plan.id).write_bytes(b"x")
        one.keep(one.changes_path(plan.id))
        (tmp_path / "two").write_text("a file in the folder's place")
        with pytest.raises(HeadgateError, match="cannot be written"):
            two.fetch(two.changes_path(plan.id))


def test_a_journal_is_exactly_what_belongs_to_it_whoever_wrote_its_parts(machines, new_run):
    one, two = machines
    with one, two:
        run = one.begin(new_run())
        for ledger, name, content in (
            (one, "000001", b"1"),
            (one, "000002", b"never committed"),
            (two, "000002", b"2"),
        ):
            path = ledger.journal_path(run.id) / f"{name}.arrow"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            ledger.keep(path)
        (one.journal_path(run.id) / "000003.arrow").write_bytes(b"never kept")
        for ledger in machines:
            found = {p.name: p.read_bytes() for p in ledger.fetch_journal(run.id).iterdir()}
            assert found == {"000001.arrow": b"1", "000002.arrow": b"2"}
        two.forget(two.journal_path(run.id))
        assert not one.has_journal(run.id)
        assert list(one.fetch_journal(run.id).iterdir()) == []


def test_files_of_run_1_are_not_those_of_run_11(machines, new_run):
    one, _ = machines
    with one:
        for _ in range(11):
            run = one.begin(new_run())
        for number in (1, run.id):
            path = one.journal_path(number) / "000001.json"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"x")
            one.keep(path)
        one.forget(one.journal_path(1))
        assert not one.has_journal(1)
        assert one.has_journal(11)


def test_what_was_not_kept_to_its_end_is_not_there(machines, new_run, monkeypatch):
    one, two = machines
    with one, two:
        run = one.begin(new_run())
        path = one.journal_path(run.id) / "000001.arrow"
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
        with monkeypatch.context() as m:
            m.setattr("headgate.ledger.statements.NAME_PIECES", "select 1/0 where ? <> ?")
            with pytest.raises(Exception, match="division by zero"):
                one.keep(path)
        assert not two.has_journal(run.id)
        one.keep(path)
        assert (two.fetch_journal(run.id) / path.name).read_bytes() == CONTENT
