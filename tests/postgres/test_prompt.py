"""Few records in one statement: what becomes of them is what a writer makes of them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.connectors.postgres.prompt import PostgresPrompt
from headgate.engine.prompt import apply
from headgate.model.errors import ConnectionFailed
from headgate.model.outcome import Outcome
from headgate.model.write import Ticket, WriteSpec
from headgate.spi.destination import COUNTS, Decided

from .conftest import Database, batch, spec

COLUMNS = "id bigint primary key, name text, price numeric(8,2), on_sale boolean, since date, at timestamptz, code char(3), data uuid"
FIELDS = {
    "id": "bigint", "name": "text", "price": "decimal(8,2)", "on_sale": "boolean", "since": "date", "at": "timestamptz",
    "code": "text(3)", "data": "uuid",
}  # fmt: skip
NAMES = st.none() | st.sampled_from(["", "a", "é'\"\\{},%s%b", "NULL", "A\n\tb", "x" * 300])
ROWS = st.tuples(
    st.integers(1, 6), NAMES, st.none() | st.decimals(-999999, 999999, places=2), st.none() | st.booleans(), st.none() | st.dates(),
    st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda d: d.replace(tzinfo=UTC)),  # noqa: DTZ001
    st.none() | st.sampled_from(["a", "abc", "a  "]), st.none() | st.uuids().map(str),
)  # fmt: skip
GROUPS = st.lists(st.lists(ROWS, min_size=1, max_size=4, unique_by=lambda r: r[0]), min_size=1, max_size=5)
numbers = itertools.count()


opened: list[PostgresPrompt] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


def prompt(db: Database, of: WriteSpec) -> PostgresPrompt | None:
    way = db.destination().prompt(of)
    opened.extend([way] if way is not None else [])
    return way


def by_writer(db: Database, of: WriteSpec, rows: Sequence[Sequence[Any]]) -> list[str]:
    """Each record's outcome, rejections as the code."""
    writer = db.writer(of)
    try:
        writer.write(batch(of, rows))
        writer.match()
        done = {
            n: a
            for b in writer.changes()
            for n, a in zip(*(b.column(c).to_pylist() for c in ("_n", "_action")), strict=True)
        }
        refused = {r.number: r for r in writer.apply().refusals}
        writer.commit()
    finally:
        writer.abort()
    return [refused[n].outcome if n in refused else done.get(n, "unchanged") for n in range(len(rows))]


@settings(max_examples=25, deadline=None)
@given(groups=GROUPS, operation=st.sampled_from(["upsert", "insert", "update"]), skips=st.booleans())
def test_a_prompt_does_what_a_writer_does(
    pg_database: str, groups: list[list[Any]], operation: str, skips: bool
) -> None:
    tables = [f"law{next(numbers)}" for _ in range(2)]
    with psycopg.connect(pg_database, autocommit=True) as connection:
        db = Database(pg_database, connection, [])
        for t in tables:
            db.sql(f"create table {t} ({COLUMNS}); insert into {t} (id, name) values (1, 'a'), (2, null)")
        policy = "skip" if skips else "reject"
        quick, slow = (replace(spec(t, operation, "id", **FIELDS), existing=policy, missing=policy) for t in tables)
        way = prompt(db, quick)
        assert way is not None
        for rows in groups:
            decided = apply(way, rows, "")
            expected = by_writer(db, slow, rows)
            if decided is None:
                assert "rejected" in expected
                assert by_writer(db, quick, rows) == expected
            else:
                assert [d.outcome.value for d in decided] == expected
            first, second = (db.sql(f"select t::text from {t} t order by id") for t in tables)
            assert first == second
        way.close()
        for d in db.opened:
            d.close()
        db.sql(f"drop table {', '.join(tables)}")


def test_records_are_appended(db: Database) -> None:
    db.sql("create table t (n serial primary key, name text)")
    way = prompt(db, spec("t", "append", name="text"))
    assert way is not None
    assert [d.id for d in apply(way, [("a",), ("b",), (None,)], "") or []] == [1, 2, 3]
    assert db.sql("select * from t order by n") == [(1, "a"), (2, "b"), (3, None)]


def test_the_destinations_own_key_comes_back(db: Database) -> None:
    db.sql("create table t (n int generated always as identity primary key, sku text unique not null, name text)")
    db.sql("insert into t (sku, name) values ('a', 'A')")
    way = prompt(db, spec("t", "upsert", "sku", sku="text", name="text"))
    assert way is not None
    assert [(d.outcome.value, d.id) for d in apply(way, [("b", "B"), ("a", "A2"), ("c", None)], "") or []] == [
        ("created", 2), ("updated", 1), ("created", 3),
    ]  # fmt: skip
    assert [(d.outcome.value, d.id) for d in apply(way, [("a", "A2")], "") or []] == [("unchanged", 1)]


