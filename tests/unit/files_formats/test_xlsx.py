"""Workbooks: cells as text, errors reported, rows as the spreadsheet counts them."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from headgate.model.errors import SourceError


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    """Writes a workbook: sheet name to rows; cells are written by their type."""

    def write(sheets: dict[str, list[list[object]]] | list[list[object]], *, at: tuple[int, int] = (0, 0)) -> Path:
        path = tmp_path / "book.xlsx"
        workbook = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False})
        formats = {
            dt.datetime: workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            dt.date: workbook.add_format({"num_format": "dd/mm/yyyy"}),
            dt.time: workbook.add_format({"num_format": "hh:mm:ss"}),
            dt.timedelta: workbook.add_format({"num_format": "[h]:mm:ss"}),
        }
        for name, rows in (sheets if isinstance(sheets, dict) else {"Data": sheets}).items():
            sheet = workbook.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    if type(cell) in formats:
                        sheet.write_datetime(at[0] + r, at[1] + c, cell, formats[type(cell)])
                    elif cell is not None:
                        sheet.write(at[0] + r, at[1] + c, cell)
        workbook.close()
        return path

    return write


def at(*parts: int) -> dt.datetime:
    return dt.datetime(*parts)  # noqa: DTZ001 - a spreadsheet knows no zones


def cells(read, book, *values):
    """What cells of one column come out as; a second column keeps every row from being blank."""
    got = read("xlsx", book([["v", "k"], *([v, "x"] for v in values)]))
    assert not got.faults
    return [r["v"] for r in got.records]


def test_text_stays_text(read, book):
    texts = ["00501", "NA", "1E5", "  x ", "line\nbreak", "=1+1", "true", "é😀", "_x0041_"]
    assert cells(read, book, *texts) == texts


def test_numbers_come_without_a_point_of_their_own_and_without_exponent(read, book):
    numbers = [1, 0, -7, 1268.88, 0.1, 1e-7, 1e15, 123456789012345, -0.0, 2.5]
    assert cells(read, book, *numbers) == [
        "1", "0", "-7", "1268.88", "0.1", "0.0000001", "1000000000000000", "123456789012345", "0", "2.5",
    ]  # fmt: skip
    assert cells(read, book, 1e300) == ["1e+300"]


def test_dates_times_and_truth_values(read, book):
    assert cells(read, book, dt.date(2024, 2, 29), dt.date(1999, 12, 31)) == ["2024-02-29", "1999-12-31"]
    assert cells(read, book, at(2024, 2, 29, 17, 30, 33)) == ["2024-02-29 17:30:33"]
    assert cells(read, book, at(2024, 2, 29, 17, 30, 33, 250_000)) == ["2024-02-29 17:30:33.250000"]
    assert cells(read, book, dt.time(7, 5, 9)) == ["07:05:09"]
    assert cells(read, book, dt.timedelta(hours=30, minutes=5)) == ["30:05:00"]
    assert cells(read, book, True, False, None) == ["true", "false", None]


def test_a_column_may_mix_everything(read, book):
    mixed = ["L", 44, 44.5, None, True, dt.date(2024, 1, 2), at(2024, 1, 2, 3, 4, 5), "058", 1e-7]
    assert cells(read, book, *mixed) == [
        "L", "44", "44.5", None, "true", "2024-01-02", "2024-01-02 03:04:05", "058", "0.0000001",
    ]  # fmt: skip


def test_the_product_list_is_found_under_its_title(read, data):
    got = read("xlsx", data / "products.xlsx")
    assert len(got.records) == 504
    assert not got.faults
    assert got.scan.schema.names[:3] == ["Product No", "Name", "Category"]
    assert got.rows == list(range(4, 508))
    assert str(got.scan.locate([0])[0]) == "products.xlsx, sheet Products, row 4"
    assert got.scan.findings["header"] == 3
    sizes = {r["Size"] for r in got.records}
    assert {"44", "L", None} <= sizes
    assert got.records[0]["Sell from"] == "2019-04-30"
    whole = openpyxl.load_workbook(data / "products.xlsx")["Products"]
    codes = [row[0] for row in whole.iter_rows(min_row=4, values_only=True)]
    assert [r["Product No"] for r in got.records] == codes


def test_rows_and_columns_are_counted_from_the_corner_of_the_sheet(read, book):
    path = book([["a", "b"], ["x", 1], [None, None], ["y", 2]], at=(4, 2))
    got = read("xlsx", path)
    assert got.records == [{"a": "x", "b": "1"}, {"a": "y", "b": "2"}]
    assert got.rows == [6, 8]
    assert got.scan.findings["header"] == 5
    assert read("xlsx", path, header=5).records == got.records


def test_error_cells_are_faults_with_their_place(read, tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([])
    sheet.append([None, "sku", "price", "qty"])
    sheet.append([None, "A-1", 1.5, 2])
    sheet.append([None, "A-2", "#DIV/0!", "#N/A"])
    sheet.append([])
    sheet.append([None, None, "#REF!", None])
    sheet.append([None, "A-3", 2.5, 3])
    book.save(tmp_path / "errors.xlsx")
    got = read("xlsx", tmp_path / "errors.xlsx")
    assert [r["sku"] for r in got.records] == ["A-1", "A-3"]
    assert got.ordinals == [0, 3]
    first, second = got.faults
    assert (first.ordinal, first.problem.code, first.problem.column, first.problem.value) == (
        1,
        "RD06",
        "price",
        "#DIV/0!",
    )
    assert "C4 holds #DIV/0!" in first.problem.reason
    assert "D4 holds #N/A" in first.problem.reason
    assert first.raw == {"sku": "A-2", "price": "#DIV/0!", "qty": "#N/A"}
    assert (second.ordinal, second.problem.value) == (2, "#REF!")
    assert [o.row for o in got.scan.locate([0, 1, 2, 3])] == [3, 4, 6, 7]


def rewritten(path: Path, change: Callable[[str], str], member: str = "xl/worksheets/sheet1.xml") -> Path:
    """The workbook with a member's XML changed, by default its first sheet's."""
    out = path.with_name("changed.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()).encode() if name == member else content)
    return out


def test_error_cells_are_found_without_references(read, book):
    path = book([["a", "b"], ["x", 1], ["y", 2], ["z", 3]])
    path = rewritten(
        path, lambda xml: re.sub(r' r="\w+"| spans="[\d:]+"', "", xml).replace("<c><v>2</v>", "<c t='e'><v>#NUM!</v>")
    )
    got = read("xlsx", path)
    assert [(f.ordinal, f.problem.column, f.problem.value) for f in got.faults] == [(1, "b", "#NUM!")]
    assert [r["b"] for r in got.records] == ["1", "3"]


def test_error_cells_are_found_anywhere_in_a_long_sheet(read, book):
    path = book([["n", "text"], *([n, f"some text of some length {n}"] for n in range(12_000))])
    path = rewritten(
        path,
        lambda xml: xml.replace('<c r="A9236"><v>9234</v>', '<c r="A9236" t="e"><v>#VALUE!</v>').replace(
            '<c r="A12001"><v>11999</v>', '<c r="A12001" t="e"><v>#NAME?</v>'
        ),
    )
    got = read("xlsx", path)
    assert [(f.ordinal, f.problem.value) for f in got.faults] == [(9234, "#VALUE!"), (11999, "#NAME?")]
    assert got.ordinals == [n for n in range(11_999) if n != 9234]


def test_text_that_looks_like_the_mark_of_an_error_is_text(read, book):
    assert cells(read, book, 't="e"', '<c r="A2" t="e"><v>#N/A</v></c>') == ['t="e"', '<c r="A2" t="e"><v>#N/A</v></c>']


def test_formulas_give_their_saved_values_and_missing_ones_are_noted(read, tmp_path):
    path = tmp_path / "formulas.xlsx"
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    for at, name in enumerate(("a", "b")):
        sheet.write(0, at, name)
    sheet.write_formula(1, 0, "=1+1", None, 2)
    sheet.write_formula(1, 1, '="x"&"y"', None, "xy")
    workbook.close()
    got = read("xlsx", path)
    assert got.records == [{"a": "2", "b": "xy"}]
    assert got.scan.findings["notes"] == []
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append(["x", "=1+1"])
    book.save(path)
    got = read("xlsx", path)
    assert got.records == [{"a": "x", "b": None}]
    (warning,) = got.scan.findings["warnings"]
    assert "1 formula was saved without its value" in warning
    assert warning in got.scan.findings["notes"]


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ('<c r="B2" t="str"><f>""</f><v></v></c>', 0),  # the value is a text without characters
        ('<c r="B2" t="str"><f>""</f><v/></c>', 0),
        ('<c r="B2"><f>A2*2</f><v/></c>', 1),
        ('<c r="B2"><f t="shared" si="0"/></c>', 1),
        ('<c r="B2"><f t="shared" ref="B2:B3" si="0">A2</f></c>', 1),
        ('<c r="B2"><f t="shared" si="0"/><v>2</v></c>', 0),
    ],
)
def test_formulas_without_their_value_are_told_from_those_whose_value_is_empty(cell, count, read, book):
    path = rewritten(book([["a", "b"], ["1", 7]]), lambda xml: re.sub(r'<c r="B2".*?</c>', lambda _: cell, xml))
    warnings = read("xlsx", path).scan.findings["warnings"]
    assert [w.partition(" ")[0] for w in warnings] == [str(count)] * (count > 0)


def test_merged_cells_among_the_records_are_noted(read, tmp_path):
    path = tmp_path / "merged.xlsx"
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["area", "shop"])
    sheet.merge_range("A2:A3", "North")
    sheet.write_column(1, 1, ["N1", "N2"])
    workbook.close()
    got = read("xlsx", path)
    assert got.records == [{"area": "North", "shop": "N1"}, {"area": None, "shop": "N2"}]
    assert "merged" in got.scan.findings["notes"][0]


SHEETS = {
    "Cover": [["Price list 2024"]],
    "Empty": [],
    "Prices": [["sku", "price"], ["A-1", 1]],
    "More": [["x", "y"], ["1", "2"]],
}


def test_a_sheet_is_chosen_by_name_or_number_or_is_the_first_with_records(opened, book):
    path = book(SHEETS)

    def named(sheet):
        return opened("xlsx", path, sheet=sheet).findings["sheet"]

    assert named("More") == named(4) == "More"
    assert named(None) == "Prices"
    for missing in ("prices", 5, 0):
        with pytest.raises(SourceError, match="has no sheet") as e:
            named(missing)
        assert "Cover, Empty, Prices, More" in e.value.hint
    assert opened("xlsx", path, partition="Cover", sheet="More").findings["sheet"] == "Cover"


def test_a_header_without_records_reads_as_none(read, book):
    got = read("xlsx", book([["sku", "price"]]))
    assert got.scan.schema.names == ["sku", "price"]
    assert got.batches == []


def test_a_workbook_without_cells_is_refused(opened, book):
    with pytest.raises(SourceError, match="no cells") as e:
        opened("xlsx", book({"One": [], "Two": []}))
    assert "One, Two" in e.value.hint


def test_names_repeat_and_are_missing(read, book):
    got = read("xlsx", book([["a", "a", None, " b \n c ", None, "a"], ["1", "2", "3", "4", None, "6"]]))
    assert got.records == [{"a": "1", "a_2": "2", "column_C": "3", "b c": "4", "a_3": "6"}]


def test_words_that_mean_nothing_are_null(read, book):
    got = read("xlsx", book([["a", "b"], ["NA", -1], ["na", 0]]), nulls=["NA", "-1"])
    assert got.records == [{"a": None, "b": None}, {"a": "na", "b": "0"}]


def test_a_scan_reads_again_and_says_the_same(read, book):
    rows: list[list[object]] = [[n, f"t{n}"] if n % 1000 else [None, None] for n in range(1, 5000)]
    got = read("xlsx", book([["n", "t"], *rows]))
    filled = [str(n) for n, _ in rows if n is not None]
    assert [r["n"] for r in got.records] == filled
    assert got.ordinals == list(range(len(filled)))
    assert [b.ordinals for b in got.scan.batches()] == [b.ordinals for b in got.batches]
    assert [o.row for o in got.scan.locate([0, 998, 999, len(filled) - 1])] == [2, 1000, 1002, 5000]
    assert got.scan.progress() == 1.0
    got.scan.close()
    got.scan.close()


def test_other_kinds_of_files_are_named(opened, tmp_path, data, book):
    whole = (data / "products.xlsx").read_bytes()
    word = tmp_path / "w.docx"
    with zipfile.ZipFile(word, "w") as z:
        z.writestr("word/document.xml", "<x/>")
    other = tmp_path / "o.zip"
    with zipfile.ZipFile(other, "w") as z:
        z.writestr("a.csv", "a,b")
    ole = bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 1000
    for content, words in {
        b"": "empty",
        b"a,b\n1,2\n": "looks like text",
        b'[{"a": 1}]': "looks like JSON",
        b"PAR1....": "Parquet",
        b"<html><table>": "HTML",
        whole[:9000]: "damaged",
        word.read_bytes(): "text document",
        other.read_bytes(): "zip archive",
        ole + "EncryptedPackage".encode("utf-16-le"): "password",
        ole: "damaged",
        b"\x00\x01\x02": "unknown kind",
    }.items():
        with pytest.raises(SourceError, match=words) as e:
            opened("xlsx", content)
        assert "input.xlsx" in e.value.message
        assert e.value.hint


def test_a_damaged_sheet_is_refused(opened, book):
    path = rewritten(book([["a", "b"], ["x", 1]]), lambda xml: xml[: len(xml) // 2])
    with pytest.raises(SourceError, match="damaged"):
        opened("xlsx", path)


def test_a_document_type_in_a_workbook_is_not_followed(read, book):
    path = book([["a", "b"], ["x", 1]])
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook'
    got = read("xlsx", rewritten(path, lambda xml: xml.replace("<workbook", bomb, 1), "xl/workbook.xml"))
    assert got.records == [{"a": "x", "b": "1"}]


def test_a_stray_cell_far_out_is_refused_rather_than_held_in_memory(opened, book):
    path = book([["a", "b"], ["x", 1]], at=(0, 0))
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    said = rewritten(path, lambda xml: xml.replace("</sheetData>", far).replace('ref="A1:B2"', 'ref="A1:XFD1048576"'))
    with pytest.raises(SourceError, match="up to XFD1048576"):
        opened("xlsx", said)
    silent = rewritten(path, lambda xml: xml.replace("</sheetData>", far).replace('<dimension ref="A1:B2"/>', ""))
    with pytest.raises(SourceError, match="up to XFD1048576"):
        opened("xlsx", silent)


def test_names_for_columns_replace_the_header_and_may_be_more_or_fewer(read, book):
    path = book([["sku", "price", "kind"], ["A-1", 1, "x"]])
    assert read("xlsx", path, columns=["sku", "cost"], header=1).records == [{"sku": "A-1", "cost": "1", "kind": "x"}]
    got = read("xlsx", path, columns=["sku", "price", "kind", "more"])
    assert got.records == [{"sku": "A-1", "price": "1", "kind": "x", "more": None}]
    got = read("xlsx", path, columns=["p", "q", "r"])
    assert [r["p"] for r in got.records] == ["sku", "A-1"]
    assert read("xlsx", path, header=False, skip=1).records == [{"column_A": "A-1", "column_B": "1", "column_C": "x"}]


def test_a_nul_in_a_text_is_a_fault(read, book):
    path = book([["a", "b"], ["x", 1], ["QQ", 2], ["z", 3]])
    got = read("xlsx", rewritten(path, lambda xml: xml.replace("QQ", "p_x0000_q"), "xl/sharedStrings.xml"))
    assert [r["a"] for r in got.records] == ["x", "z"]
    assert [(f.ordinal, f.problem.code, f.problem.column, f.raw["b"]) for f in got.faults] == [(1, "RD07", "a", "2")]


def test_the_header_is_found_behind_many_rows_left_out(read, book):
    path = book([*[[f"note {n}", "x"] for n in range(300)], ["sku", "price"], ["A-1", 1]])
    got = read("xlsx", path, skip=300)
    assert got.records == [{"sku": "A-1", "price": "1"}]
    assert got.rows == [302]


@pytest.mark.parametrize(("number", "shown"), [(1e9, "[h]:mm:ss"), (-1e30, "[h]:mm:ss")])
def test_a_number_that_no_time_can_be_is_an_error_with_its_row(read, tmp_path, number, shown):
    workbook = xlsxwriter.Workbook(str(tmp_path / "far.xlsx"))
    sheet = workbook.add_worksheet("Data")
    time = workbook.add_format({"num_format": shown})
    sheet.write_row(0, 0, ["id", "t"])
    for row, value in enumerate([0.5, number, 0.25], 1):
        sheet.write(row, 0, row)
        sheet.write(row, 1, value, time)
    workbook.close()
    with pytest.raises(SourceError, match="sheet Data, row 3: a cell has the format of a time"):
        read("xlsx", tmp_path / "far.xlsx")
