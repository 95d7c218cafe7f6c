from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from headgate.connectors.sqlite import SqliteDestination, stage
from headgate.connectors.sqlite.types import decode
from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError
from headgate.model.types import FieldType
from headgate.model.write import ACTION, NUMBER, OLD

from .conftest import Shop, batches

ITEM = "id bigint, name text"


def refusals(matched: object) -> list[tuple[int, str, str, str]]:
    return [(r.number, r.code, r.field, r.reason) for r in matched.refusals]  # type: ignore[attr-defined]


# What the table refuses


def test_each_constraint_has_its_code_and_sqlites_words_and_good_records_land(shop: Shop) -> None:
    shop.sql("""
        create table parent (id integer primary key); insert into parent values (1);
        create table item (id integer primary key, name text not null unique, qty integer check (qty > 0), up int references parent);
        insert into item values (100, 'taken', 1, 1);
        create trigger no_seven before insert on item when new.qty = 7 begin select raise(abort, 'seven is bad luck'); end;
        create trigger not_eight before insert on item when new.qty = 8 begin select raise(ignore); end;
    """)
    spec = shop.spec("item", "id bigint, name text, qty integer, up bigint")
    records = [
        (1, "a", 1, 1),
        (2, "taken", 1, 1),
        (3, None, 1, 1),
        (4, "d", -1, 1),
        (5, "e", 1, 99),
        (6, "f", 7, 1),
        (7, "g", 8, 1),
        (8, "h", 1, None),
    ]
    matched = shop.run(spec, records)
    assert refusals(matched) == [
        (1, "DE02", "name", "UNIQUE constraint failed: item.name"),
        (2, "DE04", "name", "NOT NULL constraint failed: item.name"),
        (3, "DE03", "", "CHECK constraint failed: qty > 0"),
        (4, "DE01", "up", "FOREIGN KEY constraint failed"),
        (5, "DE06", "", "seven is bad luck"),
        (6, "DE06", "", "a trigger, rule or policy of the table kept it from being written"),
    ]
    assert shop.rows("select id from item") == [(1,), (8,), (100,)]
    assert matched.account.outcomes == {"created": 2, "rejected": 6}


def test_foreign_keys_can_be_left_out(shop: Shop) -> None:
    shop.sql(
        "create table parent (id integer primary key); create table item (id integer primary key, up int references parent)"
    )
    shop.destination = SqliteDestination({"url": "sqlite:///shop.db", "foreign_keys": False}, shop.folder)
    shop.run(shop.spec("item", "id bigint, up bigint"), [(1, 99)])
    assert shop.rows("select * from item") == [(1, 99)]


def test_a_foreign_key_checked_at_the_end_stops_the_commit_and_leaves_nothing(shop: Shop) -> None:
    shop.sql("""
        create table parent (id integer primary key);
        create table item (id integer primary key, up int references parent deferrable initially deferred);
    """)
    with pytest.raises(DestinationError, match="checked at the end"):
        shop.run(shop.spec("item", "id bigint, up bigint"), [(1, 99)])
    assert shop.rows("select * from item") == []


def test_a_parent_that_is_referred_to_cannot_be_deleted(shop: Shop) -> None:
    shop.sql("""
        create table item (id integer primary key, name text); insert into item values (1, 'a'), (2, 'b');
        create table line (item int references item); insert into line values (2);
    """)
    matched = shop.run(shop.spec("item", "id bigint", "delete"), [(1,), (2,)])
    assert [(r.number, r.code) for r in matched.refusals] == [(1, "DE01")]
    assert shop.rows("select id from item") == [(2,)]


@pytest.mark.parametrize("clause", ["ignore", "replace", "fail"])
def test_a_tables_own_conflict_clause_loses_no_record(shop: Shop, clause: str) -> None:
    shop.sql(
        f"create table item (id integer primary key, name text unique on conflict {clause}); insert into item values (1, 'a'), (2, 'b')"
    )
    matched = shop.run(shop.spec("item", ITEM), [(2, "a"), (3, "a"), (4, "d")])
    assert [(r.number, r.code) for r in matched.refusals] == [(0, "DE02"), (1, "DE02")]
    assert shop.rows("select * from item") == [(1, "a"), (2, "b"), (4, "d")]


