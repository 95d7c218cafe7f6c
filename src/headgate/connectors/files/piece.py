"""A piece of a delimited text file with its rows: the beginning, or the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate, count
from pathlib import Path

from headgate.model.errors import SourceError

from . import blanks, ending
from . import encoding as enc
from .csv_header import Row
from .dialect import Dialect
from .layout import Left
from .lines import in_order

_TAIL = 64 << 10
_LONGEST_TAIL = 64 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """How the text is written.

    Attributes:
        same_ends: every kind of line end is read as one.
        as_is: the file is read without a copy.
    """

    encoding: enc.Encoding
    dialect: Dialect
    same_ends: bool

    @property
    def as_is(self) -> bool:
        """Whether the file is read without a copy."""
        return self.encoding.is_utf8 and not self.same_ends

    def text(self, data: bytes) -> str:
        """Bytes of the file as text; a last character that is cut is left out."""
        return same_line_ends(enc.decode(data, self.encoding), self.same_ends)

    def size(self, text: str) -> int:
        """How many bytes a part of the text has in what is read: the file, or its copy in UTF-8."""
        return len(text.encode("utf-8", "surrogateescape" if self.as_is else "surrogatepass"))


def same_line_ends(text: str, wanted: bool) -> str:
    r"""The text with ``\n`` for every line end, where that is wanted."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if wanted else text


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file.

    Attributes:
        rows: blank ones included.
        starts: where each line begins in the text.
        mended: rows with odd quotes, which were read as what gives rows of the usual width.
        whole: it is the file from beginning to end.
    """

    text: str
    rows: list[Row]
    starts: list[int]
    mended: int
    whole: bool

    def before(self, row: int) -> str:
        """What stands before a row; all of it where there is no such row."""
        return self.text[: self.starts[self.rows[row].line]] if row < len(self.rows) else self.text


def cut(text: str, dialect: Dialect, *, whole: bool) -> Piece:
    """The rows of a text. Those that are no records as they stand are read with their odd quotes as text if they can be."""
    splitter = blanks.splitter(dialect, None)
    lines, raw = splitter.lines(text)
    *starts, _ = accumulate((len(line) + len(dialect.newline) for line in raw), initial=0)
    stretch = splitter.records(lines, raw, last=True)
    if not stretch.bad and not stretch.breaks:  # each line is a record, as it nearly always is
        return Piece(text, list(map(Row, count(), stretch.rows)), starts, 0, whole)
    found = list(in_order(stretch))
    odd = {b.index for b in stretch.bad if b.code == "RD03"}
    widths = Counter(len(cells) for _, cells, good in found if good)
    width = widths.most_common(1)[0][0] if widths else 0
    rows: list[Row] = []
    following = mended = 0
    for n, (line_number, cells, _) in enumerate(found):
        rows += [Row(i, ()) for i in range(following, line_number) if not lines[i]]
        if n in odd and width > 1 and (kept := splitter.kept(lines[line_number], width)):
            cells, mended = kept, mended + 1
        rows.append(Row(line_number, cells))
        following = line_number + 1
    return Piece(text, rows, starts, mended, whole)


def footnotes(head: Piece, path: Path, written: Written, width: int, first: int) -> tuple[int, Left | None]:
    """The bytes at the end of a file that are footnotes, and what they are.

    Args:
        head: the beginning of the file.
        first: its first record.
    """
    end = head if head.whole else _tail(path, written, _TAIL)
    begin = max(ending.footnotes(end.rows, width), first if end is head else 0)
    return _left(end, written, begin, end.before(begin))


def last_lines(head: Piece, path: Path, written: Written, count: int, first: int) -> tuple[int, Left | None]:
    """The bytes of the last lines of a file, and what they are.

    Raises:
        SourceError: so many are too much to look at.
    """
    end, size = head if head.whole else _tail(path, written, _TAIL), _TAIL
    while not end.whole and len(end.starts) <= count:
        size *= 32
        if size > _LONGEST_TAIL:
            raise SourceError(f"the last {count:,} lines are too much to be left out", hint="Lower source.footer.")
        end = _tail(path, written, size)
    kept = max(0, len(end.starts) - count)
    if end is head:
        kept = max(kept, end.rows[first].line if first < len(end.rows) else len(end.starts))
    begin = next((i for i, r in enumerate(end.rows) if r.line >= kept), len(end.rows))
    return _left(end, written, begin, end.text[: end.starts[kept]] if kept < len(end.starts) else end.text)


def _left(end: Piece, written: Written, begin: int, before: str) -> tuple[int, Left | None]:
    if len(before) == len(end.text):
        return 0, None
    first, last = (begin + 1, len(end.rows)) if end.whole else (None, None)
    text = ending.quoted(end.rows[begin:])
    return written.size(end.text[len(before) :]), Left("after the table", first, last, text)


def _tail(path: Path, written: Written, size: int) -> Piece:
    """The last whole lines of a file, about `size` bytes of them."""
    encoding, newline = written.encoding, written.dialect.newline
    with path.open("rb") as file:
        length = file.seek(0, 2)
        # Characters of the wide encodings begin at every second or fourth byte.
        start = encoding.bom + max(0, length - encoding.bom - size) // 4 * 4
        file.seek(start)
        data = file.read()
    text = replace(written, encoding=replace(encoding, bom=0)).text(data)
    whole = start == encoding.bom
    if not whole:
        text = text[text.find(newline) + len(newline) :]
    return cut(text, written.dialect, whole=whole)
