"""A plan shows what a run would do, touches nothing, and is then done exactly, once, and only as long as it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

import headgate as headgate_package
from support.shop import Define, Headgate, Rows, Shop, counts

COLUMNS = "id integer primary key, name text, qty integer"
THERE = [(1, "lamp", 5), (2, "desk", None), (3, "shelf", 0)]
DATA = "id,name,qty\n1,lamp,6\n2,desk,\n4,chair,2\n4,stool,1\n5,rug,many\n,none,1\n"


@pytest.mark.parametrize(
    ("shop", "operation"),
    [("sqlite", o) for o in ("insert", "update", "upsert", "delete", "mirror", "append")]
    + [("postgres", o) for o in ("upsert", "mirror", "append")],
    indirect=["shop"],
)
def test_a_plan_that_is_run_does_what_a_plain_run_does(
    operation: str, shop: Shop, define: Define, headgate: Headgate
) -> None:
    done: list[tuple[dict[str, int], Rows, list[tuple[int, str]]]] = []
    more = {"key": None, "source": {"path": "items.csv", "again": "run"}} if operation == "append" else {}
    for way in ("plain", "plan"):
        columns = COLUMNS.replace(" primary key", "") if operation == "append" else COLUMNS
        shop.table("item", columns, THERE)
        define(shop, DATA, operation=operation, limits={"deletes": None}, **more)
        if way == "plain":
            run = headgate("run", "items", "--json")
        else:
            plan = headgate("plan", "items", "--json")
            assert shop.read("item") == sorted(THERE), "a plan writes nothing"
            run = headgate("run", "--plan", plan.json["id"], "--json")
            assert counts(plan.json) == counts(run.json)
            assert run.json["plan"] == plan.json["id"]
            assert plan.code == run.code
        assert run.code == 3
        told = headgate("rejects", run.json["id"], "--json").json
        done.append((counts(run.json), shop.read("item"), [(r["line"], r["problems"][0]["code"]) for r in told]))
        shop.sql("drop table item")
    assert done[0] == done[1]


def test_a_plan_leaves_the_file_as_it_is_to_the_byte(
    sqlite_shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    sqlite_shop.connection.close()
    before = (folder / "shop.db").read_bytes()
    define(sqlite_shop, DATA, operation="mirror", limits={"deletes": None})
    assert headgate("plan", "items").code == 3
    assert (folder / "shop.db").read_bytes() == before
    assert {p.name for p in folder.iterdir()} == {"headgate.yaml", "imports", "items.csv", "shop.db"}


def test_a_plan_for_a_table_that_is_not_there_makes_none_and_its_run_does(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    target = {"connection": "shop", "table": "item", "create": True}
    define(shop, "id,name,code\n1,lamp,00501\n2,desk,7\n", destination=target)
    plan = headgate("plan", "items", "--json").json
    assert "create table" in plan["schema_changes"][0]["statement"].lower()
    assert not shop.has("item")
    assert headgate("run", "--plan", plan["id"]).code == 0
    assert shop.read("item") == [(1, "lamp", "00501"), (2, "desk", "7")]


def test_a_plan_makes_no_database_file(folder: Path, define: Define, headgate: Headgate) -> None:
    define("sqlite:///shop.db", DATA, destination={"connection": "shop", "table": "item", "create": True})
    assert headgate("plan", "items").code == 3
    assert not (folder / "shop.db").exists()


def test_a_plan_shows_old_and_new(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA, operation="mirror")
    text = headgate("plan", "items").out
    assert "qty 5 -> 6" in " ".join(text.split())
    assert "headgate run --plan 1" in text
    assert "Nothing has been written" in text
    assert headgate("show", 1).out.count("chair") == text.count("chair")


def test_what_changed_since_the_plan_is_held_and_left_alone(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, "id,name,qty\n1,lamp,6\n2,desk,1\n4,chair,2\n5,rug,1\n", operation="mirror", limits={"deletes": None})
    plan = headgate("plan", "items", "--json").json
    assert counts(plan) == {"created": 2, "updated": 2, "mirror_deleted": 1}
    shop.sql("update item set qty = 77 where id in (1, 3)")
    shop.sql("insert into item values (4, 'mine', 1)")
    run = headgate("run", "--plan", plan["id"], "--json")
    assert run.code == 3
    found = counts(run.json)
    assert (found["created"], found["updated"], found.get("mirror_deleted", 0)) == (1, 1, 0)
    assert found["held"] >= 2
    assert shop.read("item") == [(1, "lamp", 77), (2, "desk", 1), (3, "shelf", 77), (4, "mine", 1), (5, "rug", 1)]
    told = headgate("rejects", run.json["id"], "--json").json
    assert {p["code"] for r in told for p in r["problems"]} == {"HE01"}


def test_a_plan_is_run_once(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA, operation="insert")
    headgate("plan", "items")
    assert headgate("run", "--plan", 1).code == 3
    after = shop.read("item")
    said = headgate("run", "--plan", 1)
    assert said.code == 2
    assert "run already" in said.err
    assert shop.read("item") == after


@pytest.mark.parametrize("change", ["definition", "removed"])
def test_a_plan_is_not_run_after_its_definition_changed(
    change: str, sqlite_shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(sqlite_shop, DATA, operation="insert")
    headgate("plan", "items")
    if change == "definition":
        define(sqlite_shop, operation="upsert")
    else:
        (folder / "imports" / "items.yaml").unlink()
    said = headgate("run", "--plan", 1)
    assert said.code == 2
    assert "Plan again" in said.err
    assert sqlite_shop.read("item") == THERE


def test_a_plan_does_not_read_the_source_again(sqlite_shop: Shop, define: Define, headgate: Headgate) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(sqlite_shop, "id,name,qty\n4,chair,2\n")
    headgate("plan", "items")
    define(sqlite_shop, "id,name,qty\n5,other,2\n")
    assert headgate("run", "--plan", 1).code == 0
    assert sqlite_shop.read("item") == [*THERE, (4, "chair", 2)]


def test_a_plan_made_with_settings_can_be_run(sqlite_shop: Shop, define: Define, headgate: Headgate) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(sqlite_shop, "id,name,qty\n4,chair,2\n1,lamp,9\n")
    assert headgate("plan", "items", "--set", "operation=insert", "--set", "existing=skip").code == 0
    assert headgate("run", "--plan", 1).code == 0
    assert sqlite_shop.read("item") == [*THERE, (4, "chair", 2)]


def test_a_plan_of_one_line_can_be_run_though_an_import_has_the_same_name(
    sqlite_shop: Shop, define: Define, headgate: Headgate
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(sqlite_shop, "id,name,qty\n4,chair,2\n")
    assert headgate("plan", "items.csv", "--into", "shop#item", "--key", "id").code == 0
    assert headgate("run", "--plan", 1).code == 0
    assert sqlite_shop.read("item") == [*THERE, (4, "chair", 2)]


@pytest.mark.parametrize("way", ["definition", "one line"])
def test_a_plan_is_run_into_the_same_file_from_wherever(
    way: str, sqlite_shop: Shop, define: Define, headgate: Headgate, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(
        sqlite_shop,
        "id,name,qty\n4,chair,2\n",
        destination={"connection": "sqlite:///shop.db", "table": "item"},
    )
    words = ["items"] if way == "definition" else ["items.csv", "--into", "sqlite:///shop.db#item", "--key", "id"]
    assert headgate("plan", *words).code == 0
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert headgate("run", "--plan", 1).code == 0
    assert sqlite_shop.read("item") == [*THERE, (4, "chair", 2)]


def test_a_plan_that_would_not_stand_as_a_run_says_so(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, "id,name,qty\n1,lamp,6\n", operation="mirror")
    plan = headgate("plan", "items", "--json").json
    assert any("limits.deletes" in w for w in plan["warnings"])
    said = headgate("run", "--plan", plan["id"])
    assert said.code in (1, 2), "a plan past a limit is not a way round it"
    assert shop.read("item") == THERE


def test_a_failed_plan_cannot_be_run(sqlite_shop: Shop, define: Define, headgate: Headgate) -> None:
    define(sqlite_shop, DATA)
    assert headgate("plan", "items").code == 1
    said = headgate("run", "--plan", 1)
    assert said.code == 2
    assert "did not finish" in said.err


@pytest.mark.parametrize("other", ["run", "plan"])
def test_a_plan_does_not_append_what_a_later_run_has_appended(
    other: str, sqlite_shop: Shop, define: Define, headgate: Headgate
) -> None:
    sqlite_shop.table("item", COLUMNS.replace(" primary key", ""), [])
    define(sqlite_shop, "id,name\n1,lamp\n", operation="append", key=None)
    headgate("plan", "items")
    if other == "run":
        assert headgate("run", "items").code == 0
    else:
        headgate("plan", "items")
        assert headgate("run", "--plan", 2).code == 0
    said = headgate("run", "--plan", 1)
    assert (said.code, said.out) == (2, "")
    assert f"run {2 if other == 'run' else 3} of items came after plan 1" in said.err
    assert sqlite_shop.read("item") == [(1, "lamp", None)]
    headgate("undo", 2 if other == "run" else 3)
    assert headgate("run", "--plan", 1).code == 0, "what was undone is not there twice"
    assert sqlite_shop.read("item") == [(1, "lamp", None)]


def test_a_plan_that_finds_nothing_new_says_so(sqlite_shop: Shop, define: Define, headgate: Headgate) -> None:
    sqlite_shop.table("item", COLUMNS.replace(" primary key", ""), [])
    define(sqlite_shop, "id,name\n1,lamp\n", operation="append", key=None)
    headgate("run", "items")
    said = headgate("plan", "items")
    assert said.code == 0
    assert "was imported already, by run 1" in " ".join(said.out.split())
    assert "headgate run --plan" not in said.out
    assert counts(headgate("plan", "items", "--json").json) == {}
    said = headgate("run", "--plan", 2)
    assert said.code == 2
    assert "plan 2 found nothing new" in said.err
    plan = headgate_package.open_project(".").imports["items"].plan()
    assert list(plan.changes()) == []