def test_a_trigger_that_undoes_everything_is_an_error_and_leaves_nothing(shop: Shop) -> None:
    shop.sql(
        "create table item (id integer primary key, name text); create trigger x before insert on item when new.id = 2 begin select raise(rollback, 'no'); end"
    )
    with pytest.raises(DestinationError, match="undid the whole transaction"):
        shop.run(shop.spec("item", ITEM), [(1, "a"), (2, "b")])
    assert shop.rows("select * from item") == []


def test_a_value_the_column_would_change_is_refused(shop: Shop) -> None:
    shop.sql("create table item (id integer primary key, zip string, price numeric(19,4))")
    spec = shop.spec("item", "id bigint, zip text, price decimal(19,4)", "mirror")
    matched = shop.run(
        spec, [(1, "00501", None), (2, "10001", Decimal("1.5")), (3, "x", Decimal("123456789012345.6789"))]
    )
    assert [(r.number, r.code, r.field) for r in matched.refusals] == [(0, "DE05", "zip"), (2, "DE05", "price")]
    assert shop.rows("select id, zip, price from item") == [(2, 10001, 1.5)]
    assert shop.run(spec, [(2, "10001", Decimal("1.5"))]).account.outcomes == {"unchanged": 1}


def test_mirror_deletes_nothing_where_a_record_was_refused(shop: Shop) -> None:
    shop.sql("create table item (id integer primary key, zip string); insert into item values (1, 'a')")
    matched = shop.run(shop.spec("item", "id bigint, zip text", "mirror"), [(1, "00501")])
    assert (matched.account.mirror_deleted, shop.rows("select * from item")) == (0, [(1, "a")])


def test_a_number_that_is_none_is_refused_unless_the_column_keeps_it_as_text(shop: Shop) -> None:
    shop.sql("create table item (id integer primary key, a double, b any, c text)")
    spec = shop.spec("item", "id bigint, a double, b double, c double")
    nan, inf = float("nan"), float("inf")
    matched = shop.run(spec, [(1, nan, 1.0, 1.0), (2, 1.0, nan, 1.0), (3, inf, -inf, nan)])
    reason = "SQLite has no NaN: it would be no value at all"
    assert [(r.number, r.field, r.reason) for r in matched.refusals] == [(0, "a", reason), (1, "b", reason)]
    assert shop.rows("select * from item") == [(3, inf, -inf, "nan")]


def test_a_mirror_of_many_records_into_a_new_table_creates_them_and_can_be_shown(shop: Shop) -> None:
    spec = shop.spec("item", "id bigint, name text", "mirror", create=True)
    records = [(n, str(n)) for n in range(20_001)]
    assert len(shop.changes(spec, records)) == 20_001
    assert shop.run(spec, records).account.outcomes == {"created": 20_001}
    assert shop.run(shop.spec("item", "id bigint, name text", "mirror"), records[1:]).account.mirror_deleted == 1


# What equals what


@pytest.mark.parametrize(
    ("declared", "stored", "kind", "value"),
    [
        ("DATETIME", "'2009-01-01 00:00:00'", "timestamp", "2009-01-01T00:00:00"),
        ("DATETIME", "'2009-01-01T00:00:00.000'", "timestamp", "2009-01-01T00:00:00"),
        ("DATETIME", "'2009-01-01'", "timestamp", "2009-01-01T00:00:00"),
        ("DATETIME", "'2009-01-01 10:20'", "timestamp", "2009-01-01T10:20:00"),
        ("DATETIME", "'2009-01-01 10:20:30.500'", "timestamp", "2009-01-01T10:20:30.5"),
        ("TIMESTAMPTZ", "'2009-01-01T10:20:30Z'", "timestamptz", "2009-01-01T10:20:30+00:00"),
        ("DATE", "'2009-01-01 00:00:00'", "date", "2009-01-01"),
        ("TIME", "'10:20'", "time", "10:20:00"),
        ("NVARCHAR(40)", "'00501'", "text", "00501"),
        ("NUMERIC(10,2)", "1.5", "decimal(10,2)", "1.50"),
        ("NUMERIC(10,2)", "2", "decimal(10,2)", "2.00"),
        ("INT", "'5'", "integer", 5),
        ("FLOAT", "5", "double", 5.0),
        ("BOOLEAN", "1", "boolean", True),
        ("", "'x'", "text", "x"),
    ],
)  # fmt: skip
def test_a_value_that_is_there_in_another_form_is_unchanged(
    shop: Shop, declared: str, stored: str, kind: str, value: object
) -> None:
    shop.sql(f"create table item (id integer primary key, v {declared}); insert into item values (1, {stored})")
    typed = decode([value], FieldType.parse(kind)).to_pylist()[0]
    spec = shop.spec("item", f"id bigint, v {kind}")
    assert shop.run(spec, [(1, typed)]).account.outcomes == {"unchanged": 1}
    assert shop.run(spec, [(1, None)]).account.outcomes == {"updated": 1}


