"""Everything that can go wrong with a server is told in words, and nothing half written stays."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg
import pytest

from headgate.connectors.postgres import PostgresDestination
from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, UsageError

from .conftest import Database, batch, spec

GIVEN = spec("t", "upsert", "id", id="integer", v="text")


@pytest.fixture
def table(db: Database) -> Database:
    db.sql("create table t (id int primary key, v text); insert into t values (1, 'a')")
    return db


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("@", "@127.0.0.1:1"), "cannot be reached"),
        (("/headgate_test", "/no_such_database"), "no such database"),
        (("postgres@", "nobody_at_all@"), "no such database or user"),
    ],
)  # fmt: skip
def test_a_server_that_does_not_let_in_is_told(pg_db: str, change: tuple[str, str], said: str) -> None:
    url = pg_db.replace(*change) if change[0] != "@" else "postgresql://me:sesame@127.0.0.1:1/shop"
    with pytest.raises(ConnectionFailed, match=said) as raised:
        PostgresDestination({"url": url}, Path()).tables()
    assert raised.value.hint
    assert "sesame" not in str(raised.value)


def test_a_wrong_password_is_told_without_showing_it(db: Database, pg_db: str) -> None:
    db.sql("do $$ begin create role locked login password 'right'; exception when duplicate_object then null; end $$")
    url = pg_db.replace("postgres@", "locked@")
    with pytest.raises(ConnectionFailed, match="wrong password or user") as raised:
        PostgresDestination({"url": url, "password": "sesame"}, Path()).tables()
    assert "sesame" not in str(raised.value)
    with pytest.raises(ConnectionFailed, match="wants a password"):
        PostgresDestination({"url": url}, Path()).tables()
    allowed = PostgresDestination({"url": url, "password": "right"}, Path())
    assert allowed.tables() == []
    allowed.close()
    allowed.close()


def test_options_are_checked_before_anything_is_connected() -> None:
    with pytest.raises(UsageError, match="has no option 'pasword'") as raised:
        PostgresDestination({"url": "postgresql://", "pasword": "x"}, Path())
    assert "password" in raised.value.hint
    with pytest.raises(UsageError, match="cannot be read") as raised:
        PostgresDestination({"url": "postgresql://me:se%samé@h:port:/x?bad"}, Path())
    assert "sam" not in str(raised.value)
    with pytest.raises(UsageError, match="lock_timeout is a number of seconds"):
        PostgresDestination({"url": "postgresql://", "lock_timeout": "soon"}, Path())


def test_missing_rights_are_named(table: Database, login: str) -> None:
    table.sql(f"grant select, insert on t to {login}")
    table.url = f"{table.url}&user={login}"
    with pytest.raises(DestinationError, match=f"{login} lacks the right to update on t") as raised:
        table.writer(GIVEN)
    assert "grant update" in raised.value.hint
    matched = table.write(spec("t", "insert", "id", id="integer", v="text"), (1, "b"), (2, "b"))
    assert (matched.account.as_dict()["created"], [r.code for r in matched.refusals]) == (1, ["KY03"])
    with pytest.raises(DestinationError, match="permission denied for schema public"):
        table.writer(spec("u", "append", create=True, id="integer"))


def test_who_holds_the_table_is_named(table: Database) -> None:
    with psycopg.connect(table.url, application_name="till") as other:
        other.execute("update t set v = 'mine'")
        writer = table.writer(GIVEN, lock_timeout=1)
        writer.write(batch(GIVEN, [(1, "b")]))
        with pytest.raises(
            DestinationError, match=rf"in use: session {other.info.backend_pid} \(postgres, till, idle in transaction\)"
        ):
            writer.match()
        writer.abort()


def test_nobody_else_writes_between_match_and_commit_but_all_may_read(table: Database) -> None:
    writer = table.writer(GIVEN)
    writer.write(batch(GIVEN, [(1, "b"), (2, "b")]))
    writer.match()
    assert table.sql("select v from t") == [("a",)]
    with pytest.raises(psycopg.errors.LockNotAvailable):
        table.sql("set lock_timeout = '50ms'; insert into t values (2, 'mine')")
    writer.apply()
    writer.commit()
    assert table.sql("select v from t order by id") == [("b",), ("b",)]


def test_cancel_breaks_off_what_another_thread_waits_for(table: Database) -> None:
    with psycopg.connect(table.url) as other:
        other.execute("update t set v = 'mine'")
        writer = table.writer(GIVEN)
        writer.write(batch(GIVEN, [(1, "b")]))
        raised: list[BaseException] = []

        def match() -> None:
            try:
                writer.match()
            except Cancelled as e:
                raised.append(e)

        waiting = threading.Thread(target=match)
        waiting.start()
        _wait_for(
            table,
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'headgate'",
        )
        writer.cancel()
        waiting.join(10)
        assert [type(e) for e in raised] == [Cancelled]
        with pytest.raises(Cancelled):
            writer.apply()
        writer.abort()


@pytest.mark.parametrize("table_is", ["new", "there"])
def test_a_server_that_goes_away_is_told(table: Database, table_is: str) -> None:
    given = spec("u", "upsert", "id", create=True, id="integer", v="text") if table_is == "new" else GIVEN
    writer = table.writer(given)
    writer.write(batch(given, [(2, "b")]))
    table.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'headgate' and datname = current_database()"
    )
    with pytest.raises(ConnectionFailed, match=r"connection was lost|terminating connection"):
        for start in range(0, 50_000, 10_000):
            writer.write(batch(given, [(n, "x" * 200) for n in range(start, start + 10_000)]))
        writer.match()
    writer.abort()
    assert table.sql("select count(*), to_regclass('u') from t") == [(1, None)]


def test_a_text_the_server_cannot_store_is_refused_with_words(table: Database) -> None:
    writer = table.writer(GIVEN)
    writer.write(batch(GIVEN, [(2, "a\x00b"), (3, "c")]))
    refused = writer.match().refusals
    writer.abort()
    assert [(r.number, r.code, r.reason) for r in refused] == [(0, "DE05", "PostgreSQL has no NUL in a text")]


def test_the_session_is_named_and_released(table: Database) -> None:
    writer = table.writer(GIVEN)
    count = "select count(*) from pg_stat_activity where application_name = 'headgate' and datname = current_database()"
    assert table.sql(count) == [(1,)]
    writer.abort()
    _wait_for(table, f"select 1 - ({count})")


def _wait_for(db: Database, query: str) -> None:
    deadline = time.monotonic() + 10
    while db.sql(query) == [(0,)]:
        assert time.monotonic() < deadline, f"never came true: {query}"
        time.sleep(0.01)
