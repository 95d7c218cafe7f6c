"""Rejects as text, JSON, CSV and workbook."""

from __future__ import annotations

import codecs
import csv
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.model.errors import HeadgateError
from headgate.model.outcome import Outcome
from headgate.model.record import Origin, Problem, Reject, State
from headgate.model.run import Kind, Run
from headgate.report import (
    neutralise,
    read_id,
    record_id,
    rejects_csv,
    rejects_json,
    rejects_text,
    rejects_xlsx,
    restored,
)

DANGEROUS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "'=1",
    "''=1",
    "＝1",
    "+33 6 12",
    "=",
    "-",
    "-x",
    "\n=",
]
HARMLESS = ["", "A-1", "-5", "+5", "-1.234,50", "-1E5", "+12%", "00501", "a=1", "'quoted'", "O'Hara", "NA"]


RUN = Run("products", Kind.RUN, "upsert", "shop", "f1", datetime(2026, 3, 1, 12, 0, tzinfo=UTC), id=7)


def one(number: int = 0, **raw: str | None) -> Reject:
    problem = Problem("TY02", "not a number", "price", "price", raw.get("price"))
    return Reject(number, Outcome.INVALID, (problem,), dict(raw), Origin("a.csv", "", number + 2, number + 2))


def sheet_values(path: Path, sheet: str = "Rejects") -> list[tuple[object, ...]]:
    book = openpyxl.load_workbook(path)
    try:
        return list(book[sheet].iter_rows(values_only=True))
    finally:
        book.close()


@pytest.mark.parametrize("text", DANGEROUS)
def test_what_a_spreadsheet_would_run_is_neutralised(text):
    assert neutralise(text) == f"'{text}"
    assert restored(neutralise(text)) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_is_left_alone(text):
    assert neutralise(text) == text
    assert restored(text) == text


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n 1a.＝")))
def test_neutralising_can_always_be_taken_back(text):
    safe = neutralise(text)
    assert restored(safe) == text
    assert safe[:1] not in ("=", "@", "\t", "\r", "\n", "＝")


def test_text_has_place_reason_and_the_way_out(reject, written):
    text = written(rejects_text, [reject, reject])
    assert text.splitlines()[0] == (
        'inbox/products.xlsx, sheet Products, row 212, column ListPrice: "12,5O" is not a decimal(12,2) [TY02]'
    )
    assert text.count("[RU01]") == 2
    assert text.count("Fill it in, or give the field a default.") == 1
    assert written(rejects_text, []) == ""


def test_on_a_terminal_text_is_wrapped(reject, written):
    assert all(
        len(line) <= 60
        for line in written(rejects_text, [reject], width=60, terminal=True).splitlines()
        if "\x1b" not in line
    )


def test_json_has_the_documented_keys_and_streams(reject):
    def endless():
        while True:
            yield reject

    shown = next(rejects_json(endless()))
    assert json.loads(json.dumps(shown)) == shown
    assert all(f"``{key}``" in (rejects_json.__doc__ or "") for key in shown)
    assert shown["raw"] == reject.raw
    assert shown["problems"][0]["value"] == "12,5O"
    assert (shown["row"], shown["line"]) == (212, None)


def test_csv_has_the_users_columns_in_their_order_and_tells_nothing_from_empty(reject, tmp_path):
    path = tmp_path / "fix.csv"
    assert rejects_csv(RUN, iter([reject]), path) == 1
    data = path.read_bytes()
    assert data.startswith(codecs.BOM_UTF8)
    head, line, rest = data.decode("utf-8-sig").split("\r\n")
    assert rest == ""
    assert head == "ProductNumber,Name,ListPrice,Color,Problems,_headgate"
    assert line.startswith('00501,,"12,5O","",')
    assert next(csv.reader([line]))[4:] == [
        "inbox/products.xlsx, sheet Products, row 212: "
        'column ListPrice: "12,5O" is not a decimal(12,2) [TY02]; column Name: a required value is missing [RU01]',
        str(record_id(RUN, 208)),
    ]


