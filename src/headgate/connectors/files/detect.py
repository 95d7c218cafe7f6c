"""Looks at the beginning of a delimited text file and decides how to read it. Bounded in time and memory for any file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.model.errors import SourceError

from . import encoding as enc
from . import guess, layout
from .base import Input
from .dialect import Dialect
from .lines import Splitter, in_order

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
    if same_ends:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip("\r\n \t\0\ufeff"):
        raise SourceError(f"{given.name} has only blank lines", hint="Check that it is the right file.")
    guessed = guess.guess(text, options.delimiter, options.quote, options.escape)
    dialect = guessed.dialect
    text = _first_lines(_whole_lines(text, dialect.newline, whole), dialect.newline)
    rows, starts = _rows(text, dialect)
    found = layout.find(rows, options, given.name)
    before = text[: starts[rows[found.first].line]] if found.first < len(rows) else text
    as_is = encoding.is_utf8 and not same_ends
    start = len(before.encode("utf-8", "surrogateescape" if as_is else "surrogatepass")) + (
        encoding.bom if as_is else 0
    )
    line_end = _line_end(text, dialect)
    findings: dict[str, object] = {
        "format": "csv",
        "encoding": encoding.name,
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "escape": dialect.escape or "doubled",
        "header": found.header + 1 if found.header is not None else False,
        "skip": found.header if found.header is not None else found.first,
        "columns": len(found.columns),
        "line_end": line_end,
        "sure": {"encoding": encoding.sure, "delimiter": guessed.sure, "header": found.sure},
        "notes": _notes(encoding, guessed, found, same_ends, len(found.columns)),
    }
    return Found(
        encoding=encoding,
        dialect=dialect,
        columns=found.columns,
        start=start,
        start_line=rows[found.first].line if found.first < len(rows) else before.count(dialect.newline),
        start_row=found.first,
        line_end=b"\r\n" if line_end == "crlf" else dialect.newline.encode(),
        as_is=as_is,
        same_ends=same_ends,
        findings=findings,
    )


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


def _rows(text: str, dialect: Dialect) -> tuple[list[layout.Row], list[int]]:
    """The rows of a sample, blank ones included, and where each of its lines begins."""
    splitter = Splitter(dialect, None)
    lines, raw = splitter.lines(text)
    starts, at = [], 0
    for line in raw:
        starts.append(at)
        at += len(line) + len(dialect.newline)
    found = in_order(splitter.records(lines, raw, last=True))
    rows: list[layout.Row] = []
    following = 0
    for line_number, cells, _ in found:
        rows += [layout.Row(n, ()) for n in range(following, line_number) if not lines[n]]
        rows.append(layout.Row(line_number, cells))
        following = line_number + 1
    return rows, starts


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
    encoding: enc.Encoding, guessed: guess.Guess, found: layout.Layout, same_ends: bool, columns: int
) -> list[str]:
    notes = []
    if encoding.note:
        notes.append(f"encoding {encoding.name}: {encoding.note}")
    notes += guessed.notes
    if columns > 1:
        notes.append(f"{columns} columns, separated by {guess.spoken(guessed.dialect.delimiter)}")
    if same_ends:
        notes.append("line ends of several kinds, old Macintosh ones among them: all are read as line ends")
    notes += found.notes
    return notes
