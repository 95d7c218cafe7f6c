"""What the database refuses, in its words, each record by itself, though every refusal ends the transaction."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headgate.model.reading import REFUSED, TAKEN, Parents
from headgate.model.types import FieldType
from headgate.model.write import WriteField

from .conftest import Database, batch, spec


@pytest.mark.parametrize(
    ("column", "bad", "code"),
    [
        ("v integer unique", 7, "DE02"),
        ("v integer references p (id)", 8, "DE01"),
        ("v integer check (v < 5)", 8, "DE03"),
        ("v integer not null", None, "DE04"),
        ("v tinyint", 300, "DE05"),
    ],
)
def test_a_refused_record_is_told_from_its_neighbours(db: Database, column: str, bad: object, code: str) -> None:
    db.sql("create table p (id integer primary key); insert into p values (1), (2), (7)")
    db.sql(f"create table t (id integer primary key, {column})")
    if code == "DE02":
        db.sql("insert into t values (99, 7)")
    matched = db.write(spec("t", "upsert", "id", id="integer", v="integer"), (1, 1), (2, bad), (3, 2))
    assert matched.account.outcomes == {"created": 2, "rejected": 1}
    assert [(r.number, r.code) for r in matched.refusals] == [(1, code)]
    assert db.sql("select id from t where id < 99 order by id") == [(1,), (3,)]


def test_of_two_records_that_stand_against_each_other_the_first_is_taken(db: Database) -> None:
    db.sql("create table t (id integer primary key, v integer unique check (v > 0))")
    records = [(i, i % 40 + 1) for i in range(50)]
    records[20] = (20, 0)
    matched = db.write(spec("t", "insert", "id", id="integer", v="integer"), *records)
    assert [(r.number, r.code) for r in matched.refusals] == [(20, "DE03"), *((n, "DE02") for n in range(40, 50))]
    assert db.sql("select count(*), sum(id) from t") == [(39, sum(range(40)) - 20)]


def test_refusals_leave_what_was_done_before_them(db: Database) -> None:
    """Of one run: records are removed and updated first, then two creations refused."""
    db.sql("create table t (id integer primary key, v integer check (v < 5))")
    db.sql("insert into t values (1, 1), (2, 2), (3, 3)")
    mirror = spec("t", "mirror", "id", id="integer", v="integer")
    matched = db.write(mirror, (2, 4), (3, 9), (4, 4), (5, 5), (6, 0))
    assert matched.account.outcomes == {"updated": 1, "created": 2, "rejected": 2}
    assert matched.account.mirror_deleted == 1
    assert db.sql("select * from t order by id") == [(2, 4), (3, 3), (4, 4), (6, 0)]


def test_children_may_come_before_their_parents(db: Database) -> None:
    db.sql("create table t (id integer primary key, up integer references t (id))")
    records = [(1, 3), (2, None), (3, 2), (4, 99), (5, 1)]
    matched = db.write(spec("t", "insert", "id", id="integer", up="integer"), *records)
    assert [(r.number, r.code) for r in matched.refusals] == [(3, "DE01")]
    assert db.sql("select id from t order by id") == [(1,), (2,), (3,), (5,)]


def test_parents_keep_the_numbers_they_were_given_when_others_are_refused(db: Database) -> None:
    db.sql(
        "create sequence s start 10; create table p (id integer primary key default nextval('s'), name varchar unique)"
    )
    db.sql("insert into p (name) values ('there')")
    db.sql("create table t (id integer primary key, p integer references p (id), v integer check (v < 5))")
    text = WriteField("name", FieldType("text"))
    items = spec("t", "insert", "id", id="integer", p="integer", v="integer")
    writer = db.writer(items)
    try:
        wanted = pa.RecordBatch.from_pydict({"name": ["new", "there", "more"]})
        answer = writer.add_parents(Parents("p", (text,), "id"), wanted).to_pydict()
        new, _, more = answer[TAKEN]
        assert [bool(r) for r in answer[REFUSED]] == [False, True, False]
        writer.write(batch(items, [(1, int(new), 1), (2, int(more), 9), (3, int(more), 2)]))
        writer.match()
        matched = writer.apply()
        writer.commit()
    finally:
        writer.abort()
    assert [(r.number, r.code) for r in matched.refusals] == [(1, "DE03")]
    assert db.sql("select t.id, name from t join p on t.p = p.id order by 1") == [(1, "new"), (3, "more")]
    assert db.sql("select count(*) from p") == [(3,)]


def test_a_parent_in_the_table_itself_is_found_by_its_record(db: Database) -> None:
    db.sql("create table t (id integer primary key, name varchar unique, up integer references t (id))")
    fields = (WriteField("id", FieldType("integer")), WriteField("name", FieldType("text")))
    upsert = spec("t", "upsert", "id", id="integer", name="text", up="integer")
    writer = db.writer(upsert)
    try:
        writer.add_parents(Parents("t", fields, "id"), pa.RecordBatch.from_pylist([{"id": 7, "name": "boss"}]))
        writer.write(batch(upsert, [(1, "one", 7), (7, "the boss", None), (8, "the boss", None)]))
        writer.match()
        matched = writer.apply()
        writer.commit()
    finally:
        writer.abort()
    assert matched.account.outcomes == {"created": 1, "updated": 1, "rejected": 1}
    assert db.sql("select * from t order by id") == [(1, "one", 7), (7, "the boss", None)]
