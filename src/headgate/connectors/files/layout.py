"""What the rows of a sample are: titles, the header, records, what follows them; and the names of the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from headgate.model.counting import counted, verb
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from . import csv_header, ending
from .csv_header import Row
from .dialect import WHITESPACE
from .lines import Cell


@dataclass(frozen=True, slots=True)
class Left:
    """Rows that are no part of the table.

    Attributes:
        what: ``before the table``, ``after the table`` or ``another table``.
        first, last: their numbers, counted from 1. `last` is None where they go on to the end of the file; both are
            where only the end of the file was looked at.
        text: how they begin.
    """

    what: str
    first: int | None
    last: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found.

    Attributes:
        columns: unique names.
        header: index of the header's first row among the rows, or None.
        header_rows: how many it has.
        first: index of the first record among the rows; their number if there is none.
        end: index of the row with which another table begins; None where none is seen.
        sure: how sure the header is, 0 to 1.
        notes: sentences for a person.
        left: what is left out.
    """

    columns: tuple[str, ...]
    header: int | None
    header_rows: int
    first: int
    end: int | None
    sure: float
    notes: tuple[str, ...]
    left: tuple[Left, ...]


def find(rows: Sequence[Row], options: SourceSpec, name: str, *, whole: bool = True) -> Layout:
    """The layout of a sample's rows; what the definition says is believed.

    Args:
        whole: the rows are all of the file.

    Raises:
        SourceError: a row the definition names is not there.
    """
    notes: list[str] = []
    left: list[Left] = []
    given, skip = options.header, options.skip
    sure = 1.0
    if isinstance(given, int) and not isinstance(given, bool):
        top = _named_row(rows, given, skip, name)
        header: int | None = top
    else:
        top = skip if skip is not None else _after_titles(rows)
        if skip is None and any(not r.blank for r in rows[:top]):
            left.append(Left("before the table", 1, top, ending.quoted(rows[:top])))
        while top < len(rows) and rows[top].blank and (given is not False or len(rows[top].cells) != 1):
            top += 1
        header = top if top < len(rows) and given is not False else None
        if given is None and header is not None:
            is_header, sure = csv_header.is_header(rows, top, options.columns)
            header = top if is_header else None
    count = _header_rows(rows, header, options)
    first = top if header is None else header + count
    cells = csv_header.joined(rows[header:first]) if header is not None and count > 1 else _cells(rows, header)
    if count > 1 and options.header_rows is None:
        sure = min(sure, 0.7)
        notes.append(f"the header has {count} rows, their names are joined; say header_rows: 1 if that is wrong")
    end = None if options.footer is not None else _end(rows, first, cells, left, notes, whole=whole)
    body = Counter(len(r.cells) for r in rows[first:end][:2000] if not r.blank)
    if cells is not None and options.columns is None:
        cells = _without_blank_names(cells, body, notes)
    width = _width(body, cells)
    if options.delimiter == WHITESPACE and cells is not None and len(cells) == width - 1:
        # A name of nothing cannot be written there, and statistics programs leave it out above the names of rows.
        cells = [None, *cells]
    columns = _names(cells, width, options.columns, notes, name)
    if header is None and given is None and not options.columns:
        notes.append("no header was found: the columns are numbered; name them with columns, or say header: true")
    below = end if end is not None or options.footer is not None else ending.footnotes(rows, width)
    notes += _blanks(rows[first:below], cells, width)
    return Layout(columns, header, count if header is not None else 0, first, end, sure, tuple(notes), tuple(left))


def told(left: Left) -> str:
    """What is left out, in words."""
    if left.what == "another table":
        return f"row {left.first} and what follows left out, another table begins there: {left.text}"
    if left.first is None or left.last is None:
        return f"rows at the end left out: {left.text}"
    many = left.last - left.first + 1
    where = "before" if left.what == "before the table" else "after"
    return f"{many} row{'s' if many > 1 else ''} {where} the table left out: {left.text}"


def _named_row(rows: Sequence[Row], given: int, skip: int | None, name: str) -> int:
    """The row the definition says is the header."""
    if not 0 <= given - 1 < len(rows):
        raise SourceError(
            f"{name}: there is no row {given} for a header",
            hint="Set source.header to the row's number, or to false.",
        )
    if skip is not None and skip >= given:
        raise SourceError(
            f"{name}: row {given} cannot be the header when {counted(skip, 'row')} {verb(skip, 'is', 'are')} left out",
            hint="Rows are counted from the beginning of the file.",
        )
    return given - 1


def _header_rows(rows: Sequence[Row], header: int | None, options: SourceSpec) -> int:
    if header is None:
        return 0
    if options.header_rows is not None:
        return min(options.header_rows, len(rows) - header)
    return 1 if options.header is not None else csv_header.rows_of(rows, header)


def _cells(rows: Sequence[Row], header: int | None) -> Sequence[Cell] | None:
    return None if header is None else rows[header].cells


