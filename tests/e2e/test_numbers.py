"""Numbers as people write them, through the command line."""

from __future__ import annotations

from pathlib import Path

from support.shop import Ask, Define, Headgate, counts

DATA = "id;price;weight;name\n1;1.234,50 €;1,234;Lamp\n2;(12,50);2,500;Desk\n3;7,5-;1;Chair\n"


def test_marks_in_numbers_are_said_and_read(folder: Path, define: Define, headgate: Headgate, rows: Ask) -> None:
    (folder / "items.csv").write_text(DATA)
    looked = headgate("check", "items.csv")
    assert looked.code == 0
    said = " ".join(looked.out.split())
    assert "price: numbers written like 1.234,50 €: transform: { number: comma }" in said
    assert "weight: 1,234 may have a mark between thousands or before decimals" in said
    define("sqlite:///shop.db")
    made = headgate("new", "items.csv", "--into", "sqlite:///shop.db#item", "--key", "id", "--print")
    text = made.out
    assert "# numbers written like 1.234,50 €: transform: { number: comma }" in text, made.err + text
    assert "{ number: point } or { number: comma }" in text
    fields = {"id": {"type": "integer"}, "price": {"type": "decimal(9,2)", "transform": {"number": "comma"}}, "weight": {"type": "decimal(9,3)", "transform": {"number": "comma"}}}  # fmt: skip
    define("sqlite:///shop.db", fields=fields, destination={"connection": "shop", "table": "item", "create": True})
    assert counts(headgate("run", "items", "--json").json) == {"created": 3}
    assert rows("select * from item order by id") == [(1, 1234.5, 1.234), (2, -12.5, 2.5), (3, -7.5, 1)]
