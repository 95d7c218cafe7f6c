"""Runs: begun, followed, closed once and only in balance, listed, found, forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.ledger import open_ledger
from headgate.model.errors import HeadgateError, NotBalanced, UsageError
from headgate.model.outcome import Outcome
from headgate.model.run import Kind, PartitionRead, Status
from headgate.model.table import SchemaChange


def test_runs_and_plans_are_one_sequence_from_1(ledger, new_run):
    assert [ledger.begin(new_run(kind=k)).id for k in (Kind.RUN, Kind.PLAN, Kind.RUN)] == [1, 2, 3]


def test_a_number_is_never_given_out_twice(ledger, new_run, account):
    run = ledger.begin(new_run())
    run.status = Status.FAILED
    ledger.finish(run)
    assert ledger.prune(datetime.now(UTC) + timedelta(days=1)) == [1]
    assert ledger.begin(new_run()).id == 2


def test_a_closed_run_comes_back_as_it_was(ledger, new_run, account):
    run = ledger.begin(new_run(plan_id=7))
    run.status = Status.SUCCEEDED
    run.account = account(504, created=400, unchanged=100, skipped=4)
    run.account.mirror_deleted = 3
    run.partitions = [
        PartitionRead("inbox/ä.csv", {"encoding": "utf-8", "header": 3, "preamble": ["Title", None]}, 504)
    ]
    run.schema_changes = [SchemaChange("create table product", "create table product (sku text)")]
    run.warnings = ["lossy"]
    run.finished = run.started + timedelta(seconds=1.5)
    ledger.finish(run)
    kept = ledger.run(run.id)
    assert kept.account.as_dict() == run.account.as_dict()
    kept.account = run.account
    assert kept == run
    assert kept.seconds == 1.5


def test_times_are_kept_in_utc(ledger, new_run):
    run = new_run()
    run.started = datetime.fromisoformat("2026-03-01T14:00:00+02:00")
    ledger.begin(run)
    assert ledger.run(1).started.isoformat() == "2026-03-01T12:00:00+00:00"


def test_a_file_name_that_is_no_text_is_kept_as_an_escape(ledger, new_run):
    run = ledger.begin(
        new_run("b\udce4d.csv", warnings=["b\udce4d.csv"], partitions=[PartitionRead("b\udce4d.csv", {})])
    )
    kept = ledger.run(run.id)
    assert (kept.import_name, kept.warnings, kept.partitions[0].name) == (
        "b\\udce4d.csv",
        ["b\\udce4d.csv"],
        "b\\udce4d.csv",
    )


def test_progress_is_seen_through_another_connection(place, ledger, new_run, account):
    run = ledger.begin(new_run())
    ledger.progress(run.id, account(1000, created=10))
    with open_ledger(place) as other:
        seen = other.run(run.id)
    assert (seen.status, seen.account.read, seen.account.outcomes[Outcome.CREATED]) == (Status.RUNNING, 1000, 10)


def test_progress_after_the_end_changes_nothing(ledger, new_run, account):
    run = ledger.begin(new_run())
    run.status, run.account = Status.SUCCEEDED, account(1, created=1)
    ledger.finish(run)
    ledger.progress(run.id, account(99))
    assert ledger.run(run.id).account.read == 1


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.PARTIAL])
def test_an_account_that_does_not_balance_closes_no_run(ledger, new_run, account, status):
    run = ledger.begin(new_run())
    run.status, run.account = status, account(10, created=9)
    with pytest.raises(NotBalanced, match="10 read"):
        ledger.finish(run)
    assert ledger.run(run.id).status is Status.RUNNING


def test_rejects_that_were_not_stored_close_no_run(ledger, new_run, new_reject, account):
    run = ledger.begin(new_run())
    ledger.record_rejects(run.id, [new_reject(1)])
    run.status, run.account = Status.PARTIAL, account(3, created=1, invalid=2)
    with pytest.raises(NotBalanced, match="counts 2 records as invalid, but 1 are stored"):
        ledger.finish(run)
    ledger.record_rejects(run.id, [new_reject(2)])
    ledger.finish(run)
    assert ledger.run(run.id).status is Status.PARTIAL


def test_rejects_stored_under_another_outcome_close_no_run(ledger, new_run, new_reject, account):
    run = ledger.begin(new_run())
    ledger.record_rejects(run.id, [new_reject(1, Outcome.REJECTED)])
    run.status, run.account = Status.PARTIAL, account(1, invalid=1)
    with pytest.raises(NotBalanced):
        ledger.finish(run)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_run_that_did_not_get_through_closes_without_balance(ledger, new_run, account, status):
    run = ledger.begin(new_run())
    run.status, run.account, run.error = status, account(10, created=9), "the server is gone"
    ledger.finish(run)
    kept = ledger.run(run.id)
    assert (kept.status, kept.error, kept.account.balance) == (status, "the server is gone", 1)
    assert kept.finished is not None


def test_a_run_is_closed_once(ledger, new_run):
    run = ledger.begin(new_run())
    run.status = Status.FAILED
    ledger.finish(run)
    with pytest.raises(HeadgateError, match="already closed"):
        ledger.finish(run)


def test_runs_are_listed_newest_first_and_by_import_and_kind(ledger, new_run):
    for name, kind in (("a", Kind.RUN), ("b", Kind.RUN), ("a", Kind.PLAN), ("a", Kind.RUN)):
        ledger.begin(new_run(name, kind))
    assert [r.id for r in ledger.runs()] == [4, 3, 2, 1]
    assert [r.id for r in ledger.runs(2)] == [4, 3]
    assert [r.id for r in ledger.runs(import_name="a")] == [4, 3, 1]
    assert [r.id for r in ledger.runs(import_name="a", kind=Kind.PLAN)] == [3]
    assert ledger.runs(import_name="c") == []


def test_a_run_that_is_not_there_is_named_with_its_neighbours(ledger, new_run, new_reject):
    with pytest.raises(UsageError, match="there is no run 1\n  There are no runs yet"):
        ledger.run(1)
    for _ in range(3):
        ledger.begin(new_run())
    with pytest.raises(UsageError, match="there is no run 9\n  The nearest is 3;"):
        ledger.run(9)
    for verb in (ledger.rejects, ledger.reject_counts):
        with pytest.raises(UsageError, match="no run 9"):
            verb(9)
    with pytest.raises(UsageError, match="no run 9"):
        ledger.record_rejects(9, [new_reject(1)])
    with pytest.raises(UsageError, match="no run 9"):
        ledger.finish(new_run(id=9, status=Status.FAILED))


def test_plans_have_a_folder_for_their_changes_beside_the_ledger(ledger, new_run):
    plan = ledger.begin(new_run(kind=Kind.PLAN))
    path = ledger.changes_path(plan.id)
    assert (path.name, path.parent.name) == ("1.arrow", "plans")
    path.write_bytes(b"changes")


def test_prune_forgets_old_closed_runs_with_rejects_and_files_and_keeps_the_newest(ledger, new_run, new_reject):
    for name in ("a", "a", "b", "a"):
        run = ledger.begin(new_run(name, Kind.PLAN))
        ledger.record_rejects(run.id, [new_reject(1)])
        ledger.changes_path(run.id).write_bytes(b"changes")
        run.status, run.finished = Status.FAILED, datetime(2026, 3, run.id, tzinfo=UTC)
        ledger.finish(run)
    going = ledger.begin(new_run("a"))
    assert ledger.prune(datetime(2026, 3, 1, tzinfo=UTC)) == []
    assert ledger.prune(datetime(2026, 4, 1, tzinfo=UTC), keep=1) == [1, 2]
    assert [r.id for r in ledger.runs()] == [going.id, 4, 3]
    assert not ledger.changes_path(1).exists()
    assert ledger.changes_path(4).exists()
    assert len(list(ledger.rejects(3))) == 1
    with pytest.raises(UsageError, match="no run 1\n  The nearest is 3"):
        ledger.rejects(1)


def test_reading_makes_nothing(place, tmp_path):
    with open_ledger(place) as ledger:
        assert ledger.runs() == []
        assert ledger.recover() == []
        assert ledger.prune(datetime.now(UTC)) == []
        with pytest.raises(UsageError):
            ledger.run(1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["mysql://host/db", "sqlite://", "sqlite:///", "https://x/y"])
def test_a_place_that_cannot_be_is_refused(place):
    with pytest.raises(UsageError, match="cannot be kept"):
        open_ledger(place)


def test_a_path_and_a_url_are_the_same_ledger(tmp_path: Path, new_run):
    with open_ledger(tmp_path / "a b#?.db") as first, open_ledger(f"sqlite:///{tmp_path}/a b#?.db") as second:
        first.begin(new_run())
        assert [r.id for r in second.runs()] == [1]
    assert (tmp_path / "a b#?.db").exists()


def test_a_ledger_is_made_while_something_else_is_done(place, new_run):
    with open_ledger(place) as one:
        with one.made_meanwhile():
            pass
        with open_ledger(place) as other:
            assert other._ready()
            assert other.begin(new_run()).id == 1
        with one.made_meanwhile():  # it is there
            assert [run.id for run in one.runs(10)] == [1]


def test_why_it_cannot_be_made_is_said_by_what_needs_it(tmp_path, new_run):
    (tmp_path / "file").write_text("")
    with open_ledger(tmp_path / "file" / "ledger.db") as one:
        with one.made_meanwhile():
            pass
        with pytest.raises(HeadgateError, match="cannot"):
            one.begin(new_run())
