"""When the source's columns are not what they were: what is said before anything is written, and what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.shop import Define, Headgate, Rows, Shop, counts

COLUMNS = "id integer primary key, name text, qty smallint"
THERE = [(1, "lamp", 5), (2, "desk", 9)]
FIELDS = {"id": "id", "name": "name", "qty": "qty"}
MORE = "id,name,qty,colour\n1,lamp,6,red\n3,chair,1,\n"


def columns(shop: Shop) -> list[str]:
    if shop.kind == "sqlite":
        return [r[0] for r in shop.sql("select name from pragma_table_info('item') order by cid")]
    query = "select column_name from information_schema.columns where table_name = 'item' order by ordinal_position"
    return [r[0] for r in shop.sql(query)]


def everything(shop: Shop) -> Rows:
    return sorted(shop.sql("select * from item"))


@pytest.mark.parametrize("fields", [FIELDS, None], ids=["fields", "no fields"])
def test_a_new_column_is_added_and_taken_back(
    shop: Shop, define: Define, headgate: Headgate, fields: dict[str, str] | None
) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, MORE, fields=fields, schema={"new_columns": "add"})
    plan = headgate("plan", "items", "--json").json
    assert [c["summary"].lower() for c in plan["schema_changes"]] == ["add column colour text to item"]
    assert columns(shop) == ["id", "name", "qty"]
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"updated": 1, "created": 1}
    assert everything(shop) == [(1, "lamp", 6, "red"), (2, "desk", 9, None), (3, "chair", 1, None)]
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 2}
    undo = headgate("undo", run["id"], "--json").json
    assert [c["summary"] for c in undo["schema_changes"]] == ["drop column colour of item"]
    assert columns(shop) == ["id", "name", "qty"]
    assert everything(shop) == THERE
    assert "removed the column colour of item" in headgate("undo", undo["id"]).err


def test_a_saved_plan_adds_the_column_it_showed(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, MORE, fields=FIELDS, schema={"new_columns": "add"})
    plan = headgate("plan", "items", "--json").json
    assert counts(headgate("run", "--plan", plan["id"], "--json").json) == {"updated": 1, "created": 1}
    assert everything(shop)[0] == (1, "lamp", 6, "red")


def test_a_column_that_is_used_since_stays(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, MORE, fields=FIELDS, schema={"new_columns": "add"})
    run = headgate("run", "items", "--json").json
    shop.sql("update item set colour = 'blue' where id = 2")
    undo = headgate("undo", run["id"], "--json").json
    assert "the column colour of item stays" in undo["warnings"][0]
    assert everything(shop) == [(1, "lamp", 5, None), (2, "desk", 9, "blue")]


def test_a_column_that_a_view_needs_stays(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, MORE, fields=FIELDS, schema={"new_columns": "add"})
    run = headgate("run", "items", "--json").json
    shop.sql("create view shades as select colour from item")
    undo = headgate("undo", run["id"], "--json").json
    assert "the column colour of item stays" in undo["warnings"][0]
    assert everything(shop) == [(*row, None) for row in THERE]


def test_with_commit_batch_the_column_is_added_once(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS)
    data = "id,name,qty,colour\n" + "".join(f"{n},n,1,c{n}\n" for n in range(70_000))
    define(shop, data, fields=FIELDS, schema={"new_columns": "add"}, commit="batch")
    assert counts(headgate("run", "items", "--json").json) == {"created": 70_000}
    assert shop.sql("select count(*) from item where colour = 'c69999'")[0][0] == 1


def test_a_new_column_is_refused(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, MORE, fields=FIELDS, schema={"new_columns": "reject"})
    refused = headgate("run", "items")
    assert refused.code == 2
    assert "the source has the column 'colour', which no field takes" in refused.err
    assert everything(shop) == THERE
    define(shop, MORE, fields=FIELDS, filter="colour is not null", schema={"new_columns": "reject"})
    assert headgate("run", "items").code == 0


def test_a_new_column_in_a_later_file_is_refused(shop: Shop, define: Define, headgate: Headgate, folder: Any) -> None:
    shop.table("item", COLUMNS, THERE)
    (folder / "more.csv").write_text(MORE)
    define(shop, "id,name,qty\n9,x,1\n", source={"path": ["items.csv", "more.csv"]}, fields=FIELDS,
           schema={"new_columns": "add"})  # fmt: skip
    refused = headgate("run", "items")
    assert refused.code != 0
    assert "more.csv: it has the column 'colour', which no field takes" in refused.err
    assert everything(shop) == THERE


def test_without_fields_a_new_column_can_be_ignored(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, MORE)
    assert "has no column for 'colour'" in headgate("run", "items").err
    define(shop, MORE, schema={"new_columns": "ignore"})
    assert counts(headgate("run", "items", "--json").json) == {"updated": 1, "created": 1}
    assert columns(shop) == ["id", "name", "qty"]


def test_a_missing_column_is_no_value_where_that_is_said(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    less = "id,qty\n1,7\n3,1\n"
    define(shop, less, fields=FIELDS)
    assert "there is no column 'name' in the source" in headgate("run", "items").err
    define(shop, less, fields=FIELDS, schema={"missing_columns": "null"})
    plan = headgate("plan", "items", "--json").json
    assert "the source has no column for 'name': no record has a value of it" in plan["warnings"]
    keep = {**FIELDS, "name": {"from": "name", "blank": "keep"}}
    define(shop, less, fields=keep, schema={"missing_columns": "null"})
    assert counts(headgate("run", "items", "--json").json) == {"updated": 1, "created": 1}
    assert everything(shop) == [(1, "lamp", 7), (2, "desk", 9), (3, None, 1)]
    default = {**FIELDS, "name": {"from": "name", "default": "none"}}
    define(shop, less, fields=default, schema={"missing_columns": "null"})
    assert headgate("run", "items").code == 0
    assert everything(shop)[0] == (1, "none", 7)


def test_a_key_cannot_be_missing(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, "name,qty\nlamp,1\n", fields=FIELDS, schema={"missing_columns": "null"})
    assert "there is no column 'id' in the source" in headgate("run", "items").err


def test_a_column_missing_in_a_later_file_is_no_value(
    shop: Shop, define: Define, headgate: Headgate, folder: Any
) -> None:
    shop.table("item", COLUMNS)
    (folder / "less.csv").write_text("id,qty\n2,7\n")
    define(shop, "id,name,qty\n1,x,1\n", source={"path": ["items.csv", "less.csv"]}, fields=FIELDS,
           schema={"missing_columns": "null"})  # fmt: skip
    assert counts(headgate("run", "items", "--json").json) == {"created": 2}
    assert everything(shop) == [(1, "x", 1), (2, None, 7)]


def test_what_changed_since_the_last_run_is_said(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS)
    define(shop, "id,name,qty,old\n1,lamp,5,\n", fields=FIELDS)
    assert headgate("run", "items", "--json").json["warnings"] == []
    define(shop, "id,name,quantity,extra,more\n1,lamp,5,,\n", fields={**FIELDS, "qty": "quantity"})
    warnings = headgate("plan", "items", "--json").json["warnings"]
    assert warnings == [
        "'qty' is gone from the source since run 1, and 'quantity' is new: if it was renamed, say from: 'quantity'",
        "'old' is gone from the source since run 1",
        "'extra' is new in the source since run 1, and no field takes it",
        "'more' is new in the source since run 1, and no field takes it",
    ]
    define(shop, "id,name,menge,old\n1,lamp,5,\n", fields={**FIELDS, "qty": "menge"})
    (same_place,) = headgate("plan", "items", "--json").json["warnings"]
    assert same_place.startswith("'qty' is gone from the source since run 1, and 'menge' is new: if it was renamed")


@pytest.mark.needs_postgres
@pytest.mark.parametrize(
    ("type", "values", "becomes"),
    [
        ("smallint", ["5", "40000"], "integer"),
        ("integer", ["5", "-3000000000"], "bigint"),
        ("integer", ["1.50", "2"], "numeric(11,1)"),
        ("bigint", ["9223372036854775808"], "numeric(19,0)"),
        ("numeric(4,2)", ["123.456"], "numeric(6,3)"),
        ("varchar(3)", ["abcdef"], "character varying(6)"),
    ],
)
def test_a_column_becomes_as_large_as_its_values_need(
    postgres_shop: Shop, define: Define, headgate: Headgate, type: str, values: list[str], becomes: str
) -> None:
    shop = postgres_shop
    shop.table("item", f"id integer primary key, v {type}")
    define(shop, "id,v\n" + "".join(f"{n},{v}\n" for n, v in enumerate(values)))
    few = headgate("run", "items", "--json").json
    assert few["account"]["invalid"] >= 1
    define(shop, schema={"types": "widen"})
    plan = headgate("plan", "items", "--json").json
    assert [c["summary"] for c in plan["schema_changes"]] == [f"change column v of item to {becomes}"]
    assert _type(shop) != becomes
    run = headgate("run", "items", "--json").json
    assert run["account"]["invalid"] == 0
    assert _type(shop) == becomes
    assert [str(v) for _, v in everything(shop)] == [_as(v, becomes) for v in values]
    assert headgate("run", "items", "--json").json["schema_changes"] == []
    assert headgate("undo", run["id"]).code == 0
    assert _type(shop) == becomes


def _type(shop: Shop) -> str:
    query = (
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'item'::regclass and attname = 'v'"
    )
    return str(shop.sql(query)[0][0])


def _as(value: str, type: str) -> str:
    return f"{float(value):.1f}" if type.endswith(",1)") else value


def test_a_destination_that_cannot_says_what_to_do(sqlite_shop: Shop, define: Define, headgate: Headgate) -> None:
    sqlite_shop.table("item", "id integer primary key, v decimal(4,2)")
    define(sqlite_shop, "id,v\n1,123.456\n", schema={"types": "widen"})
    refused = headgate("run", "items")
    assert refused.code == 2
    assert "the destination cannot change the type of a column within a run, and 'v' would need it" in refused.err
    assert "Do it by hand" in refused.err


def test_another_import_of_that_name_says_nothing_of_this_one(
    sqlite_shop: Shop, headgate: Headgate, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "items.csv").write_text("id,name\n1,lamp\n")
    (folder / "elsewhere" / "items.csv").write_text("id,other\n1,lamp\n")
    words = ("run", "items.csv", "--into", "sqlite:///there.db#item", "--key", "id", "--create", "--json")
    assert headgate(*words).code == 0
    monkeypatch.chdir(folder / "elsewhere")
    assert headgate(*words).json["warnings"] == []


@pytest.mark.parametrize("there", [True, False], ids=["a table", "a new table"])
def test_a_column_of_a_later_file_is_not_lost_where_all_columns_are_meant(
    there: bool, folder: Path, sqlite_shop: Shop, define: Define, headgate: Headgate
) -> None:
    if there:
        sqlite_shop.table("item", COLUMNS, [])
    (folder / "1.csv").write_text("id,name\n1,lamp\n")
    (folder / "2.csv").write_text("qty,id,name\n7,2,desk\n")
    destination = {"connection": "shop", "table": "item", "create": True}
    define(sqlite_shop, None, source={"path": "[12].csv"}, fields=None, destination=destination)
    said = headgate("run", "items")
    assert said.code == 1
    assert "2.csv: it has the column 'qty', which no field takes" in said.err
    assert "The first file does not have it" in said.err
    define(
        sqlite_shop,
        None,
        source={"path": "[12].csv"},
        fields=None,
        destination=destination,
        schema={"new_columns": "ignore"},
    )
    assert counts(headgate("run", "items", "--json").json) == {"created": 2}
    define(
        sqlite_shop,
        None,
        source={"path": "[12].csv"},
        fields={"id": {"type": "integer"}, "name": {}},
        destination=destination,
    )
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 2}