def test_letters_differ_by_case_unless_the_key_says_otherwise(shop: Shop) -> None:
    shop.sql(
        "create table item (sku text collate nocase primary key, name text collate nocase); insert into item values ('a-1', 'lamp')"
    )
    matched = shop.run(
        shop.spec("item", "sku text, name text", key="sku"), [("A-1", "Lamp"), ("B-1", "x"), ("b-1", "y")]
    )
    assert matched.account.outcomes == {"updated": 1, "created": 1, "skipped": 1}
    assert shop.rows("select name from item order by sku") == [("Lamp",), ("y",)]


def test_a_table_without_row_numbers_is_matched_by_its_key(shop: Shop) -> None:
    shop.sql("""
        create table line (a text, b int, rowid text, primary key (a, b)) without rowid;
        insert into line values ('x', 1, 'old'), ('x', 2, 'old'), ('y', 1, 'same'), ('z', 9, 'gone');
    """)
    spec = shop.spec("line", "a text, b bigint, rowid text", "mirror", "a b")
    matched = shop.run(spec, [("x", 1, "new"), ("x", 2, "old"), ("y", 1, "same"), ("q", 1, "made")])
    assert matched.account.outcomes == {"updated": 1, "unchanged": 2, "created": 1}
    assert matched.account.mirror_deleted == 1
    assert shop.rows("select * from line") == [("q", 1, "made"), ("x", 1, "new"), ("x", 2, "old"), ("y", 1, "same")]


def test_names_may_be_anything(shop: Shop) -> None:
    fields = ['select" bigint', "a'b text", "rowid text", "_rowid_ text", "oid text"]
    spec = shop.spec("from; drop", ", ".join(fields), key='select"', create=True)
    assert shop.run(spec, [(1, "a", "b", "c", "d"), (1, "x", "b", "c", "d")]).account.outcomes == {
        "created": 1,
        "skipped": 1,
    }
    again = shop.spec("from; drop", ", ".join(fields), key='select"')
    assert shop.run(again, [(1, "x", "b", "c", "e")]).account.outcomes == {"updated": 1}


def test_a_plan_holds_back_what_has_changed_since(shop: Shop) -> None:
    shop.sql(
        "create table item (id integer primary key, at datetime); insert into item values (1, '2009-01-01T00:00:00'), (2, '2009-01-01 00:00:00.000000'), (3, null)"
    )
    spec = shop.spec("item", "id bigint, at date")
    planned = shop.changes(spec, [(i, date(2010, 1, 1)) for i in (1, 2, 3)])
    assert [(r["_action"], r["_old_at"]) for r in planned] == [
        ("updated", date(2009, 1, 1)),
        ("updated", date(2009, 1, 1)),
        ("updated", None),
    ]
    shop.sql("update item set at = '2011-01-01' where id = 2")
    run = shop.spec("item", "id bigint, at date", planned=True)
    writer = shop.destination.open(run)
    columns = {
        NUMBER: pa.int64(),
        ACTION: pa.string(),
        "id": pa.int64(),
        "at": pa.date32(),
        OLD + "id": pa.int64(),
        OLD + "at": pa.date32(),
    }
    writer.write(pa.RecordBatch.from_pylist(planned, schema=pa.schema(list(columns.items()))))
    writer.match()
    matched = writer.apply()
    writer.commit()
    assert matched.account.outcomes == {"updated": 2, "held": 1}
    assert shop.rows("select at from item") == [("2010-01-01",), ("2011-01-01",), ("2010-01-01",)]


