"""The demo tells the truth: its counts were worked out from the files by other means."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest

from support.shop import Ask, Headgate

FIRST = {
    "products": {"read": 504, "created": 504},
    "categories": {"read": 37, "created": 37},
    "countries": {"read": 249, "created": 249},
    "goods-received": {"read": 157, "created": 157},
    "prices": {"read": 395, "updated": 77, "unchanged": 216, "skipped": 102},
    "supplier-prices": {"read": 14, "updated": 6, "rejects": 8},
}
AGAIN = {
    "products": {"read": 504, "unchanged": 504},
    "categories": {"read": 37, "unchanged": 37},
    "countries": {"read": 249, "unchanged": 249},
    "goods-received": {"read": 157, "unchanged": 157},
    "prices": {"read": 395, "unchanged": 293, "skipped": 102},
    "supplier-prices": {"read": 14, "unchanged": 6, "rejects": 8},
}
REFUSED = {
    5: ("Cost", "27,O5", {"TR01", "TY02"}),
    7: ("Product", "XX-1000", {"KY04"}),
    8: ("Valid from", "31.06.2025", {"TY05"}),
    10: ("Product", "FB-9873", {"KY02"}),
    11: ("Cost", "-76,10", {"RU02"}),
    12: ("Cost", None, {"RU01"}),
    13: ("Cost", "178,123456", {"TY12"}),
    14: ("Product", None, {"KY01"}),
}


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADGATE_HOME")
    with as_file(files("headgate") / "demo") as demo:
        shutil.copytree(demo, folder, dirs_exist_ok=True)


def _account(run: dict[str, Any]) -> dict[str, int]:
    """The counts that are not zero; every kind of reject as one."""
    counts = {k: v for k, v in run["account"].items() if isinstance(v, int) and v}
    rejects = sum(counts.pop(k, 0) for k in ("invalid", "rejected", "held", "unknown"))
    return counts | ({"rejects": rejects} if rejects else {})


def test_every_import_does_what_was_worked_out_and_the_second_time_changes_nothing(
    shop: None, headgate: Headgate, rows: Ask
) -> None:
    first = headgate("run", *FIRST, "--json")
    again = headgate("run", *AGAIN, "--json")
    assert (first.code, again.code) == (3, 3)
    assert {r["import"]: _account(r) for r in first.json} == FIRST
    assert {r["import"]: _account(r) for r in again.json} == AGAIN
    _check_values(rows)


def test_plan_shows_what_the_run_then_does(shop: None, headgate: Headgate, rows: Ask, folder: Path) -> None:
    plan = headgate("plan", "products", "--json").json
    assert not (folder / "shop.db").exists() or rows("select * from sqlite_master where name = 'product'") == []
    assert _account(plan) == FIRST["products"]
    done = headgate("run", "--plan", plan["id"], "--json")
    assert done.code == 0
    assert _account(done.json) == FIRST["products"]
    assert rows("select count(*) from product") == [(504,)]


def _check_values(rows: Ask) -> None:
    """Values arrived undamaged."""
    assert rows("select name, number from country where code in ('NA', 'AF') order by code") == [
        ("Afghanistan", "004"),
        ("Namibia", "516"),
    ]
    assert rows("select size, weight, unit, price_since from product where sku = 'BK-M82S-38'") == [
        ("38", 20.35, "pound", "2022-05-30")
    ]
    assert rows("select list_price, price_since, cost, cost_since from product where sku = 'FB-9873'") == [
        (106.5, "2024-05-29", 46.9, "2025-07-01")
    ]
    assert rows("select count(*), sum(received), sum(rejected > 0) from goods_received") == [(157, 38278, 11)]


def test_bad_rows_are_refused_with_line_value_and_code(shop: None, headgate: Headgate) -> None:
    headgate("run", "products", "--quiet")
    assert headgate("run", "supplier-prices", "--quiet").code == 3
    told = headgate("rejects", 2, "--json").json
    found = {r["line"]: r for r in told}
    assert found.keys() == REFUSED.keys()
    for line, (column, value, codes) in REFUSED.items():
        assert {p["code"] for p in found[line]["problems"]} & codes, (line, found[line])
        assert found[line]["raw"][column] == value
        assert found[line]["file"] == "inbox/prices-from-supplier.csv"


def test_demo_command_tells_the_story_and_leaves_a_project(folder: Path, headgate: Headgate) -> None:
    said = headgate("demo", "a-shop")
    assert said.code == 0
    assert "0 changed" in said.out
    assert headgate("demo", "a-shop").code == 2, "a folder that is there is not touched"
    assert (folder / "a-shop" / "LICENSES").is_dir()
