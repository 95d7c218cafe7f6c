"""Several imports in one command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.shop import Headgate, Shop

Imports = Callable[..., None]
PRODUCTS = {
    "source": "products.csv", "key": "sku", "destination": {"connection": "shop", "table": "product"},
    "fields": {"sku": "sku", "name": "name"},
}  # fmt: skip
PRICES = {
    "source": "prices.csv", "operation": "append", "destination": {"connection": "shop", "table": "price"},
    "fields": {"product_id": {"from": "sku", "lookup": "products"}, "price": "price"},
    "lookups": {"products": {"connection": "shop", "table": "PRODUCT", "match": "sku", "take": "id"}},
}  # fmt: skip
STORES = {
    "source": "stores.csv",
    "key": "code",
    "destination": {"connection": "shop", "table": "store", "create": True},
}


@pytest.fixture
def imports(shop: Shop, folder: Path) -> Imports:
    """Makes a project of the given imports, with products, their prices and stores as files."""
    serial = {"sqlite": "integer primary key", "postgres": "serial primary key"}[shop.kind]
    shop.sql(f"create table product (id {serial}, sku text unique, name text)")
    shop.sql("create table price (product_id integer references product (id), price integer)")
    (folder / "products.csv").write_text("sku,name\nA,Lamp\nB,Desk\n")
    (folder / "prices.csv").write_text("sku,price\nA,1\nB,2\nA,3\n")
    (folder / "stores.csv").write_text("code,city\nS1,Hamburg\n")
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"shop": shop.url}}))
    (folder / "imports").mkdir()

    def write(**definitions: dict[str, Any]) -> None:
        for name, definition in definitions.items():
            (folder / "imports" / f"{name}.yaml").write_text(yaml.safe_dump(definition, sort_keys=False))

    return write


def statuses(runs: list[dict[str, Any]]) -> dict[str, str]:
    return {r["import"]: r["status"] for r in runs}


def test_what_is_looked_up_in_is_written_first(shop: Shop, imports: Imports, headgate: Headgate) -> None:
    imports(products=PRODUCTS, prices=PRICES, stores=STORES)
    done = headgate("run", "prices", "products", "stores", "--json")
    assert done.code == 0
    assert list(statuses(done.json)) == ["products", "prices", "stores"]
    assert shop.read("price") == [(1, 1), (1, 3), (2, 2)]


def test_all_imports_of_a_project(shop: Shop, imports: Imports, headgate: Headgate) -> None:
    imports(products=PRODUCTS, prices=PRICES, stores=STORES)
    said = headgate("run", "--all")
    assert said.code == 0
    summary = [line.split() for line in said.out.splitlines()[-4:]]
    assert summary == [
        ["import", "run", "status", "read", "rejects"],
        ["products", "1", "succeeded", "2", "0"],
        ["prices", "2", "succeeded", "3", "0"],
        ["stores", "3", "succeeded", "1", "0"],
    ]
    assert headgate("run", "--all", "products").code == 2


def test_the_order_can_be_kept(imports: Imports, headgate: Headgate) -> None:
    imports(products=PRODUCTS, prices=PRICES)
    done = headgate("run", "prices", "products", "--keep-order", "--json")
    assert done.code == 3
    assert list(statuses(done.json)) == ["prices", "products"]
    assert done.json[0]["account"]["invalid"] == 3


def test_those_that_need_one_that_failed_are_not_begun(
    shop: Shop, folder: Path, imports: Imports, headgate: Headgate
) -> None:
    imports(products=PRODUCTS, prices=PRICES, stores=STORES)
    (folder / "products.csv").unlink()
    done = headgate("run", "prices", "products", "stores", "--json")
    assert done.code == 1
    assert statuses(done.json) == {"products": "failed", "prices": "not begun", "stores": "succeeded"}
    assert "products failed" in done.json[1]["error"]["message"]
    assert shop.read("price") == []
    stopped = headgate("run", "prices", "products", "stores", "--stop", "--json")
    assert statuses(stopped.json) == {"products": "failed", "prices": "not begun", "stores": "not begun"}
    assert "not begun" in headgate("run", "prices", "products").out


def test_a_circle_is_named(shop: Shop, imports: Imports, headgate: Headgate) -> None:
    products = PRODUCTS | {
        "lookups": {"prices": {"connection": "shop", "table": "price", "match": "price", "take": "price"}},
        "fields": {"sku": "sku", "name": {"from": "name", "lookup": "prices", "missing": "null"}},
    }
    imports(products=products, prices=PRICES)
    refused = headgate("run", "--all")
    assert refused.code == 2
    assert "prices -> products -> prices" in refused.err
    assert "--keep-order" in refused.err
    assert shop.read("product") == []
    assert headgate("run", "products", "prices", "--keep-order").code == 0


def test_nothing_is_run_when_one_is_wrong(shop: Shop, imports: Imports, headgate: Headgate) -> None:
    imports(products=PRODUCTS)
    assert headgate("run", "products", "nothing").code == 2
    assert shop.read("product") == []


def test_a_child_of_a_refused_record_is_held(shop: Shop, folder: Path, imports: Imports, headgate: Headgate) -> None:
    fields = {
        "sku": {"from": "sku", "transform": ["trim", "upper"]},
        "name": {"from": "name", "type": "text(5)", "required": True},
    }
    imports(products=PRODUCTS | {"fields": fields}, prices=PRICES)
    (folder / "products.csv").write_text("sku,name\nA,Lamp\n b,Wardrobe\n,Desk\n")
    (folder / "prices.csv").write_text("sku,price\nA,1\nB,2\nC,3\nB,x\n")
    done = headgate("run", "prices", "products", "--json")
    assert done.code == 3
    products, prices = done.json
    assert products["account"]["invalid"] == 2
    assert {k: prices["account"][k] for k in ("created", "held", "invalid")} == {"created": 1, "held": 1, "invalid": 2}
    rejects = headgate("rejects", prices["id"], "--json").json
    assert [(r["outcome"], [p["code"] for p in r["problems"]]) for r in rejects] == [
        ("held", ["HE02"]), ("invalid", ["LK01"]), ("invalid", ["HE02", "TY01"])
    ]  # fmt: skip
    reason = rejects[0]["problems"][0]["reason"]
    assert reason == '"B": the record it refers to was refused: products, products.csv, line 3 [TY13]'
    alone = headgate("run", "prices", "--json").json
    assert alone["account"]["held"] == 0


def test_a_record_that_is_there_is_found_although_its_update_was_refused(
    shop: Shop, folder: Path, imports: Imports, headgate: Headgate
) -> None:
    imports(products=PRODUCTS | {"fields": {"sku": "sku", "name": {"from": "name", "type": "text(5)"}}}, prices=PRICES)
    shop.sql("insert into product (sku, name) values ('A', 'Old')")
    (folder / "products.csv").write_text("sku,name\nA,Wardrobe\n")
    (folder / "prices.csv").write_text("sku,price\nA,1\n")
    assert headgate("run", "prices", "products", "--json").json[1]["account"]["created"] == 1