def test_csv_holds_any_text_and_gives_it_back(tmp_path):
    values = [*DANGEROUS, *HARMLESS, 'a"b', "a,b", "a\r\nb", " a ", "漢字", "\x00", "a;b"]
    path = tmp_path / "fix.csv"
    rejects_csv(RUN, [one(i, price=v, **{"=cmd": "x"}) for i, v in enumerate(values)], path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    assert head[:2] == ["price", "'=cmd"]
    assert [restored(r[0]) for r in rows] == values
    assert not any(r[0].startswith(("=", "@", "\t")) for r in rows)


def test_columns_of_later_files_come_behind_and_our_own_names_are_ours(tmp_path):
    path = tmp_path / "fix.csv"
    rejects_csv(RUN, [one(1, b="1", a="2"), one(2, c="3", a="4", Problems="mine", _headgate="old")], path)
    head, *rows = csv.reader(path.read_text("utf-8-sig").splitlines())
    assert head == ["b", "a", "c", "Problems", "Problems found", "_headgate"]
    assert [r[:4] for r in rows] == [["1", "2", "", ""], ["", "4", "3", "mine"]]
    assert [r[5] for r in rows] == [str(record_id(RUN, n)) for n in (1, 2)]


def test_a_record_id_says_which_record_of_which_run_and_no_spreadsheet_takes_it_for_a_number():
    made = record_id(RUN, 208)
    assert (made.run, made.number) == (7, 208)
    assert read_id(f" {made} ") == made
    assert str(made)[0].isalpha()
    other = Run("products", Kind.RUN, "upsert", "shop", "f1", datetime(2026, 3, 2, tzinfo=UTC), id=7)
    assert record_id(other, 208).mark != made.mark != record_id(RUN, 209).mark
    assert [read_id(text) for text in ("", "208", f"{made}0", f"x{made}")] == [None] * 4


def test_states_and_numbers_are_listed_when_asked_for(reject, written):
    fixed = replace(reject, state=State.FIXED, fixed_by=9)
    text = written(rejects_text, [fixed], numbers=True, width=200)
    assert text.startswith("208 fixed by run 9: inbox/products.xlsx")
    assert "What to do" not in text
    assert next(rejects_json([fixed]))["fixed_by"] == 9


def test_a_corrected_record_tells_where_it_was_corrected(reject, written):
    mended = replace(reject, origin=replace(reject.origin, mended="fix.xlsx, sheet Rejects, row 3"))
    text = written(rejects_text, [mended], width=200)
    assert "row 212 (corrected in fix.xlsx, sheet Rejects, row 3), column ListPrice" in text
    assert next(rejects_json([mended]))["mended"] == "fix.xlsx, sheet Rejects, row 3"


def test_a_workbook_marks_the_bad_cells_and_says_why(reject, tmp_path):
    path = tmp_path / "fix.xlsx"
    assert rejects_xlsx(RUN, iter([reject]), path) == 1
    book = openpyxl.load_workbook(path)
    sheet = book["Rejects"]
    head = [c.value for c in sheet[1]]
    assert head == ["ProductNumber", "Name", "ListPrice", "Color", "Problems", "_headgate"]
    row = dict(zip(head, sheet[2], strict=True))
    assert row["Problems"].value.startswith("inbox/products.xlsx, sheet Products, row 212: column ListPrice")
    assert row["ProductNumber"].value == "00501"
    assert row["ProductNumber"].number_format == "@"
    assert row["_headgate"].value == str(record_id(RUN, 208))
    assert row["ListPrice"].comment.text.startswith('"12,5O" is not a decimal(12,2) [TY02]')
    assert row["Name"].comment.text.startswith("a required value is missing [RU01]")
    marked = {name for name, cell in row.items() if cell.fill.fill_type == "solid"}
    assert marked == {"ListPrice", "Name"}
    assert sheet.column_dimensions["F"].hidden
    assert not sheet.column_dimensions["E"].hidden
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:F2"
    assert sheet.column_dimensions["E"].width > sheet.column_dimensions["B"].width
    book.close()


def test_nothing_in_a_workbook_is_a_formula_a_number_or_a_link(tmp_path):
    values = ["=1+1", "-5", "00501", "1E5", "http://x.example", "TRUE", "{=A1}", " x ", "漢"]
    path = tmp_path / "fix.xlsx"
    rejects_xlsx(RUN, [one(i, price=v, **{"=cmd": "x"}) for i, v in enumerate(values)], path)
    book = openpyxl.load_workbook(path)
    cells = [c for row in book["Rejects"].iter_rows() for c in row if c.value is not None]
    assert {c.data_type for c in cells} == {"s"}
    assert all(c.hyperlink is None for c in cells)
    book.close()
    with zipfile.ZipFile(path) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")
    assert [r[0] for r in sheet_values(path)[1:]] == values


def test_more_than_a_sheet_takes_goes_on_in_the_next(tmp_path):
    path = tmp_path / "fix.xlsx"
    assert rejects_xlsx(RUN, (one(i, price=str(i)) for i in range(7)), path, sheet_rows=3) == 7
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Rejects", "Rejects 2", "Rejects 3"]
    assert [s.max_row for s in book] == [4, 4, 2]
    assert all(s["A1"].value == "price" for s in book)
    assert book["Rejects 3"]["A2"].value == "6"
    book.close()


def test_text_longer_than_a_cell_is_cut_and_said_to_be(tmp_path):
    path = tmp_path / "fix.xlsx"
    rejects_xlsx(RUN, [one(1, price="1", note="x" * 40_000)], path)
    book = openpyxl.load_workbook(path)
    cell = book["Rejects"]["B2"]
    assert len(cell.value) == 32_767
    assert "the whole value is kept" in cell.comment.text
    book.close()


def test_no_rejects_make_a_table_with_a_header_only(tmp_path):
    assert rejects_xlsx(RUN, [], tmp_path / "fix.xlsx") == 0
    assert sheet_values(tmp_path / "fix.xlsx") == [("Problems", "_headgate")]
    assert rejects_csv(RUN, [], tmp_path / "fix.csv") == 0


@pytest.mark.parametrize("write", [rejects_csv, rejects_xlsx])
def test_a_failure_half_way_leaves_what_was_there(write, tmp_path):
    path = tmp_path / "fix"
    path.write_text("before")

    def breaking():
        yield one(1, price="x")
        raise HeadgateError("the ledger is gone")

    with pytest.raises(HeadgateError, match="ledger is gone"):
        write(RUN, breaking(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [rejects_csv, rejects_xlsx])
@pytest.mark.parametrize("folder", ["nowhere", "file", "folder"])
def test_a_place_that_cannot_be_written_is_an_error_with_a_way_out(write, folder, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "fix").mkdir(parents=True)
    with pytest.raises(HeadgateError, match=f"cannot write .*{folder}") as caught:
        write(RUN, [one(1, price="x")], tmp_path / folder / "fix")
    assert "folder" in caught.value.hint


def test_a_control_character_does_not_break_a_workbook(tmp_path):
    path = tmp_path / "fix.xlsx"
    rejects_xlsx(RUN, [one(1, price="a\x01b\x00")], path)
    assert "\x01" not in str(sheet_values(path)[1][0])


def test_nothing_temporary_is_left(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    rejects_xlsx(RUN, [one(1, price="x")], tmp_path / "fix.xlsx")
    rejects_csv(RUN, [one(1, price="x")], tmp_path / "fix.csv")
    with pytest.raises(HeadgateError):
        rejects_xlsx(RUN, [one(1, **{f"c{i}": "x" for i in range(16_400)})], tmp_path / "wide.xlsx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fix.csv", "fix.xlsx", "temporary"]
    assert list((tmp_path / "temporary").iterdir()) == []
