"""What calamine does not tell of an ODS workbook: how far its sheets reach, which cells hold errors, which rows are hidden."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast
from xml.parsers import expat

from headgate.model.errors import SourceError

from .xlsx_look import Look
from .xml_parser import Parser

_UNREADABLE = (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError, SourceError, expat.ExpatError)
_ERROR: Final = re.compile(r"#(?:DIV/0!|N/A|NAME\?|REF!|VALUE!|NUM!|NULL!)|Err:\d{3}|#ERR\d+!")
_LONGEST: Final = 16 << 20


@dataclass(slots=True)
class Table:
    """One sheet.

    Attributes:
        rows, columns: up to the last cell with a value.
        errors: row, how many rows so, column, how many columns so, and the error as shown.
        hidden: rows that are not shown.
    """

    rows: int = 0
    columns: int = 0
    errors: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    hidden: int = 0

    def look(self) -> Look:
        """The same as of other workbooks. Only for a sheet that is not too large to be held."""
        look = Look(hidden=self.hidden)
        for row, rows, column, columns, error in self.errors:
            for at in range(row, row + rows):
                look.errors.setdefault(at, {}).update(dict.fromkeys(range(column, column + columns), error))
        return look


def tables(path: Path) -> dict[str, Table]:
    """All sheets; none when the workbook cannot be read, which who opens it tells better."""
    seen = _Seen()
    try:
        with zipfile.ZipFile(path) as book, book.open("content.xml") as file:
            for _ in Parser(path.name, cast("BinaryIO", file), seen, utf8=False, longest=_LONGEST).feed():
                pass
    except _UNREADABLE:
        return {}
    return seen.tables


class _Seen:
    """Follows tables, rows and cells (`headgate.connectors.files.xml_parser.Handler`)."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self._table: Table | None = None
        self._row = self._rows = self._column = 0
        self._hidden = False
        self._cell: Mapping[str, str] | None = None
        self._text: list[str] = []

    def start(self, name: str, attributes: Sequence[str]) -> None:
        """See `Handler`."""
        kind = name.rpartition(":")[2]
        if kind not in ("table", "table-row", "table-cell", "covered-table-cell"):
            return
        given = dict(zip(attributes[::2], attributes[1::2], strict=True))
        if kind == "table":
            self._table = self.tables.setdefault(given.get("table:name", ""), Table())
            self._row = 0
        elif kind == "table-row":
            self._rows, self._column = _count(given, "table:number-rows-repeated"), 0
            self._hidden = given.get("table:visibility", "visible") != "visible"
        else:
            self._cell, self._text = given, []

    def end(self, name: str) -> None:
        """See `Handler`."""
        kind = name.rpartition(":")[2]
        if kind == "table-row":
            self._row += self._rows
        elif kind in ("table-cell", "covered-table-cell") and self._cell is not None:
            self._done(self._cell)
            self._cell = None

    def text(self, data: str) -> None:
        """See `Handler`."""
        if self._cell is not None and len(self._text) < 100:
            self._text.append(data)

    def _done(self, cell: Mapping[str, str]) -> None:
        columns = _count(cell, "table:number-columns-repeated")
        text = "".join(self._text).strip()
        if self._table is not None and (text or "office:value-type" in cell):
            table, end = self._table, self._row + self._rows
            if self._hidden and table.rows < end:
                table.hidden += self._rows
            table.rows, table.columns = max(table.rows, end), max(table.columns, self._column + columns)
            computed = "table:formula" in cell and _ERROR.fullmatch(text)
            if computed or cell.get("calcext:value-type") == "error":
                table.errors.append((self._row, self._rows, self._column, columns, text or "an error"))
        self._column += columns


def _count(attributes: Mapping[str, str], name: str) -> int:
    try:
        return max(1, int(attributes.get(name, "1")))
    except ValueError:
        return 1
