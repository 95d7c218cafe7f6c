"""Lookups from tables and queries, and entries that are made for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.shop import Define, Headgate, Shop, counts

SERIAL = {
    "duckdb": "integer primary key default nextval('numbers')",
    "sqlite": "integer primary key",
    "postgres": "serial primary key",
    "mysql": "integer auto_increment primary key",
}
NAME = {"mysql": "varchar(40)"}


@pytest.fixture(
    params=["sqlite", "duckdb", pytest.param("postgres", marks=pytest.mark.needs_postgres), "maria", "mysql"]
)
def shop(request: pytest.FixtureRequest) -> Shop:
    """Each destination that can be looked up in."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


def serial(shop: Shop) -> str:
    """The type of a number that the table gives."""
    if shop.kind == "duckdb":
        shop.sql("create sequence if not exists numbers")
    return SERIAL[shop.kind]


def name_type(shop: Shop) -> str:
    """The type of a name that can be unique."""
    return NAME.get(shop.kind, "text")


def categories(shop: Shop) -> None:
    shop.sql(f"create table category (id {serial(shop)}, name {name_type(shop)} not null unique, origin text)")
    for name in ("Bikes", "Helmets"):
        shop.sql("insert into category (name) values (?)", [name])
    shop.sql("create table item (id integer primary key, category_id integer references category (id), qty integer)")


def by_name(**lookup: object) -> dict[str, Any]:
    return {
        "lookups": {"categories": {"connection": "shop", "table": "category", "match": "name", "take": "id"} | lookup},
        "fields": {
            "id": "id",
            "category_id": {"from": "category", "lookup": "categories"},
            "qty": {"from": "qty", "type": "integer"},
        },
    }


def creating(**lookup: object) -> dict[str, Any]:
    definition = by_name(**lookup)
    definition["fields"]["category_id"]["missing"] = "create"
    return definition


def test_a_value_is_looked_up_in_a_table(shop: Shop, define: Define, headgate: Headgate) -> None:
    categories(shop)
    define(shop, "id,category,qty\n1,Helmets,1\n2,Bycicles,1\n3,,1\n", **by_name())
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": 2, "invalid": 1}
    assert shop.read("item") == [(1, 2, 1), (3, None, 1)]
    assert run["partitions"][0]["findings"]["lookups"] == {"categories": {"entries": 2, "ambiguous": 0}}
    assert '"Bycicles"' in headgate("rejects", 1).out
    shop.sql("insert into category (name) values ('Bycicles')")
    assert counts(headgate("run", "items", "--json").json) == {"created": 1, "unchanged": 2}


def test_what_a_lookup_found_is_shown_by_check(shop: Shop, define: Define, headgate: Headgate) -> None:
    categories(shop)
    if shop.kind == "mysql":
        shop.sql("alter table category modify name varchar(40) collate utf8mb4_bin not null")
    shop.sql("insert into category (name) values ('BIKES')")
    define(shop, "id,category,qty\n1,bikes,1\n", **by_name(ignore_case=True))
    assert "lookup categories: 2 entries, 1 of them ambiguous" in headgate("check", "items").out
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"invalid": 1}
    assert [r["code"] for r in run["rejects"]] == ["LK02"]


