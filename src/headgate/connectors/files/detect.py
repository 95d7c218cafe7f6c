"""Looks at the beginning of a delimited text file and decides how to read it. Bounded in time and memory for any file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.model.counting import counted
from headgate.model.errors import SourceError

from . import encoding as enc
from . import guess, layout
from .base import Input
from .dialect import Dialect
from .piece import Piece, Written, cut, footnotes, last_lines, same_line_ends

SAMPLE = 256 << 10
_PROBE = 32 << 10
_LINES = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """How a file is to be read.

    Attributes:
        encoding, dialect, columns: what was found or given.
        start: byte at which the first record begins, in the file as UTF-8.
        start_line, start_row: lines and rows before it.
        stop: byte at which the table ends, in the file as UTF-8; None where that is the end of the file, or told by `tail`.
        tail: bytes at the end of the file, as UTF-8, that are no part of the table.
        line_end: what ends most lines.
        as_is: the file can be read without a copy.
        same_ends: a copy must be given one kind of line ends.
        findings: all that for a person.
    """

    encoding: enc.Encoding
    dialect: Dialect
    columns: tuple[str, ...]
    start: int
    start_line: int
    start_row: int
    stop: int | None
    tail: int
    line_end: bytes
    as_is: bool
    same_ends: bool
    findings: Mapping[str, object]


def look(given: Input) -> Found:
    """Decide how to read a file.

    Raises:
        SourceError: it is empty or has only blank lines, or an option names what is not there.
    """
    options = given.options
    head, probes, whole = sample(given.path)
    if not head:
        raise SourceError(f"{given.name} is empty", hint="It has 0 bytes; was it written to the end?")
    encoding = enc.find(head, probes, options.encoding)
    text = enc.decode(head, encoding)
    same_ends = mixed_with_cr(text)
    text = same_line_ends(text, same_ends)
    if not text.strip("\r\n \t\0\ufeff"):
        raise SourceError(f"{given.name} has only blank lines", hint="Check that it is the right file.")
    guessed = guess.guess(text, options.delimiter, options.quote, options.escape)
    dialect = guessed.dialect
    whole = whole and text.count(dialect.newline) < _LINES
    piece = cut(_first_lines(_whole_lines(text, dialect.newline, whole), dialect.newline), dialect, whole=whole)
    found = layout.find(piece.rows, options, given.name, whole=whole)
    written = Written(encoding, dialect, same_ends)
    mark = encoding.bom if written.as_is else 0
    stop = mark + written.size(piece.before(found.end)) if found.end is not None else None
    tail, after = (0, None) if stop is not None else _after(given, piece, written, found)
    before = piece.before(found.first)
    line_end = _line_end(piece.text, dialect)
    left = [*found.left, *([after] if after else [])]
    findings: dict[str, object] = {
        "format": "csv",
        "encoding": encoding.name,
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "escape": dialect.escape or "doubled",
        "header": found.header + 1 if found.header is not None else False,
        "header_rows": found.header_rows,
        "skip": found.header if found.header is not None else found.first,
        "columns": len(found.columns),
        "line_end": line_end,
        "sure": {"encoding": encoding.sure, "delimiter": guessed.sure, "header": found.sure},
        "left_out": [
            {"what": one.what, "first": one.first, "last": one.last, "text": one.text, "words": layout.told(one)}
            for one in left
        ],
        "notes": _notes(written, guessed, found, left, mended=0 if options.stray_quotes == "keep" else piece.mended),
        "warnings": encoding.warnings,
    }
    return Found(
        encoding=encoding,
        dialect=dialect,
        columns=found.columns,
        start=mark + written.size(before),
        start_line=piece.rows[found.first].line if found.first < len(piece.rows) else before.count(dialect.newline),
        start_row=found.first,
        stop=stop,
        tail=tail,
        line_end=b"\r\n" if line_end == "crlf" else dialect.newline.encode(),
        as_is=written.as_is,
        same_ends=same_ends,
        findings=findings,
    )


def _after(given: Input, piece: Piece, written: Written, found: layout.Layout) -> tuple[int, layout.Left | None]:
    """The bytes at the end of the file that are no part of the table, and what they are."""
    footer = given.options.footer
    if footer == 0:
        return 0, None
    if footer is None:
        return footnotes(piece, given.path, written, len(found.columns), found.first)
    return last_lines(piece, given.path, written, footer, found.first)


def sample(path: Path) -> tuple[bytes, list[bytes], bool]:
    """The beginning, pieces from further on (whole lines, for the encoding), and whether the beginning is everything."""
    with path.open("rb") as file:
        head = file.read(SAMPLE)
        size = file.seek(0, 2)
        probes = []
        if size > 2 * SAMPLE:
            for part in (0.25, 0.5, 0.75, 1.0):
                file.seek(int((size - _PROBE) * part))
                piece = file.read(_PROBE)
                first, last = piece.find(b"\n") + 1, piece.rfind(b"\n")
                if 0 < first < last:
                    probes.append(piece[first:last])
    return head, probes, size <= SAMPLE


def mixed_with_cr(text: str) -> bool:
    """Whether old Macintosh line ends are mixed with others."""
    alone = text.count("\r") - text.count("\r\n")
    return "\n" in text and alone > max(1, text.count("\n") // 2)


def _whole_lines(text: str, newline: str, whole: bool) -> str:
    if whole:
        return text
    cut = text.rfind(newline)
    return text[: cut + len(newline)] if cut >= 0 else text


def _first_lines(text: str, newline: str) -> str:
    """As many lines as are worth splitting to see how a file is laid out."""
    rest = text.split(newline, _LINES)[_LINES:]
    return text[: -len(rest[0])] if rest and rest[0] else text


def _line_end(text: str, dialect: Dialect) -> str:
    if dialect.newline not in ("\n", "\r"):
        return repr(dialect.newline)[1:-1]
    if dialect.newline == "\r":
        return "cr"
    both, lf = text.count("\r\n"), text.count("\n")
    first = text.find("\n")
    if both == lf and lf:
        return "crlf"
    return (
        ("crlf" if first > 0 and text[first - 1] == "\r" else "lf")
        if both and lf - both < 0.2 * lf
        else "lf"
        if both < 0.2 * lf or not both
        else "mixed"
    )


def _notes(
    written: Written, guessed: guess.Guess, found: layout.Layout, left: list[layout.Left], *, mended: int
) -> list[str]:
    notes = []
    columns = len(found.columns)
    if written.encoding.note:
        notes.append(f"encoding {written.encoding.name}: {written.encoding.note}")
    notes += guessed.notes
    if columns > 1:
        notes.append(f"{counted(columns, 'column')}, separated by {guess.spoken(guessed.dialect.delimiter)}")
    if written.same_ends:
        notes.append("line ends of several kinds, old Macintosh ones among them: all are read as line ends")
    notes += map(layout.told, left)
    if mended:
        notes.append(
            f"{mended} row{'s have' if mended > 1 else ' has'} quotes that cannot all be meant; say stray_quotes: keep to have them as text"
        )
    notes += found.notes
    return notes
