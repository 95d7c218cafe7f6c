"""Files of rejects, both ways: written, edited as people and spreadsheets do, read back."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from headgate.connectors.files import FileSource
from headgate.engine.carried import Carried
from headgate.engine.mended import Mended, read_mended
from headgate.model.errors import SourceError
from headgate.model.outcome import Outcome
from headgate.model.record import Origin, Problem, Reject
from headgate.model.run import Kind, Run
from headgate.model.spec import SourceSpec
from headgate.report import record_id, rejects_csv, rejects_xlsx

RUN = Run("products", Kind.RUN, "upsert", "shop", "f1", datetime(2026, 3, 1, 12, 0, tzinfo=UTC), id=7)
ODD = ["=1+1", "+1+1", "-5", "@x", "'=x", "'x", "00501", "1E5", "1.50", " x ", " ", "a\nb", "a\r\nb", "", None, "NA", "漢", "\t1",
       "a\x01b\x00c", "TRUE", "#N/A", "2024-01-02", "x" * 40_000]  # fmt: skip
Written = Callable[..., Path]


def reject(number: int, code: str = "TY02", column: str = "price", **raw: str | None) -> Reject:
    raw = {"sku": f"A-{number}", "name": None, "price": "12,5O"} | raw
    problem = Problem(code, "it is bad", column, column, raw.get(column))
    return Reject(number, Outcome.INVALID, (problem,), raw, Origin("a.csv", "", number + 1, number + 2))


@pytest.fixture(params=["csv", "xlsx"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    """Writes rejects to a file of each kind in turn."""

    def write(rejects: list[Reject], run: Run = RUN) -> Path:
        path = tmp_path / f"fix.{request.param}"
        (rejects_csv if request.param == "csv" else rejects_xlsx)(run, rejects, path)
        return path

    return write


def read(path: Path, run: Run = RUN) -> Mended:
    def open_file(sheet: str | None) -> FileSource:
        return FileSource(SourceSpec(path=path.name, header=1, sheet=sheet), path.parent)

    return read_mended(path.name, open_file, run)


def edit(path: Path, change: Callable[[list[list[Any]]], list[list[Any]] | None]) -> None:
    """Changes the rows of the file, header included, and saves it as another program would."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows: list[list[Any]] = list(csv.reader(file))
        rows = change(rows) or rows
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows(rows)
        return
    book = openpyxl.load_workbook(path)
    sheet = book["Rejects"]
    rows = [[c.value for c in row] for row in sheet.iter_rows()]
    rows = change(rows) or rows
    sheet.delete_rows(1, sheet.max_row)
    for r, row in enumerate(rows, 1):
        for c, value in enumerate(row, 1):
            sheet.cell(r, c).value = value
            if isinstance(value, str):
                sheet.cell(r, c).data_type = "s"
    book.save(path)


def mend(path: Path, rejects: list[Reject]) -> dict[int, Carried]:
    mended = read(path)
    return {r.number: mended.mend(r) for r in rejects if r.number in mended.rows}


def test_values_come_back_exactly_as_they_were(written: Written) -> None:
    rejects = [reject(n, sku=value, name=value, price=value) for n, value in enumerate(ODD)]
    found = mend(written(rejects), rejects)
    assert {n: c.raw for n, c in found.items()} == {r.number: r.raw for r in rejects}
    assert all(found[r.number].origin == r.origin for r in rejects)


def test_values_come_back_exactly_after_another_program_saved_the_file(written: Written) -> None:
    values = [v for v in ODD if v is None or not (set("\0\1") & set(v))]
    rejects = [reject(n, sku=value, price="x") for n, value in enumerate(values)]
    path = written(rejects)
    edit(path, lambda rows: None)
    assert [c.raw for c in mend(path, rejects).values()] == [r.raw for r in rejects]


