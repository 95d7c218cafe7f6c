"""Rejects as a workbook to correct."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Final

from headgate.model.errors import HeadgateError
from headgate.model.record import Reject
from headgate.model.run import Run

from .table import ID, PROBLEMS, Line, Table, replacing, table

MAX_ROWS: Final = 1_048_575
_MAX_COLUMNS: Final = 16_384
MAX_TEXT: Final = 32_767
# Comments are held in memory until the file is closed, so there is an end to them; fill and reason go on.
_MAX_COMMENTS: Final = 10_000
_CUT: Final = "cut: a cell holds 32,767 characters; left as it is, the whole value is kept"


def sheet_name(number: int) -> str:
    """The name of the sheets, counted from 1, that the records go on in."""
    return f"Rejects {number}" if number > 1 else "Rejects"


def rejects_xlsx(run: Run, rejects: Iterable[Reject], path: Path, *, sheet_rows: int = MAX_ROWS) -> int:
    """Write a workbook: the user's own columns with the bad cells filled and the reason as their comment (the first 10,000
    of them), ``Problems`` (where the record came from and what is wrong with it), and, hidden, ``_headgate`` (which record
    it is). Every cell is text, as it was read, and stays text when edited: nothing runs, `00501` keeps its zeros.

    Args:
        run: the run whose records they are; of those of a retry, its parent.
        rejects: read once; memory does not grow with their number.
        path: the file to make or replace.
        sheet_rows: records a sheet takes before the next one begins.

    Returns:
        How many records were written.

    Raises:
        HeadgateError: the file cannot be written, or the records have more columns than a sheet.
    """
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import FileCreateError

    with replacing(path) as temporary, table(run, rejects) as found:
        if len(found.columns) + 2 > _MAX_COLUMNS:
            raise HeadgateError(
                f"the rejects have {len(found.columns):,} columns, more than a sheet",
                hint="Write them as CSV: --csv fix.csv.",
            )
        with temporary.open("wb") as file, tempfile.TemporaryDirectory() as folder:
            book = Workbook(file, {"constant_memory": True, "tmpdir": folder})
            writer, lines = _Writer(book, found), found.lines()
            for number in range(max(1, -(-found.count // sheet_rows))):
                writer.sheet(sheet_name(number + 1), islice(lines, sheet_rows))
            try:
                book.close()
            except FileCreateError as e:
                raise OSError(str(e)) from e
        return found.count


class _Writer:
    """Fills the sheets of one workbook."""

    def __init__(self, book: Any, found: Table) -> None:
        self._book = book
        self._table = found
        self._comments = 0
        # "@" and the quote prefix keep a cell text when it is edited.
        text = {"num_format": "@", "quote_prefix": True, "valign": "top"}
        self._text = book.add_format(text)
        self._bad = book.add_format(text | {"bg_color": "#FFE08A"})
        self._note = book.add_format(text | {"font_color": "#595959"})
        self._why = book.add_format(text | {"font_color": "#9C1C1C", "text_wrap": True})
        self._head = book.add_format(text | {"bold": True, "bottom": 1, "bg_color": "#EDEDED"})

    def sheet(self, name: str, lines: Iterable[Line]) -> None:
        """One sheet with its header, its lines and its comforts."""
        columns = [*self._table.columns, self._table.problems, ID]
        sheet = self._book.add_worksheet(name)
        for i, column in enumerate(columns):
            at = PROBLEMS if i == len(columns) - 2 else column
            wide = max(self._table.widths.get(at, 0), len(column) + 3)
            sheet.set_column(i, i, min(wide + 2, 60), None, {"hidden": column == ID})
            self._write(sheet, 0, i, column, self._head)
        row = 0
        for row, line in enumerate(lines, 1):
            self._line(sheet, row, line)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, row, len(columns) - 1)
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{row + 1}"})

    def _line(self, sheet: Any, row: int, line: Line) -> None:
        for i, column in enumerate(self._table.columns):
            value, reason = line.raw.get(column), line.bad.get(column)
            if value is not None and len(value) > MAX_TEXT:
                reason = f"{reason}\n{_CUT}" if reason else _CUT
            if reason:
                self._mark(sheet, row, i, reason)
            self._write(sheet, row, i, value, self._bad if reason else self._text)
        self._write(sheet, row, len(self._table.columns), line.problems, self._why)
        self._write(sheet, row, len(self._table.columns) + 1, line.id, self._note)

    def _mark(self, sheet: Any, row: int, column: int, reason: str) -> None:
        if self._comments < _MAX_COMMENTS:
            self._comments += 1
            sheet.write_comment(row, column, reason[:2000], {"x_scale": 2, "author": "headgate"})

    @staticmethod
    def _write(sheet: Any, row: int, column: int, value: str | None, style: Any) -> None:
        if value:
            sheet.write_string(row, column, value[:MAX_TEXT], style)
        else:
            sheet.write_blank(row, column, None, style)