def ticketed(db: Database, fence: int = 1) -> WriteSpec:
    ticket = Ticket("100% 'odd' {scope}", fence)
    db.destination().claim(ticket)
    return replace(spec("t", "upsert", "id", **{"id": "bigint", "a%": "text"}), ticket=ticket)


def test_the_checkpoint_counts_what_was_done(db: Database) -> None:
    db.sql("create table t (id bigint primary key, \"a%\" text); insert into t values (1, null), (2, 'b')")
    of = ticketed(db)
    way = prompt(db, of)
    assert way is not None
    assert apply(way, [(1, "x"), (2, "b"), (3, "c"), (4, None)], f'{{"é%s": 1, "counts": {COUNTS}}}')
    assert db.destination().claim(of.ticket) == (  # type: ignore[arg-type]
        '{"é%s": 1, "counts": {"created":2,"updated":1,"unchanged":1}}'
    )


def test_who_was_overtaken_writes_nothing(db: Database) -> None:
    db.sql('create table t (id bigint primary key, "a%" text)')
    old = prompt(db, ticketed(db))
    ticketed(db, fence=2)
    assert old is not None
    assert apply(old, [(1, "x")], f"old{COUNTS}") is None
    assert db.sql("select count(*) from t") == [(0,)]


@pytest.mark.parametrize(
    "row", [(1, None, 5), (1, "x", -1), (1, "taken", 5), (2, "y", 99)], ids=["null", "check", "unique", "foreign key"]
)
def test_what_is_refused_is_left_to_a_writer_and_nothing_was_written(db: Database, row: tuple[Any, ...]) -> None:
    db.sql("create table p (id int primary key); insert into p values (5)")
    db.sql(
        "create table t (id bigint primary key, name text not null unique, n int check (n > 0) references p); insert into t values (9, 'taken', 5)"
    )
    way = prompt(db, spec("t", "upsert", "id", id="bigint", name="text", n="integer"))
    assert way is not None
    assert apply(way, [(3, "good", 5), row], "") is None
    assert db.sql("select id from t") == [(9,)]
    assert apply(way, [(3, "good", 5)], "") == [Decided(Outcome.CREATED, None)]
    assert db.sql("select id from t order by id") == [(3,), (9,)]


@pytest.mark.parametrize(
    "made",
    [
        "create table t (id bigint, name text)",
        "create table t (id bigint primary key, name text) partition by range (id); create table t1 partition of t default",
        "create table b (id bigint primary key, name text); create view t as select * from b",
        "create table t (id bigint primary key, name text); create function f() returns trigger language plpgsql as "
        "'begin return null; end'; create trigger g before insert on t for each row execute function f()",
        "create table t (id bigint primary key, name int4range)",
    ],
    ids=["no key", "partitioned", "view", "trigger", "own type"],
)
def test_tables_that_need_a_writer(db: Database, made: str) -> None:
    db.sql(made)
    assert prompt(db, spec("t", "upsert", "id", id="bigint", name="text")) is None


def test_many_at_once_from_several_sessions_are_all_there_once(db: Database) -> None:
    db.sql("create table t (id bigint primary key, name text)")
    of = spec("t", "upsert", "id", id="bigint", name="text")
    outcomes: list[str] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        way = prompt(db, of)
        assert way is not None
        for n in range(40):
            decided = None
            while decided is None:  # somebody else was at the record
                decided = apply(way, [(n, f"{number}"), (1000 + number, f"{n}")], "")
            with lock:
                outcomes.extend(d.outcome.value for d in decided)
        way.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert outcomes.count("created") == 44
    assert db.sql("select count(*) from t") == [(44,)]


def test_a_table_that_grew_is_still_looked_up_by_its_key(db: Database) -> None:
    db.sql("create table t (id bigint primary key, name text)")
    way = prompt(db, spec("t", "upsert", "id", id="bigint", name="text"))
    assert way is not None
    for n in range(8):
        apply(way, [(n, "x")], "")
    db.sql("insert into t select g, 'y' from generate_series(100, 60000) g")
    before = db.sql("select seq_scan from pg_stat_user_tables where relname = 't'")
    assert [d.outcome.value for d in apply(way, [(50_000, "z")], "") or []] == ["updated"]
    way.close()
    assert (
        db.sql("select pg_stat_force_next_flush(), seq_scan from pg_stat_user_tables where relname = 't'")[0][1]
        == before[0][0]
    )


def test_a_lost_connection_is_told(db: Database) -> None:
    db.sql("create table t (id bigint primary key, name text)")
    way = prompt(db, spec("t", "upsert", "id", id="bigint", name="text"))
    assert way is not None
    db.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'headgate' and pid <> pg_backend_pid()"
    )
    with pytest.raises(ConnectionFailed):
        apply(way, [(1, "x")], "")
