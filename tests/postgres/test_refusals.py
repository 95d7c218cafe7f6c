"""What the database refuses is told record by record, and everything else lands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.model.errors import DestinationError
from headgate.model.write import Matched

from .conftest import Database, batch, spec


def refused(matched: Matched) -> list[tuple[int, str, str]]:
    return sorted((r.number, r.code, r.field) for r in matched.refusals if r.outcome != "skipped")


@pytest.fixture
def shop(db: Database) -> Database:
    db.sql(
        """
        create table category (id int primary key);
        insert into category select generate_series(1, 3);
        create table product (
          sku text primary key, category_id int references category deferrable initially deferred, name varchar(6) not null,
          ean text unique, price numeric(8, 2) check (price >= 0));
        create function nasty() returns trigger language plpgsql as $$ begin
          if new.name = 'raise' then raise exception 'no % today', new.name; end if;
          if new.name = 'gone' then return null; end if;
          return new; end $$;
        create trigger nasty before insert or update on product for each row execute function nasty();
        """
    )
    return db


PRODUCT = spec(
    "product", "upsert", "sku", sku="text", category_id="integer", name="text", ean="text", price="decimal(8,2)"
)
GOOD = [(f"g{i}", 1 + i % 3, "good", f"e{i}", None) for i in range(200)]
BAD = [
    ("b0", 99, "x", None, None),
    ("b1", 1, None, None, None),
    ("b2", 1, "x", "e7", None),
    ("b3", 1, "x", None, -1),
    ("b4", 1, "too long", None, None),
    ("b5", 1, "raise", None, None),
    ("b6", 1, "gone", None, None),
]
CODES = ["DE01", "DE04", "DE02", "DE03", "DE05", "DE06", "DE06"]


@pytest.mark.parametrize("operation", ["insert", "upsert", "append", "mirror"])
def test_refused_records_are_told_and_the_others_created(shop: Database, operation: str) -> None:
    given = spec(
        "product",
        operation,
        "" if operation == "append" else "sku",
        sku="text",
        category_id="integer",
        name="text",
        ean="text",
        price="decimal(8,2)",
    )
    records = [*GOOD[:50], *BAD[:4], *GOOD[50:], *BAD[4:]]
    matched = shop.write(given, *records)
    assert [(n, c) for n, c, _ in refused(matched)] == list(zip([50, 51, 52, 53, 204, 205, 206], CODES, strict=True))
    assert matched.account.as_dict()["created"] == 200
    assert shop.sql("select count(*) from product") == [(200,)]
    reasons = {r.code: r.reason for r in matched.refusals}
    assert "category_id" in reasons["DE01"]
    assert "Key (ean)=(e7) already exists" in reasons["DE02"]
    assert next(r.field for r in matched.refusals if r.code == "DE04") == "name"


def test_refused_updates_leave_their_records_as_they_were(shop: Database) -> None:
    shop.write(PRODUCT, *GOOD[:20])
    changed = [(sku, 2, "new", ean, 5) for sku, _, _, ean, _ in GOOD[:10]]
    changed += [("g10", 77, "new", "e10", 5), ("g11", 1, "gone", "e11", 5), ("g12", 1, "new", "e13", 5)]
    matched = shop.write(replace(PRODUCT, operation=spec("t", "update").operation), *changed)
    assert [(n, c) for n, c, _ in refused(matched)] == [(10, "DE01"), (11, "DE06"), (12, "DE02")]
    assert matched.account.as_dict()["updated"] == 10
    assert shop.sql("select count(*) from product where name = 'new'") == [(10,)]


def test_deletions_somebody_refers_to_are_refused(shop: Database) -> None:
    shop.write(PRODUCT, GOOD[0])
    matched = shop.write(spec("category", "delete", "id", id="integer"), (1,), (2,), (3,))
    assert [(n, c) for n, c, _ in refused(matched)] == [(0, "DE01")]
    assert shop.sql("select id from category") == [(1,)]


def test_mirror_fails_whole_when_a_deletion_is_refused(shop: Database) -> None:
    shop.write(PRODUCT, GOOD[0])
    with pytest.raises(DestinationError, match="refuses to delete a record that the source has no more.*category_id"):
        shop.write(spec("category", "mirror", "id", id="integer"), (2,), (3,))
    assert shop.sql("select count(*) from category") == [(3,)]


def test_records_that_refer_to_each_other_land_whatever_stands_beside_them(db: Database) -> None:
    db.sql("create table part (id int primary key, parent int references part)")
    given = spec("part", "insert", "id", id="integer", parent="integer")
    chain = [(i, i + 1) for i in range(1, 40)] + [(40, None)]
    matched = db.write(given, *chain[:20], (100, 999), *chain[20:], (101, 100))
    assert [(n, c) for n, c, _ in refused(matched)] == [(20, "DE01"), (41, "DE01")]
    assert db.sql("select count(*) from part") == [(40,)]


def test_a_key_that_several_rows_have_is_refused(db: Database) -> None:
    db.sql("create table t (k text, v int); insert into t values ('a', 1), ('a', 2), ('b', 1)")
    matched = db.write(spec("t", "upsert", "k", k="text", v="integer"), ("a", 5), ("b", 5), ("c", 5))
    assert refused(matched) == [(0, "KY05", "k")]
    assert db.sql("select k, v from t order by k, v") == [("a", 1), ("a", 2), ("b", 5), ("c", 5)]


def test_row_level_policies_refuse_records(db: Database, login: str) -> None:
    db.sql(f"create table t (id int primary key); alter table t enable row level security; grant all on t to {login}")
    db.sql("create policy p on t using (true) with check (id < 10)")
    db.url = f"{db.url}&user={login}"
    matched = db.write(spec("t", "insert", "id", id="integer"), (1,), (11,), (2,))
    assert refused(matched) == [(1, "DE06", "")]
    assert db.sql("select id from t order by id") == [(1,), (2,)]


def test_partitioned_tables_views_and_inherited_tables_are_written(db: Database) -> None:
    db.sql(
        """
        create table part (id int primary key, v int) partition by range (id);
        create table part1 partition of part for values from (0) to (10);
        create table part2 partition of part for values from (10) to (20);
        create table base (id int primary key, v int); create view seen as select id, v from base;
        """
    )
    for table in ("part", "seen"):
        given = spec(table, "mirror", "id", id="integer", v="integer")
        assert db.write(given, (1, 1), (11, 1), (12, 1)).account.as_dict()["created"] == 3
        matched = db.write(given, (1, 1), (11, 2), (13, 1), *([(99, 1)] if table == "part" else []))
        account = matched.account.as_dict()
        assert (account["unchanged"], account["updated"], account["created"], account["mirror_deleted"]) == (1, 1, 1, 1)
        assert db.sql(f"select id, v from {table} order by id") == [(1, 1), (11, 2), (13, 1)]
    assert refused(db.write(spec("part", "upsert", "id", id="integer", v="integer"), (99, 1))) == [(0, "DE03", "")]


def test_the_key_of_a_generated_identity_is_written(db: Database) -> None:
    db.sql(
        "create table t (id int generated always as identity primary key, v int, twice int generated always as (v * 2) stored)"
    )
    given = spec("t", "upsert", "id", id="integer", v="integer")
    db.write(given, (7, 1), (8, 2))
    db.write(given, (7, 5))
    assert db.sql("select id, v, twice from t order by id") == [(7, 5, 10), (8, 2, 4)]


def test_a_value_of_a_mirrored_record_that_cannot_be_cast_deletes_nothing(db: Database) -> None:
    db.sql("create table t (ip inet primary key); insert into t values ('10.0.0.1'), ('10.0.0.2')")
    given = spec("t", "mirror", "ip", ip="inet")
    matched = db.write(given, ("10.0.0.1",), ("10.0.0,2",))
    assert refused(matched) == [(1, "DE05", "ip")]
    assert matched.account.mirror_deleted == 0
    assert db.sql("select count(*) from t") == [(2,)]


def test_match_leaves_the_table_alone(shop: Database) -> None:
    writer = shop.writer(PRODUCT)
    writer.write(batch(PRODUCT, GOOD))
    assert writer.match().account.as_dict()["created"] == 200
    writer.abort()
    assert shop.sql("select count(*) from product") == [(0,)]


def test_deletions_are_counted_one_by_one(db: Database) -> None:
    db.sql("create table t (id int primary key, v text); insert into t select n, 'v' || n from generate_series(0, 9) n")
    given = spec("t", "delete", "id", id="integer")
    shown = db.changes(replace(given, missing="skip"), (3,), (99,), (4,))
    assert shown.to_pylist() == [{"_n": n, "_action": "deleted", "id": i, "_old_id": i} for n, i in ((0, 3), (2, 4))]
    assert db.sql("select count(*) from t") == [(10,)]
    matched = db.write(given, (3,), (99,), (4,), (98,))
    assert (refused(matched), matched.account.as_dict()["deleted"]) == ([(1, "KY04", "id"), (3, "KY04", "id")], 2)
    matched = db.write(replace(given, missing="skip"), (5,), (3,), (5,), (6,))
    assert [(r.number, r.code) for r in matched.refusals] == [(0, "duplicate"), (1, "missing")]
    assert matched.account.as_dict()["skips"] == {"duplicate": 1, "missing": 1}
    assert db.sql("select id from t order by id") == [(n,) for n in (0, 1, 2, 7, 8, 9)]


def test_a_trigger_that_keeps_a_row_from_being_deleted_is_told(db: Database) -> None:
    db.sql(
        """
        create table t (id int primary key); insert into t values (1), (2);
        create function keep() returns trigger language plpgsql as 'begin return case when old.id = 2 then old end; end';
        create trigger keep before delete on t for each row execute function keep();
        """
    )
    matched = db.write(spec("t", "delete", "id", id="integer"), (1,), (2,))
    assert refused(matched) == [(0, "DE06", "")]
    assert db.sql("select id from t") == [(1,)]
