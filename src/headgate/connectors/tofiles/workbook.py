"""XLSX."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.model.text import text_form
from headgate.model.write import WriteField

from .options import FileOptions

MAX_ROWS: Final = 1_048_576
_MAX_COLUMNS: Final = 16_384
_DIGITS: Final = 15
"""Of a number that Excel keeps exactly."""
_FIRST: Final = dt.date(1900, 3, 1)
"""Before it Excel has a day that never was."""


class Workbook:
    """A workbook of one sheet. Cells are what Excel can hold exactly: a number with more than 15 digits is text, and so are
    dates before March 1900 and moments with fractions of a second; texts are never formulas, and keep their zeros.
    """

    def __init__(self, path: Path, fields: Sequence[WriteField], options: FileOptions) -> None:
        from xlsxwriter import Workbook as Book

        self._fields = fields
        self._folder = tempfile.mkdtemp(prefix="headgate-")
        self._file = _Archive(path)
        self._book = Book(self._file, {"constant_memory": True, "tmpdir": self._folder, "use_zip64": True})
        self._book.set_properties({"created": dt.datetime(2000, 1, 1)})  # noqa: DTZ001 - the same records are the same file
        text = {"num_format": "@"}
        self._text = self._book.add_format(text)
        head = self._book.add_format(text | {"bold": True})
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._sheet = self._book.add_worksheet(options.sheet)
        self._writes = [self._writer(f) for f in fields]
        self._row = 0
        if options.header:
            for i, field in enumerate(fields):
                self._sheet.write_string(0, i, field.name, head)
            self._sheet.freeze_panes(1, 0)
            self._row = 1

    def write(self, batch: pa.RecordBatch) -> None:
        """Add records.

        Raises:
            DestinationError: there are more than a sheet has rows.
        """
        columns = [batch.column(f.name).to_pylist() for f in self._fields]
        if self._row + batch.num_rows > MAX_ROWS:
            raise _too_many()
        for values in zip(*columns, strict=True):
            for i, value in enumerate(values):
                if value is not None:
                    self._writes[i](self._row, i, value)
            self._row += 1

    def close(self, *, whole: bool = True) -> None:
        """End the file."""
        from xlsxwriter.exceptions import FileCreateError

        try:
            if whole:
                self._book.close()
        except FileCreateError as e:
            raise OSError(str(e)) from e
        finally:
            self._book.fileclosed = True  # or it would be tried once more when the object goes
            self._sheet.row_data_fh.close()  # which an error leaves open
            shutil.rmtree(self._folder, ignore_errors=True)
            self._file.close()

    def _writer(self, field: WriteField) -> Callable[[int, int, Any], object]:
        sheet, text = self._sheet, self._text
        scale = field.type.scale or 0
        number = self._book.add_format({"num_format": f"0.{'0' * scale}" if scale else "0"})
        general = self._book.add_format({})

        def as_text(row: int, column: int, value: object) -> object:
            return sheet.write_string(row, column, text_form(value) or "", text)

        def as_number(row: int, column: int, value: int | Decimal) -> object:
            digits = "".join(map(str, value.as_tuple().digits)) if isinstance(value, Decimal) else str(abs(value))
            if len(digits.strip("0")) > _DIGITS:
                return as_text(row, column, value)
            return sheet.write_number(row, column, value, number)

        def as_double(row: int, column: int, value: float) -> object:
            # A zero with a sign would lose it.
            if float(f"{value:.{_DIGITS}G}") != value or (value == 0 and str(value) != "0.0"):
                return as_text(row, column, value)
            return sheet.write_number(row, column, value, general)

        def as_date(row: int, column: int, value: dt.date) -> object:
            if value < _FIRST:
                return as_text(row, column, value)
            return sheet.write_datetime(row, column, value, self._date)

        def as_moment(row: int, column: int, value: dt.datetime) -> object:
            if value.date() < _FIRST or value.microsecond:
                return as_text(row, column, value)
            return sheet.write_datetime(row, column, value, self._moment)

        def as_boolean(row: int, column: int, value: bool) -> object:
            return sheet.write_boolean(row, column, value)

        kinds: dict[str, Callable[[int, int, Any], object]] = dict.fromkeys(
            ("smallint", "integer", "bigint", "decimal"), as_number
        )
        of: dict[str, Callable[[int, int, Any], object]] = kinds | {
            "double": as_double, "date": as_date, "timestamp": as_moment, "boolean": as_boolean,
        }  # fmt: skip
        return of.get(field.type.kind, as_text)


class _Archive:
    """A file for an archive that is ended once more when its object goes, long after an error: nothing is written then, though
    places are counted on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._place = 0

    def write(self, data: bytes) -> int:
        """Write; once it is closed only count."""
        written = len(data) if self._file.closed else self._file.write(data)
        self._place += written
        return written

    def seek(self, place: int) -> int:
        """Go to a place, from the beginning."""
        self._place = place
        return place if self._file.closed else self._file.seek(place)

    def tell(self) -> int:
        """The place."""
        return self._place

    def flush(self) -> None:
        """Write what is held."""
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """End it. Raises OSError where what is held cannot be written."""
        self._file.close()


def check_columns(fields: Sequence[WriteField], rows: int | None, options: FileOptions) -> None:
    """Refuse what no sheet has room for.

    Raises:
        DestinationError: too many columns, too many records a file, or no name of a sheet.
    """
    if len(fields) > _MAX_COLUMNS:
        raise DestinationError(f"a sheet has at most {_MAX_COLUMNS:,} columns, and there are {len(fields):,} fields")
    if rows is not None and rows >= MAX_ROWS:
        raise _too_many()
    if any(c in "[]:*?/\\" for c in options.sheet) or options.sheet[0] == "'" or options.sheet[-1] == "'":
        raise DestinationError(f"{options.sheet!r} cannot be the name of a sheet", hint="Leave out []:*?/\\ and '.")


def _too_many() -> DestinationError:
    return DestinationError(
        f"a sheet has at most {MAX_ROWS:,} rows, its header among them",
        hint="Spread the records over several files (split: { rows: 1000000 }), or write CSV or Parquet.",
    )
