"""Opens workbooks, and says what a file is that is none."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from headgate.model.errors import SourceError

from .base import Input

_LARGEST: Final = 4 << 30
_OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
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
    """

    kind: str
    opened: Any
    sheets: tuple[str, ...]


def open_book(given: Input) -> Book:
    """Open a workbook.

    Raises:
        SourceError: it is none, is damaged, or is locked with a password; says which.
    """
    import python_calamine as calamine

    with given.path.open("rb") as f:
        head = f.read(4096)
    kind = _kind(given, head)
    try:
        opened = calamine.CalamineWorkbook.from_filelike(BytesIO(given.path.read_bytes()))
        sheets = tuple(m.name for m in opened.sheets_metadata if m.typ == calamine.SheetTypeEnum.WorkSheet)
    except calamine.PasswordError:
        raise _locked(given) from None
    except calamine.CalamineError as e:
        raise SourceError(f"{given.name} is a damaged workbook: {e}", hint=_OPEN_AGAIN) from None
    return Book(kind, opened, sheets)


def _kind(given: Input, head: bytes) -> str:
    if head.startswith(b"PK"):
        return _archive(given)
    if head.startswith(_OLE):
        if _LOCKED in given.path.read_bytes():
            raise _locked(given)
        return "XLS"
    what, hint = _other(head)
    raise SourceError(f"{given.name} is not a workbook: it {what}", hint=hint)


def _archive(given: Input) -> str:
    try:
        with zipfile.ZipFile(given.path) as book:
            members = book.infolist()
    except (zipfile.BadZipFile, OSError):
        raise SourceError(
            f"{given.name} is a damaged workbook: the end of the archive is missing", hint="Copy or download it again."
        ) from None
    if any(m.file_size > _LARGEST for m in members):
        raise SourceError(f"{given.name} unpacks to more than 4 GiB, which no spreadsheet program writes")
    names = [m.filename for m in members]
    if "content.xml" in names:
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