def test_a_corrected_cell_is_what_the_record_has_now_and_where_is_told(written: Written) -> None:
    rejects = [reject(1), reject(2)]
    path = written(rejects)

    def correct(rows: list[list[Any]]) -> None:
        rows[2][rows[0].index("price")] = "12.50"
        rows[2][rows[0].index("name")] = "=Lamp"

    edit(path, correct)
    found = mend(path, rejects)
    assert found[1].raw == rejects[0].raw
    assert found[2].raw == {"sku": "A-2", "name": "=Lamp", "price": "12.50"}
    place = "line 3" if path.suffix == ".csv" else "sheet Rejects, row 3"
    assert str(found[2].origin) == f"a.csv, line 4 (corrected in {path.name}, {place})"


def test_a_cell_that_was_emptied_has_no_value(written: Written) -> None:
    rejects = [reject(1)]
    path = written(rejects)

    def empty(rows: list[list[Any]]) -> None:
        rows[1][rows[0].index("price")] = None

    edit(path, empty)
    assert mend(path, rejects)[1].raw["price"] is None


def test_numbers_of_a_spreadsheet_are_no_changes_but_where_something_was_wrong(written: Written) -> None:
    rejects = [reject(1, sku="00501", name="1.50", price="007")]
    path = written(rejects)

    def numbers(rows: list[list[Any]]) -> None:
        rows[1][:3] = [501, 1.5, 7]

    edit(path, numbers)
    assert mend(path, rejects)[1].raw == {"sku": "00501", "name": "1.50", "price": "7"}


def test_rows_may_be_sorted_and_deleted_and_columns_moved_and_added(written: Written) -> None:
    rejects = [reject(n) for n in range(1, 6)]
    path = written(rejects)

    def work(rows: list[list[Any]]) -> list[list[Any]]:
        head, *lines = rows
        kept = [head, *sorted(lines, key=lambda r: str(r[0]), reverse=True)[:3]]
        return [["note" if i == 0 else "x", *reversed(row)] for i, row in enumerate(kept)]

    edit(path, work)
    found = mend(path, rejects)
    assert sorted(found) == [3, 4, 5]
    assert all(found[n].raw == rejects[n - 1].raw for n in found)


def test_a_row_with_nothing_but_its_id_stays_and_an_empty_one_is_none(written: Written) -> None:
    rejects = [reject(1), reject(2)]
    path = written(rejects)
    edit(path, lambda rows: [*rows, [None] * len(rows[0])])
    assert sorted(mend(path, rejects)) == [1, 2]


@pytest.mark.parametrize(
    ("at", "change", "message"),
    [
        (2, lambda row: [*row[:-1], None], "it has no record id"),
        (2, lambda row: [*row[:-1], f"{row[-1]}0"], "its record id is damaged"),
        (2, lambda row: [*row[:-1], "501"], "its record id is damaged (501)"),
        (2, lambda row: [*row[:-1], row[-1].replace("n2-", "n3-")], "its record id is none of run 7"),
        (2, lambda row: [*row[:-1], str(record_id(RUN, 1))], "it is the same record as"),
    ],
)
def test_a_row_that_cannot_be_told_is_named_and_nothing_is_taken(
    written: Written, at: int, change: Callable[[list[Any]], list[Any]], message: str
) -> None:
    path = written([reject(1), reject(2), reject(3)])

    def damage(rows: list[list[Any]]) -> list[list[Any]]:
        return [change(row) if i == at else row for i, row in enumerate(rows)]

    edit(path, damage)
    with pytest.raises(SourceError) as caught:
        read(path)
    place = "fix.csv, line 3" if path.suffix == ".csv" else "fix.xlsx, sheet Rejects, row 3"
    assert f"{place}: {message}" in caught.value.message


def test_rows_that_were_added_are_named_up_to_five(written: Written) -> None:
    path = written([reject(1)])
    edit(path, lambda rows: [*rows, *([f"B-{i}", "new", "1", "", ""] for i in range(8))])
    with pytest.raises(SourceError, match="it has no record id.*; and 3 more; nothing was imported") as caught:
        read(path)
    assert caught.value.message.count("it has no record id") == 5