def test_composite_keys(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.sql("create table price (sku text, valid date, currency text, id integer)")
    for sku, valid, currency, number in (
        ("A-1", "2024-01-31", "EUR", 1), ("A-1", "2024-02-01", "EUR", 2), ("A-1", "2024-01-31", "USD", 3),
        ("B-1", "2024-01-31", "EUR", 4), ("B-1", "2024-01-31", "EUR", 5),
    ):  # fmt: skip
        shop.sql("insert into price values (?, ?, ?, ?)", [sku, valid, currency, number])
    shop.sql("create table item (id integer primary key, price_id integer)")
    define(
        shop,
        "id,product,day\n1,a-1 ,2024-01-31\n2,a-1,2024-02-01\n3,a-1,2024-03-01\n4,b-1,2024-01-31\n5,,\n6,a-1,\n",
        lookups={
            "prices": {
                "connection": "shop", "table": "price", "match": ["sku", "valid"], "take": "id", "where": {"currency": "EUR"}
            }
        },
        fields={"id": "id", "price_id": {"from": ["product", "day"], "lookup": "prices", "transform": ["trim", "upper"]}},
    )  # fmt: skip
    run = headgate("run", "items", "--json").json
    assert shop.read("item") == [(1, 1), (2, 2), (5, None)]
    assert {r["code"]: r["records"] for r in run["rejects"]} == {"LK01": 2, "LK02": 1}
    assert 'has no entry for "A-1", "2024-03-01"' in headgate("rejects", 1).out


def test_a_query_with_parameters(shop: Shop, define: Define, headgate: Headgate) -> None:
    categories(shop)
    query = "select upper(name) as code, id, '100%' as \":no\" from category where name <> :hidden -- a comment\n"
    define(
        shop,
        "id,category,qty\n1,BIKES,1\n2,HELMETS,1\n",
        lookups={"categories": {"connection": "shop", "query": query, "match": "code", "take": "id", "params": {"hidden": "Helmets"}}},
        fields={"id": "id", "category_id": {"from": "category", "lookup": "categories", "missing": "null"}},
    )  # fmt: skip
    headgate("run", "items")
    assert shop.read("item", "id, category_id") == [(1, 1), (2, None)]


def test_a_query_can_write_nothing(shop: Shop, define: Define, headgate: Headgate) -> None:
    categories(shop)
    query = "with gone as (delete from category returning id, name) select id, name from gone"
    definition = by_name(query=query)
    del definition["lookups"]["categories"]["table"]
    define(shop, "id,category,qty\n1,Bikes,1\n", **definition)
    assert headgate("run", "items").code == 1
    assert len(shop.read("category")) == 2


@pytest.mark.parametrize(
    ("lookup", "said"),
    [
        ({"table": "categori"}, "categori"),
        ({"take": "nr"}, "'nr'"),
        ({"where": {"shop": 1}}, "'shop'"),
        ({"table": None, "query": "select * from category where id = :x"}, "parameter :x has no value"),
        ({"table": None, "query": "select * from category", "params": {"y": 1}}, ":y is not in the query"),
        ({"table": None, "query": "select oops from category"}, "oops"),
        ({"connection": "nowhere"}, "no connection 'nowhere'"),
    ],
)
def test_a_lookup_that_cannot_be_read(
    shop: Shop, define: Define, headgate: Headgate, lookup: dict[str, Any], said: str
) -> None:
    categories(shop)
    definition = by_name(**lookup)
    one = definition["lookups"]["categories"]
    definition["lookups"]["categories"] = {k: v for k, v in one.items() if v is not None}
    define(shop, "id,category,qty\n1,Bikes,1\n", **definition)
    failed = headgate("run", "items")
    assert failed.code in (1, 2)
    assert said in failed.err


@pytest.mark.parametrize("operation", ["upsert", "append"])
def test_missing_entries_are_made(shop: Shop, define: Define, headgate: Headgate, operation: str) -> None:
    categories(shop)
    lookup = {"create": {"origin": "import"}, "ignore_case": True}
    key = "id" if operation == "upsert" else None
    data = "id,category,qty\n1,Bikes,1\n2,Tents,1\n3,tents,1\n4,Lamps,x\n5,Ropes,1\n"
    define(shop, data, **creating(**lookup), operation=operation, key=key)
    plan = headgate("plan", "items", "--json").json
    assert "would create 2 records in category" in plan["warnings"]
    assert len(shop.read("category")) == 2
    shown = headgate("show", plan["id"]).out
    assert "headgate run items" in shown
    assert "--plan" not in shown
    refused = headgate("run", "--plan", plan["id"])
    assert refused.code == 2
    assert "would create 2 records in category" in refused.err
    assert "headgate run items" in refused.err
    run = headgate("run", "items", "--json").json
    assert "created 2 records in category" in run["warnings"]
    assert run["partitions"][0]["findings"]["lookups"]["categories"]["created"] == 2
    assert counts(run) == {"created": 4, "invalid": 1}
    made = dict(shop.sql("select name, id from category where origin = 'import'"))
    assert set(made) == {"Tents", "Ropes"}
    assert shop.read("item") == [(1, 1, 1), (2, made["Tents"], 1), (3, made["Tents"], 1), (5, made["Ropes"], 1)]
    again = headgate("run", "items", "--json", "--set", "source={path: items.csv, again: run}").json
    assert counts(again).get("invalid") == 1
    assert len(shop.read("category")) == 4


def test_a_run_that_fails_leaves_no_entry_behind(shop: Shop, define: Define, headgate: Headgate) -> None:
    categories(shop)
    define(shop, "id,category,qty\n1,Tents,1\n2,Bikes,x\n", **creating(), rejects={"limit": 0})
    assert headgate("run", "items").code == 1
    assert len(shop.read("category")) == 2
    assert shop.read("item") == []
    assert headgate("show", 1, "--json").json["warnings"] == []


def test_an_entry_the_destination_refuses(shop: Shop, define: Define, headgate: Headgate) -> None:
    categories(shop)
    number = serial(shop) if shop.kind in ("mysql", "duckdb") else "integer primary key"
    shop.sql(f"create table colour (id {number}, name {name_type(shop)} unique check (length(name) < 6))")
    shop.sql("alter table item add column colour_id integer")
    definition = creating()
    definition["lookups"]["colours"] = {"connection": "shop", "table": "colour", "match": "name", "take": "name"}
    if shop.kind == "postgres":
        shop.sql("create sequence c; alter table colour alter column id set default nextval('c')")
    definition["fields"]["qty"] = {"from": "colour", "lookup": "colours", "missing": "create"}
    shop.sql("alter table item drop column qty")
    shop.sql("alter table item add column qty text")
    define(shop, "id,category,colour\n1,Tents,red\n2,Tents,vermilion\n3,Tents,blue\n", **definition)
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": 2, "invalid": 1}
    assert shop.read("colour", "name") == [("blue",), ("red",)]
    said = headgate("rejects", 1).out
    assert 'has no entry for "vermilion", and none could be made: ' in said
    assert ("constraint" if shop.kind == "mysql" else "check") in said.lower()


def test_entries_go_with_the_first_batch(shop: Shop, define: Define, headgate: Headgate) -> None:
    categories(shop)
    rows = [f"{n},{'Tents' if n % 2 else 'Ropes'},1" for n in range(70_000)]
    define(shop, "\n".join(["id,category,qty", *rows]), **creating(), commit="batch", operation="insert")
    assert counts(headgate("run", "items", "--json").json) == {"created": 70_000}
    assert len(shop.read("category")) == 4
    assert shop.sql("select count(*) from item where category_id is null") == [(0,)]


def test_the_lookup_may_be_the_table_itself(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.sql(f"create table item (nr {serial(shop)}, id {name_type(shop)} unique, parent integer)")
    define(
        shop,
        "id,of\na,\nb,a\nc,z\n",
        lookups={"items": {"connection": "shop", "table": "item", "match": "id", "take": "nr"}},
        fields={"id": "id", "parent": {"from": "of", "lookup": "items", "missing": "create"}},
    )
    assert headgate("run", "items").code == 0
    found = {name: (nr, parent) for nr, name, parent in shop.read("item")}
    assert found["b"][1] == found["a"][0]
    assert found["c"][1] == found["z"][0]


@pytest.mark.parametrize("shop", ["maria", "mysql"], indirect=True)
def test_values_the_database_thinks_equal_are_refused_one_by_one(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    categories(shop)
    shop.sql("alter table category modify name varchar(40) collate utf8mb4_general_ci not null")
    texts = ["Tents", "tents", "Tents ", "Ténts", "Ropes", "bikes", "BIKES  ", "Lamps"]
    data = "\n".join(["id,category,qty", *(f'{n},"{text}",1' for n, text in enumerate(texts))])
    define(shop, data, **creating())
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": 3, "invalid": 5}
    assert {r["code"] for r in run["rejects"]} == {"LK01"}
    assert "Duplicate entry 'tents'" in headgate("rejects", 1).out
    made = dict(shop.sql("select name, id from category"))
    assert set(made) == {"Bikes", "Helmets", "Tents", "Ropes", "Lamps"}
    assert shop.read("item") == [(0, made["Tents"], 1), (4, made["Ropes"], 1), (7, made["Lamps"], 1)]


def test_a_run_into_a_new_table_that_fails_leaves_no_entry_behind(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    categories(shop)
    shop.sql("drop table item")
    there = {"connection": "shop", "table": "item", "create": True}
    definition = creating()
    definition["fields"]["category_id"]["type"] = "integer"
    define(shop, "id,category,qty\n1,Tents,1\n2,Bikes,x\n", **definition, destination=there, rejects={"limit": 0})
    assert headgate("run", "items").code == 1
    assert len(shop.read("category")) == 2
    assert not shop.has("item")
    define(shop, "id,category,qty\n1,Tents,1\n", **definition, destination=there)
    assert headgate("run", "items").code == 0
    assert shop.sql("select name from item join category c on c.id = category_id") == [("Tents",)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"operation": "delete"}, "a deletion makes no entries"),
        ({"lookups": {"categories": {"values": {"a": 1}}}}, "must be a table of the destination's connection"),
        ({"lookups": {"categories": {"connection": "shop", "table": "category", "match": ["name", "id"], "take": "id"}}}, "compares 2 values"),
        ({"lookups": {"categories": {"connection": "shop", "table": "category", "match": "origin", "take": "id"}}}, "category needs a value for name"),
        ({"lookups": {"categories": {"connection": "shop", "table": "category", "match": "name", "take": "id", "create": {"hue": 1}}}}, "no column 'hue'"),
    ],
)  # fmt: skip
def test_definitions_that_cannot_make_entries(
    sqlite_shop: Shop, define: Define, headgate: Headgate, change: dict[str, Any], said: str
) -> None:
    categories(sqlite_shop)
    define(sqlite_shop, "id,category,qty\n1,Bikes,1\n", **(creating() | change))
    failed = headgate("check", "items")
    assert failed.code == 2
    assert said in failed.out + failed.err


def test_a_lookup_in_another_database(shop: Shop, folder: Path, define: Define, headgate: Headgate) -> None:
    (folder / "names.csv").write_text("code,name\n1,Bikes\n2,Helmets\n")
    assert headgate("run", "names.csv", "--into", "sqlite:///names.db#names", "--key", "code", "--create").code == 0
    shop.sql("create table item (id integer primary key, code integer)")
    define(
        shop,
        "id,category\n1,Helmets\n",
        lookups={"names": {"connection": "sqlite:///names.db", "table": "names", "match": "name", "take": "code"}},
        fields={"id": "id", "code": {"from": "category", "lookup": "names"}},
    )
    assert headgate("run", "items").code == 0
    assert shop.read("item") == [(1, 2)]
