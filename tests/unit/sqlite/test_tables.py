from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from headgate.connectors.sqlite import SqliteDestination
from headgate.model.errors import DestinationError, UsageError
from headgate.model.table import Column, TableSchema
from headgate.model.types import FieldType

from .conftest import Shop


def test_a_table_is_described_as_it_is(shop: Shop) -> None:
    shop.sql("""
        create table category (id integer primary key, name text not null unique);
        create table [Odd "name"] (
            "select" varchar(40) not null, price numeric(10,2) default 0, at datetime, anything,
            gross generated always as (price * 1.2) virtual, kind int references category(id),
            primary key ("select", at));
        create unique index some on category (name) where id > 5;
        create unique index by_expression on category (lower(name));
        create view cheap as select * from category;
    """)
    assert shop.destination.tables() == ['Odd "name"', "category"]
    category = shop.destination.inspect("main.CATEGORY")
    assert category
    assert (category.key, category.unique) == (("id",), (("name",),))
    assert category.column("id") == Column("id", FieldType("bigint", native="INTEGER"), nullable=False, default=True)
    assert not category.columns[1].nullable
    odd = shop.destination.inspect('Odd "name"')
    assert odd
    assert odd.key == ("select", "at")
    assert [(c.name, str(c.type), c.nullable, c.default, c.generated) for c in odd.columns] == [
        ("select", "text", False, False, False),
        ("price", "decimal(10,2)", True, True, False),
        ("at", "timestamp", False, False, False),
        ("anything", "", True, False, False),
        ("gross", "", True, True, True),
        ("kind", "bigint", True, False, False),
    ]
    assert shop.destination.inspect("nothing") is None
    with pytest.raises(DestinationError, match="cheap is a view"):
        shop.destination.inspect("cheap")


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 37), reason="STRICT came with 3.37")
def test_a_strict_table_is_described_and_written(shop: Shop) -> None:
    shop.sql("create table t (id int primary key, a any, r real, b blob, x text) strict, without rowid")
    table = shop.destination.inspect("t")
    assert table
    assert [c.type.kind for c in table.columns] == ["bigint", "other", "double", "binary", "text"]
    spec = shop.spec("t", "id bigint, a text, r integer, b binary, x decimal(5,2)")
    shop.run(spec, [(1, "007", 5, b"\0", Decimal("1.50"))])
    assert shop.rows("select id, a, r, b, x from t") == [(1, "007", 5.0, b"\0", "1.50")]
    assert shop.run(spec, [(1, "007", 5, b"\0", Decimal("1.50"))]).account.outcomes == {"unchanged": 1}


def test_no_file_has_no_tables_and_looking_makes_none(shop: Shop) -> None:
    assert shop.destination.tables() == []
    assert shop.destination.inspect("t") is None
    assert list(shop.folder.iterdir()) == []


def test_what_is_proposed_can_be_made_and_is_what_was_wanted(shop: Shop) -> None:
    kinds = [
        "text",
        "smallint",
        "bigint",
        "decimal(12,2)",
        "decimal(38,10)",
        "double",
        "boolean",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "uuid",
        "json",
        "binary",
    ]
    columns = tuple(Column(f"a {k}", FieldType.parse(k), nullable=i % 2 == 0) for i, k in enumerate(kinds))
    change = shop.destination.propose(TableSchema("my table", columns, ("a text", "a date")))
    assert "my table" in change.summary
    shop.sql(change.statement)
    made = shop.destination.inspect("my table")
    assert made
    assert made.key == ("a text", "a date")
    assert [c.nullable for c in made.columns] == [c.nullable and c.name not in made.key for c in columns]
    assert all(now.type.holds(wanted.type) for now, wanted in zip(made.columns, columns, strict=True))
    assert [c.type.native for c in made.columns] == [shop.destination.native(c.type) for c in columns]


def test_a_single_integer_key_is_the_row_number(shop: Shop) -> None:
    wanted = TableSchema(
        "t", (Column("n", FieldType("integer"), nullable=False), Column("x", FieldType("text"))), ("n",)
    )
    shop.sql(shop.destination.propose(wanted).statement + "; insert into t(n) values (7)")
    assert shop.rows("select rowid from t") == [(7,)]


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://shop.db", "shop.db", "sqlite:///a.db?mode=ro"]
)
def test_a_url_that_names_no_file_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no SQLite file"):
        SqliteDestination({"url": url}, tmp_path)


def test_urls_are_relative_to_the_project_or_absolute_and_may_be_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%d?e"
    folder.mkdir()
    with sqlite3.connect(folder / "x.db") as con:
        con.execute("create table t (a)")
    con.close()
    absolute = SqliteDestination(
        {"url": f"sqlite:///{str(folder).replace('%', '%25').replace('?', '%3F')}/x.db"}, Path("/nowhere")
    )
    relative = SqliteDestination({"url": "sqlite:///x.db"}, folder)
    assert absolute.tables() == relative.tables() == ["t"]


def test_an_unknown_option_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="foreign_keys"):
        SqliteDestination({"url": "sqlite:///x.db", "foreign_key": False}, tmp_path)
    with pytest.raises(UsageError, match="timeout"):
        SqliteDestination({"url": "sqlite:///x.db", "timeout": "long"}, tmp_path)
