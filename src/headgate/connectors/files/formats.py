"""The formats by name, and which one a file has, told from its content and its name."""

from __future__ import annotations

import codecs
import re
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from headgate.model.errors import SourceError

from . import packed
from .base import Format

_HERE = __name__.rpartition(".")[0]
# Imported when used: each brings libraries the others do not need.
OPENERS: Final = {
    "csv": ("csv_scan", "open_csv"),
    "fixed": ("fixed", "open_fixed"),
    "json": ("json_scan", "open_json"),
    "jsonl": ("json_scan", "open_jsonl"),
    "xml": ("xml_scan", "open_xml"),
    "xlsx": ("xlsx", "open_xlsx"),
    "parquet": ("parquet", "open_parquet"),
    "arrow": ("arrow", "open_arrow"),
    "avro": ("avro", "open_avro"),
}
ENDINGS: Final = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".psv": "csv", ".txt": "csv", ".dat": "csv",
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xml": "xml",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xlsx", ".xlsb": "xlsx", ".ods": "xlsx",
    ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow", ".avro": "avro",
}  # fmt: skip
_SPOKEN: Final = {
    "csv": "CSV", "fixed": "text of fixed width", "json": "JSON", "jsonl": "JSON Lines", "xlsx": "a workbook", "parquet": "Parquet",
    "arrow": "Arrow", "avro": "Avro", "xml": "XML",
}  # fmt: skip
_MAGIC: Final = (
    (b"PAR1", "parquet", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xlsx", "an old Excel workbook"),
    (b"%PDF-", "", "a PDF document"),
    (b"SQLite format 3\0", "", "an SQLite database"),
    (b"7z\xbc\xaf\x27\x1c", "", "a 7z archive"),
    (b"Rar!\x1a\x07", "", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "", "compressed with lz4"),
    (b"\x1f\x9d", "", "compressed with compress"),
    (b"\x89PNG\r\n", "", "a PNG image"),
    (b"\xff\xd8\xff", "", "a JPEG image"),
    (b"GIF8", "", "a GIF image"),
    (b"ARROW1\0\0", "arrow", "an Arrow file"),
    (b"\xff\xff\xff\xff", "arrow", "an Arrow stream"),
    (b"FEA1", "", "a Feather file of the first version"),
    (b"Obj\x01", "avro", "an Avro file"),
    (b"{\\rtf", "", "a rich text document"),
)
_MARKUP = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype\s+html|<html|<head|<body|<table)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml\s")
# Without a declaration it may be anything that begins with a word in angles, unless there is no other sign.
_TAG = re.compile(rb"\s*<(?:!--|!DOCTYPE\s|[A-Za-z_][\w.:-]*[\s/>])")
_JSON = re.compile(rb"\s*(?:\{\s*(?:\"[^\"\n]{0,200}\"\s*:|\}\s*\Z)|\[\s*(?:[\{\[]|\]\s*\Z))")
_JSON_LINES = re.compile(rb"\s*\{[^\n]*\}[ \t\r]*\n\s*\{")
_HEAD = 8192
_TAR = 257


def opener(name: str) -> Format:
    """What opens inputs of a format."""
    module, function = OPENERS[name]
    return cast("Format", getattr(import_module(f"{_HERE}.{module}"), function))


def tell(path: Path, name: str, given: str | None, *, is_text: bool = False) -> str:
    """The format of an uncompressed file.

    Args:
        path: where its bytes are.
        name: the file as the user named it.
        given: what the definition says; it must be true.
        is_text: the definition says how its text is written, so control characters in it are meant.

    Raises:
        SourceError: the file is empty, is of a kind we do not read, or is not what its name or the definition says.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise SourceError(f"{name} is empty", hint="It has 0 bytes; was it written to the end?")
    named = given or ENDINGS.get(Path(name.rpartition(": ")[2]).suffix.lower())
    content, what = _content(path, head)
    if what and not content:
        raise SourceError(f"{name} is {what}{_expected(named)}", hint="Give the file with the records themselves.")
    if content and named and content != named:
        if {content, named} == {"json", "jsonl"}:
            return given or content
        hint = (
            f"Say format: {content} if it is meant."
            if given is None
            else f"Say format: {content}, or leave format out."
        )
        raise SourceError(f"{name} is {what}{_expected(named)}", hint=hint)
    if named in ("xlsx", "parquet", "arrow", "avro") and content != named:
        raise SourceError(
            f"{name} is not {_SPOKEN[named]}, whatever its name says"
            if given is None
            else f"{name} is not {_SPOKEN[named]}",
            hint="It looks like text; say format: csv if it is."
            if b"\0" not in head
            else "Check that the file is whole.",
        )
    if not named and not content and not is_text and _binary(head):
        raise SourceError(f"{name} is neither text nor a format that is known", hint=f"Known are {', '.join(OPENERS)}.")
    if named in ("csv", "fixed") and not is_text and _binary(head):
        raise SourceError(f"{name} is not text", hint="Check that it is the right file, or say its source.encoding.")
    return named or content or ("xml" if _TAG.match(head.removeprefix(codecs.BOM_UTF8)) else "csv")


def _expected(named: str | None) -> str:
    return f", not {_SPOKEN[named]}" if named else ""


def _content(path: Path, head: bytes) -> tuple[str, str]:
    """The format the content has, or an empty text, and what the file is in words."""
    for magic, name, what in _MAGIC:
        if head.startswith(magic):
            return name, what
    if head.startswith(b"PK\x03\x04"):
        return _zipped(path)
    if (compression := packed.told(head)) != "none":
        return "", f"compressed with {compression}"
    if head[_TAR : _TAR + 5] == b"ustar":
        return "", "a tar archive"
    text = head.removeprefix(codecs.BOM_UTF8)
    if _MARKUP.match(text):
        return "", "an HTML page"
    if _XML.match(text):
        return "xml", "an XML document"
    if _JSON.match(text):
        return ("jsonl", "JSON Lines") if _JSON_LINES.match(text) else ("json", "JSON")
    return "", ""


def _zipped(path: Path) -> tuple[str, str]:
    return ("xlsx", "a workbook") if is_workbook(path) else ("", "a zip archive")


def is_workbook(path: Path) -> bool:
    """Whether a zip archive is a workbook (XLSX, XLSB, ODS)."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "mimetype" in names:
                return b"opendocument.spreadsheet" in archive.read("mimetype")
            return any(n.startswith("xl/") for n in names) and "[Content_Types].xml" in names
    except (zipfile.BadZipFile, OSError, RuntimeError):
        return False


def _binary(head: bytes) -> bool:
    """Whether this can be no text: many control characters, and not the zero bytes of UTF-16 or UTF-32."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return False
    zeros = head.count(0)
    if zeros > 0.3 * len(head) and min(head[::2].count(0), head[1::2].count(0)) < 0.1 * len(head):
        return False
    odd = sum(head.count(c) for c in range(32) if c not in (0, 9, 10, 12, 13, 26, 27, 28, 29, 30, 31))
    return odd + max(0, zeros - 8) > 0.1 * len(head)