def _end(
    rows: Sequence[Row], first: int, cells: Sequence[Cell] | None, left: list[Left], notes: list[str], *, whole: bool
) -> int | None:
    """Where another table begins. More of this one under its header once more is none."""
    if cells is None:
        return None
    if (again := ending.repeated(rows, first, cells)) is not None:
        notes.append(f"row {again + 1} is the header once more: it is read as a record, and so is what follows")
        return None
    end = ending.second_table(rows, first, cells, whole=whole)
    if end is not None:
        left.append(Left("another table", end + 1, None, ending.quoted(rows[end : end + 1])))
    return end


def _without_blank_names(cells: Sequence[Cell], body: Counter[int], notes: list[str]) -> Sequence[Cell]:
    """The header without the blank names by which it is longer than nearly all records are."""
    width, count = body.most_common(1)[0] if body else (len(cells), 0)
    more = len(cells) - width
    blank = [i for i, c in enumerate(cells) if not (c and c.strip())]
    if more <= 0 or count < 0.9 * body.total() or len(blank) < more:
        return cells
    gone = blank if len(blank) == more else list(range(width, len(cells)))
    if not set(gone) <= set(blank):
        return cells
    notes.append(f"the header has {len(cells)} names and the records {width} values: blank names are left out")
    return [c for i, c in enumerate(cells) if i not in gone]


def _blanks(rows: Sequence[Row], cells: Sequence[Cell] | None, width: int) -> list[str]:
    """What is said of blank rows, and of columns with neither a name nor a value, which may set off tables beside each
    other."""
    said = []
    solid = [i for i, r in enumerate(rows) if not r.blank]
    if width > 1 and solid and (blank := sum(r.blank for r in rows[: solid[-1]])):
        said.append(
            f"{blank} blank row{'s' if blank > 1 else ''} within the table {'are' if blank > 1 else 'is'} no record"
        )
    if cells is None or not solid:
        return said
    nameless = [i for i, c in enumerate(cells) if not (c and c.strip())]
    empty = [i for i in nameless if not any(r.cells[i] for r in rows if i < len(r.cells))]
    said += [f"column {i + 1} has neither a name nor a value in the rows looked at" for i in empty[:5]]
    for i in empty:
        before = {c.strip().casefold() for c in cells[:i] if c}
        if any(c and c.strip().casefold() in before for c in cells[i + 1 :]):
            said.append(
                f"columns {i + 2} to {len(cells)} may be another table beside this one; they are read as its columns"
            )
            break
    return said


def _after_titles(rows: Sequence[Row]) -> int:
    """The first row that is as wide as the table below."""
    solid = [r for r in rows if not r.blank]
    if len(solid) < 3:
        return 0
    widths = Counter(len(r.cells) for r in solid[:500])
    width, n = widths.most_common(1)[0]
    if width < 2 or n < 2:
        return 0
    for i, row in enumerate(rows[:60]):
        full = sum(bool(c) for c in row.cells)
        if row.blank or len(row.cells) < width - 1 or full <= max(1, width // 5):
            continue
        below = next((r for r in rows[i + 1 :] if not r.blank), None)
        if len(row.cells) < width and (below is None or len(below.cells) != len(row.cells)) and full < width - 1:
            continue
        titles = sum(not r.blank for r in rows[:i])
        if titles and titles > 0.5 * len(solid):
            return 0
        if titles and not _looks_titled(rows[:i], width):
            return 0
        return i
    return 0


def _looks_titled(above: Sequence[Row], width: int) -> bool:
    return all(sum(bool(c) for c in r.cells) <= max(2, width // 2) for r in above)


def _width(body: Counter[int], cells: Sequence[Cell] | None) -> int:
    most = body.most_common(1)[0] if body else (0, 0)
    if cells is None:
        return max(1, most[0])
    own = len(cells)
    if most[0] == own + 1 and most[1] > 0.9 * body.total():
        # Every record ends with one more delimiter than the header, or has a first column without a name.
        return most[0]
    return own


def _names(
    header: Sequence[Cell] | None, width: int, given: Sequence[str] | None, notes: list[str], name: str
) -> tuple[str, ...]:
    if given is not None:
        if len(set(given)) != len(given):
            raise SourceError(
                f"{name}: source.columns names a column twice", hint="Every column needs a name of its own."
            )
        if header is not None:
            notes.append("the first row is a header; its names are replaced by those in columns")
        if len(given) != width:
            notes.append(f"columns has {counted(len(given), 'name')}, the records have {counted(width, 'value')}")
        return tuple(given)
    if header is None:
        return tuple(f"column_{i}" for i in range(1, width + 1))
    return unique(list(header) + [None] * (width - len(header)), notes)


def unique(header: Sequence[Cell], notes: list[str]) -> tuple[str, ...]:
    """Names for the columns: those of the header without blanks around them, numbered where blank or repeated."""
    taken: set[str] = set()
    names: list[str] = []
    own = {c.strip() for c in header if c}
    for i, cell in enumerate(header, 1):
        wanted = " ".join((cell or "").split())
        base = wanted or f"column_{i}"
        free, n = base, 1
        while free.casefold() in taken or (n > 1 and free in own) or (not wanted and free in own):
            n += 1
            free = f"{base}_{n}"
        if not wanted:
            notes.append(f"column {i} has no name in the header: it is called {free}")
        elif free != base:
            notes.append(f"the header has {base!r} more than once: column {i} is called {free}")
        taken.add(free.casefold())
        names.append(free)
    return tuple(names)
