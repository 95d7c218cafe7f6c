"""What the rows of a sample are: titles, the header, records; and the names of the columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from .lines import Cell


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the sample, blank ones included.

    Attributes:
        line: the physical line it begins on, from 0.
        cells: its values.
    """

    line: int
    cells: Sequence[Cell]

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it."""
        return not any(self.cells)


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found.

    Attributes:
        columns: unique names.
        header: index of the header among the rows, or None.
        first: index of the first record among the rows; their number if there is none.
        sure: how sure the header is, 0 to 1.
        notes: sentences for a person.
    """

    columns: tuple[str, ...]
    header: int | None
    first: int
    sure: float
    notes: tuple[str, ...]


def find(rows: Sequence[Row], options: SourceSpec, name: str) -> Layout:
    """The layout of a sample's rows; what the definition says is believed.

    Raises:
        SourceError: a row the definition names is not there.
    """
    notes: list[str] = []
    sure = 1.0
    given, skip = options.header, options.skip
    top = skip if skip is not None else 0
    if isinstance(given, int) and not isinstance(given, bool):
        header: int | None = given - 1
        if not 0 <= given - 1 < len(rows):
            raise SourceError(
                f"{name}: there is no row {given} for a header",
                hint="Set source.header to the row's number, or to false.",
            )
        if skip is not None and skip >= given:
            raise SourceError(
                f"{name}: row {given} cannot be the header when {skip} rows are left out",
                hint="Rows are counted from the beginning of the file.",
            )
        top = given - 1
    else:
        if skip is None:
            top = _after_titles(rows, notes)
        while top < len(rows) and rows[top].blank and (given is not False or len(rows[top].cells) != 1):
            top += 1
        header = top if top < len(rows) else None
        if given is False:
            header = None
        elif given is None and header is not None:
            is_header, sure = _is_header(rows, top, options.columns)
            header = top if is_header else None
    first = top if header is None else header + 1
    width = _width(rows, first, header)
    columns = _names(rows[header].cells if header is not None else None, width, options.columns, notes, name)
    if header is None and given is None and not options.columns:
        notes.append("no header was found: the columns are numbered; name them with columns, or say header: true")
    return Layout(columns, header, first, sure, tuple(notes))


def _after_titles(rows: Sequence[Row], notes: list[str]) -> int:
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
        if titles:
            notes.append(f"{i} row{'s' if i > 1 else ''} before the table left out: {_quoted(rows[:i])}")
        return i
    return 0