# Files


def test_a_plan_leaves_no_file(shop: Shop) -> None:
    spec = shop.spec("item", ITEM, create=True)
    assert len(shop.changes(spec, [(1, "a")])) == 1
    assert list(shop.folder.iterdir()) == []


def test_an_aborted_run_takes_the_file_it_made_with_it(shop: Shop) -> None:
    spec = shop.spec("item", ITEM, create=True)
    writer = shop.destination.open(spec)
    writer.write(batches(spec, [(1, "a")])[0])
    writer.match()
    writer.apply()
    assert shop.path.exists()
    writer.abort()
    assert list(shop.folder.iterdir()) == []


def test_nothing_is_left_in_the_folder_for_temporary_files(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "FEW", 1)
    aside = shop.folder / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    shop.run(shop.spec("item", ITEM, create=True), [(i, "a") for i in range(10)])
    assert list(aside.iterdir()) == []


def test_a_missing_folder_table_or_file_is_named_with_a_way_out(shop: Shop) -> None:
    lost = SqliteDestination({"url": "sqlite:///there/is/none.db"}, shop.folder)
    with pytest.raises(ConnectionFailed, match="no folder"):
        lost.tables()
    with pytest.raises(DestinationError, match=r"no such file(?s:.)*create: true"):
        shop.destination.open(shop.spec("item", ITEM))
    shop.sql("create table items (id integer primary key); create table customer (id int)")
    with pytest.raises(DestinationError, match=r"no table item\b(?s:.)*Did you mean items"):
        shop.destination.open(shop.spec("item", ITEM))
    with pytest.raises(DestinationError, match="no column name"):
        shop.destination.open(shop.spec("items", ITEM))


def test_a_file_that_is_no_database_is_said_to_be_none(shop: Shop) -> None:
    shop.path.write_text("id,name\n1,a\n" * 200)
    for ask in (
        shop.destination.tables,
        lambda: shop.destination.inspect("t"),
        lambda: shop.destination.open(shop.spec("t", ITEM, create=True)),
    ):
        with pytest.raises(DestinationError, match="not an SQLite database"):
            ask()


def test_a_damaged_database_is_said_to_be_damaged(shop: Shop) -> None:
    shop.sql("create table item (id integer primary key, name text)")
    shop.run(shop.spec("item", ITEM), [(i, "x" * 50) for i in range(500)])
    content = bytearray(shop.path.read_bytes())
    content[4096 * 2 : 4096 * 5] = b"\xff" * 4096 * 3
    shop.path.write_bytes(content)
    with pytest.raises(DestinationError, match="damaged"):
        shop.run(shop.spec("item", ITEM), [(i, "y") for i in range(500)])


