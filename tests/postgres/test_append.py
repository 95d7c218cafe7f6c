"""Appending goes straight into the table, and loses nothing when the table refuses something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .conftest import Database, batch, spec

GIVEN = spec("t", "append", id="integer", v="text")


def test_records_are_appended_in_order_and_their_changes_can_be_seen(db: Database) -> None:
    db.sql("create table t (at serial primary key, id int, v text)")
    records = [(n, f"v{n}") for n in range(1000)]
    assert db.write(GIVEN, *records).account.as_dict()["created"] == 1000
    assert db.sql("select id from t order by at") == [(n,) for n in range(1000)]
    shown = db.changes(GIVEN, *records)
    assert shown.column("id").to_pylist() == list(range(1000)) == shown.column("_n").to_pylist()
    assert set(shown.column("_action").to_pylist()) == {"created"}
    assert shown.column("_old_v").null_count == 1000
    assert db.sql("select count(*) from t") == [(1000,)]


@pytest.mark.parametrize(
    ("rule", "bad", "code"),
    [
        ("create unique index on t (id)", (5, "again"), "DE02"),
        ("alter table t alter v set not null", (5000, None), "DE04"),
        ("alter table t add check (id < 5000)", (5000, "x"), "DE03"),
        ("alter table t alter v type varchar(5)", (5000, "longer"), "DE05"),
        ("create table u (id int primary key); insert into u select generate_series(0, 4999); alter table t add foreign key (id) references u deferrable initially deferred", (5000, "x"), "DE01"),
        ("create function f() returns trigger language plpgsql as 'begin return case when new.id < 5000 then new end; end'; create trigger f before insert on t for each row execute function f()", (5000, "x"), "DE06"),
    ],
)  # fmt: skip
def test_what_the_table_refuses_is_told_and_the_rest_lands(
    db: Database, rule: str, bad: tuple[object, ...], code: str
) -> None:
    db.sql(f"create table t (id int, v text); {rule}")
    writer = db.writer(GIVEN)
    parts = [[(n, f"v{n}") for n in range(start, start + 500)] for start in range(0, 2000, 500)]
    parts[1].append(bad)
    at = 0
    for part in parts:
        writer.write(batch(GIVEN, part, range(at, at + len(part))))
        at += len(part)
    planned = writer.match().account.as_dict()
    assert planned["created"] in (2000, 2001)
    matched = writer.apply()
    matched.account.check("the run")
    writer.commit()
    assert [(r.number, r.code) for r in matched.refusals] == [(1000, code)]
    assert db.sql("select count(*) from t") == [(2000,)]


def test_records_refused_in_one_commit_do_not_disturb_the_next(db: Database) -> None:
    db.sql("create table t (id int primary key, v text)")
    given = replace(GIVEN, batched=True)
    writer = db.writer(given)
    outcomes = []
    for records in ([(1, "a"), (1, "b")], [(2, "a")], [(2, "b"), (3, "a")]):
        writer.write(batch(given, records))
        writer.match()
        outcomes.append(writer.apply().account.as_dict())
        writer.commit()
    writer.abort()
    assert [(o["created"], o["rejected"]) for o in outcomes] == [(1, 1), (1, 0), (1, 1)]
    assert db.sql("select id, v from t order by id") == [(1, "a"), (2, "a"), (3, "a")]
