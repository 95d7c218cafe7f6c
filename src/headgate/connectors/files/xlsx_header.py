"""Finds the header of a sheet: under titles, notes and empty rows, or not there at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from headgate.model.errors import SourceError

from .xlsx_cells import text

LOOK = 50
_NUMERIC = re.compile(r"[\s\d.,:;/%€$£+()-]*\d[\s\d.,:;/%€$£+()-]*")

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Header:
    """What was found.

    Attributes:
        row: place of the header row among all rows of the sheet, 0-based; None when there is none.
        first: place of the first row that may be a record.
        names: name of every column from the sheet's first used one on; empty where there is none.
        notes: sentences for a person.
    """

    row: int | None
    first: int
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def letters(position: int) -> str:
    """The name a spreadsheet shows above a column, which is counted from 0."""
    name = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(65 + rest) + name
    return name


def find_header(
    where: str, rows: Sequence[Row], wanted: bool | int | None, skip: int | None, named: Sequence[str] | None
) -> Header:
    """Find the header among the first rows of a sheet.

    Args:
        where: file and sheet, for messages.
        rows: the first rows, empty ones included.
        wanted: `source.header`: a row number (1-based), true (the first row with something in it), false (none), or
            None: look for it.
        skip: rows that are neither header nor records.
        named: `source.columns`; without `wanted` the sheet then has a header only if most of it is these names.

    Raises:
        SourceError: the row named as header is not there, or among those to be left out.
    """
    top = skip or 0
    filled = [i for i in range(top, len(rows)) if _filled(rows[i])]
    row: int | None = None
    if wanted is True:
        row = filled[0] if filled else None
    elif wanted is None:
        row = _matching(rows, filled, named) if named is not None else _best(rows, filled)
    elif wanted is not False:
        if not top < wanted <= len(rows):
            raise SourceError(
                f"{where}: row {wanted} cannot be the header", hint="Correct source.header or source.skip."
            )
        row = wanted - 1
    if row is not None:
        return Header(
            row, row + 1, tuple(_name(cell) for cell in rows[row]), _titles(rows, row if skip is None else top)
        )
    note = "no header was found: the columns are named by their letters; name them with columns, or say header: true"
    return Header(None, top, (), (note,) if wanted is None and named is None else ())


def _titles(rows: Sequence[Row], row: int) -> tuple[str, ...]:
    """What is said about the rows above the header that nobody asked to leave out."""
    words = [_name(cell) for above in rows[:row] for cell in above if cell != ""]
    if not words:
        return ()
    text = " ".join(words)
    return (f'{row} row{"s" if row > 1 else ""} above the header left out: "{text[:60]}{"…" if text[60:] else ""}"',)


def _filled(row: Row) -> int:
    return sum(cell != "" for cell in row)


def _name(cell: object) -> str:
    return " ".join((text(cell) or "").split())


def _matching(rows: Sequence[Row], filled: list[int], named: Sequence[str]) -> int | None:
    """The first row that is a header all the same: at least half of the names are in it."""
    names = {n.casefold() for n in named}
    return next(
        (i for i in filled[:LOOK] if sum(_name(c).casefold() in names for c in rows[i]) * 2 >= len(named)), None
    )


def _best(rows: Sequence[Row], filled: list[int]) -> int | None:
    """The first row about as wide as what follows, if it looks like a header.

    Rows narrower than that are titles and notes. No wider row is ever passed over: it would be a record lost.
    """
    for at, i in enumerate(filled[:LOOK]):
        below = [rows[j] for j in filled[at + 1 : at + 1 + LOOK]]
        width = median(_filled(row) for row in below) if below else _filled(rows[i])
        if _filled(rows[i]) * 3 >= width * 2:
            return i if _is_header(rows[i], below) else None
    return None


def _is_header(row: Row, below: Sequence[Row]) -> bool:
    """Whether the cells are words (or years), mostly different, and few of them come again below."""
    cells = [(at, _name(cell)) for at, cell in enumerate(row) if cell != ""]
    words = [name for at, name in cells if isinstance(row[at], str) and name and not _NUMERIC.fullmatch(name)]
    # XLS has whole numbers, of the other kinds of workbooks all numbers are floats.
    years = [at for at, _ in cells if isinstance(v := row[at], int | float) and 1900 <= v <= 2100 and v == int(v)]
    if not words or len(words) + len(years) < len(cells) or len(years) > len(words):
        return False
    if len({name.casefold() for _, name in cells}) * 2 < len(cells):
        return False
    again = sum(any(other[at] == row[at] for other in below if list(other) != list(row)) for at, _ in cells)
    return again * 3 < len(cells) or not again


def unique(names: Sequence[str]) -> list[str]:
    """The names with `_2`, `_3`, ... behind those that came before."""
    taken: set[str] = set()
    result = []
    for name in names:
        free, n = name, 1
        while free in taken:
            n += 1
            free = f"{name}_{n}"
        taken.add(free)
        result.append(free)
    return result
