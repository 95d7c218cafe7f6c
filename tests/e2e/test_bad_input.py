"""Mistakes in definitions, commands and values: a clear error or a reject with a code, and nothing half written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.shop import Ask, Headgate

HEADGATE = "connections:\n  shop: sqlite:///shop.db\n"
ITEMS = """\
source: {source}
fields:
  sku: {{ from: sku }}
  price: {{ {price} }}
key: sku
{more}
destination: {{ connection: shop, table: item, create: true }}
"""
GOOD = "sku,price\nA-1,12.50\nA-2,7.00\n"


@pytest.fixture
def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a project with one import, `items`, of one file."""
    monkeypatch.delenv("HEADGATE_HOME")

    def make(
        data: bytes | str = GOOD, *, price: str = 'type: "decimal(12,2)"', more: str = "", source: str = "items.csv"
    ) -> None:
        (folder / "headgate.yaml").write_text(HEADGATE)
        (folder / "imports").mkdir(exist_ok=True)
        (folder / "imports" / "items.yaml").write_text(ITEMS.format(source=source, price=price, more=more))
        (folder / "items.csv").write_bytes(data.encode() if isinstance(data, str) else data)

    return make


def _nothing_written(folder: Path, rows: Ask) -> bool:
    return not (folder / "shop.db").exists() or rows("select name from sqlite_master where name = 'item'") == []


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        ({"price": "from: cost"}, 2, "cost"),
        ({"price": 'type: "decimal(99,2)"'}, 2, "decimal"),
        ({"price": "transfrom: trim"}, 2, "transform"),
        ({"price": "transform: trimm"}, 2, "trim"),
        ({"price": "expr: \"read_text('/etc/passwd')\""}, 2, "read_text"),
        ({"price": 'expr: "price +"'}, 2, "price"),
        ({"price": 'expr: "cost * 2"'}, 2, "cost"),
        ({"price": "lookup: prices"}, 2, "prices"),
        ({"more": "operation: upsrt"}, 2, "upsert"),
        ({"more": "rejects: { limit: 0 }", "data": "sku,price\nA-1,dear\n"}, 1, "limit"),
    ],
    ids=lambda v: "" if not isinstance(v, dict) else "-".join(map(str, v.values()))[:40].replace("\0", ""),
)  # fmt: skip
def test_error_is_told_and_nothing_is_written(
    settings: dict[str, Any],
    code: int,
    told: str,
    project: Callable[..., None],
    headgate: Headgate,
    folder: Path,
    rows: Ask,
) -> None:
    project(**settings)
    said = headgate("run", "items")
    assert (said.code, said.out) == (code, ""), said.err
    assert told in said.err
    assert _nothing_written(folder, rows)


@pytest.mark.parametrize(
    ("data", "settings", "codes"),
    [
        ("sku,price\nA-1,12.50\n,7.00\n", {}, {3: "KY01"}),
        ("sku,price\nA-1,12.50\nA-2,dear\n", {}, {3: "TY02"}),
        ("sku,price\nA-1,12.50\nA-2,7.005\n", {}, {3: "TY12"}),
        ("sku,price\nA-1,12.50\nA-2,99999999999\n", {}, {3: "TY11"}),
        ('sku,price\nA-1,12.50\n"A\n2",dear\nA-3,dear\n', {}, {3: "TY02", 5: "TY02"}),
        ("sku,price\nA-1,12.50\nA-1,7.00\n", {"more": "duplicates: reject"}, {3: "KY02"}),
        ("sku,price\nA-1,12.50\nA-2,-1\n", {"price": "type: double, check: price > 0"}, {3: "RU02"}),
        ("sku,price\nA-1,12.50\nA-2,\n", {"price": "type: double, required: true"}, {3: "RU01"}),
    ],
    ids=lambda v: "-".join(v.values()) if isinstance(v, dict) and v and all(isinstance(k, int) for k in v) else "",
)
def test_bad_record_is_refused_with_its_line_and_code_and_the_good_one_is_in(
    data: str | bytes,
    settings: dict[str, str],
    codes: dict[int, str],
    project: Callable[..., None],
    headgate: Headgate,
    rows: Ask,
) -> None:
    project(data, **settings)
    run = headgate("run", "items", "--json")
    assert run.code == 3
    rejects = headgate("rejects", run.json["id"], "--json").json
    assert {r["line"]: [p["code"] for p in r["problems"]] for r in rejects} == {n: [c] for n, c in codes.items()}
    assert rows("select sku from item") == [("A-1",)]
    assert run.json["account"]["balance"] == 0


def test_latin_1_in_a_file_is_read_as_what_it_is(project: Callable[..., None], headgate: Headgate, rows: Ask) -> None:
    project("sku,price\nGröße,12.50\nCafé,7.00\n".encode("latin-1"))
    assert headgate("run", "items").code == 0
    assert rows("select sku from item order by price") == [("Café",), ("Größe",)]


def test_mixed_line_ends_and_a_byte_order_mark_change_nothing(
    project: Callable[..., None], headgate: Headgate, rows: Ask
) -> None:
    project("\ufeffsku,price\r\nA-1,12.50\nA-2,7.00\r\n")
    assert headgate("run", "items").code == 0
    assert rows("select sku from item order by sku") == [("A-1",), ("A-2",)]


def test_a_table_that_is_not_there_is_an_error_before_anything_is_read(headgate: Headgate, folder: Path) -> None:
    (folder / "items.csv").write_text(GOOD)
    said = headgate("run", "items.csv", "--into", "sqlite:///shop.db#item", "--key", "sku")
    assert said.code in (1, 2)
    assert "item" in said.err
    assert "create" in said.err


def test_a_type_the_table_cannot_hold_is_an_error(project: Callable[..., None], headgate: Headgate, rows: Ask) -> None:
    project()
    assert headgate("run", "items").code == 0
    project(price='type: "decimal(12,4)"')
    said = headgate("run", "items")
    assert said.code in (1, 2), said
    assert "price" in said.err
    assert rows("select count(*) from item") == [(2,)]


def test_a_mistake_in_a_definition_is_told_with_its_place(project: Callable[..., None], headgate: Headgate) -> None:
    project(more="keey: sku")
    said = headgate("check", "items")
    assert said.code == 2
    assert "imports/items.yaml:6:1" in said.err
    assert "'key'" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["runn"],
        ["run"],
        ["run", "nothing"],
        ["show", "99"],
        ["rejects", "99"],
        ["run", "--plan", "99"],
        ["plan", "--into"],
    ],
)
def test_wrong_use_is_exit_2_with_a_hint(words: list[str], headgate: Headgate) -> None:
    said = headgate(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("headgate: ")


def test_errors_are_json_where_json_was_asked_for(headgate: Headgate) -> None:
    said = headgate("run", "gone.csv", "--into", "sqlite:///shop.db#item", "--create", "--json")
    assert said.json["error"]["exit_code"] == said.code == 1
    assert "gone.csv" in said.json["error"]["message"]