def test_a_file_of_another_run_or_another_ledger_is_refused(written: Written) -> None:
    path = written([reject(1)], Run("products", Kind.RUN, "upsert", "shop", "f1", RUN.started, id=6))
    with pytest.raises(SourceError, match="has records of run 6, not of run 7"):
        read(path)
    path = written([reject(1), reject(2)], Run("products", Kind.RUN, "upsert", "shop", "f1", datetime.now(UTC), id=7))
    with pytest.raises(SourceError, match="not written from run 7 of this ledger"):
        read(path)


def test_a_file_without_ids_or_without_a_column_is_refused(written: Written) -> None:
    rejects = [reject(1)]
    path = written(rejects)
    edit(path, lambda rows: [[("cost" if v == "price" else v) for v in row] for row in rows])
    mended = read(path)
    with pytest.raises(SourceError, match="has no column 'price'") as caught:
        mended.mend(rejects[0])
    assert "names" in caught.value.hint
    edit(path, lambda rows: [row[:-1] for row in rows])
    with pytest.raises(SourceError, match="has no column _headgate"):
        read(path)


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fix.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    with pytest.raises(SourceError, match="fix.xlsx"):
        read(tmp_path / "fix.xlsx")
    with pytest.raises(SourceError, match="no-such.xlsx"):
        read(tmp_path / "no-such.xlsx")


def test_an_error_cell_of_the_persons_own_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fix.xlsx"
    rejects_xlsx(RUN, [reject(1)], path)
    book = openpyxl.load_workbook(path)
    cell = book["Rejects"]["C2"]
    cell.value, cell.data_type = "#DIV/0!", "e"
    book.save(path)
    with pytest.raises(SourceError, match=r"row 2: the cell C2 holds #DIV/0! \[RD06\]"):
        read(path)


def test_a_formula_without_its_value_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "fix.xlsx"
    rejects_xlsx(RUN, [reject(1)], path)
    assert read(path).notes == []
    book = openpyxl.load_workbook(path)
    book["Rejects"]["C2"].value = "=1+1"
    book.save(path)
    assert read(path).notes == [
        "fix.xlsx: 1 formula was saved without its value and counts as empty: have a spreadsheet program open and save the workbook"
    ]


def test_records_in_several_sheets_are_all_read(tmp_path: Path) -> None:
    path, rejects = tmp_path / "fix.xlsx", [reject(n) for n in range(7)]
    rejects_xlsx(RUN, rejects, path, sheet_rows=3)
    assert sorted(mend(path, rejects)) == list(range(7))


@pytest.mark.parametrize(
    ("before", "changes", "mended"),
    [
        (reject(1, "RD01", "", price=None), {}, False),
        (reject(1, "RD01", "", price=None), {"price": "1"}, True),
        (reject(1, "RD02", "", column_4="x"), {"price": "1"}, False),
        (reject(1, "RD02", "", column_4="x"), {"column_4": None}, True),
        (reject(1, "RD06", "price", price="#DIV/0!"), {"name": "y"}, False),
        (reject(1, "RD06", "price", price="#DIV/0!", name="#N/A"), {"price": "1"}, False),
        (reject(1, "RD06", "price", price="#DIV/0!"), {"price": "1"}, True),
    ],
)
def test_what_could_not_be_read_is_a_record_once_its_fault_is_mended(
    written: Written, before: Reject, changes: dict[str, str | None], mended: bool
) -> None:
    path = written([before])

    def correct(rows: list[list[Any]]) -> None:
        for column, value in changes.items():
            rows[1][rows[0].index(column)] = value

    edit(path, correct)
    found = mend(path, [before])[1]
    assert (found.fault is None) == mended
    if mended:
        assert list(found.raw) == ["sku", "name", "price"]
