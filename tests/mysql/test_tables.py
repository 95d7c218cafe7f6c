"""Types as inspected, names, tables that a run makes, and tables that cannot be written."""

from __future__ import annotations

import datetime as dt

import pytest

from headgate.model.errors import DestinationError

from .conftest import Database, batch, spec

INSPECTED = {
    "tinyint(1)": "boolean", "tinyint": "smallint", "smallint unsigned": "integer", "mediumint": "integer",
    "mediumint unsigned": "integer", "int": "integer", "int unsigned": "bigint", "bigint": "bigint",
    "bigint unsigned": "decimal(20,0)", "decimal(12,2)": "decimal(12,2)", "double": "double", "float": "double", "date": "date",
    "datetime": "timestamp", "datetime(6)": "timestamp", "timestamp(6) null": "timestamptz", "time(6)": "time",
    "char(3)": "text(3)", "varchar(40)": "text(40)", "text": "text", "longtext": "text", "json": "json", "uuid": "uuid",
    "blob": "binary", "varbinary(9)": "binary", "bit(3)": "bit(3)", "enum('a','b')": "enum('a','b')",
    "set('a','b')": "set('a','b')", "decimal(65,30)": "decimal(65,30)", "year": "smallint",
}  # fmt: skip


def test_every_type_is_inspected(db: Database) -> None:
    there = {t: kind for t, kind in INSPECTED.items() if t != "uuid" or db.mariadb}
    db.sql(f"create table t ({', '.join(f'c{i} {t}' for i, t in enumerate(there))})")
    table = db.destination().inspect("t")
    assert table is not None
    assert [str(c.type) for c in table.columns] == list(there.values())


def test_keys_defaults_and_generated_columns_are_inspected(db: Database) -> None:
    db.sql(
        "create table t (id int auto_increment primary key, a int not null, b int default 3, c int as (a + 1) stored, "
        "d varchar(9), unique (a), unique (d(3)), unique (b, d))"
    )
    table = db.destination().inspect("t")
    assert table is not None
    assert table.key == ("id",)
    assert set(table.unique) == {("a",), ("b", "d")}
    assert [(c.name, c.nullable, c.default, c.generated) for c in table.columns] == [
        ("id", False, True, False),
        ("a", False, False, False),
        ("b", True, True, False),
        ("c", True, True, True),
        ("d", True, False, False),
    ]


@pytest.mark.parametrize(("type_", "value"), [("enum('a','b')", "b"), ("set('a','b')", "a,b")])
def test_own_types_are_written_as_text(db: Database, type_: str, value: str) -> None:
    db.sql(f"create table t (id int primary key, v {type_})")
    own = spec("t", "upsert", "id", id="integer", v=type_)
    assert db.write(own, (1, value)).account.outcomes == {"created": 1}
    assert db.write(own, (1, value)).account.outcomes == {"unchanged": 1}
    assert db.sql("select v from t") == [(value,)]


def test_json_of_an_existing_table_is_compared_by_what_it_says_or_how_it_is_spelled(db: Database) -> None:
    db.sql("create table t (id int primary key, v json)")
    upsert = spec("t", "upsert", "id", id="integer", v="json")
    assert db.write(upsert, (1, '{"b": 1.5, "a": [true, null]}'), (2, None)).account.outcomes == {"created": 2}
    assert db.write(upsert, (1, '{"b": 1.5, "a": [true, null]}')).account.outcomes == {"unchanged": 1}
    spelled = db.write(upsert, (1, '{"a":[true,null],"b":1.5}')).account.outcomes
    assert spelled == ({"updated": 1} if db.mariadb else {"unchanged": 1})
    assert db.write(upsert, (1, '{"a": []}')).account.outcomes == {"updated": 1}


def test_what_is_no_json_is_refused_alone(db: Database) -> None:
    for made, code in ((False, "DE03" if db.mariadb else "DE05"), (True, "DE03")):
        db.sql("drop table if exists t")
        if not made:
            db.sql("create table t (id int primary key, v json)")
        matched = db.write(spec("t", "upsert", "id", create=made, id="integer", v="json"), (1, "{}"), (2, "{"))
        assert matched.account.outcomes == {"created": 1, "rejected": 1}
        assert [(r.number, r.code) for r in matched.refusals] == [(1, code)]


