"""Taking runs back, through the command line, on real databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.shop import Define, Headgate, Shop, counts

COLUMNS = "id integer primary key, name text, qty integer, note text default 'made here'"
THERE = [(1, "lamp", 5, "a"), (2, "desk", 2, "b"), (3, "chair", 7, "c"), (4, "shelf", 0, None)]
DATA = "id,name,qty\n1,lamp,5\n2,table,9\n5,sofa,1\n6,bed,x\n7,stool,3\n"
SHOPS = pytest.mark.parametrize("shop", ["sqlite", "duckdb", "postgres"], indirect=True)


@pytest.mark.parametrize("operation", ["upsert", "insert", "update", "delete", "mirror"])
@SHOPS
def test_a_run_is_taken_back(operation: str, shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    data = DATA.replace("6,bed,x\n", "") if operation == "mirror" else DATA
    define(shop, data, operation=operation, limits={"deletes": None})
    run = headgate("run", "items", "--json").json
    after = shop.read("item")
    assert after != sorted(THERE)
    looked = headgate("undo", run["id"], "--dry-run", "--json").json
    assert shop.read("item") == after, "a dry run writes nothing"
    undo = headgate("undo", run["id"], "--json")
    assert undo.code == 0
    for key in ("reversed", "left", "failed"):
        assert undo.json[key] == looked[key]
    assert (undo.json["left"], undo.json["failed"]) == (0, 0)
    assert shop.read("item") == sorted(THERE)
    assert headgate("show", run["id"], "--json").json["status"] == "undone"
    redo = headgate("undo", undo.json["id"], "--json").json
    assert redo["account"]["balance"] == 0
    assert shop.read("item") == after
    assert headgate("show", run["id"], "--json").json["status"] == run["status"]


@SHOPS
def test_what_was_edited_since_is_left_and_listed(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA)
    run = headgate("run", "items", "--json").json
    shop.sql("update item set name = 'mine' where id = 2")
    shop.sql("update item set note = 'mine' where id = 5")
    undo = headgate("undo", run["id"])
    assert undo.code == 3
    assert "1 reversed, 2 left because edited since, 0 failed" in undo.out
    assert "id 2" in undo.out
    assert "[HE03]" in undo.out
    rows = {r[0]: r[1:] for r in shop.read("item")}
    assert (rows[2][0], rows[5][2], 7 in rows) == ("mine", "mine", False)
    assert headgate("show", run["id"], "--json").json["status"] == "partial", "it is not undone as a whole"
    rest = headgate("undo", run["id"], "--force", "--json")
    assert (rest.json["reversed"], rest.json["left"]) == (2, 0), "what was taken back before is not counted again"
    assert shop.read("item") == sorted(THERE)


@SHOPS
def test_only_what_was_created(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA)
    run = headgate("run", "items", "--json").json
    first = headgate("undo", run["id"], "--only", "created", "--json").json
    assert counts(first) == {"deleted": 2}
    assert headgate("show", run["id"], "--json").json["status"] == "partial"
    second = headgate("undo", run["id"], "--json").json
    assert counts(second) == {"updated": 1}
    assert shop.read("item") == sorted(THERE)


@SHOPS
def test_a_table_that_the_run_made_goes_with_it(shop: Shop, define: Define, headgate: Headgate) -> None:
    define(shop, "id,name\n1,a\n2,b\n2,c\n", destination={"connection": "shop", "table": "item", "create": True})
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": 2, "skipped": 1}
    undo = headgate("undo", run["id"], "--json").json
    assert undo["left"] == 0
    assert [c["summary"] for c in undo["schema_changes"]] == ["drop table item"]
    assert "removed the table" in headgate("undo", undo["id"]).err
    assert headgate("run", "items", "--json").json["schema_changes"], "the table is made anew, so it was gone"
    shop.sql("insert into item (id, name) values (9, 'mine')")
    kept = headgate("undo", "3", "--json").json
    assert "stays" in kept["warnings"][0]
    assert shop.read("item") == [(9, "mine")]


@SHOPS
def test_a_plan_that_was_run_is_taken_back(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA)
    plan = headgate("plan", "items", "--json").json
    run = headgate("run", "--plan", plan["id"], "--json").json
    assert headgate("undo", run["id"], "--json").json["reversed"] == 3
    assert shop.read("item") == sorted(THERE)


@SHOPS
def test_batches_that_touch_one_record_twice_are_taken_back_to_before_the_first(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS, THERE)
    filler = "".join(f"{i},x,1\n" for i in range(100, 70_000))
    define(shop, f"id,name,qty\n2,first,1\n5,new,1\n{filler}2,second,2\n5,newer,2\n1,lamp,6\n", commit="batch")
    run = headgate("run", "items", "--json").json
    assert run["account"]["created"] == 69_901
    undo = headgate("undo", run["id"], "--json").json
    assert (undo["left"], undo["failed"]) == (0, 0)
    assert shop.read("item") == sorted(THERE)


def test_a_table_too_wide_for_undo_is_said_to_be(shop: Shop, define: Define, headgate: Headgate) -> None:
    """A run of it would be journaled, and could not be taken back in one transaction."""
    names = [f"c{i}" for i in range(700)]
    shop.table("item", f"id integer primary key, {', '.join(f'{n} integer' for n in names)}", [])
    define(shop, "id\n1\n", fields={"id": "id"})
    plan = headgate("plan", "items", "--json").json
    assert "a run of it cannot be undone: it keeps no journal" in plan["warnings"]
    run = headgate("run", "--plan", plan["id"], "--json").json
    assert run["account"]["created"] == 1
    assert headgate("undo", run["id"]).code == 2


def test_what_cannot_be_undone_is_said(shop: Shop, define: Define, headgate: Headgate, folder: Path) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA, journal=False)
    plan = headgate("plan", "items", "--json").json
    assert "a run of it cannot be undone: it keeps no journal" in plan["warnings"]
    assert headgate("undo", plan["id"]).err.startswith(f"headgate: {plan['id']} is a plan")
    run = headgate("run", "items", "--json").json
    refused = headgate("undo", run["id"])
    assert (refused.code, "journal: false" in refused.err) == (2, True)
    assert headgate("undo", "99").code == 2
    define(shop, DATA, rejects={"limit": 0})
    assert headgate("run", "items").code == 1
    assert "nothing of it was kept" in headgate("undo", run["id"] + 1).err
    define(shop, DATA)
    again = headgate("run", "items", "--json").json
    shop.sql("update item set qty = 1 where id = 2")
    assert headgate("undo", headgate("run", "items", "--json").json["id"]).code == 0
    assert headgate("undo", again["id"] + 1).code == 2, "undone already"


def test_journals_go_when_they_are_too_old_or_too_much(
    shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA)
    run = headgate("run", "items", "--json").json
    settings = folder / "headgate.yaml"
    settings.write_text(settings.read_text() + "journal: { megabytes: 0 }\n")
    headgate("run", "items")
    assert "pruned" in headgate("undo", run["id"]).err
