"""Orders out of rows that follow each other, through the command line."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.shop import Ask, Define, Headgate, Shop, Start, counts

ORDERS = """\
order_no,customer,sku,qty,price
1001,Ada,L-1,2,9.90
1001,Ada,00501,1,5.00
1002,Bert,L-1,x,9.90
1003,Cy,D-1,1,12345678901234567890.10
1001,Ada,D-1,1,1.00
"""
GROUP = {"by": "order_no", "as": "lines", "take": ["sku", "qty", "price"], "numbers": ["qty", "price"]}
DEFINITION = {
    "source": {"path": "orders.csv", "group": GROUP},
    "fields": {"id": {"from": "order_no", "type": "integer"}, "customer": "customer", "first": "lines[0].sku", "content": {"from": "lines", "type": "json"}},
    "destination": {"connection": "shop", "table": "item", "create": True},
}  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["sqlite", "duckdb", pytest.param("postgres", marks=pytest.mark.needs_postgres), "maria", "mysql"]
)
def test_rows_become_orders_whose_lines_are_json(
    folder: Path, kind: str, define: Define, headgate: Headgate, request: pytest.FixtureRequest
) -> None:
    shop: Shop = request.getfixturevalue(f"{kind}_shop")
    (folder / "orders.csv").write_text(ORDERS)
    define(shop, **DEFINITION)
    planned = headgate("plan", "items", "--json")
    assert planned.json["account"]["created"] == 2
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": 2, "invalid": 2}
    assert run["partitions"][0]["findings"]["grouped"] == {"rows": 5, "records": 4}
    found = {r[0]: r for r in shop.sql("select id, customer, first, content from item order by id")}
    lines = found[1001][3]
    assert (json.loads(lines) if isinstance(lines, str) else lines) == [{"sku": "L-1", "qty": 2, "price": 9.9}, {"sku": "00501", "qty": 1, "price": 5.0}]  # fmt: skip
    text = "char" if kind in ("maria", "mysql") else "text"
    (text,) = shop.sql(f"select cast(content as {text}) from item where id = 1003")[0]
    assert "12345678901234567890.10" in text or kind == "mysql"  # which keeps numbers in JSON as doubles
    assert found[1001][1:3] == ("Ada", "L-1")
    bad, again = headgate("rejects", run["id"], "--json").json
    assert (bad["line"], bad["until"], bad["problems"][0]["code"]) == (4, None, "RD14")
    assert (again["line"], again["until"], again["problems"][0]["code"]) == (6, None, "RD10")
    assert "qty 'x' in row 1 of it is no number" in headgate("rejects", run["id"]).out


def test_a_refused_order_is_mended_in_a_workbook_and_retried(
    folder: Path, define: Define, headgate: Headgate, rows: Ask
) -> None:
    data = "order_no,customer,sku,qty,price\n7,Ada,L-1,1,1\n7,Eva,L-2,2,1\n8,Bert,L-1,x,1\n8,Bert,L-2,3,1\n"
    (folder / "orders.csv").write_text(data)
    define("sqlite:///shop.db", **DEFINITION)
    assert counts(headgate("run", "items", "--json").json) == {"invalid": 2}
    assert "orders.csv, line 2 to 3" in headgate("rejects", 1).out
    headgate("retry", 1)
    assert counts(headgate("show", 1, "--json").json) == {"invalid": 2}, "as they were, they are refused again"
    assert headgate("rejects", 1, "--csv", "fix.csv").code == 0
    fixed = (folder / "fix.csv").read_text()
    assert '""Ada"",""Eva""' in fixed
    fixed = fixed.replace('"[""Ada"",""Eva""]"', "Ada").replace('""qty"":""x""', '""qty"":5')
    (folder / "fix.csv").write_text(fixed)
    mended = headgate("retry", 1, "--from", "fix.csv")
    assert mended.code == 0, mended.err + mended.out
    assert rows("select id, customer, first, json_extract(content, '$[0].qty') from item order by id") == [
        (7, "Ada", "L-1", 1),
        (8, "Bert", "L-1", 5),
    ]


def test_headers_take_the_lines_below_them(folder: Path, define: Define, headgate: Headgate, rows: Ask) -> None:
    (folder / "orders.csv").write_text("L,X-1,9\nH,1001,Ada\nL,L-1,2\nL,D-1,1\nH,1002,Bert\n")
    group = {"header": "kind = 'H'", "as": "lines", "take": {"sku": "a", "qty": "b"}, "numbers": ["qty"]}
    source = {"path": "orders.csv", "header": False, "columns": ["kind", "a", "b"], "group": group}
    define("sqlite:///shop.db", source=source, fields={"id": {"from": "a", "type": "integer"}, "name": "b", "content": {"from": "lines", "type": "json"}}, destination=DEFINITION["destination"])  # fmt: skip
    assert counts(headgate("run", "items", "--json").json) == {"created": 2, "invalid": 1}
    assert rows("select * from item order by id") == [
        (1001, "Ada", '[{"sku":"L-1","qty":2},{"sku":"D-1","qty":1}]'), (1002, "Bert", "[]"),
    ]  # fmt: skip
    assert "a line before any header [RD11]" in headgate("rejects", 1).out.replace("\n", " ")


def test_headers_and_lines_can_be_made_flat(folder: Path, define: Define, headgate: Headgate, rows: Ask) -> None:
    (folder / "orders.csv").write_text("H,1001,Ada\nL,L-1,2\nL,D-1,1\n")
    group = {"header": "kind = 'H'", "as": "lines", "take": {"sku": "a", "qty": "b"}}
    source = {"path": "orders.csv", "header": False, "columns": ["kind", "a", "b"], "group": group, "explode": "lines"}
    define("sqlite:///shop.db", source=source, key=["id", "sku"], fields={"id": {"from": "a", "type": "integer"}, "name": "b", "sku": "lines.sku", "qty": {"from": "lines.qty", "type": "integer"}}, destination=DEFINITION["destination"])  # fmt: skip
    assert counts(headgate("run", "items", "--json").json) == {"created": 2}
    assert rows("select id, name, sku, qty from item order by sku") == [
        (1001, "Ada", "D-1", 1),
        (1001, "Ada", "L-1", 2),
    ]


def test_what_was_to_be_exploded_cannot_be_mended_as_a_whole(
    folder: Path, define: Define, headgate: Headgate, rows: Ask
) -> None:
    (folder / "orders.csv").write_text("nr,who,sku\n1,Ada,a\n1,Eva,b\n2,Cy,c\n")
    source = {"path": "orders.csv", "group": {"by": "nr", "as": "lines", "take": ["sku"]}, "explode": "lines"}
    fields = {"id": {"from": "nr", "type": "integer"}, "who": "who", "sku": "lines.sku"}
    define("sqlite:///shop.db", source=source, key=["id"], fields=fields, destination=DEFINITION["destination"])
    assert counts(headgate("run", "items", "--json").json) == {"created": 1, "invalid": 1}
    headgate("rejects", 1, "--csv", "fix.csv")
    fixed = (folder / "fix.csv").read_text().replace('"[""Ada"",""Eva""]"', "Ada")
    (folder / "fix.csv").write_text(fixed)
    headgate("retry", 1, "--from", "fix.csv")
    assert rows("select * from item") == [(2, "Cy", "c")]
    assert headgate("rejects", 1, "--json").json[0]["problems"][0]["code"] == "RD12"


def test_rows_of_a_table_are_grouped(folder: Path, define: Define, headgate: Headgate, rows: Ask) -> None:
    with closing(sqlite3.connect(folder / "erp.db")) as erp:
        erp.execute("create table line (order_no integer, sku text, price decimal(9,2))")
        erp.executemany("insert into line values (?, ?, ?)", [(1, "00501", 1.1), (1, "b", 2), (2, "c", None)])
        erp.commit()
    source = {"connection": "sqlite:///erp.db", "query": "select * from line order by order_no", "group": {"by": "order_no", "as": "lines"}}  # fmt: skip
    define("sqlite:///shop.db", source=source, key="order_no", destination=DEFINITION["destination"])
    assert counts(headgate("run", "items", "--json").json) == {"created": 2}
    found = dict(rows("select order_no, lines from item"))
    assert json.loads(found[1])[0]["sku"] == "00501"
    assert json.loads(found[2]) == [{"sku": "c", "price": None}]


def test_a_look_shows_what_would_come_of_it(folder: Path, headgate: Headgate) -> None:
    (folder / "orders.csv").write_text(ORDERS)
    shown = headgate("check", "orders.csv", "--set", "source.group={by: order_no, as: lines, take: [sku, qty, price]}")
    assert shown.code == 0, shown.err
    assert "lines" in shown.out
    wrong = headgate("check", "orders.csv", "--set", "source.group={by: order, as: lines}")
    assert "no column 'order' to group" in wrong.out + wrong.err


@pytest.mark.parametrize("at", ["commit.before:2", "commit.after:1", "commit.after:2"])
def test_a_run_that_was_killed_goes_on_between_two_orders(
    folder: Path, define: Define, headgate: Headgate, start: Start, rows: Ask, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{order},w,s{line},1,1" for order in range(60_000) for line in range(3)]
    (folder / "orders.csv").write_text("order_no,customer,sku,qty,price\n" + "\n".join(lines) + "\n")
    define("sqlite:///shop.db", **DEFINITION, operation="append", commit="batch")
    config = folder / "imports" / "items.yaml"
    config.write_text(config.read_text().replace("key: id\n", ""))
    monkeypatch.setenv("HEADGATE_CRASH", at)
    assert start("run", "items").wait(120) < 0
    monkeypatch.delenv("HEADGATE_CRASH")
    assert headgate("run", "items").code == 0
    assert rows("select count(*), count(distinct id), min(json_array_length(content)), max(json_array_length(content)) from item") == [(60_000, 60_000, 3, 3)]  # fmt: skip
