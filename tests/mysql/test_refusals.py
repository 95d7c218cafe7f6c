"""What the database refuses, in its words, each record by itself."""

from __future__ import annotations

import pytest

from .conftest import Database, spec


@pytest.mark.parametrize(
    ("columns", "bad", "code"),
    [
        ("v int unique", 7, "DE02"),
        ("v int references p (id)", 8, "DE01"),
        ("v int check (v < 5)", 8, "DE03"),
        ("v int not null", None, "DE04"),
        ("v tinyint", 300, "DE05"),
        ("v int unsigned", -1, "DE05"),
    ],
)
def test_a_refused_record_is_told_from_its_neighbours(db: Database, columns: str, bad: object, code: str) -> None:
    db.sql("create table p (id int primary key)")
    db.sql("insert into p values (1), (2), (7)")
    foreign = ", foreign key (v) references p (id)" if "references" in columns else ""
    db.sql(f"create table t (id int primary key, {columns.split(' references')[0]}{foreign})")
    if code == "DE02":
        db.sql("insert into t values (99, 7)")
    matched = db.write(spec("t", "upsert", "id", id="integer", v="integer"), (1, 1), (2, bad), (3, 2))
    assert matched.account.outcomes == {"created": 2, "rejected": 1}
    assert [(r.number, r.code) for r in matched.refusals] == [(1, code)]
    assert db.sql("select id from t where id < 99 order by id") == [(1,), (3,)]


@pytest.mark.parametrize("local", (True, False))
@pytest.mark.parametrize("number", (float("nan"), float("inf"), float("-inf")))
def test_a_number_that_is_none_is_refused_and_does_not_become_zero(db: Database, number: float, local: bool) -> None:
    db.sql("create table t (id int primary key, v double)")
    db.sql("insert into t values (1, 5), (9, 9)")
    mirror = spec("t", "mirror", "id", id="integer", v="double")
    matched = db.write(mirror, (1, number), (2, number), (3, 2.5), local_infile=local)
    assert matched.account.outcomes == {"created": 1, "rejected": 2}
    assert [(r.number, r.code, r.field, r.reason) for r in matched.refusals] == [
        (n, "DE05", "v", f"MySQL has no number {number}") for n in (0, 1)
    ]
    assert db.sql("select * from t order by id") == [(1, 5.0), (3, 2.5), (9, 9.0)]


def test_a_signal_of_a_trigger_is_its_words(db: Database) -> None:
    db.sql("create table t (id int primary key, v text)")
    db.sql(
        "create trigger no before insert on t for each row begin if new.v = 'bad' then "
        "signal sqlstate '45000' set message_text = 'we do not take this'; end if; end"
    )
    matched = db.write(spec("t", "insert", "id", id="integer", v="text"), (1, "a"), (2, "bad"))
    assert [(r.number, r.code, r.reason) for r in matched.refusals] == [(1, "DE06", "we do not take this")]


def test_a_text_too_long_and_a_word_that_is_none_are_refused(db: Database) -> None:
    db.sql("create table t (id int primary key, v varchar(3), e enum('a'))")
    matched = db.write(
        spec("t", "append", id="integer", v="text", e="enum('a')"), (1, "abc", "a"), (2, "abcd", "a"), (3, "a", "z")
    )
    assert [(r.number, r.code, r.field) for r in matched.refusals] == [(1, "DE05", "v"), (2, "DE05", "e")]
