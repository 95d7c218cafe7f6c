"""Tables as people make them: with collations, odd columns, views, other schemas."""

from __future__ import annotations

import duckdb
import pytest

from headgate.model.errors import ConnectionFailed, DestinationError, UsageError

from .conftest import Database, batch, spec

UPSERT = spec("t", "upsert", "id", id="integer", v="text")


def test_texts_that_a_collation_takes_for_equal_are_different_values(db: Database) -> None:
    db.sql('create table t (id integer primary key, "v" varchar collate nocase)')
    db.sql("insert into t values (1, 'a'), (2, 'a')")
    matched = db.write(UPSERT, (1, "A"), (2, "a"))
    assert matched.account.outcomes == {"updated": 1, "unchanged": 1}
    assert db.sql("select encode(v) from t order by id") == [(b"A",), (b"a",)]


def test_a_key_with_a_collation_is_refused_with_a_way_out(db: Database) -> None:
    db.sql("create table t (v varchar collate nocase primary key, id integer)")
    with pytest.raises(DestinationError, match="v is compared by a collation") as said:
        db.writer(spec("t", "upsert", "v", id="integer", v="text"))
    assert "COLLATE" in said.value.hint


def test_a_column_named_rowid_hides_the_number_of_a_row(db: Database) -> None:
    db.sql('create table t (id integer primary key, v varchar, "RowId" integer)')
    db.sql("insert into t values (1, 'a', 5), (2, 'b', 5)")
    matched = db.write(UPSERT, (1, "x"), (3, "c"))
    assert matched.account.outcomes == {"updated": 1, "created": 1}
    assert db.sql("select id, v from t order by id") == [(1, "x"), (2, "b"), (3, "c")]


def test_without_a_key_such_a_table_has_nothing_to_find_a_row_by(db: Database) -> None:
    db.sql("create table t (id integer, rowid integer)")
    with pytest.raises(DestinationError, match="cannot be told apart"):
        db.writer(spec("t", "append", id="integer"))


def test_a_view_is_no_table(db: Database) -> None:
    db.sql("create table a (id integer, v varchar); create view t as select * from a")
    with pytest.raises(DestinationError, match="is a view"):
        db.writer(UPSERT)


def test_a_table_of_another_schema_is_named_with_it(db: Database) -> None:
    db.sql('create schema s; create table s."t.1" (id integer primary key, v varchar)')
    assert db.destination().tables() == ['s."t.1"']
    db.write(spec('s."t.1"', "upsert", "id", id="integer", v="text"), (1, "a"))
    assert db.sql('select * from s."t.1"') == [(1, "a")]


def test_values_are_given_to_columns_that_are_not_written_by_the_table(db: Database) -> None:
    db.sql("create table t (id integer primary key, v varchar, n integer default 7, twice integer as (n * 2))")
    db.write(UPSERT, (1, "a"))
    assert db.sql("select * from t") == [(1, "a", 7, 14)]


@pytest.mark.parametrize("url", ("duckdb:///:memory:", "duckdb://x.duckdb", "duckdb:///", "duckdb:///a.duckdb?x=1"))
def test_a_url_that_names_no_file_is_refused(db: Database, url: str) -> None:
    with pytest.raises(UsageError, match="names no DuckDB file"):
        db.destination(url=url)


@pytest.mark.parametrize(
    ("option", "value"), (("threads", 0), ("threads", "two"), ("timeout", -1), ("timeout", True), ("thread", 1))
)
def test_a_wrong_option_is_named(db: Database, option: str, value: object) -> None:
    with pytest.raises(UsageError, match=option):
        db.destination(**{option: value})


def test_seconds_may_have_decimals_which_definitions_give_as_text(db: Database) -> None:
    assert db.destination(timeout="0.25").tables() == []


def test_a_memory_limit_that_is_none_is_said(db: Database) -> None:
    db.sql("create table t (id integer)")
    with pytest.raises(UsageError, match="memory_limit"):
        db.destination(memory_limit="much").tables()


def test_a_second_writer_of_the_process_waits_for_the_first(db: Database) -> None:
    db.sql("create table t (id integer primary key, v varchar)")
    first, second = db.writer(UPSERT, timeout=0), db.writer(UPSERT, timeout=0)
    try:
        for writer in (first, second):
            writer.write(batch(UPSERT, [(1, "a")]))
        first.match()
        with pytest.raises(ConnectionFailed, match="another run"):
            second.match()
        first.apply()
        first.commit()
        assert second.match().account.outcomes == {"unchanged": 1}
    finally:
        first.abort()
        second.abort()


def test_a_file_with_other_settings_open_in_the_process_is_said(db: Database) -> None:
    db.sql("create table t (id integer primary key, v varchar)")
    with duckdb.connect(str(db.path), config={"threads": 1}), pytest.raises(ConnectionFailed, match="other settings"):
        db.destination(threads=2).tables()
