"""Tables of PostgreSQL read by several connections at once: the same records, of one state, in an order of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.connectors.postgres.connection import Access
from headgate.connectors.postgres.source import PostgresSnapshot
from headgate.model.errors import Cancelled, ConnectionFailed, HeadgateError, SourceError
from headgate.model.text import text_form
from headgate.spi.source import Cancels, Source
from headgate.sql.source import Wanted
from headgate.testing.hostile_sources import MakeOf
from headgate.testing.source import Make, SourceConformance
from support.databases import Execute, open_source, read

COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_infinity=False, places=3, min_value=-1000, max_value=1000),
    "double precision": st.floats(),
    "date": st.dates(),
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    'text collate "C"': st.sampled_from(["", "'", "\\", "a", "B", "é", "it's"]),
    "uuid": st.uuids(),
}


@pytest.fixture
def connection(pg_db: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(pg_db, autocommit=True) as connection:
        yield connection


@pytest.fixture
def execute(connection: psycopg.Connection[Any]) -> Execute:
    def ask(sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        cursor = connection.execute(sql, values or None)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []

    return ask


def every(url: str, **source: Any) -> list[tuple[str | None, ...]]:
    """All records as texts, in their order."""
    return [tuple(text_form(v) for v in r.values()) for r in read(url, **source)]


def sizes(url: str, connections: int, by: str = "") -> list[int]:
    """How many records each range has."""
    with closing(PostgresSnapshot(Access.read({"url": url}), Wanted("item", connections=connections, by=by))) as found:
        return [sum(p.records.num_rows for p in pages) for pages in found.ranges()]


class TestInRanges(SourceConformance):
    @pytest.fixture
    def make(self, pg_db: str, execute: Execute) -> Make:
        execute("create table item (id integer primary key, name text)")
        execute("insert into item select i, 'n' || i from generate_series(1, 100) i order by i desc")
        self.expected = [{"id": i, "name": f"n{i}"} for i in range(1, 101)]
        return lambda: open_source(pg_db, table="item", parallel=3)

    @pytest.fixture
    def make_missing(self, pg_db: str) -> Make:
        return lambda: open_source(pg_db, table="nothing", parallel=2)

    @pytest.fixture
    def make_of(self, pg_db: str, execute: Execute) -> MakeOf:
        def make(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Source | None:
            wide = max(len(n.encode()) for n in names) > 63 or len(names) > 1000
            if wide or not all(n.strip() for n in names) or len({n.casefold() for n in names}) < len(names):
                return None
            columns = ", ".join(psycopg.sql.Identifier(n).as_string() + " text" for n in names)
            execute(f"create table item (hg_key serial primary key, {columns})")
            for row in rows:
                execute(f"insert into item values (default, {', '.join(['%s'] * len(names))})", list(row))
            return open_source(pg_db, table="item", columns=list(names), parallel=2)

        return make


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_same_records_as_in_one_go(pg_db: str, connection: psycopg.Connection[Any], kind: str) -> None:
    @settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
    @given(values=st.lists(st.none() | COLUMNS[kind], max_size=30), connections=st.integers(2, 5))
    def same(values: list[Any], connections: int) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("set local synchronous_commit = off; drop table if exists item")
            cursor.execute(f"create table item (id integer primary key, v {kind})")  # type: ignore[arg-type]
            cursor.executemany("insert into item values (%s, %s)", list(enumerate(values)))
        plain = every(pg_db, table="item")
        ordered = every(pg_db, query="select * from item order by v, id")
        assert len(plain) == len(values)
        assert every(pg_db, table="item", parallel={"connections": connections, "by": "v"}) == ordered
        assert every(pg_db, table="item", parallel=connections) == plain

    same()


@pytest.mark.parametrize("connections", [2, 4, 7])
def test_ranges_of_a_skewed_key_have_about_as_many_records(pg_db: str, execute: Execute, connections: int) -> None:
    """Nine of ten keys are in a thousandth of what the keys go over, and some records have none."""
    execute("create table item (id bigint, name text)")
    execute(
        "insert into item select case when i % 10 = 0 then i::bigint * 1000000 when i % 101 > 0 then i end, 'n' || i "
        "from generate_series(1, 200000) i"
    )
    found = sizes(pg_db, connections, "id")
    assert len(found) == connections
    assert sum(found) == 200_000
    assert max(found) < 1.5 * 200_000 / connections
    plain = every(pg_db, query="select * from item order by id, ctid")
    assert every(pg_db, table="item", parallel={"connections": connections, "by": "id"}) == plain


def test_there_are_fewer_ranges_where_there_are_fewer_values(pg_db: str, execute: Execute) -> None:
    execute("create table item (id integer primary key, kind text)")
    assert sizes(pg_db, 4) == [0]
    assert every(pg_db, table="item", parallel=4) == []
    execute("insert into item select i, case when i > 3 then 'a' when i > 1 then 'b' end from generate_series(1, 50) i")
    assert sizes(pg_db, 4, "kind") == [0, 50]  # what is below the only quantile, and the rest with what has no value
    execute("delete from item where id > 2")
    assert sum(sizes(pg_db, 4)) == 2
    execute("update item set kind = null")
    assert every(pg_db, table="item", parallel={"connections": 4, "by": "kind"}) == [("1", None), ("2", None)]


@pytest.mark.parametrize("how", ["partition by range (shop)", "partition by hash (shop)"])
def test_parts_and_keys_of_several_columns(pg_db: str, execute: Execute, how: str) -> None:
    execute(f"create table item (shop integer, id integer, name text, primary key (shop, id)) {how}")
    for n in range(2):
        values = f"from ({n * 5}) to ({n * 5 + 5})" if "range" in how else f"with (modulus 2, remainder {n})"
        execute(f"create table item_{n} partition of item for values {values}")
    execute("insert into item select i % 10, i, 'n' || i from generate_series(1, 1000) i")
    ordered = every(pg_db, query="select * from item order by shop, id")
    assert every(pg_db, table="item", parallel=3) == ordered
    assert sorted(every(pg_db, table="item", parallel={"connections": 3, "by": "name"})) == sorted(ordered)


def test_only_what_is_new_is_read_in_ranges(pg_db: str, execute: Execute) -> None:
    execute("create table item (id integer primary key, changed timestamp)")
    execute("insert into item select i, timestamp '2024-01-01' + i * interval '1 s' from generate_series(0, 999) i")
    growing = {"incremental": {"column": "changed", "start": "2024-01-01 00:10:00"}}
    plain = every(pg_db, table="item", **growing)
    assert len(plain) == 400
    with closing(open_source(pg_db, table="item", parallel=4, **growing)) as source:
        scan = source.open(source.partitions()[0])
        batches = list(scan.batches())
        assert [tuple(text_form(v) for v in r.values()) for b in batches for r in b.records.to_pylist()] == plain
        assert len([b for b in batches if len(b)]) > 1
        assert scan.findings["watermark"] == "2024-01-01 00:16:39"


def test_a_writer_does_not_tear_the_state_that_is_read(pg_db: str, execute: Execute) -> None:
    """Records go from one end of the keys to the other, and their values from one to another, all the time."""
    execute("create table item (id integer primary key, n integer)")
    execute("insert into item select i, i from generate_series(1, 2000) i")
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        with psycopg.connect(pg_db, autocommit=True) as other:
            while not stop.is_set():
                k = len(written) % 1000 + 1
                old = k if len(written) % 2000 < 1000 else -k
                with other.transaction():
                    other.execute("update item set id = - id, n = n + 1 where id = %s", [old])
                    other.execute("update item set n = n - 1 where id = %s", [2001 - k])
                written.append(k)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(15):
            with closing(open_source(pg_db, table="item", parallel=4)) as source:
                scan = source.open(source.partitions()[0])
                before = len(written)
                while len(written) < before + 20 and thread.is_alive():
                    stop.wait(0.001)
                records = [r for b in scan.batches() for r in b.records.to_pylist()]
            assert len(records) == 2000
            assert sum(r["n"] for r in records) == 2000 * 2001 // 2
            assert len({abs(r["id"]) for r in records}) == 2000
    finally:
        stop.set()
        thread.join()
    assert len(written) > 300


def test_faults_have_their_number_among_all_records(pg_db: str, execute: Execute) -> None:
    execute("create table item (id integer primary key, d date)")
    execute(
        "insert into item select i, case when i % 30 = 0 then 'infinity'::date else '2024-01-01' end from generate_series(0, 99) i"
    )
    with closing(open_source(pg_db, table="item", parallel=4)) as source:
        scan = source.open(source.partitions()[0])
        for _ in range(2):
            batches = list(scan.batches())
            assert [f.ordinal for b in batches for f in b.faults] == [0, 30, 60, 90]
            assert [(o, r["id"]) for b in batches for o, r in zip(b.ordinals, b.records.to_pylist(), strict=True)] == [
                (i, i) for i in range(100) if i % 30
            ]
            assert scan.progress() == 1.0


def test_reading_is_broken_off_and_leaves_no_connection(pg_db: str, execute: Execute) -> None:
    execute("create table item (id integer primary key, v text)")
    execute("insert into item select i, repeat('x', 500) from generate_series(1, 100000) i")
    with closing(open_source(pg_db, table="item", parallel=4)) as source:
        scan = source.open(source.partitions()[0])
        batches = scan.batches()
        next(batches)
        assert isinstance(scan, Cancels)
        scan.cancel()
        with pytest.raises(Cancelled):
            list(batches)
    with closing(open_source(pg_db, table="item", parallel=4)) as source:
        next(source.open(source.partitions()[0]).batches())
    left = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name = 'headgate'"
    for _ in range(200):  # the server needs a moment to see that a connection is closed
        if execute(left) == [(0,)]:
            break
        threading.Event().wait(0.05)
    assert execute(left) == [(0,)]


def test_a_range_that_breaks_off_is_no_end(pg_db: str, execute: Execute) -> None:
    execute("create table item (id integer primary key, v text)")
    execute("insert into item select i, repeat('x', 500) from generate_series(1, 100000) i")
    with closing(open_source(pg_db, table="item", parallel=4)) as source:
        scan = source.open(source.partitions()[0])
        next(scan.batches())
        execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'headgate'")
        for _ in range(2):
            with pytest.raises((SourceError, ConnectionFailed)):
                list(scan.batches())


@pytest.mark.parametrize(
    ("source", "said", "hint"),
    [
        ({"table": "loose", "parallel": 4}, "no primary key", "source.parallel.by"),
        ({"table": "item", "parallel": {"connections": 4, "by": "nr"}}, "has no column 'nr'", "id, j"),
        ({"table": "item", "parallel": {"connections": 4, "by": "j"}}, "have no order", "source.parallel.by"),
        ({"table": "item", "parallel": {"connections": 4, "by": "a"}}, "have no order", "source.parallel.by"),
        ({"table": "shown", "parallel": 4}, "is a view", "source.parallel"),
    ],
)
def test_what_cannot_be_divided_is_said(
    pg_db: str, execute: Execute, source: dict[str, Any], said: str, hint: str
) -> None:
    execute("create table item (id integer primary key, j json, a integer[]); create table loose (id integer)")
    execute("insert into item values (1, '{}'); create view shown as select * from item")
    with pytest.raises(HeadgateError, match=said) as error:
        read(pg_db, **source)
    assert hint in error.value.hint


def _once_it_may(url: str) -> list[dict[str, Any]]:
    """The records, when the server has seen that earlier connections are closed."""
    for _ in range(200):
        try:
            return read(url, table="item", parallel=2)
        except ConnectionFailed as e:
            assert "too many connections" in e.message
            threading.Event().wait(0.05)
    raise AssertionError("connections were left open")


def test_a_server_without_enough_connections_is_said(pg_db: str, execute: Execute) -> None:
    execute("create table item (id integer primary key)")
    execute("insert into item select generate_series(1, 1000)")
    execute(
        "create role few login connection limit 2; grant usage on schema public to few; grant select on item to few"
    )
    try:
        url = urlsplit(pg_db)._replace(netloc=f"few@{urlsplit(pg_db).netloc.rpartition('@')[2]}").geturl()
        with pytest.raises(ConnectionFailed, match="too many connections"):
            read(url, table="item", parallel=4)
        assert len(_once_it_may(url)) == 1000
    finally:
        execute("drop owned by few; drop role few")
