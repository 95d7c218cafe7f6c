"""Files that are not there, not whole, or not what they seem: a clear error or rejects with codes, nothing half written."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from support.shop import Ask, Headgate, Said, counts

INTO = ("--into", "sqlite:///shop.db#item", "--key", "sku", "--create")
FIELDS = "fields={sku: , price: {type: 'decimal(8,2)'}}"
GOOD = "sku,price\nA-1,12.50\nA-2,7.00\n"


def _book(folder: Path, *rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / "book")
    data = (folder / "book").read_bytes()
    (folder / "book").unlink()
    return data


def _zip(folder: Path, **files: bytes) -> bytes:
    with zipfile.ZipFile(folder / "packed", "w") as packed:
        for name, data in files.items():
            packed.writestr(name.replace("_", "."), data)
    data = (folder / "packed").read_bytes()
    (folder / "packed").unlink()
    return data


UNREADABLE: dict[str, Callable[[Path], bytes]] = {
    "empty.csv": lambda f: b"",
    "blank.csv": lambda f: b"\n\n \n",
    "mark.csv": lambda f: b"\xef\xbb\xbf",
    "empty.xlsx": lambda f: b"",
    "no-rows.xlsx": lambda f: _book(f),
    "text.xlsx": lambda f: GOOD.encode(),
    "cut.xlsx": lambda f: _book(f, ["sku", "price"], ["A-1", 1])[:1500],
    "text.xls": lambda f: GOOD.encode(),
    "cut.xls": lambda f: bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 999,
    "locked.xls": lambda f: bytes.fromhex("d0cf11e0a1b11ae1") + "EncryptedPackage".encode("utf-16-le"),
    "cut.ods": lambda f: _zip(f, mimetype=b"application/vnd.oasis.opendocument.spreadsheet", content_xml=b"<office:"),
    "empty.json": lambda f: b"",
    "text.json": lambda f: GOOD.encode(),
    "cut.json": lambda f: b'[{"sku": "A-1", "price": 1}, {"sku": ',
    "scalar.json": lambda f: b"42",
    "numbers.json": lambda f: b"[1, 2, 3]",
    "empty.jsonl": lambda f: b"",
    "text.jsonl": lambda f: GOOD.encode(),
    "text.parquet": lambda f: GOOD.encode(),
    "empty.parquet": lambda f: b"",
    "text.arrow": lambda f: GOOD.encode(),
    "cut.arrow": lambda f: b"ARROW1\0\0" + b"\xff" * 99,
    "cut.arrows": lambda f: b"\xff\xff\xff\xff\x10\0\0\0" + b"\0" * 99,
    "text.avro": lambda f: GOOD.encode(),
    "cut.avro": lambda f: b"Obj\x01" + b"\x04" * 40,
    "empty.xml": lambda f: b"",
    "text.xml": lambda f: GOOD.encode(),
    "cut.xml": lambda f: b"<items><item><sku>A-1</sku></item><item><sku>",
    "bomb.xml": lambda f: b"<!DOCTYPE i [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><i><a>&b;</a><a/></i>",
    "lists.xml": lambda f: b"<r><a/><a/><b/><b/></r>",
    "plain.csv.gz": lambda f: b"\x1f\x8b" + GOOD.encode(),
    "cut.csv.gz": lambda f: gzip.compress(GOOD.encode() * 999)[:100],
    "cut.csv.bz2": lambda f: bz2.compress(GOOD.encode() * 999)[:100],
    "cut.csv.xz": lambda f: lzma.compress(GOOD.encode() * 999)[:100],
    "cut.csv.zst": lambda f: pa.Codec("zstd").compress(GOOD.encode() * 999, asbytes=True)[:30],
    "bomb.csv.bz2": lambda f: bz2.compress(b"\0" * (64 << 20)) * 20,
    "empty.zip": lambda f: _zip(f),
    "cut.zip": lambda f: _zip(f, items_csv=GOOD.encode())[:60],
    "items.rar": lambda f: b"Rar!\x1a\x07\x01\0" + b"x" * 99,
    "items.csv.lz4": lambda f: b"\x04\x22\x4d\x18" + GOOD.encode(),
    "image.csv": lambda f: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
    "document.csv": lambda f: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)) * 20,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(name: str, folder: Path, headgate: Headgate) -> None:
    (folder / name).write_bytes(UNREADABLE[name](folder))
    said = headgate("run", name, *INTO, "--set", FIELDS)
    assert (said.code, said.out) == (1, ""), said
    assert said.err.startswith("headgate: ")
    assert name in said.err
    assert len(said.err.splitlines()) >= 2, "there is a hint"
    assert len(said.err) < 1500
    assert not (folder / "shop.db").exists()
    assert headgate("runs", "--json").json[0]["status"] == "failed"


def test_an_archive_with_two_files_of_one_name_is_refused(folder: Path, headgate: Headgate) -> None:
    (folder / "twice.zip").write_bytes(
        _zip(folder, a_csv=GOOD.encode(), b_csv=b"sku,price\nZ-9,1\n").replace(b"b.csv", b"a.csv")
    )
    said = headgate("run", "twice.zip", *INTO, "--set", FIELDS)
    assert (said.code, said.out) == (1, "")
    assert "twice.zip has 2 files called a.csv" in said.err
    assert not (folder / "shop.db").exists()


@pytest.mark.parametrize("path", ["gone.csv", "no/such/folder/items.csv", "inbox", "*.csv", "", "a\0b.csv", "x" * 300])
def test_a_path_that_leads_nowhere_is_an_error(path: str, folder: Path, headgate: Headgate) -> None:
    (folder / "inbox").mkdir()
    said = headgate("run", path, *INTO)
    assert said.code in (1, 2)
    assert said.out == ""
    assert not (folder / "shop.db").exists()


def test_a_name_nearly_right_is_suggested(folder: Path, headgate: Headgate) -> None:
    (folder / "items.csv").write_text(GOOD)
    assert "items.csv" in headgate("run", "item.csv", *INTO).err


@pytest.mark.parametrize("commit", ["run", "batch"])
def test_a_file_with_a_header_alone_has_no_records(commit: str, folder: Path, headgate: Headgate, rows: Ask) -> None:
    (folder / "items.csv").write_text("sku,price\n")
    said = headgate("run", "items.csv", *INTO, "--set", f"commit={commit}", "--json")
    assert (said.code, counts(said.json)) == (0, {})
    assert rows("select count(*) from item") == [(0,)], "the table that was announced is made"


def _run(headgate: Headgate, folder: Path, name: str, data: bytes, *settings: str) -> tuple[Said, dict[int, list[str]]]:
    """Runs a file; the codes of what was refused by line (or row)."""
    (folder / name).write_bytes(data)
    said = headgate("run", name, *INTO, "--set", FIELDS, *(w for s in settings for w in ("--set", s)), "--json")
    assert said.code == 3, said
    assert said.json["account"]["balance"] == 0
    told = headgate("rejects", said.json["id"], "--json").json
    assert all(r["file"] == name for r in told)
    return said, {r["line"] or r["row"]: [p["code"] for p in r["problems"]] for r in told}


@pytest.mark.parametrize(
    ("data", "codes", "there"),
    [
        (b'sku,price\nA-1,1\n"A-2,2\nA-3,3\n', {3: ["RD03"]}, ["A-1", "A-3"]),
        (b'sku,price\nA-1,1\nA-2,"2\n', {3: ["RD03"]}, ["A-1"]),
        (b'sku,price\nA-1,1\n"A"-2,2\nA-3,3\n', {3: ["RD03"]}, ["A-1", "A-3"]),
        (b"sku,price\nA-1,1\nA-2,2,3\nA-4\nA-5,5\n", {3: ["RD02"], 4: ["RD01"]}, ["A-1", "A-5"]),
        (b"sku,price\r\nA-1,1\nA-2,2\r\nA-3,3\nA-4,x\r\n", {5: ["TY02"]}, ["A-1", "A-2", "A-3"]),
        (b"sku,price\nA-1,1\nA\x00-2,2\nA-3,3\n", {3: ["RD07"]}, ["A-1", "A-3"]),
        (b"\x00sku,price\nA-1,1\nA-2,x\n", {3: ["TY02"]}, ["A-1"]),
        (
            "sku,price\nGröße €,1\n".encode() + b"Caf\xe9,2\n" + "Écru €,3\nÜber €,4\n".encode(),
            {3: ["RD04"]},
            ["Größe €", "Écru €", "Über €"],
        ),
    ],
    ids=["never closed", "closed by nothing", "goes on", "ragged", "mixed ends", "nul", "nul in header", "latin-1"],
)
def test_a_bad_line_is_refused_alone(
    data: bytes, codes: dict[int, list[str]], there: list[str], folder: Path, headgate: Headgate, rows: Ask
) -> None:
    settings = ["columns=[sku, price]"] if data.startswith(b"\0") else []
    _, found = _run(headgate, folder, "items.csv", data, *(f"source.{s}" for s in settings))
    assert found == codes
    assert sorted(r[0] for r in rows("select sku from item")) == sorted(there)


def test_bad_lines_of_fixed_width_are_refused_alone(folder: Path, headgate: Headgate, rows: Ask) -> None:
    data = b"A-1   12.50\nA-2   7.0\nA-3    dear\nA-4    1.00 or 2\n\nA-5    1.25\n"
    _, codes = _run(headgate, folder, "items.txt", data, "source.widths={sku: 4, price: 7}")
    assert codes == {2: ["RD01"], 3: ["TY02"], 4: ["RD02"]}
    assert rows("select sku, price from item order by sku") == [("A-1", 12.5), ("A-5", 1.25)]


def test_a_field_of_64_megabytes_is_refused_alone_and_not_shown_whole(
    folder: Path, headgate: Headgate, rows: Ask
) -> None:
    huge = b"x" * (64 << 20)
    said, codes = _run(headgate, folder, "items.csv", b'sku,price\nA-1,1\n"' + huge + b'",2\nA-3,3\n')
    assert codes == {3: ["RD08"]}
    assert rows("select sku from item order by sku") == [("A-1",), ("A-3",)]
    assert len(said.out) < 100_000
    assert len(headgate("rejects", 1).out) < 5_000


def test_a_json_line_of_64_megabytes_is_refused_alone(folder: Path, headgate: Headgate, rows: Ask) -> None:
    lines = [b'{"sku": "A-1", "price": 1}', b'{"sku": "' + b"x" * (64 << 20) + b'"}', b'{"sku": "A-3", "price": 3}']
    _, codes = _run(headgate, folder, "items.jsonl", b"\n".join(lines) + b"\n")
    assert codes == {2: ["RD08"]}
    assert rows("select sku from item order by sku") == [("A-1",), ("A-3",)]


def test_bad_json_lines_are_refused_alone(folder: Path, headgate: Headgate, rows: Ask) -> None:
    lines = ['{"sku": "A-1", "price": "1.10"}', '{"sku": "A-2"', "[1]", "7", "", '{"price": 3}', '{"sku": "A\\u0000"}']
    _, codes = _run(headgate, folder, "items.jsonl", "\n".join(lines).encode())
    assert codes == {2: ["RD05"], 3: ["RD05"], 4: ["RD05"], 6: ["KY01"], 7: ["RD07"]}
    assert rows("select sku, price from item") == [("A-1", 1.1)]


def test_bad_records_of_a_json_document_are_refused_alone(folder: Path, headgate: Headgate, rows: Ask) -> None:
    records: list[Any] = [{"sku": "A-1", "price": 1}, {"sku": "A-2", "price": [1]}, {"sku": None, "price": 2}]
    _, codes = _run(headgate, folder, "items.json", json.dumps(records, indent=1).encode())
    assert sorted(c for found in codes.values() for c in found) == ["KY01", "TY02"]
    assert rows("select sku from item") == [("A-1",)]


def test_bad_records_of_an_xml_document_are_refused_alone(folder: Path, headgate: Headgate, rows: Ask) -> None:
    items = ["<sku>A-1</sku><price>1.5</price>", "<sku>A-2</sku><price><net>1</net></price>", "<price>3</price>"]
    document = "<items>\n" + "".join(f"<item>{i}</item>\n" for i in items) + "</items>"
    settings = ["source.columns=[sku, price]"]
    _, codes = _run(headgate, folder, "items.xml", document.replace("<net>1</net>", "dear").encode(), *settings)
    assert codes == {3: ["TY02"], 4: ["KY01"]}
    assert rows("select sku from item") == [("A-1",)]


def test_nested_values_of_xml_are_mapped_by_their_path(folder: Path, headgate: Headgate, rows: Ask) -> None:
    (folder / "items.xml").write_text(
        "<r><i n='1'><a><city>Paris</city></a></i><i n='2'><a><city>Rome</city></a></i></r>"
    )
    fields = "fields={sku: '@n', city: a/city, shout: {expr: upper(\"a/city\")}}"
    assert headgate("run", "items.xml", *INTO, "--set", fields).code == 0
    assert rows("select sku, city, shout from item order by sku") == [(1, "Paris", "PARIS"), (2, "Rome", "ROME")]


def test_bad_cells_of_a_sheet_are_refused_with_their_row(folder: Path, headgate: Headgate, rows: Ask) -> None:
    data = _book(
        folder,
        ["Prices, as of today"],
        [],
        ["sku", "price"],
        ["A-1", 1.5],
        ["A-2", "dear"],
        [None, 3],
        ["A-4", "=1/0"],
        ["A-5", 1.005],
        ["A-6", 2],
    )
    _, codes = _run(headgate, folder, "items.xlsx", data)
    assert codes.pop(7, ["RD06"]) == ["RD06"], "openpyxl writes no result of the formula, which then is a blank"
    assert codes == {5: ["TY02"], 6: ["KY01"], 8: ["TY12"]}
    assert {"A-1", "A-6"} <= {r[0] for r in rows("select sku from item")}


# ---- expressions and columns -------------------------------------------------------------------------------------------


REACHING_OUT = [
    "read_text('/etc/passwd')",
    "read_csv('items.csv')",
    "price || getenv('HOME')",
    "(select content from read_text('/etc/passwd'))",
    "(select 1)",
    "current_setting('home_directory')",
    "query('select 1')",
    "price; drop table item",
    "1) from read_text('/etc/passwd') --",
    "nextval('s')",
]
NONE = ["price /* ", "", "'", "columns(*)", "?", "$1"]


@pytest.mark.parametrize(
    ("command", "where", "expression"),
    [("check", "fields.price.expr", e) for e in REACHING_OUT + NONE]
    + [("check", where, e) for where in ("filter", "fields.price.check", "delete_when") for e in REACHING_OUT[:3]]
    + [(command, "fields.price.expr", REACHING_OUT[0]) for command in ("plan", "run")],
)
def test_an_expression_that_reaches_out_or_is_none_is_refused_before_anything_is_read(
    command: str, where: str, expression: str, folder: Path, headgate: Headgate
) -> None:
    (folder / "items.csv").write_text(GOOD)
    (folder / "items.yaml").write_text(
        "source: items.csv\nfields: {sku: , price: {}}\nkey: sku\n"
        "destination: {connection: sqlite:///shop.db, table: item, create: true}\n"
    )
    said = headgate(command, "items.yaml", "--set", f"{where}={json.dumps(expression)}")
    assert (said.code, said.out) == (2, ""), said
    assert said.err.startswith("headgate: ")
    assert not (folder / "shop.db").exists()


def test_expressions_without_an_answer_refuse_the_record_with_a_code_each(
    folder: Path, headgate: Headgate, rows: Ask
) -> None:
    expressions = [
        "1 / price",
        "1 // price",
        "5 % price",
        "ln(price)",
        "sqrt(price - 1)",
        "(price + 5) * 1e308 * 1e308",
        "9223372036854775807 + (price::bigint + 1)",
        "cast('x' || price as integer)",
        "length(cast('x' || price as date)::varchar)",
    ]
    fields: dict[str, object] = {"sku": None}
    for number, expression in enumerate(expressions):
        guarded = f"case when sku = 'A-1' then 1 else {expression} end"
        fields[f"e{number}"] = {"expr": guarded, "type": "double"}
    _run(headgate, folder, "items.csv", b"sku,price\nA-1,1\nA-2,0\n", f"fields={json.dumps(fields)}")
    (refused,) = headgate("rejects", 1, "--json").json
    assert refused["line"] == 3
    assert {p["field"]: p["code"] for p in refused["problems"]} == {f"e{n}": "EX01" for n in range(len(expressions))}
    assert rows("select sku, e0 from item") == [("A-1", 1)]


@pytest.mark.parametrize("name", ["items.csv", "items.jsonl", "items.xlsx"])
def test_a_column_that_is_not_there_is_an_error_with_the_nearest(name: str, folder: Path, headgate: Headgate) -> None:
    data = {
        "items.csv": b"sku,list_price\nA-1,1\n",
        "items.jsonl": b'{"sku": "A-1", "list_price": 1}\n',
        "items.xlsx": _book(folder, ["sku", "list_price"], ["A-1", 1]),
    }[name]
    (folder / name).write_bytes(data)
    said = headgate("run", name, *INTO, "--set", "fields={sku: , price: {from: list_prise}}")
    assert (said.code, said.out) == (2, "")
    assert "list_prise" in said.err
    assert "list_price" in said.err
    assert not (folder / "shop.db").exists()


def test_a_later_file_that_lacks_a_column_fails_the_run_and_nothing_is_kept(folder: Path, headgate: Headgate) -> None:
    (folder / "1.csv").write_text(GOOD)
    (folder / "2.csv").write_text("sku,cost\nA-3,1\n")
    said = headgate("run", "*.csv", *INTO, "--set", FIELDS)
    assert (said.code, said.out) == (1, "")
    assert "2.csv" in said.err
    assert "price" in said.err
    assert not (folder / "shop.db").exists()
