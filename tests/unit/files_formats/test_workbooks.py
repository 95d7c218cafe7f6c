"""Workbooks that are not XLSX: XLS, XLSB, ODS, XLSM; and what is locked, damaged or far too large."""

from __future__ import annotations

import datetime as dt
import shutil
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from headgate.connectors.files import FileSource, packed
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

ODS = "application/vnd.oasis.opendocument.spreadsheet"
DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"><office:body><office:spreadsheet>
<table:table table:name="Prices">{}</table:table></office:spreadsheet></office:body></office:document-content>"""
MANIFEST = f"""<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS}"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"></manifest:file-entry></manifest:manifest>"""


def cell(text: str, kind: str = "string", **attributes: str) -> str:
    """A cell as LibreOffice writes it; `attributes` are the office's."""
    own = "".join(f' office:{k.replace("_", "-")}="{v}"' for k, v in attributes.items())
    return f'<table:table-cell office:value-type="{kind}"{own}><text:p>{text}</text:p></table:table-cell>'


def row(*cells: str, more: str = "") -> str:
    return f"<table:table-row{more}>{''.join(cells)}</table:table-row>"


EMPTY = "<table:table-cell/>"
ERROR = cell("#DIV/0!", string_value="").replace(
    "<table:table-cell", '<table:table-cell table:formula="of:=1/0" calcext:value-type="error"'
)
TAIL = row('<table:table-cell table:number-columns-repeated="16384"/>', more=' table:number-rows-repeated="1048000"')


@pytest.fixture
def ods(tmp_path: Path) -> Callable[..., Path]:
    """Writes an ODS workbook of these rows."""

    def write(*rows: str, manifest: str = MANIFEST, content: bytes | None = None) -> Path:
        path = tmp_path / "book.ods"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", ODS)
            archive.writestr("META-INF/manifest.xml", manifest)
            archive.writestr("content.xml", content or DOCUMENT.format("".join(rows)))
        return path

    return write


def test_xls_values_merged_cells_and_hidden_rows(read, data):
    got = read("xlsx", data / "prices.xls")
    assert got.records[:3] == [
        {"sku": "A-1", "price": "1.5", "day": "2024-01-01", "share": "0.125", "sold": "true"},
        {"sku": "A-2", "price": "3", "day": "2024-01-02", "share": "0.25", "sold": "false"},
        {"sku": "A-3", "price": "4.5", "day": "2024-01-03", "share": "0.375", "sold": "true"},
    ]
    assert [(r["sku"], r["price"]) for r in got.records[3:]] == [("M", "9"), (None, "8")]
    assert got.rows == [2, 3, 4, 5, 6]
    assert got.scan.findings["format"] == "xls"
    assert "1 merged cell" in got.scan.findings["notes"][0]
    assert "cells with errors cannot be told" in got.scan.findings["notes"][1]
    assert read("xlsx", data / "prices.xls", sheet="Other").records == [{"a": "1", "b": "2"}]


def test_xlsb_values(read, data):
    got = read("xlsx", data / "prices.xlsb")
    assert got.records == [
        {"sku": "A-1", "price": "1.5", "day": "2024-01-01", "sold": "true"},
        {"sku": "A-2", "price": "3", "day": "2024-01-02 03:04:05", "sold": "false"},
        {"sku": "A-3", "price": None, "day": None, "sold": None},
    ]
    assert got.scan.findings["format"] == "xlsb"


def test_dates_count_from_1904_where_the_workbook_says_so(read, data, tmp_path):
    assert read("xlsx", data / "since-1904.xls").records == [{"day": "1904-01-02", "x": "y"}]
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.active.append(["day", "x"])
    book.active.append([dt.date(2024, 1, 2), "y"])
    book.save(tmp_path / "since.xlsx")
    assert read("xlsx", tmp_path / "since.xlsx").records == [{"day": "2024-01-02", "x": "y"}]


