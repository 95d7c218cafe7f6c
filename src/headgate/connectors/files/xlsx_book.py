"""Opens workbooks, and says what a file is that is none."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from headgate.model.errors import SourceError

from . import packed
from .base import Input
from .ods_look import Table, tables
from .xlsx_header import letters

# A sheet is held in memory as a rectangle up to its last cell, at some tens of bytes a cell, used or not.
_CELLS: Final = 50_000_000
_OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_BEGIN: Final = bytes.fromhex("0908100000060500")
_FILEPASS: Final = 0x2F
_LOCKED: Final = "EncryptedPackage".encode("utf-16-le")
_OPEN_AGAIN: Final = "Open it in a spreadsheet program and save it as .xlsx."
_MEMBERS: Final = (
    ("xl/workbook.bin", "XLSB"),
    ("xl/", "XLSX"),
    ("word/", "a text document (.docx)"),
    ("ppt/", "a presentation (.pptx)"),
)


@dataclass(frozen=True, slots=True)
class Book:
    """A workbook, open.

    Attributes:
        kind: XLSX, XLSB, XLS or ODS.
        opened: calamine's workbook.
        sheets: names of the sheets that hold cells, in the workbook's order.
        hidden: those of them that are not shown.
        tables: what was seen of an ODS workbook's sheets.
    """

    kind: str
    opened: Any
    sheets: tuple[str, ...]
    hidden: frozenset[str]
    tables: Mapping[str, Table]


def open_book(given: Input) -> Book:
    """Open a workbook.

    Raises:
        SourceError: it is none, is damaged, or is locked with a password; says which.
    """
    import python_calamine as calamine

    with given.path.open("rb") as f:
        head = f.read(4096)
    kind = _kind(given, head)
    seen = tables(given.path) if kind == "ODS" else {}
    for name, table in seen.items():
        # calamine writes repeated cells out when it opens such a workbook.
        check_extent(given.name, name, table.rows, table.columns)
    try:
        with given.path.open("rb") as f:  # a path would be taken for what its ending says
            opened = calamine.CalamineWorkbook.from_filelike(f)
        found = [m for m in opened.sheets_metadata if m.typ == calamine.SheetTypeEnum.WorkSheet]
    except calamine.PasswordError:
        raise _locked(given) from None
    except calamine.CalamineError as e:
        # Of what is no whole workbook of any kind it says only that.
        reason = f"it cannot be read as {kind}" if "detect file format" in str(e) else str(e)
        raise SourceError(f"{given.name} is a damaged workbook: {reason}", hint=_OPEN_AGAIN) from None
    hidden = frozenset(m.name for m in found if m.visible != calamine.SheetVisibleEnum.Visible)
    return Book(kind, opened, tuple(m.name for m in found), hidden, seen)


def check_extent(file: str, sheet: str, rows: int, columns: int) -> None:
    """See that a sheet can be held.

    Raises:
        SourceError: it spans too many cells.
    """
    if rows * columns > _CELLS:
        raise SourceError(
            f"{file}, sheet {sheet}, spans {rows:,} rows and {columns:,} columns, up to {letters(columns - 1)}{rows}",
            hint="A stray cell far out makes it so large: delete the rows and columns after the last record.",
        )


def _kind(given: Input, head: bytes) -> str:
    if head.startswith(b"PK"):
        return _archive(given)
    if head.startswith(_OLE):
        content = given.path.read_bytes()
        if _LOCKED in content or _encrypted(content):
            raise _locked(given)
        return "XLS"
    what, hint = _other(head)
    raise SourceError(f"{given.name} is not a workbook: it {what}", hint=hint)


def _encrypted(content: bytes) -> bool:
    """Whether the records of an XLS workbook are encrypted: then one of the first of them says so."""
    at = content.find(_BEGIN)
    for _ in range(10 if at >= 0 else 0):
        kind, size = (int.from_bytes(content[at + i : at + i + 2], "little") for i in (0, 2))
        if kind == _FILEPASS:
            return True
        at += 4 + size
    return False


def _archive(given: Input) -> str:
    try:
        with zipfile.ZipFile(given.path) as book:
            members = book.infolist()
            manifest = book.read("META-INF/manifest.xml") if "META-INF/manifest.xml" in book.namelist() else b""
    except (zipfile.BadZipFile, zlib.error, OSError):
        raise SourceError(
            f"{given.name} is a damaged workbook: the end of the archive is missing", hint="Copy or download it again."
        ) from None
    most = given.options.max_unpacked
    if sum(m.file_size for m in members) > (limit := packed.limit_of(given.path, most)):
        raise packed.bomb(given.name, limit, most)
    names = [m.filename for m in members]
    if "content.xml" in names:
        if b"encryption-data" in manifest:
            raise _locked(given)
        return "ODS"
    kind = next((kind for start, kind in _MEMBERS if any(n.startswith(start) for n in names)), "a zip archive")
    if not kind.isupper():
        raise SourceError(f"{given.name} is not a workbook: it is {kind}", hint="Name the workbook or file inside it.")
    return kind


def _other(head: bytes) -> tuple[str, str]:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return "is empty", "Check that it was written whole."
    if start.startswith(b"PAR1"):
        return "is Parquet", "Set source.format: parquet."
    if start[:1] in (b"{", b"["):
        return "looks like JSON", "Set source.format: json."
    if start[:1] == b"<":
        return "is HTML or XML", _OPEN_AGAIN
    if b"\0" not in head:
        return "looks like text", "Set source.format: csv."
    return "is of an unknown kind", _OPEN_AGAIN


def _locked(given: Input) -> SourceError:
    return SourceError(f"{given.name} is locked with a password", hint="Save a copy without the password.")


def pick(book: Book, name: str, wanted: str | int | None) -> str | None:
    """The sheet that was asked for; None when none was.

    Raises:
        SourceError: there is no such sheet; names those there are.
    """
    if wanted is None:
        return None
    if isinstance(wanted, str) and wanted in book.sheets:
        return wanted
    if isinstance(wanted, int) and 1 <= wanted <= len(book.sheets):
        return book.sheets[wanted - 1]
    raise SourceError(f"{name} has no sheet {wanted!r}", hint=f"Its sheets are: {', '.join(book.sheets)}.")
