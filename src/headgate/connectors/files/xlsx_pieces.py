"""Large sheets of XLSX workbooks, read piece by piece.

calamine makes all cells of a sheet at once, which takes 900 MB for a million rows of ten. So it is given some megabytes of rows at a
time, as the sheet of a small workbook that has the styles and shared strings of the large one. A sheet whose XML does not say
where its cells are, or is not written as spreadsheet programs write it, is left whole.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from headgate.model.errors import SourceError

from .base import Input
from .xlsx_look import UNREADABLE, column_of, main_of, member_of, relations, relations_of

_LARGE: Final = 32 << 20
_PIECE: Final = 8 << 20
_MOST: Final = 64 << 20
_BLOCK: Final = 1 << 16
_AHEAD: Final = 1_000
"""Rows after which the next piece is parsed: whoever only looks for the header needs no more than the first."""
_BEGIN: Final = re.compile(rb"<sheetData(?:\s[^>]*)?>")
_ROWS_END, _ROW_END = b"</sheetData>", b"</row>"
_ROW: Final = re.compile(rb"<row (?:[^>]* )?r=\"(\d+)\"")
_CELL: Final = re.compile(rb"<c (?:[^>]* )?r=\"([A-Z]{1,3})(\d+)\"")
_UNUSUAL: Final = (
    b"<!",
    b"<c>",
    b"<c/",
    b"<c\n",
    b"<c\r",
    b"<c\t",
    b"<row>",
    b"<row/",
    b"<row\n",
    b"<row\r",
    b"<row\t",
)
"""Comments and the like, in which anything could stand, and cells and rows that do not say where they are at once."""
SAVE_AGAIN: Final = "Open the workbook and save it again."
_NEEDED: Final = ("/sharedStrings", "/styles", "/theme")


class _Unusual(Exception):
    """The XML is not as expected."""


@dataclass(frozen=True, slots=True)
class _Outline:
    """Where the cells of a sheet are.

    Attributes:
        first, last: columns with the first and the last cell, counted from 0.
        height: rows up to the last one with cells.
        head: the XML before the first row.
        tail: the XML after the last one.
    """

    first: int
    last: int
    height: int
    head: bytes
    tail: bytes


def pieced(given: Input, sheet: str) -> PiecedSheet | None:
    """A sheet that is better read piece by piece; None for all others.

    Raises:
        SourceError: it is damaged.
    """
    path = given.path
    try:
        with zipfile.ZipFile(path) as book:
            member = member_of(book, sheet)
            if member is None or book.getinfo(member).file_size < _LARGE:
                return None
            others, strings = _others(book, member)
            size = min(max(_PIECE, strings // 4), 2 * _PIECE)  # as shared strings are parsed once more for each piece
            with book.open(member) as f:
                outline = _outline(f, size)
    except (*UNREADABLE, zlib.error, _Unusual):
        return None
    return PiecedSheet(given, sheet, member, outline, others, size)


def _others(book: zipfile.ZipFile, member: str) -> tuple[bytes, int]:
    """A workbook without its sheets, and how large its shared strings are."""
    main = main_of(book)
    there, strings = set(book.namelist()), 0
    needed = ["[Content_Types].xml", "_rels/.rels", main, relations(main)]
    for _, kind, target in relations_of(book, main):
        if kind.endswith(_NEEDED) and target in there:
            needed.append(target)
            strings += book.getinfo(target).file_size if kind.endswith("/sharedStrings") else 0
    small = BytesIO()
    with zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as others:
        for name in dict.fromkeys(needed):
            if name != member and name in there:
                others.writestr(name, book.read(name))
    return small.getvalue(), strings


def _parts(f: IO[bytes], size: int) -> Iterator[bytes]:
    """A sheet's XML: what is before its rows, pieces of whole rows of about so many bytes, what is after them.

    Raises:
        _Unusual: that is not how it is made up.
    """
    rest = b""
    while (begin := _BEGIN.search(rest)) is None:
        block = f.read(_BLOCK)
        if not block or len(rest) > _MOST:
            raise _Unusual
        rest += block
    yield rest[: begin.end()]
    rest = rest[begin.end() :]
    while (end := rest.find(_ROWS_END)) < 0:
        if (cut := rest.rfind(_ROW_END)) >= 0:
            yield rest[: cut + len(_ROW_END)]
            rest = rest[cut + len(_ROW_END) :]
        block = f.read(size)
        if not block or len(rest) > _MOST:
            raise _Unusual
        rest += block
    if end:
        yield rest[:end]
    yield rest[end + len(_ROWS_END) :] + f.read()


def _outline(f: IO[bytes], size: int) -> _Outline:
    parts = _parts(f, size)
    head, part, height = next(parts), next(parts), 0
    columns: set[bytes] = set()
    for following in parts:
        height = _look_through(part, height, columns)
        part = following
    if not columns or b"<!" in head:
        raise _Unusual
    places = [column_of(letters) for letters in columns]
    return _Outline(min(places), max(places), height, head, part)


def _look_through(rows: bytes, above: int, columns: set[bytes]) -> int:
    """Note the columns of the outermost cells; the number of the last row with cells is returned, `above` is that of those before.

    Raises:
        _Unusual: a row or a cell does not say where it is, or is not where it should be.
    """
    if any(odd in rows for odd in _UNUSUAL):
        raise _Unusual
    for piece in rows.split(_ROW_END):
        begin, end = piece.find(b"<c "), piece.rfind(b"<c ")
        if begin < 0:
            continue
        row = _ROW.match(piece, max(0, piece.rfind(b"<row ", 0, begin)))
        if row is None or int(row[1]) <= above:
            raise _Unusual
        above = int(row[1])
        for at in {begin, end}:
            cell = _CELL.match(piece, at)
            if cell is None or cell[2] != row[1]:
                raise _Unusual
            columns.add(cell[1])
    return above


class PiecedSheet:
    """A sheet as calamine's, of which only some thousand rows at a time are in memory.

    Attributes:
        start: row and column of the first cell, or above and left of it.
        width: columns from there up to the last one with a cell.
        total_height: rows up to the last one with cells.
        merged_cell_ranges: as calamine gives them.
    """

    def __init__(self, given: Input, sheet: str, member: str, outline: _Outline, others: bytes, size: int) -> None:
        self._path, self._sheet, self._member = given.path, sheet, member
        self._outline, self._others, self._size = outline, others, size
        self._name = f"{given.name}, sheet {sheet}"
        self._state = _state(given.path)
        self.start = (0, outline.first)
        self.width = outline.last - outline.first + 1
        self.total_height = outline.height
        self.merged_cell_ranges: Any = self._made(b"", outline.tail).merged_cell_ranges

    def iter_rows(self) -> Iterator[Sequence[object]]:
        """All rows from the sheet's first one on, from the column of `start` on."""
        place = 0
        with closing(self._sheets()) as sheets, ThreadPoolExecutor(1, "headgate-xlsx") as pool:
            sheet = next(sheets, None)
            while sheet is not None:
                following: Future[Any] | None = None
                for n, row in enumerate(self._placed(sheet, place)):
                    if n == _AHEAD:
                        following = pool.submit(next, sheets, None)
                    place += 1
                    yield row
                sheet = next(sheets, None) if following is None else following.result()

    def _placed(self, sheet: Any, place: int) -> Iterator[Sequence[object]]:
        """The rows of a piece, and the blank ones from `place` up to them."""
        top, left = sheet.start
        if top < place:
            raise SourceError(f"{self._name}, is damaged: its rows are not in their order", hint=SAVE_AGAIN)
        before = left - self.start[1]
        after = self.width - before - sheet.width
        for _ in range(place, top):
            yield [""] * self.width
        for row in _rows(sheet):
            yield [*[""] * before, *row, *[""] * after] if before or after else row

    def _sheets(self) -> Generator[Any, None, None]:
        """Its pieces that have values, as sheets of calamine's.

        Raises:
            SourceError: the file is damaged, or is not any more what it was.
        """
        try:
            with zipfile.ZipFile(self._path) as book, book.open(self._member) as f:
                parts = _parts(f, self._size)
                next(parts)
                rows = next(parts)
                for following in parts:
                    if (sheet := self._made(rows)).start is not None:
                        yield sheet
                    rows = following
            changed = _state(self._path) != self._state
        except (*UNREADABLE, zlib.error, _Unusual, StopIteration):
            changed = True
        if changed:
            raise SourceError(f"{self._name}, was changed while it was read", hint="Run again when it is whole.")

    def _made(self, rows: bytes, tail: bytes = b"</worksheet>") -> Any:
        import python_calamine as calamine

        workbook = BytesIO(self._others)
        with zipfile.ZipFile(workbook, "a") as book:
            book.writestr(self._member, b"".join((self._outline.head, rows, _ROWS_END, tail)))
        workbook.seek(0)
        try:
            return calamine.CalamineWorkbook.from_filelike(workbook).get_sheet_by_name(self._sheet)
        except calamine.CalamineError as e:
            raise SourceError(f"{self._name}, is damaged: {e}", hint=SAVE_AGAIN) from None


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _rows(sheet: Any) -> Iterator[Sequence[object]]:
    """All at once, in half the time; one by one where one of them cannot be had, so that it shows which."""
    try:
        return iter(sheet.to_python())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - faults of Rust are no Exceptions
        return islice(sheet.iter_rows(), sheet.start[0], None)
