"""Nested records through the command line: fields by path, and a record for each line of an order."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.shop import Ask, Define, Headgate, counts

ORDERS = """[
{"nr": 1, "customer": {"name": "Ada", "vat": 7.70}, "lines": [{"sku": "L-1", "qty": 2}, {"sku": "D-1", "qty": "x"}]},
{"nr": 2, "customer": {"name": "Bert"}, "lines": []},
{"nr": 3, "customer": null, "lines": [{"sku": "L-1", "qty": 1, "gift": true}]}
]"""
LINES = {
    "source": {"path": "orders.json", "explode": "lines"},
    "fields": {
        "id": {"expr": "nr || '/' || \"lines.sku\""},
        "customer": "customer.name",
        "vat": {"from": "customer.vat", "type": "decimal(4,2)"},
        "sku": {"from": "lines.sku", "required": True},
        "qty": {"from": "lines.qty", "type": "integer"},
        "gift": {"from": "lines.gift", "type": "boolean"},
    },
    "destination": {"connection": "shop", "table": "item", "create": True},
}


def test_an_order_becomes_its_lines(folder: Path, define: Define, headgate: Headgate, rows: Ask) -> None:
    (folder / "orders.json").write_text(ORDERS)
    define("sqlite:///shop.db", **LINES)
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": 2, "invalid": 1}
    assert rows("select * from item order by id") == [
        ("1/L-1", "Ada", 7.7, "L-1", 2, None), ("3/L-1", None, None, "L-1", 1, 1),
    ]  # fmt: skip
    assert run["partitions"][0]["findings"]["notes"][-1] == "1 record has nothing in lines, and so gave none"
    (told,) = headgate("rejects", run["id"], "--json").json
    assert (told["file"], told["raw"]["lines.qty"], told["problems"][0]["field"]) == ("orders.json", "x", "qty")
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 2, "invalid": 1}


def test_a_reject_of_a_line_is_mended(folder: Path, define: Define, headgate: Headgate, rows: Ask) -> None:
    (folder / "orders.json").write_text(ORDERS)
    define("sqlite:///shop.db", **LINES)
    headgate("run", "items")
    assert headgate("rejects", 1, "--csv", "fix.csv").code == 0
    (folder / "fix.csv").write_text((folder / "fix.csv").read_text().replace(",x,", ",5,"))
    mended = headgate("retry", 1, "--from", "fix.csv")
    assert mended.code == 0, mended.err + mended.out
    assert rows("select qty from item where id = '1/D-1'") == [(5,)]


def test_what_a_file_would_give_is_shown(folder: Path, headgate: Headgate) -> None:
    (folder / "orders.json").write_text(ORDERS)
    shown = headgate("check", "orders.json", "--set", "source.explode=lines")
    assert shown.code == 0
    assert "lines.sku" in shown.out
    wrong = headgate("check", "orders.json", "--set", "source.explode=line")
    assert "no column 'line' to explode" in wrong.out + wrong.err


def test_a_column_of_which_a_part_is_taken_is_none_that_nobody_takes(
    folder: Path, define: Define, headgate: Headgate
) -> None:
    (folder / "orders.json").write_text('[{"nr": 1, "customer": {"name": "Ada"}}]')
    definition = {
        "source": "orders.json", "key": "id", "fields": {"id": "nr", "name": "customer.name"}, "schema": {"new_columns": "reject"},
        "destination": {"connection": "shop", "table": "item", "create": True},
    }  # fmt: skip
    define("sqlite:///shop.db", **definition)
    assert counts(headgate("run", "items", "--json").json) == {"created": 1}
    (folder / "orders.json").write_text('[{"nr": 1, "customer": {"name": "Ada"}, "more": 1}]')
    assert "'more', which no field takes" in headgate("run", "items").err


@pytest.mark.parametrize("lines", [[["A"], ["B"]], [["A", "B"], ["C"]], [["A"], []]])
def test_elements_that_are_taken_apart_need_not_be_repeated(
    lines: list[list[str]], folder: Path, define: Define, headgate: Headgate, rows: Ask
) -> None:
    orders = "".join(
        f'<order nr="{nr}"><lines>{"".join(f"<line><sku>{s}</sku></line>" for s in skus)}</lines></order>'
        for nr, skus in enumerate(lines, 1)
    )
    (folder / "orders.xml").write_text(f"<orders>{orders}</orders>")
    define(
        "sqlite:///shop.db",
        source={"path": "orders.xml", "records": "order", "explode": "lines/line"},
        fields={"nr": {"from": "@nr", "type": "integer"}, "sku": "lines/line.sku"},
        key="sku",
        destination={"connection": "shop", "table": "item", "create": True},
    )
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": sum(map(len, lines))}
    found = [(nr, sku) for nr, skus in enumerate(lines, 1) for sku in skus]
    assert rows("select nr, sku from item order by sku") == found
