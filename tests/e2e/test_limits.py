"""A run that a limit stops leaves the destination as it was: its tables and what is in them."""

from __future__ import annotations

from typing import Any

import pytest

from support.shop import Define, Headgate, Rows, Shop, counts

COLUMNS = "id integer primary key, name text, qty integer"
THERE = [(1, "lamp", 5), (2, "desk", 9), (3, "shelf", 2)]
DATA = "id,name,qty\n1,lamp,6\n2,desk,10\n3,gone,0\n4,chair,1\n"


def _tables(shop: Shop) -> Rows:
    if shop.kind == "sqlite":
        return sorted(shop.sql("select name from sqlite_master where name not like '%!_headgate!_%' escape '!'"))
    return sorted(
        shop.sql("select schemaname, tablename from pg_tables where schemaname !~ '^(pg_|information|_headgate)'")
    )


@pytest.mark.parametrize(
    ("more", "limits", "said", "enough"),
    [
        ({}, {"changes": 2}, "change or delete 3 of 4", {"changes": 3}),
        ({}, {"changes": "50%"}, "change or delete 3 of 4", {"changes": "75%"}),
        ({}, {"creates": 0}, "create 1 of 4", {"creates": 1}),
        ({"delete_when": "name = 'gone'"}, {"deletes": 0}, "delete 1 of 4", {"deletes": "25%"}),
        ({"delete_when": "name = 'gone'"}, {"changes": 2}, "change or delete 3 of 4", {"changes": 3}),
        ({"operation": "delete"}, {"deletes": "50%"}, "delete 3 of 4", {"deletes": 3}),
        ({"operation": "update", "missing": "skip"}, {"changes": 0}, "change or delete 3 of 4", {"changes": 3}),
    ],
)
def test_a_run_past_its_limit_leaves_nothing(
    more: dict[str, Any], limits: dict[str, Any], said: str, enough: dict[str, Any],
    shop: Shop, define: Define, headgate: Headgate,
) -> None:  # fmt: skip
    shop.table("item", COLUMNS, THERE)
    tables = _tables(shop)
    define(shop, DATA, **more, limits=limits)
    stopped = headgate("run", "items")
    assert stopped.code == 1
    (name, limit), = limits.items()  # fmt: skip
    assert f"{said} records, more than limits.{name}: {limit}; nothing was kept" in stopped.err
    assert (_tables(shop), shop.read("item")) == (tables, THERE)
    assert headgate("runs", "--json").json[0]["status"] == "failed"

    plan = headgate("plan", "items", "--json").json
    assert any("a run would stop here" in w and said in w for w in plan["warnings"])
    assert headgate("run", "--plan", plan["id"]).code == 1
    assert shop.read("item") == THERE

    define(shop, DATA, **more, limits=enough)
    assert headgate("run", "items").code == 0
    assert shop.read("item") != THERE


def test_a_table_the_run_would_have_made_is_not_there(shop: Shop, define: Define, headgate: Headgate) -> None:
    tables = _tables(shop)
    where = {"connection": "shop", "table": "item", "create": True}
    define(shop, DATA, destination=where, limits={"creates": 3})
    stopped = headgate("run", "items")
    assert stopped.code == 1
    assert "create 4 of 4 records, more than limits.creates: 3; nothing was kept" in stopped.err
    assert _tables(shop) == tables
    assert counts(headgate("run", "items", "--set", "limits.creates=4", "--json").json) == {"created": 4}


def test_with_commit_batch_the_batches_before_count_and_are_kept(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS)
    lines = "".join(f"{n},n,{n}\n" for n in range(70_000))
    define(shop, "id,name,qty\n" + lines, commit="batch", limits={"creates": 66_000})
    stopped = headgate("run", "items")
    assert stopped.code == 1
    assert "create 70,000 of 70,000 records, more than limits.creates: 66000" in stopped.err
    assert "the batches committed before are kept" in stopped.err
    assert len(shop.read("item", "id")) == 65_536


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(("rows", "shown"), [(5, "5"), ([5, 9], "5 to 9"), ([0, 3], "0 to 3")])
def test_a_source_without_the_rows_expected_of_it_leaves_nothing(
    rows: Any, shown: str, create: bool, shop: Shop, define: Define, headgate: Headgate
) -> None:
    if not create:
        shop.table("item", COLUMNS, THERE)
    tables = _tables(shop)
    where = {"connection": "shop", "table": "item", "create": create}
    define(shop, DATA, destination=where, expect={"rows": rows})
    plan = headgate("plan", "items", "--json").json
    assert any("a run would stop here: the source has 4 records" in w for w in plan["warnings"])
    for command in (["run", "items"], ["run", "--plan", plan["id"]]):
        stopped = headgate(*command)
        assert stopped.code == 1
        assert f"the source has 4 records, and expect.rows is {shown}; nothing was kept" in stopped.err
    assert _tables(shop) == tables
    assert create or shop.read("item") == THERE
    assert headgate("run", "items", "--set", "expect.rows=4").code == 0
    assert shop.has("item")


def test_rows_refused_and_filtered_are_expected_too(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    data = DATA + "5,rug,x\n"
    define(shop, data, filter="name <> 'gone'", expect={"rows": 5})
    run = headgate("run", "items", "--json")
    assert (run.code, counts(run.json)) == (3, {"created": 1, "updated": 2, "skipped": 1, "invalid": 1})


def test_totals_of_fields_are_held_to_what_is_expected(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA, expect={"fields": {"qty": {"sum": 18, "max": 10}, "id": {"distinct": 4}}})
    stopped = headgate("run", "items")
    assert stopped.code == 1
    assert "the sum of qty is 17, and expect.fields.qty.sum is 18; nothing was kept" in stopped.err
    assert shop.read("item") == THERE
    plan = headgate("plan", "items", "--json").json
    assert any("a run would stop here: the sum of qty is 17" in w for w in plan["warnings"])
    assert headgate("run", "items", "--set", "expect.fields.qty.sum=17").code == 0
    assert shop.read("item") != THERE


def test_a_total_that_its_field_cannot_have_is_said_before_anything_is_read(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA, expect={"fields": {"name": {"sum": 18}}})
    checked = headgate("check", "items")
    assert checked.code == 2
    assert "'name' is text, which has no sum" in checked.err
    assert "expect.fields.name.sum" in checked.err


def test_a_run_unlike_the_last_ones_is_said_or_stopped(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS)
    usual = "id,name,qty\n" + "".join(f"{n},n,{n}\n" for n in range(20))
    for _ in range(3):
        define(shop, usual, anomaly={"read": "50%"})
        assert headgate("run", "items", "--json").json["warnings"] == []
    define(shop, DATA, anomaly={"read": "50%"})
    words = "read is 4, and the median of the last 3 runs is 20 (anomaly.read: 50%)"
    assert f"unusual: {words}" in headgate("plan", "items", "--json").json["warnings"]
    there = shop.read("item")
    stopped = headgate("run", "items", "--set", "anomaly.then=stop")
    assert stopped.code == 1
    assert f"this run is unusual: {words}; nothing was kept" in stopped.err
    assert shop.read("item") == there
    warned = headgate("run", "items", "--json")
    assert warned.code == 0
    assert f"unusual: {words}" in warned.json["warnings"]


def test_with_commit_batch_an_unusual_run_is_said(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS)
    for data in (DATA, DATA, DATA, "id,name,qty\n9,n,1\n"):
        define(shop, data, anomaly={"read": 1}, commit="batch")
        done = headgate("run", "items", "--json")
    assert done.json["warnings"] == ["unusual: read is 1, and the median of the last 3 runs is 4 (anomaly.read: 1)"]