def test_a_locked_database_is_said_to_be_locked(shop: Shop) -> None:
    shop.sql("create table item (id integer primary key, name text)")
    with closing(sqlite3.connect(shop.path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(ConnectionFailed, match=r"shop\.db: another program has locked"):
            shop.run(shop.spec("item", ITEM), [(1, "a")])
    assert shop.run(shop.spec("item", ITEM), [(1, "a")]).account.outcomes == {"created": 1}


def test_a_full_disk_is_an_error_and_leaves_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.sql("create table item (id integer primary key, name text); insert into item values (0, 'old')")
    real = sqlite3.connect

    def small(*args: object, **options: object) -> sqlite3.Connection:
        con: sqlite3.Connection = real(*args, **options)  # type: ignore[call-overload]
        con.execute("pragma max_page_count = 20")
        return con

    with monkeypatch.context() as m:
        m.setattr("headgate.connectors.sqlite.connect.sqlite3.connect", small)
        with pytest.raises(DestinationError, match="no space left"):
            shop.run(shop.spec("item", ITEM), [(i, "x" * 500) for i in range(1000)])
    assert shop.rows("select * from item") == [(0, "old")]


def test_a_database_that_cannot_be_written_is_said_to_be_so(shop: Shop) -> None:
    shop.sql("pragma journal_mode = wal; create table item (id integer primary key, name text)")
    shop.sql("pragma journal_mode = delete")
    content = bytearray(shop.path.read_bytes())
    content[18] = 3  # a format version that may be read but not written
    shop.path.write_bytes(content)
    with pytest.raises(DestinationError, match="cannot be written"):
        shop.run(shop.spec("item", ITEM), [(1, "a")])


def test_a_database_in_wal_mode_stays_in_it(shop: Shop) -> None:
    shop.sql("pragma journal_mode = wal; create table item (id integer primary key, name text)")
    shop.run(shop.spec("item", ITEM), [(1, "a")])
    assert shop.rows("pragma journal_mode") == [("wal",)]
    assert shop.rows("select * from item") == [(1, "a")]


# Many records


@pytest.mark.parametrize("order", ["rising", "falling", "repeated at the end", "two columns"])
def test_many_records_for_a_new_table_land_in_whatever_order_they_come(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(stage, "FEW", 100)
    numbers = list(range(2000))
    if order == "falling":
        numbers.reverse()
    if order == "repeated at the end":
        numbers.append(7)
    records = (
        [(n // 2, "ab"[n % 2], n) for n in numbers]
        if order == "two columns"
        else [(n, "x", i) for i, n in enumerate(numbers)]
    )
    spec = shop.spec(
        "item", "id bigint, part text, n bigint", key="id part" if order == "two columns" else "id", create=True
    )
    matched = shop.run(spec, records, batch=150)
    assert matched.account.outcomes["created"] == 2000
    assert matched.account.outcomes["skipped"] == len(records) - 2000
    kept = {r[0] if order != "two columns" else r[:2]: r for r in records}
    assert sorted(shop.rows("select id, part, n from item")) == sorted(kept.values())


def test_what_a_plan_shows_of_many_records_is_what_the_run_creates(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "FEW", 100)
    spec = shop.spec("item", ITEM, create=True)
    records = [(n * 3, f"name {n}") for n in range(1000)]
    shown = shop.changes(spec, records)
    assert [(r["_n"], r["id"], r["name"], r["_old_id"]) for r in shown] == [
        (i, *r, None) for i, r in enumerate(records)
    ]
    assert {r["_action"] for r in shown} == {"created"}


def test_appending_falls_back_to_single_records_when_one_is_refused(shop: Shop) -> None:
    shop.sql("create table log (id integer primary key, name text not null)")
    matched = shop.run(shop.spec("log", "name text", "append", ""), [("a",), (None,), ("c",)])
    assert [(r.number, r.code) for r in matched.refusals] == [(1, "DE04")]
    assert shop.rows("select name from log") == [("a",), ("c",)]


def test_every_commit_of_a_batched_run_stands(shop: Shop) -> None:
    spec = shop.spec("item", ITEM, create=True, batched=True)
    writer = shop.destination.open(spec)
    for batch in batches(spec, [(n, "a") for n in range(5)], 2):
        writer.write(batch)
        writer.match()
        writer.apply()
        writer.commit()
    writer.write(batches(spec, [(9, "lost")])[0])
    writer.abort()
    assert shop.rows("select count(*) from item") == [(5,)]


def test_cancelling_breaks_off_what_runs(shop: Shop) -> None:
    shop.sql("""
        create table item (id integer primary key, name text);
        create trigger slow after insert on item begin
            select count(*) from (with recursive c(x) as (select 1 union all select x + 1 from c where x < 100000000) select x from c);
        end;
    """)
    spec = shop.spec("item", ITEM)
    writer = shop.destination.open(spec)
    writer.write(batches(spec, [(1, "a")])[0])
    writer.match()
    timer = threading.Timer(0.1, writer.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        writer.apply()
    timer.join()
    writer.abort()
    with pytest.raises(Cancelled):
        writer.write(batches(spec, [(1, "a")])[0])
    assert shop.rows("select * from item") == []
