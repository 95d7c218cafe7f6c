"""What every command prints, for people and as JSON, and what it writes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml

from headgate.model.spec import FieldSpec, ImportSpec, LookupSpec, SourceSpec
from support.shop import Ask, Define, Headgate, Said, Shop, Start, counts, finish

GOOD = "sku,price\nA-1,12.50\n00501,7.00\n"
BAD = 'sku,price,note\nA-1,12.50,\nA-2,dear,"=1+1"\n,7.00,no key\n'
INTO = ("--into", "sqlite:///shop.db#item", "--key", "sku", "--create")


@pytest.fixture
def refused(folder: Path, headgate: Headgate) -> Said:
    """Run 1, with two rejects."""
    (folder / "items.csv").write_text(BAD)
    said = headgate("run", "items.csv", *INTO, "--set", "fields={sku: , price: {type: 'decimal(8,2)'}}", "--json")
    assert (said.code, counts(said.json)) == (3, {"created": 1, "invalid": 2})
    return said


# ---- ways in -----------------------------------------------------------------------------------------------------------


def _gzip(folder: Path) -> str:
    (folder / "items.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
    return "items.csv.gz"


def _zip(folder: Path) -> str:
    with zipfile.ZipFile(folder / "items.zip", "w") as packed:
        packed.writestr("items.csv", GOOD)
    return "items.zip"


def _glob(folder: Path) -> str:
    (folder / "inbox").mkdir()
    (folder / "inbox" / "2.csv").write_text("sku,price\n00501,7.00\n")
    (folder / "inbox" / "1.csv").write_text("price,sku\n12.50,A-1\n1.00,00501\n")
    return "inbox/*.csv"


def _jsonl(folder: Path) -> str:
    (folder / "items.jsonl").write_text('{"sku": "A-1", "price": "12.50"}\n{"price": "7.00", "sku": "00501"}\n')
    return "items.jsonl"


def _json(folder: Path) -> str:
    (folder / "items.json").write_text(
        '{"page": 1, "items": [{"sku": "A-1", "price": "12.50"}, {"sku": "00501", "price": "7.00"}]}'
    )
    return "items.json"


def _xlsx(folder: Path) -> str:
    book = openpyxl.Workbook()
    for row in (["Our prices"], [], ["sku", "price"], ["A-1", 12.5], ["00501", 7]):
        book.active.append(row)
    book.save(folder / "items.xlsx")
    return "items.xlsx"


@pytest.mark.parametrize("make", [_gzip, _zip, _glob, _jsonl, _json, _xlsx])
def test_a_file_of_any_kind_is_read(make: Callable[[Path], str], folder: Path, headgate: Headgate, rows: Ask) -> None:
    said = headgate("run", make(folder), *INTO, "--set", "fields={sku: , price: {type: 'decimal(8,2)'}}", "--json")
    assert said.code == 0, said
    assert said.json["account"]["balance"] == 0
    assert rows("select sku, price from item order by price") == [("00501", 7), ("A-1", 12.5)]


def test_standard_input_is_read(start: Start, rows: Ask) -> None:
    said = finish(start("run", "-", *INTO, "--json", stdin=-1), GOOD)
    assert (said.code, counts(said.json)) == (0, {"created": 2})
    assert rows("select sku from item order by sku") == [("00501",), ("A-1",)]


def test_a_definition_file_without_a_project_is_run(folder: Path, headgate: Headgate, rows: Ask) -> None:
    (folder / "items.csv").write_text(GOOD)
    (folder / "mine.yaml").write_text(
        "source: items.csv\nkey: sku\ndestination: {connection: sqlite:///shop.db, table: item, create: true}\n"
    )
    assert headgate("run", "mine.yaml").code == 0
    assert rows("select count(*) from item") == [(2,)]


def test_of_several_imports_one_that_fails_does_not_stop_those_that_do_not_need_it(
    folder: Path, headgate: Headgate
) -> None:
    (folder / "a.csv").write_text(GOOD)
    said = headgate("run", "a.csv", "gone.csv", "a.csv", *INTO, "--json")
    assert said.code == 1
    assert [r["status"] for r in headgate("runs", "--json").json] == ["succeeded", "failed", "succeeded"]
    first, error, last = said.json
    assert first["status"] == last["status"] == "succeeded"
    assert "gone.csv" in error["error"]["message"]
    stopped = headgate("run", "gone.csv", "a.csv", *INTO, "--stop", "--json")
    assert [r["status"] for r in stopped.json] == ["failed", "not begun"]


# ---- settings ----------------------------------------------------------------------------------------------------------


def test_set_overrides_any_key_of_a_definition(
    sqlite_shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    sqlite_shop.table("item", "id integer primary key, name text", [])
    define(sqlite_shop, "id;name\n1;a,b\n", fields={"id": None, "name": "name"})
    (folder / "other.txt").write_text("id|name|title\n1|a|B\n")
    words = ["source.path=other.txt", "source.delimiter=|", "fields.name.from=title", "fields.name.transform=[lower]"]
    assert headgate("run", "items", *(w for s in words for w in ("--set", s))).code == 0
    assert sqlite_shop.read("item") == [(1, "b")]
    assert headgate("run", "items").code == 0
    assert sqlite_shop.read("item") == [(1, "a,b")]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("operation", "KEY=VALUE"),
        ("operatoin=insert", "'operation'"),
        ("operation=inset", "insert"),
        ("source.sheet=[a", "source.sheet"),
        ("key.x=1", "key"),
        ("=1", ""),
        ("..=1", ""),
    ],
)
def test_a_wrong_setting_is_wrong_use(
    setting: str, told: str, sqlite_shop: Shop, define: Define, headgate: Headgate
) -> None:
    define(sqlite_shop, GOOD)
    said = headgate("run", "items", "--set", setting)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


# ---- a project ---------------------------------------------------------------------------------------------------------


def test_from_nothing_to_a_run_by_the_commands_that_are_told(folder: Path, headgate: Headgate, rows: Ask) -> None:
    assert headgate("init").code == 0
    assert headgate("init").code == 2
    (folder / "inbox" / "items.csv").write_text(GOOD)
    headgate("run", "inbox/items.csv", *INTO)
    new = headgate("new", "inbox/items.csv", "--into", "shop#item", "--key", "sku", "--json").json
    assert [(f["name"], f["from"]) for f in new["fields"]] == [("sku", "sku"), ("price", "price")]
    assert Path(new["file"]).read_text() == new["definition"]
    ImportSpec.model_validate(yaml.safe_load(new["definition"]))
    assert headgate("new", "inbox/items.csv", "--into", "shop#item", "--key", "sku").code == 2, "it is there already"
    assert headgate("check").code == 0
    done = headgate("run", "items", "--json")
    assert (done.code, counts(done.json)) == (0, {"unchanged": 2})
    assert headgate("imports", "--json").json[0]["last run"].startswith("succeeded")


def test_new_matches_columns_to_those_of_the_table(sqlite_shop: Shop, headgate: Headgate, folder: Path) -> None:
    sqlite_shop.table("product", "sku text primary key, list_price decimal(10,2) not null, made date")
    (folder / "products.csv").write_text("SKU;List Price;Made;Remarks\nA-1;12.50;2024-02-29;x\n")
    said = headgate("new", "products.csv", "--into", "sqlite:///shop.db#product", "--key", "sku", "--print", "--json")
    assert {f["name"]: f["from"] for f in said.json["fields"]} == {
        "sku": "SKU",
        "list_price": "List Price",
        "made": "Made",
    }
    assert "Remarks" in said.json["unmatched"]
    assert not (folder / "imports").exists()


def test_a_key_of_a_proposed_definition_may_be_named_as_the_source_names_it(folder: Path, headgate: Headgate) -> None:
    (folder / "products.csv").write_text("Product No,Price\nA-1,2.50\n")
    new = ("new", "products.csv", "--into", "sqlite:///shop.db#product")
    said = headgate(*new, "--key", "Product No", "--json").json
    assert "key: product_no\n" in said["definition"]
    assert headgate("run", "products").code == 0
    said = headgate(*new, "--key", "nr", "--name", "other")
    assert said.code == 2
    assert "the key 'nr' is none of the fields" in said.err
    assert not (folder / "imports" / "other.yaml").exists()


def test_check_tells_what_is_found_in_a_file_and_writes_nothing(folder: Path, headgate: Headgate) -> None:
    (folder / "items.csv").write_bytes("sku;größe\nA-1;12,50\nA-2;7,00\n".encode("cp1252"))
    found = headgate("check", "items.csv", "--json").json[0]
    assert found["columns"] == ["sku", "größe"]
    assert (found["findings"]["delimiter"], found["first_records"][1]) == (";", {"sku": "A-2", "größe": "7,00"})
    assert {p.name for p in folder.iterdir()} == {"items.csv"}
    assert headgate("check", "gone.csv").code in (1, 2)


def test_check_goes_through_all_imports_and_ends_with_the_worst(
    sqlite_shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    sqlite_shop.table("item", "sku text primary key, price text", [])
    define(sqlite_shop, GOOD, key="sku")
    (folder / "imports" / "wrong.yaml").write_text("source: items.csv\nkey: sku\ndestintion: {}\n")
    said = headgate("check", "--json")
    assert said.code == 2
    assert {r["name"]: r["ok"] for r in said.json} == {"items": True, "wrong": False}
    assert "imports/wrong.yaml:3:1" in headgate("check").out
    assert headgate("imports", "--json").code == 0


def test_connections_are_tried_and_shown_without_secrets(
    headgate: Headgate, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "headgate.yaml").write_text(
        "connections:\n  shop: sqlite:///shop.db\n  gone: sqlite:///no/such/folder/x.db\n"
        "  far: postgresql://me:${env:HG_PASSWORD}@127.0.0.1:1/db\n  near: postgresql://me:hunter2@127.0.0.1:1/db\n"
    )
    listed = headgate("connections")
    assert listed.code == 0
    monkeypatch.setenv("HG_PASSWORD", "correct horse")
    tried = headgate("connections", "--test", "--json")
    assert tried.code == 1
    states = {r["connection"]: r["state"] for r in tried.json}
    assert states["shop"].startswith("reached")
    assert "no folder" in states["gone"]
    assert "127.0.0.1" in states["far"]
    for said in (listed, tried):
        assert "hunter2" not in said.out + said.err
        assert "correct horse" not in said.out + said.err
    monkeypatch.delenv("HG_PASSWORD")
    assert "HG_PASSWORD" in headgate("connections", "--test").out


@pytest.mark.needs_postgres
def test_connections_counts_tables_of_postgresql(postgres_shop: Shop, define: Define, headgate: Headgate) -> None:
    postgres_shop.table("item", "id integer")
    define(postgres_shop)
    said = headgate("connections", "--test", "--json")
    assert (said.code, said.json[0]["state"]) == (0, "reached, 1 tables")


@pytest.mark.parametrize("words", [["imports"], ["connections"], ["check"], ["run"], ["plan"]])
def test_what_needs_a_project_or_a_name_says_so(words: list[str], headgate: Headgate) -> None:
    said = headgate(*words, "--json")
    assert said.code == said.json["error"]["exit_code"] == 2
    assert said.json["error"]["hint"]


# ---- the ledger --------------------------------------------------------------------------------------------------------


def test_runs_and_show_tell_what_was_done(refused: Said, headgate: Headgate, folder: Path) -> None:
    assert headgate("runs", "--json").json == [refused.json | {"rejects": [], "states": {}}]
    assert headgate("show", 1, "--json").json == refused.json
    text = headgate("show", 1).out
    for part in ("3 read = 1 created + 2 invalid", "items.csv", "TY02", "KY01", "headgate rejects 1"):
        assert part in text, text
    assert "items" in headgate("runs").out
    assert headgate("runs", "other", "--json").json == []


def test_rejects_as_csv_json_and_xlsx_hold_the_same(refused: Said, headgate: Headgate, folder: Path) -> None:
    told = headgate("rejects", 1, "--json").json
    assert [(r["line"], r["raw"]["sku"], [p["code"] for p in r["problems"]]) for r in told] == [
        (3, "A-2", ["TY02"]),
        (4, None, ["KY01"]),
    ]
    assert headgate("rejects", 1, "--csv", "bad.csv", "--json").json["rejects"] == 2
    listed = list(csv.reader(io.StringIO((folder / "bad.csv").read_bytes().decode("utf-8-sig"))))
    assert headgate("rejects", 1, "--xlsx", "bad.xlsx").code == 0
    cells = list(openpyxl.load_workbook(folder / "bad.xlsx").active.iter_rows())
    assert not any(c.data_type == "f" for row in cells for c in row), "no formula comes out of a value"
    assert not any(v.startswith("=") for row in listed for v in row)
    for table in (listed, [[c.value for c in row] for row in cells]):
        flat = [str(v) for row in table for v in row]
        assert len(table) == 3
        assert any("TY02" in v for v in flat)
        assert "A-2" in flat
    text = headgate("rejects", 1).out
    assert 'items.csv, line 3, column price: "dear" is not a decimal(8,2) [TY02]' in " ".join(text.split())


@pytest.mark.parametrize("option", ["--csv", "--xlsx"])
def test_rejects_that_cannot_be_written_are_an_error(option: str, refused: Said, headgate: Headgate) -> None:
    said = headgate("rejects", 1, option, "no/such/folder/bad")
    assert (said.code, said.out) == (1, "")
    assert "no/such/folder" in said.err


def test_text_for_people_is_not_broken_by_odd_names(folder: Path, headgate: Headgate) -> None:
    (folder / "[red]odd.csv").write_text("[bold]a[/bold],b\n1,[/]\n2,\x1b[31m\n")
    said = headgate("run", "[red]odd.csv", "--into", "sqlite:///shop.db#[link]", "--create")
    assert said.code == 0, said
    assert "[red]odd.csv" in said.out
    assert "\x1b" not in headgate("check", "[red]odd.csv").out


# ---- the schema --------------------------------------------------------------------------------------------------------


def test_the_schema_names_every_key(headgate: Headgate) -> None:
    schema = headgate("schema").json
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert headgate("schema", "--json").json == schema
    for model, part in (
        (ImportSpec, schema),
        *((m, schema["$defs"][m.__name__]) for m in (SourceSpec, FieldSpec, LookupSpec)),
    ):
        names = {f.alias or n for n, f in model.model_fields.items()}
        assert set(part["properties"]) == names
        assert all(p.get("description") or "$ref" in p for p in part["properties"].values())
        assert part["additionalProperties"] is False
    assert "connections" in headgate("schema", "--project").json["properties"]


def test_the_schema_lets_pass_what_a_definition_may_say_in_short(headgate: Headgate) -> None:
    """Editors mark what the schema does not let pass, so the short forms of the examples must be in it."""
    properties = headgate("schema").json["properties"]

    def kinds(part: dict[str, Any]) -> set[str]:
        found = {"object"} if "$ref" in part else {part["type"]} if "type" in part else set()
        return found.union(*map(kinds, part.get("anyOf", [])))

    assert kinds(properties["source"]) == {"object", "string"}
    assert kinds(properties["key"]) == {"array", "string"}
    assert kinds(properties["fields"]["additionalProperties"]) >= {"object", "string"}


def test_json_is_one_document_whatever_happens(sqlite_shop: Shop, define: Define, headgate: Headgate) -> None:
    sqlite_shop.table("item", "sku text primary key, price text", [])
    define(sqlite_shop, GOOD, key="sku")
    for words in (
        ["plan", "items"],
        ["run", "--plan", "1"],
        ["run", "items"],
        ["runs"],
        ["show", "1"],
        ["show", "2"],
        ["rejects", "2"],
        ["imports"],
        ["connections", "--test"],
        ["check"],
        ["check", "items.csv"],
        ["new", "items.csv", "--into", "shop#item", "--name", "two"],
    ):
        said = headgate(*words, "--json")
        assert said.code == 0, said
        assert said.json is not None
        assert said.err == ""
    for words in (["show", "99"], ["rejects", "x"], ["run", "nothing"], ["nothing"]):
        said = headgate(*words, "--json")
        assert said.code == json.loads(said.out)["error"]["exit_code"] == 2