def _looks_titled(above: Sequence[Row], width: int) -> bool:
    return all(sum(bool(c) for c in r.cells) <= max(2, width // 2) for r in above)


def _quoted(rows: Sequence[Row]) -> str:
    text = " / ".join(" ".join(c for c in r.cells if c) for r in rows if not r.blank)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


def _width(rows: Sequence[Row], first: int, header: int | None) -> int:
    body = Counter(len(r.cells) for r in rows[first : first + 2000] if not r.blank)
    most = body.most_common(1)[0] if body else (0, 0)
    if header is None:
        return max(1, most[0])
    own = len(rows[header].cells)
    if most[0] == own + 1 and most[1] > 0.9 * sum(body.values()):
        # Every record ends with one more delimiter than the header, or has a first column without a name.
        return most[0]
    return own


# ---------------------------------------------------------------- header or not

_KINDS = (
    ("integer", re.compile(r"[-+]?\d{1,3}(?:[ ,.']\d{3})+|[-+]?\d+")),
    ("number", re.compile(r"[-+(]?[$€£]?\s?\d*[.,]?\d+(?:[eE][-+]?\d+)?\s?[%)€]?")),
    ("date", re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d\d.*)?|\d{1,2}:\d\d(:\d\d(\.\d+)?)?")),
    ("uuid", re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")),
    ("address", re.compile(r"[^@\s]+@[^@\s]+\.\w+|https?://\S+|www\.\S+")),
    ("code", re.compile(r"(?=[^\s]*\d)[A-Z0-9][A-Z0-9./#-]*")),
)
_NAME = re.compile(r"[^\W\d][\w .\-/()#%&°:?']{0,60}")
_COMMON = frozenset(
    {
        "id", "name", "code", "date", "time", "type", "status", "email", "phone", "city", "country", "state", "zip",
        "address", "price", "amount", "quantity", "qty", "total", "currency", "description", "title", "category", "sku",
        "number", "no", "key", "value", "note", "notes", "comment", "first_name", "last_name", "firstname", "lastname",
        "created", "updated", "year", "month", "day", "unit", "size", "color", "url", "sector", "symbol", "company",
        "customer", "product", "order", "line", "nom", "prix", "datum", "naam", "preis", "menge", "nombre", "fecha",
        "precio", "ort", "land", "ville", "pays"
    }
)  # fmt: skip


def _kind(cell: Cell) -> str:
    if not cell or not cell.strip():
        return ""
    cell = cell.strip()
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(cell)), "text")


def _is_header(rows: Sequence[Row], top: int, given: Sequence[str] | None) -> tuple[bool, float]:
    """Whether the row `top` names the columns, and how sure that is."""
    head = rows[top].cells
    body = [r.cells for r in rows[top + 1 : top + 1001] if not r.blank]
    if given is not None and _same_names(head, given):
        return True, 1.0
    filled = [c for c in head if c and c.strip()]
    if not filled:
        return False, 0.9
    if not body:
        named = all(_kind(c) == "text" and _NAME.fullmatch(c.strip()) for c in filled) and len(set(filled)) == len(
            filled
        )
        return named, 0.5
    points = sum(_vote(c, [r[i] for r in body if i < len(r) and r[i]]) for i, c in enumerate(head))
    points += 0.3 * sum(_word(c) in _COMMON for c in filled)
    if len(set(filled)) == len(filled) and all(_NAME.fullmatch(c.strip()) for c in filled):
        points += 0.5
    points -= sum(len(c) > 80 for c in filled)
    if given is not None:
        points -= 0.5
    sure = min(1.0, 0.5 + abs(points) / (2 * max(2.0, len(head) * 0.5)))
    return points > 0, round(sure, 2)


def _vote(cell: Cell, column: Sequence[Cell]) -> float:
    """What one column says: positive if its first cell is unlike the ones below."""
    if not column:
        return 0.2 if cell else 0.0
    kind = _kind(cell)
    kinds = Counter(map(_kind, column))
    usual, n = kinds.most_common(1)[0]
    if kind == "":
        return -0.1
    if usual in ("integer", "number"):
        n = kinds["integer"] + kinds["number"]
        kind, usual = ("number" if k in ("integer", "number") else k for k in (kind, usual))
    if usual != "text" and n >= 0.8 * len(column):
        return 1.0 if kind == "text" else -1.0 if kind == usual else 0.3 if kind == "code" else -0.3
    if kind != "text":
        return -0.6
    distinct = set(column)
    if cell in distinct:
        return -1.0
    if len(column) >= 8 and len(distinct) <= 0.5 * len(column):
        return 0.4
    lengths = Counter(len(c or "") for c in column)
    if len(column) >= 5 and len(lengths) == 1 and len(cell or "") not in lengths:
        return 0.6
    return 0.0


def _word(cell: str) -> str:
    return re.sub(r"[\s\-]+", "_", cell.strip().lower())


def _same_names(head: Sequence[Cell], given: Sequence[str]) -> bool:
    """Whether a row is a header all the same: most of its values are names the definition gives."""
    wanted = {_word(c) for c in given}
    return sum(_word(c or "") in wanted for c in head) >= max(1, (len(given) + 1) // 2)


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
            notes.append(f"columns has {len(given)} names, the records have {width} values")
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