def test_shares_and_amounts_are_numbers_and_hidden_rows_are_noted(read, tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for values in (["share", "amount", "hidden"], [0.125, 12.5, "x"], [1, 1200, "y"]):
        sheet.append(values)
    sheet["A2"].number_format = "0.0%"
    sheet["B2"].number_format = sheet["B3"].number_format = "€#,##0.00"
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["C"].hidden = True
    for name in ("a.xlsx", "a.xlsm"):
        book.save(tmp_path / name)
        got = read("xlsx", tmp_path / name)
        assert got.records == [
            {"share": "0.125", "amount": "12.5", "hidden": "x"},
            {"share": "1", "amount": "1200", "hidden": "y"},
        ]
        assert got.scan.findings["notes"] == ["1 row is hidden, and is read as the others are"]


def test_a_hidden_sheet_is_read_if_it_is_named_or_the_only_one(read, tmp_path):
    book = openpyxl.Workbook()
    for state, name in (("hidden", "Codes"), ("veryHidden", "More"), ("visible", "Prices")):
        sheet = book.create_sheet(name)
        sheet.sheet_state = state
        sheet.append(["sheet", "x"])
        sheet.append([name, "y"])
    book.save(tmp_path / "a.xlsx")
    got = read("xlsx", tmp_path / "a.xlsx")
    assert got.records == [{"sheet": "Prices", "x": "y"}]
    assert got.scan.findings["notes"] == []
    named = read("xlsx", tmp_path / "a.xlsx", sheet="More")
    assert named.records == [{"sheet": "More", "x": "y"}]
    assert named.scan.findings["notes"] == ["the sheet is hidden"]
    del book["Prices"]
    book.save(tmp_path / "b.xlsx")
    assert read("xlsx", tmp_path / "b.xlsx").records == [{"sheet": "Codes", "x": "y"}]


def test_ods_values_repeated_rows_and_hidden_ones(read, ods):
    got = read(
        "xlsx",
        ods(
            row(*map(cell, ("sku", "price", "share", "day", "sold", "at"))),
            row(cell("A-1"), cell("12,50 €", "currency", value="12.5", currency="EUR"), cell("12.5 %", "percentage", value="0.125"),
                cell("2.1.24", "date", date_value="2024-01-02"), cell("WAHR", "boolean", boolean_value="true"),
                cell("1:02", "time", time_value="PT01H02M03S")),
            row(cell("A-2"), EMPTY, EMPTY, cell("x", "date", date_value="2024-01-02T03:04:05"),
                more=' table:number-rows-repeated="2" table:visibility="filter"'),
            TAIL,
        ),
    )  # fmt: skip
    second = {"sku": "A-2", "price": None, "share": None, "day": "2024-01-02 03:04:05", "sold": None, "at": None}
    assert got.records == [
        {"sku": "A-1", "price": "12.5", "share": "0.125", "day": "2024-01-02", "sold": "true", "at": "01:02:03"},
        second,
        second,
    ]
    assert got.scan.findings["notes"] == ["2 rows are hidden, and are read as the others are"]
    assert got.rows == [2, 3, 4]


def test_error_cells_of_ods_are_faults(read, ods):
    old = ERROR.replace(' calcext:value-type="error"', "").replace(' office:string-value=""', "")
    typed = cell("#DIV/0!")
    rows = [row(cell("a"), cell(n)) for n in ("1", "2")]
    got = read(
        "xlsx",
        ods(
            row(cell("k"), cell("v")),
            rows[0],
            row(cell("b"), ERROR),
            row(cell("c"), old),
            row(cell("d"), typed),
            rows[1],
        ),
    )
    assert [(f.ordinal, f.problem.code, f.problem.column, f.problem.value) for f in got.faults] == [
        (1, "RD06", "v", "#DIV/0!"), (2, "RD06", "v", "#DIV/0!"),
    ]  # fmt: skip
    assert [r["v"] for r in got.records] == ["1", "#DIV/0!", "2"], "what somebody typed is a text"
    assert "B3 holds #DIV/0!" in got.faults[0].problem.reason


def test_a_repeated_cell_far_out_is_refused_rather_than_held_in_memory(opened, ods):
    one = cell("1", "float", value="1").replace(
        "<table:table-cell", '<table:table-cell table:number-columns-repeated="16384"'
    )
    path = ods(row(cell("a"), cell("b")), row(one, more=' table:number-rows-repeated="1048575"'))
    with pytest.raises(
        SourceError, match="book.ods, sheet Prices, spans 1,048,576 rows and 16,384 columns, up to XFD1048576"
    ):
        opened("xlsx", path)


def test_what_is_locked_is_said_to_be(opened, ods, data, tmp_path):
    locked = MANIFEST.replace('"text/xml">', '"text/xml"><manifest:encryption-data manifest:checksum="x"/>')
    with pytest.raises(SourceError, match="book.ods is locked with a password") as e:
        opened("xlsx", ods(manifest=locked, content=b"\x9c\x01" * 500))
    assert "without the password" in e.value.hint
    whole = (data / "prices.xls").read_bytes()
    behind = whole.index(bytes.fromhex("0908100000060500")) + 20
    with pytest.raises(SourceError, match=r"input\.xlsx is locked with a password"):
        opened("xlsx", whole[:behind] + bytes.fromhex("2f000200") + whole[behind + 4 :])


def test_what_is_damaged_is_refused(opened, ods, data):
    content = DOCUMENT.format(row(cell("a"), cell("b")) * 10).encode()
    xls, xlsb = (data / "prices.xls").read_bytes(), (data / "prices.xlsb").read_bytes()
    for given in (
        ods(content=content[: len(content) // 2]), ods(content=b"\x9c\x01" * 500), xls[:600], xls[:3000],
        xlsb[:1000], xlsb[: len(xlsb) // 2],
    ):  # fmt: skip
        with pytest.raises(SourceError, match="is a damaged workbook") as e:
            opened("xlsx", given)
        assert e.value.hint


def test_a_workbook_that_is_a_bomb_is_refused(opened, data, tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "_LARGE", 1 << 20)
    shutil.copy(data / "products.xlsx", tmp_path / "bomb.xlsx")
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/more.xml", b" " * (16 << 20))
    with pytest.raises(SourceError, match="bomb.xlsx unpacks to more than") as e:
        opened("xlsx", tmp_path / "bomb.xlsx")
    assert "max_unpacked" in e.value.hint
    assert opened("xlsx", tmp_path / "bomb.xlsx", max_unpacked=32 << 20).schema.names


@pytest.mark.parametrize("format", [None, "xlsx", "xls", "xlsb", "ods"])
@pytest.mark.parametrize("name", ["prices.xls", "prices.xlsb"])
def test_every_word_for_a_workbook_means_any(data, format, name):
    source = FileSource(SourceSpec(path=name, format=format), data)
    with closing(source), closing(source.open(source.partitions()[0])) as scan:
        assert scan.schema.names[0] == "sku"