def test_json_of_a_made_table_keeps_every_digit(db: Database) -> None:
    made = spec("t", "upsert", "id", create=True, id="integer", v="json")
    text = "[1.10, 0.1234567890123456789012345]"
    db.write(made, (1, text))
    assert db.sql("select v from t") == [(text,)]
    table = db.destination().inspect("t")
    assert table is not None
    assert str(table.columns[1].type) == "json"


def test_what_a_column_rounds_is_not_taken_for_a_change(db: Database) -> None:
    db.sql("create table t (id int primary key, v datetime(3), f float)")
    rounding = spec("t", "upsert", "id", id="integer", v="timestamp", f="double")
    record = (1, dt.datetime(2024, 1, 2, 3, 4, 5, 123_456), 0.1)  # noqa: DTZ001
    assert db.write(rounding, record).account.outcomes == {"created": 1}
    assert db.write(rounding, record).account.outcomes == {"unchanged": 1}


def test_keys_are_equal_when_the_index_says_so_and_texts_differ_byte_by_byte(db: Database) -> None:
    db.sql("create table t (id varchar(9) primary key, v text) character set utf8mb4 collate utf8mb4_general_ci")
    db.sql("insert into t values ('a', 'x')")
    upsert = spec("t", "upsert", "id", id="text", v="text")
    assert db.write(upsert, ("A", "x")).account.outcomes == {"unchanged": 1}
    assert db.write(upsert, ("A", "X")).account.outcomes == {"updated": 1}
    assert db.write(upsert, ("A ", "X ")).account.outcomes == {"updated": 1}
    assert db.write(upsert, ("b", "x"), ("B", "y")).account.outcomes == {"skipped": 1, "created": 1}
    assert db.sql("select * from t order by id") == [("a", "X "), ("B", "y")]


def test_a_latin_table_is_matched_too(db: Database) -> None:
    db.sql("create table t (id varchar(9) primary key, v text) character set latin1")
    upsert = spec("t", "upsert", "id", id="text", v="text")
    db.write(upsert, ("é", "ü"))
    assert db.write(upsert, ("é", "ü"), ("f", "日")).account.outcomes == {"unchanged": 1, "rejected": 1}


def test_tables_without_transactions_and_views_are_refused(db: Database) -> None:
    db.sql("create table t (id int primary key) engine = MyISAM")
    db.sql("create view v as select * from t")
    with pytest.raises(DestinationError, match="MyISAM, which has no transactions"):
        db.writer(spec("t", "append", id="integer"))
    with pytest.raises(DestinationError, match="v is a view"):
        db.writer(spec("v", "append", id="integer"))


def test_names_at_the_limits(db: Database) -> None:
    names = ["x" * 64, "back`tick", "d.o.t", "列", "order"]
    made = spec("t", "upsert", "id", create=True, id="integer", **dict.fromkeys(names, "text"))
    assert db.write(made, (1, *names)).account.outcomes == {"created": 1}
    assert db.sql("select * from t") == [(1, *names)]
    for bad in ("x" * 65, "trail ", "👩"):
        with pytest.raises(DestinationError, match="name"):
            db.writer(spec("u", "append", create=True, **{bad: "text"}))


def test_a_made_table_is_not_there_before_apply_nor_after_abort(db: Database) -> None:
    made = spec("t", "upsert", "id", create=True, id="text", v="timestamptz")
    writer = db.writer(made)
    writer.write(batch(made, [("a", None)]))
    writer.match()
    assert next(iter(writer.changes())).num_rows == 1
    assert db.sql("show tables") == []
    writer.apply()
    assert db.sql("select * from t") == []
    writer.abort()
    assert db.sql("show tables") == []


def test_a_long_key_is_refused_by_a_made_table_and_others_land(db: Database) -> None:
    made = spec("t", "upsert", "id", create=True, id="text", v="text")
    matched = db.write(made, ("a" * 768, "x"), ("b" * 769, "x"))
    assert matched.account.outcomes == {"created": 1, "rejected": 1}
    assert [(r.number, r.code) for r in matched.refusals] == [(1, "DE05")]
    table = db.destination().inspect("t")
    assert table is not None
    assert [str(c.type) for c in table.columns] == ["text", "text"]
