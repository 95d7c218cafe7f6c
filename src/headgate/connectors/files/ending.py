"""Where a table ends before its file does: at footnotes, or at another table below it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .csv_header import Row, is_header, kind_of, typed
from .lines import Cell

_MOST_NOTES = 30
_CANDIDATES = 50
# Where the file goes on behind the sample, so many rows of another table must have been seen.
_SEEN = 20
_NOTE = re.compile(
    r"\s*(?:[*#†‡©]|\(c\)|--|(?:foot)?notes?\b|sources?\b|remarks?\b|copyright\b|disclaimer\b|generated\b|exported\b|created\b"
    r"|printed\b|end of\b|total (?:rows|records|lines)\b|\d[\d,. ]* (?:rows|records|lines)\b|page \d|legend\b|quelle\b|hinweis)",
    re.IGNORECASE,
)


def footnotes(rows: Sequence[Row], width: int) -> int:
    """Where the footnotes below a table begin, among the last rows of a file; their number where there are none.

    They are lines of text in a single value, set off by a blank row, or by the way they begin: a record that was cut
    short is none.
    """
    first = len(rows)
    while first and len(rows) - first < _MOST_NOTES and (rows[first - 1].blank or _note(rows[first - 1], width)):
        first -= 1
    notes = [r for r in rows[first:] if not r.blank]
    if not notes or width < 2 or not first or len(rows[first - 1].cells) != width:
        return len(rows)
    if not rows[first].blank and not all(_NOTE.match(_text(r)) for r in notes):
        return len(rows)
    return first


def _note(row: Row, width: int) -> bool:
    """Whether a row can be a footnote: text in its first value, and in no other that the table has."""
    text = _text(row)
    if len(row.cells) < width and _NOTE.match(text):
        return True
    alone = not any(row.cells[1:]) and len(row.cells) in (1, width)
    return alone and (kind_of(text) == "text" or bool(_NOTE.match(text)))


def _text(row: Row) -> str:
    return row.cells[0] or "" if row.cells else ""


def second_table(rows: Sequence[Row], first: int, header: Sequence[Cell], *, whole: bool) -> int | None:
    """The row with the header of another table below the one that has this header; None where none is seen.

    Args:
        first: the first record.
        whole: the rows are all of the file.
    """
    width, tried = len(header), 0
    for i in range(first + 1, len(rows)):
        row = rows[i]
        if len(row.cells) < 2 or (len(row.cells) == width and not rows[i - 1].blank) or _same(row.cells, header):
            continue
        below = [r for r in rows[i + 1 : i + 21] if not r.blank]
        if not below or (not whole and len(rows) - i < _SEEN) or any(len(r.cells) != len(row.cells) for r in below[:3]):
            continue
        tried += 1
        if tried > _CANDIDATES:
            return None
        if is_header(rows[i : i + 21], 0, None)[0] and _unlike(rows, first, i, width):
            return i
    return None


def _unlike(rows: Sequence[Row], first: int, i: int, width: int) -> bool:
    """Whether what begins with row `i` cannot be more of the records above it."""
    cells = rows[i].cells
    above = [r.cells for r in rows[first:i] if len(r.cells) == width][-200:]
    rest = [r for r in rows[i:] if not r.blank]
    if len(cells) != width:
        # Two rows of another width are a slip; a table goes on to the end.
        set_off = rows[i - 1].blank or len(rest) > 2
        return bool(above) and set_off and sum(len(r.cells) == width for r in rest) <= 0.1 * len(rest)
    columns = ([r[k] for r in above if r[k]] for k in range(width))
    words = sum(bool(c) and kind_of(c) == "text" and typed(column) for c, column in zip(cells, columns, strict=True))
    return words >= 2


def _same(cells: Sequence[Cell], header: Sequence[Cell]) -> bool:
    return list(cells) == list(header)


def repeated(rows: Sequence[Row], first: int, header: Sequence[Cell]) -> int | None:
    """The first row below that is the header once more."""
    return next((i for i in range(first, len(rows)) if _same(rows[i].cells, header)), None)


def quoted(rows: Sequence[Row]) -> str:
    """The beginning of what stands in rows."""
    text = " / ".join(" ".join(c for c in r.cells if c) for r in rows if not r.blank)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'
