"""What queries give, what a table is asked for, and how a record that was added is found again."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headgate.model.errors import DestinationError
from headgate.model.reading import REFUSED, TAKEN, Parents, Reading
from headgate.model.types import FieldType
from headgate.model.write import WriteField

from .conftest import Database, spec

GIVEN = {
    "tinyint(1)": ("1", "true"), "int(5) zerofill": ("42", "42"), "bigint unsigned": ("18446744073709551615",) * 2,
    "decimal(6,2)": ("1.5", "1.50"), "double": ("1e20", "1e+20"), "float": ("0.1", "0.1"), "date": ("'2024-12-31'", "2024-12-31"),
    "datetime(6)": ("'2024-12-31 01:02:03.5'", "2024-12-31T01:02:03.5"), "time": ("'01:02:03'", "01:02:03"),
    "timestamp(3) null": ("'2024-12-31 01:02:03'", "2024-12-31T01:02:03Z"), "year": ("2024", "2024"),
    "varbinary(9)": ("x'00ff'", "00ff"), "bit(9)": ("b'100000001'", "257"), "text": ("'a\\\\b\\'é👩'", "a\\b'é👩"),
    "char(36)": ("'x'", "x"), "enum('a','b')": ("'b'", "b"),
}  # fmt: skip


def looked_up(db: Database, reading: Reading) -> list[tuple[str | None, ...]]:
    pages = list(db.destination().read(reading))
    return [row for p in pages for row in zip(*(c.to_pylist() for c in p.columns), strict=True)]


@pytest.mark.parametrize("source", [{"table": "t"}, {"query": "select * from t"}])
def test_every_type_has_one_form_in_tables_and_queries(db: Database, source: dict[str, str]) -> None:
    db.sql(f"create table t ({', '.join(f'c{i} {t}' for i, t in enumerate(GIVEN))})")
    db.sql(f"insert into t values ({', '.join(v for v, _ in GIVEN.values())})")
    db.sql(f"insert into t values ({', '.join('null' for _ in GIVEN)})")
    columns = tuple(f"c{i}" for i in range(len(GIVEN)))
    found = looked_up(db, Reading(columns, **source))
    assert found == [tuple(text for _, text in GIVEN.values()), (None,) * len(GIVEN)]


def test_parameters_of_queries_are_texts_and_nothing_else(db: Database) -> None:
    query = r"""select 'it\'s :a', ":b" as `:c`, :d as d # :e
        -- :f
        """
    hard = "\\' or 1 = 1 -- "
    assert looked_up(db, Reading((":c", "d"), query=query, values={"d": hard})) == [(":b", hard)]


def test_words_are_not_taken_for_the_number_zero(db: Database) -> None:
    db.sql("create table t (id int, v varchar(9), f tinyint(1))")
    db.sql("insert into t values (0, '1a', 1)")
    assert looked_up(db, Reading(("id",), table="t", values={"v": 1})) == []
    assert looked_up(db, Reading(("id",), table="t", values={"id": "0", "f": True})) == [("0",)]
    with pytest.raises(DestinationError, match="'zero' is none"):
        looked_up(db, Reading(("id",), table="t", values={"id": "zero"}))


@pytest.mark.parametrize(
    ("columns", "take", "taken"),
    [
        ("id bigint auto_increment primary key, v varchar(9)", "id", "1"),
        ("id varchar(9) default 'made', v varchar(9) unique", "id", "made"),
        ("id int, v text", "v", "a"),
    ],
)
def test_a_record_that_was_added_is_found_again(db: Database, columns: str, take: str, taken: str) -> None:
    db.sql(f"create table t ({columns})")
    db.sql("create table item (id int primary key)")
    writer = db.writer(spec("item", "append", id="integer"))
    parents = Parents("t", (WriteField("v", FieldType("text")),), take)
    try:
        answer = writer.add_parents(parents, pa.record_batch([pa.array(["a"])], ["v"]))
    finally:
        writer.abort()
    assert (answer[TAKEN].to_pylist(), answer[REFUSED].to_pylist()) == ([taken], [None])
    assert db.sql("select * from t") == []


def test_a_record_that_could_not_be_found_again_is_not_added(db: Database) -> None:
    db.sql("create table t (id varchar(36) default (uuid()), v text)")
    db.sql("create table item (id int primary key)")
    writer = db.writer(spec("item", "append", id="integer"))
    parents = Parents("t", (WriteField("v", FieldType("text")),), "id")
    try:
        with pytest.raises(DestinationError, match="no key by which"):
            writer.add_parents(parents, pa.record_batch([pa.array(["a"])], ["v"]))
    finally:
        writer.abort()
