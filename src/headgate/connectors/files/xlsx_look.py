"""What calamine does not tell: which cells hold errors, and which formulas have no value. Read from the sheet's XML."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast
from xml.parsers import expat

_BLOCK = 1 << 20
_SMALL = 16 << 20
_HEAD = 8 << 10
_DIMENSION = re.compile(rb"""<(?:\w+:)?dimension\s+ref=["'][A-Z]+\d+(?::([A-Z]+)(\d+))?["']""")
_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\br=["']([A-Z]+)(\d+)["']""")
UNREADABLE: Final = (zipfile.BadZipFile, KeyError, expat.ExpatError, OSError, NotImplementedError, RuntimeError)
_ERROR = re.compile(rb"""\bt=(?:"e"|'e')""")
_PLACE = re.compile(rb"""<(?:\w+:)?(row|c)(?=[\s/>])([^>]*)>""")
_ROW = re.compile(rb"<(?:\w+:)?row(?=[\s/>])([^>]*)>")
_REF = re.compile(rb"""\br=["']([A-Z]*)(\d+)["']""")
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)<")
_HIDDEN = re.compile(rb"""<(?:\w+:)?row\s[^>]*\bhidden=["'](?:1|true)["']""")
_UNVALUED = re.compile(
    rb"<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></|(</(?:\w+:)?c>))"
)
_TEXT = re.compile(rb"""\bt=["']str["']""")


@dataclass(slots=True)
class Look:
    """What was seen.

    Attributes:
        errors: of each row (0-based) with errors: column (0-based) to the error as shown.
        unvalued: formulas that were saved without their value.
        hidden: rows that are not shown.
    """

    errors: dict[int, dict[int, str]] = field(default_factory=dict)
    unvalued: int = 0
    hidden: int = 0


def look(path: Path, sheet: str) -> Look | None:
    """Look through one sheet; None when the workbook is of a kind whose XML this is not."""
    try:
        with zipfile.ZipFile(path) as book:
            member = member_of(book, sheet)
            if member is None:
                return None
            with book.open(member) as f:
                return _through(cast("BinaryIO", f))
    except UNREADABLE:
        return None


def extent(path: Path, sheet: str) -> tuple[int, int] | None:
    """Rows and columns up to the last used cell; None when the workbook is of a kind whose XML this is not.

    The sheet says so in its first lines if it was written by a spreadsheet program; otherwise its cells are looked at.
    """
    try:
        with zipfile.ZipFile(path) as book:
            member = member_of(book, sheet)
            if member is None:
                return None
            with book.open(member) as f:
                if (said := _DIMENSION.search(f.read(_HEAD))) and said[2]:
                    return int(said[2]), column_of(said[1]) + 1
            with book.open(member) as f:
                return _used(cast("BinaryIO", f))
    except UNREADABLE:
        return None


def _used(f: BinaryIO) -> tuple[int, int]:
    rows, columns, rest = 0, 0, b""
    while block := f.read(_BLOCK):
        block = rest + block
        for letters, number in _CELL.findall(block):
            rows = max(rows, int(number))
            columns = max(columns, column_of(letters) + 1)
        rest = block[-64:]
    return rows, columns


def _tags(book: zipfile.ZipFile, member: str) -> Iterator[tuple[str, dict[str, str]]]:
    """All tags of a small XML member: name without prefix, attributes."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: found.append((name.rpartition(":")[2], attributes))
    with book.open(member) as f:
        data = f.read(_SMALL)
    # No workbook has a document type; without one there are no entities to expand.
    if b"<!DOCTYPE" not in data:
        parser.Parse(data, True)
    yield from found


def main_of(book: zipfile.ZipFile) -> str:
    """The member of the archive that is the workbook itself."""
    return next(
        (
            a["Target"]
            for tag, a in _tags(book, "_rels/.rels")
            if tag == "Relationship" and a["Type"].endswith("/officeDocument")
        ),
        "xl/workbook.xml",
    ).lstrip("/")


def relations_of(book: zipfile.ZipFile, main: str) -> Iterator[tuple[str | None, str, str]]:
    """What the workbook refers to: id, type and member of the archive."""
    folder = posixpath.dirname(main)
    for tag, a in _tags(book, relations(main)):
        if tag == "Relationship":
            target = a["Target"]
            inner = target.startswith("/")
            member = target.lstrip("/") if inner else posixpath.normpath(posixpath.join(folder, target))
            yield a.get("Id"), a.get("Type", ""), member


def relations(main: str) -> str:
    """The member that says what the workbook refers to."""
    folder, name = posixpath.split(main)
    return f"{folder}/_rels/{name}.rels"


def member_of(book: zipfile.ZipFile, sheet: str) -> str | None:
    """The member of the archive that holds a sheet's cells; None when the workbook is of a kind whose XML this is not."""
    main = main_of(book)
    if not main.endswith(".xml"):
        return None
    wanted = next((a for tag, a in _tags(book, main) if tag == "sheet" and a.get("name") == sheet), {})
    relation = next((v for k, v in wanted.items() if k.rpartition(":")[2] == "id"), None)
    return next((member for id_, _, member in relations_of(book, main) if id_ == relation), None)


def _through(f: BinaryIO) -> Look:
    seen = Look()
    row, rest = -1, b""
    while block := f.read(_BLOCK):
        block = rest + block
        cut = block.rfind(b"row>") + 4
        piece, rest = (block[:cut], block[cut:]) if cut > 3 else (b"", block)
        row = _rows(piece, row, seen)
    _rows(rest, row, seen)
    return seen


def _rows(piece: bytes, row: int, seen: Look) -> int:
    """Look through whole rows; `row` is the one before them, and the last of them is returned."""
    if b"<f" in piece or b":f" in piece:
        seen.unvalued += sum(not _is_empty_text(piece, m) for m in _UNVALUED.finditer(piece))
    if b"hidden=" in piece:
        seen.hidden += len(_HIDDEN.findall(piece))
    if b't="e"' not in piece and b"t='e'" not in piece:
        return _last_row(piece, row)
    column = -1
    for match in _PLACE.finditer(piece):
        ref = _REF.search(match[2])
        if match[1] == b"row":
            row, column = (int(ref[2]) - 1 if ref else row + 1), -1
            continue
        column = column_of(ref[1]) if ref else column + 1
        if _ERROR.search(match[2]) and (value := _VALUE.search(piece, match.end())):
            seen.errors.setdefault(row, {})[column] = value[1].decode(errors="replace")
    return row


def _is_empty_text(piece: bytes, formula: re.Match[bytes]) -> bool:
    """Whether the formula's value is there, and is a text without characters."""
    if formula[1] is not None:
        return False
    cell = max(piece.rfind(b"<c ", 0, formula.start()), piece.rfind(b":c ", 0, formula.start()))
    return _TEXT.search(piece, max(cell, 0), formula.start()) is not None


def _last_row(piece: bytes, row: int) -> int:
    """The last row of the piece. Looking from the end is quick, but needs rows that say their number."""
    last = piece.rfind(b"<row ")
    if last >= 0 and (ref := _REF.search(piece, last, piece.find(b">", last))):
        return int(ref[2]) - 1
    for attributes in _ROW.findall(piece):
        ref = _REF.search(attributes)
        row = int(ref[2]) - 1 if ref else row + 1
    return row


def column_of(letters: bytes) -> int:
    """The place of a column, counted from 0, from its letters."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place - 1
