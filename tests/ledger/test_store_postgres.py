"""What only a server can do wrong: away, killed, refusing, busy, gone at the very moment of a commit."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from headgate.ledger import open_ledger
from headgate.ledger.store_postgres import PostgresStore
from headgate.model.errors import HeadgateError, UsageError
from headgate.model.outcome import Outcome
from headgate.model.record import Origin, Problem, Reject
from headgate.model.run import Kind, Status
from support.postgres import Server
from support.processes import program

GONE_AT_COMMIT = """
create function headgate.gone() returns trigger language plpgsql as
$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
create constraint trigger gone after insert on headgate.headgate_run deferrable initially deferred
for each row execute function headgate.gone()"""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, to be killed."""
    try:
        started = Server()
    except (ImportError, OSError, RuntimeError) as e:
        pytest.skip(f"no PostgreSQL: {e}")
    yield started
    started.stop()


def cut(url: str) -> None:
    """End everybody else's connections."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


@pytest.mark.needs_postgres
def test_a_server_that_is_killed_is_an_error_and_the_ledger_is_whole_before(server, new_run, new_reject):
    with open_ledger(server.url) as ledger:
        run = ledger.begin(new_run())
        server.stop()
        for verb in (lambda: ledger.record_rejects(run.id, [new_reject(1)]), ledger.runs, ledger.recover):
            with pytest.raises(HeadgateError, match="cannot be used") as caught:
                verb()
            assert "server" in caught.value.hint


def test_a_connection_that_was_cut_between_verbs_is_made_anew(pg_db, new_run):
    with open_ledger(pg_db) as ledger:
        ledger.begin(new_run())
        cut(pg_db)
        assert [r.id for r in ledger.runs()] == [1]
        cut(pg_db)
        assert ledger.begin(new_run()).id == 2


def test_a_connection_that_is_lost_within_a_verb_writes_nothing(pg_db, new_run, new_reject):
    with open_ledger(pg_db) as ledger:
        run = ledger.begin(new_run())
        with pytest.raises(HeadgateError, match="cannot be used"), ledger._store.transaction() as session:
            session.query("update headgate_run set status = 'failed' where id = ?", [run.id])
            cut(pg_db)
            session.query("select 1")
        assert ledger.run(run.id).status is Status.RUNNING
        ledger.record_rejects(run.id, [new_reject(1)])


def test_a_connection_that_is_lost_in_the_commit_leaves_the_outcome_unknown_and_says_so(pg_db, new_run):
    with open_ledger(pg_db) as ledger:
        ledger.begin(new_run())
        with psycopg.connect(pg_db, autocommit=True) as connection:
            connection.execute(GONE_AT_COMMIT)
        with pytest.raises(HeadgateError, match="is not known") as caught:
            ledger.begin(new_run())
        assert "headgate runs" in caught.value.hint
        assert [r.id for r in ledger.runs()] == [1]


def test_the_ledger_has_a_schema_of_its_own(pg_db, new_run):
    place = f'{pg_db}{"&" if "?" in pg_db else "?"}schema=Team "B"'
    with open_ledger(pg_db) as first, open_ledger(place) as second:
        first.begin(new_run("a"))
        second.begin(new_run("b"))
        assert [[r.import_name for r in ledger.runs()] for ledger in (first, second)] == [["a"], ["b"]]
        assert first.identity() != second.identity()
    with psycopg.connect(pg_db) as connection:
        found = connection.execute("select distinct schemaname from pg_tables where tablename like 'headgate%'")
        assert {s for (s,) in found} == {"headgate", 'Team "B"'}


def test_a_login_that_may_make_nothing_hears_what_it_lacks(pg_db, new_run):
    with psycopg.connect(pg_db, autocommit=True) as connection:
        connection.execute("create role modest login")
        try:
            place = pg_db.replace("//postgres@", "//modest@")
            with open_ledger(place) as ledger, pytest.raises(HeadgateError, match="permission denied") as caught:
                ledger.begin(new_run())
            assert "CREATE on the database" in caught.value.hint
            connection.execute("create schema headgate authorization modest")
            with open_ledger(place) as ledger:
                assert ledger.begin(new_run()).id == 1
        finally:
            connection.execute("drop schema if exists headgate cascade; drop role modest")


def test_a_wrong_password_is_an_error_without_it(pg_db):
    with psycopg.connect(pg_db, autocommit=True) as connection:
        connection.execute("create role locked login password 'right'")
        try:
            place = pg_db.replace("//postgres@", "//locked:hunter2@")
            with open_ledger(place) as ledger, pytest.raises(HeadgateError, match="password") as caught:
                ledger.runs()
        finally:
            connection.execute("drop role locked")
    assert "hunter2" not in str(caught.value)
    assert "Check user and password" in caught.value.hint


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql://me:hunter2@127.0.0.1:1/db", "cannot be used"),
        ("postgresql://me:hunter2@127.0.0.1:1/db?connect_timeout=2&schema=x", "cannot be used"),
        ("postgresql://me:hunter2@127.0.0.1:1/db?colour=red", "cannot be read"),
        ("postgresql://me:hunter2@[::1/db", "cannot be read"),
    ],
)
def test_a_server_that_cannot_be_reached_is_an_error_without_secrets(place, said):
    with pytest.raises(HeadgateError, match=said) as caught, open_ledger(place) as ledger:
        ledger.runs()
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint


def test_a_mistake_in_the_url_is_a_mistake_of_usage(tmp_path):
    with pytest.raises(UsageError):
        PostgresStore("postgresql://host/db?colour=red", tmp_path)


def test_texts_with_nul_are_kept_as_an_escape(pg_db, new_run):
    with open_ledger(pg_db) as ledger:
        run = ledger.begin(new_run(warnings=["a\0b"]))
        reject = Reject(1, Outcome.INVALID, (Problem("TY02", "a\0b", "c\0d"),), {"x": "\0"}, Origin("f\0"))
        ledger.record_rejects(run.id, [reject])
        assert [c.field for c in ledger.reject_counts(run.id)] == ["c\\x00d"]
        run.status, run.error = Status.FAILED, "e\0"
        ledger.finish(run)
        assert ledger.run(run.id).error == "e\\x00"
        assert next(ledger.rejects(run.id)).raw == {"x": "\0"}


def test_a_server_that_makes_everything_serializable_does_no_harm(pg_db):
    with psycopg.connect(pg_db, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set default_transaction_isolation = 'serializable'")
        try:
            text = """
with open_ledger(sys.argv[1]) as ledger:
    print(*(ledger.begin(new_run()).id for _ in range(20)))
"""
            both = [program(text, pg_db) for _ in range(2)]
            outputs = [p.communicate(timeout=60)[0].split() for p in both]
        finally:
            connection.execute(f"alter database {name} reset default_transaction_isolation")
    assert sorted(int(n) for o in outputs for n in o) == list(range(1, 41)), outputs


def test_plans_say_where_they_are_kept_only_when_there_is_a_ledger(pg_db, tmp_path, new_run):
    with open_ledger(pg_db, files=tmp_path / "local") as ledger:
        assert ledger.runs() == []
        assert not (tmp_path / "local").exists()
        plan = ledger.begin(new_run(kind=Kind.PLAN))
        assert ledger.changes_path(plan.id).is_relative_to(tmp_path / "local" / f"ledger-{ledger.identity()}")
