"""Text files with more in them than a table: what `check` says of them, and what a run makes of them."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
import yaml

from support.shop import Ask, Headgate, counts

INTO = ("--into", "sqlite:///shop.db#item", "--key", "sku", "--create")
MESSY = """\
Price list of the shop
valid from 2024-03-01

sku;name;price;stock
A-1;Lamp, green;12,50;4
A-2;5" pipe;7,00;11
;;;
A-3;"Chair;99,00;2
A-4;Desk;149,00;1;
A-5;Größe 2;1,50;0

Source: the shop's own list
"""


@pytest.fixture
def messy(folder: Path) -> str:
    (folder / "messy.csv").write_bytes(MESSY.encode("cp1252"))
    return "messy.csv"


def test_check_says_what_it_found_how_sure_and_what_says_otherwise(messy: str, headgate: Headgate) -> None:
    said = headgate("check", messy)
    assert said.code == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    for expected in (
        "encoding cp1252 likely source.encoding",
        "delimiter semicolon likely source.delimiter",
        "quote double quote, doubled inside source.quote, source.escape",
        "header row 4 certain source.header, source.header_rows",
        'left out 3 rows before the table: "Price list of the shop / valid from 2024-03-01" (source.skip)',
        'left out 2 rows after the table: "Source: the shop\'s own list" (source.footer)',
        "note: 1 blank row within the table is no record",
        "2 of the first 5 records would be refused:",
        "line 8: RD03, a quoted value is not closed",
        "line 9: RD02, the record has 5 values, 4 are expected",
    ):
        assert expected in lines, said.out


def test_check_says_the_same_to_programs(messy: str, headgate: Headgate) -> None:
    [found] = headgate("check", messy, "--json").json
    decided = {d["name"]: (d["found"], d["sure"], d["options"]) for d in found["decisions"] if d["name"] != "left out"}
    assert decided["header"] == ("row 4", "certain", ["source.header", "source.header_rows"])
    assert decided["encoding"] == ("cp1252", "likely", ["source.encoding"])
    left = [(one["what"], one["first"], one["last"]) for one in found["findings"]["left_out"]]
    assert left == [("before the table", 1, 3), ("after the table", 11, 12)]
    assert (found["looked_at"], found["refused"]) == (5, 2)
    assert [(f["line"], f["code"]) for f in found["first_refused"]] == [(8, "RD03"), (9, "RD02")]


@pytest.mark.parametrize(
    ("setting", "name", "found"),
    [
        ("encoding=latin-1", "encoding", "iso8859-1"),
        ("delimiter=','", "delimiter", "comma"),
        ('quote="\'"', "quote", "apostrophe, doubled inside"),
        ("quote=''", "quote", "none"),
        ("escape='\\'", "quote", "double quote, \\ before it inside"),
        ("header=1", "header", "row 1"),
        ("header_rows=2", "header", "rows 4 to 5, joined"),
        ("header=false", "header", "none"),
        ("columns=[a, b, c, d]", "columns", "4"),
    ],
)
def test_every_decision_can_be_made_otherwise(
    messy: str, setting: str, name: str, found: str, headgate: Headgate
) -> None:
    [said] = headgate("check", messy, "--set", f"source.{setting}", "--json").json
    decided = {d["name"]: (d["found"], d["sure"]) for d in said["decisions"]}
    assert decided[name] == (found, "as you say")


def test_what_is_left_out_can_be_had(messy: str, headgate: Headgate) -> None:
    def left(*settings: str) -> tuple[list[str], int]:
        words = [w for s in settings for w in ("--set", s)]
        [said] = headgate("check", messy, "--json", *words).json
        return [one["what"] for one in said["findings"]["left_out"]], said["refused"]

    assert left("source.footer=0") == (["before the table"], 3)
    assert left("source.skip=0", "source.header=4", "source.footer=0") == ([], 3)
    assert left("source.stray_quotes=keep") == (["before the table", "after the table"], 1)
    assert left("source.stray_quotes=keep", "source.ragged=fill") == (["before the table", "after the table"], 0)


def test_a_run_reads_the_table_and_warns_of_what_stands_below(messy: str, headgate: Headgate, rows: Ask) -> None:
    settings = ("source.stray_quotes=keep", "source.ragged=fill", "fields={sku: , name: , price: {transform: [decimal_comma], type: 'decimal(8,2)'}}")  # fmt: skip
    done = headgate("run", messy, *INTO, *(w for s in settings for w in ("--set", s)), "--json")
    assert (done.code, counts(done.json)) == (0, {"created": 5}), done
    assert done.json["account"]["balance"] == 0
    assert [w for w in done.json["warnings"] if "after the table left out" in w]
    assert rows("select sku, name from item order by sku") == [
        ("A-1", "Lamp, green"), ("A-2", '5" pipe'), ("A-3", '"Chair'), ("A-4", "Desk"), ("A-5", "Größe 2"),
    ]  # fmt: skip


def test_what_cannot_be_read_is_a_reject_at_its_line(messy: str, headgate: Headgate, rows: Ask) -> None:
    done = headgate("run", messy, *INTO, "--json")
    assert (done.code, counts(done.json)) == (3, {"created": 3, "invalid": 2})
    told = headgate("rejects", done.json["id"], "--json").json
    assert [(r["line"], r["problems"][0]["code"]) for r in told] == [(8, "RD03"), (9, "RD02")]
    assert rows("select count(*) from item") == [(3,)]


def test_a_plan_warns_of_another_table_as_the_run_does(folder: Path, headgate: Headgate, rows: Ask) -> None:
    (folder / "two.csv").write_text(
        "sku,price\nA-1,12.50\nA-2,7.00\n\nregion,manager,town\nnorth,Ann,Ulm\nsouth,Bob,Bonn\n"
    )
    planned = headgate("plan", "two.csv", *INTO, "--json")
    ran = headgate("run", "two.csv", *INTO, "--json")
    for said in (planned, ran):
        assert said.code == 0
        assert any("row 5 and what follows left out, another table begins there" in w for w in said.json["warnings"])
    assert rows("select sku from item order by sku") == [("A-1",), ("A-2",)]


def test_a_proposed_definition_reads_the_header_it_was_made_from(folder: Path, headgate: Headgate, rows: Ask) -> None:
    (folder / "named.csv").write_text(
        "Item,Order,Price,Ordered\nsku,number,in euros,on\nA-1,17,1.50,2024-01-05\nB-2,18,2.50,2024-01-06\n"
    )
    said = headgate("new", "named.csv", "--into", "sqlite:///shop.db#item", "--key", "item_sku", "--json").json
    source = yaml.safe_load(said["definition"])["source"]
    assert (source["header"], source["header_rows"]) == (1, 2)
    assert headgate("run", said["file"]).code == 0
    assert rows("select item_sku, order_number from item order by 1") == [("A-1", 17), ("B-2", 18)]


def test_a_run_warns_of_formulas_that_were_saved_without_their_values(folder: Path, headgate: Headgate) -> None:
    book = openpyxl.Workbook()
    for row in (["sku", "price"], ["A-1", 12.5], ["A-2", "=B2*2"]):
        book.active.append(row)
    book.save(folder / "items.xlsx")
    said = headgate("run", "items.xlsx", "--into", "sqlite:///shop.db#item", "--key", "sku", "--create", "--json")
    assert counts(said.json) == {"created": 2}
    assert [w for w in said.json["warnings"] if "1 formula was saved without its value and counts as empty" in w]


def test_a_run_warns_of_an_encoding_that_is_a_guess(folder: Path, headgate: Headgate) -> None:
    (folder / "items.csv").write_bytes("sku,name\nA-1,macedoński\n".encode("cp1250"))
    said = headgate("run", "items.csv", "--into", "sqlite:///shop.db#item", "--key", "sku", "--create", "--json")
    assert [w for w in said.json["warnings"] if "which is a guess" in w]
    told = ("--set", "source.encoding=cp1250", "--json")
    said = headgate("run", "items.csv", "--into", "sqlite:///shop.db#item", "--key", "sku", *told)
    assert said.json["warnings"] == []


def test_a_polish_export_is_read_as_it_was_written(folder: Path, headgate: Headgate, rows: Ask) -> None:
    text = (
        "nr;nazwa;miasto\r\n1;Małgorzata Wójcik;Łódź\r\n2;Żaneta Dąbrowska;Świnoujście\r\n3;krzesło, śruba;Gdańsk\r\n"
    )
    (folder / "klienci.csv").write_bytes(text.encode("cp1250"))
    [checked] = headgate("check", "klienci.csv", "--json").json
    assert [(d["found"], d["sure"]) for d in checked["decisions"] if d["name"] == "encoding"] == [("cp1250", "likely")]
    said = headgate("run", "klienci.csv", "--into", "sqlite:///shop.db#klient", "--key", "nr", "--create", "--json")
    assert said.json["warnings"] == []
    names = [name for (name,) in rows("select nazwa from klient order by nr")]
    assert names == ["Małgorzata Wójcik", "Żaneta Dąbrowska", "krzesło, śruba"]
