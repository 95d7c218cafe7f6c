"""Which rows of a delimited text name its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

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


# In this order, in one pattern: every value of a sample is looked at.
_KINDS = re.compile(
    r"(?P<integer>[-+]?\d{1,3}(?:[ ,.']\d{3})+|[-+]?\d+)"
    r"|(?P<number>[-+(]?[$€£]?\s?\d*[.,]?\d+(?:[eE][-+]?\d+)?\s?[%)€]?)"
    r"|(?P<date>\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d\d.*)?|\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?)"
    r"|(?P<uuid>[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})"
    r"|(?P<address>[^@\s]+@[^@\s]+\.\w+|https?://\S+|www\.\S+)"
    r"|(?P<code>(?=[^\s]*\d)[A-Z0-9][A-Z0-9./#-]*)"
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


def kind_of(cell: Cell) -> str:
    cell = cell.strip() if cell else ""
    if not cell:
        return ""
    found = _KINDS.fullmatch(cell)
    return str(found.lastgroup) if found is not None else "text"


def is_header(rows: Sequence[Row], top: int, given: Sequence[str] | None) -> tuple[bool, float]:
    """Whether the row `top` names the columns, and how sure that is."""
    head = rows[top].cells
    body = [r.cells for r in rows[top + 1 : top + 1001] if not r.blank]
    if given is not None and _same_names(head, given):
        return True, 1.0
    filled = [c for c in head if c and c.strip()]
    if not filled:
        return False, 0.9
    if not body:
        named = all(kind_of(c) == "text" and _NAME.fullmatch(c.strip()) for c in filled) and len(set(filled)) == len(
            filled
        )
        return named, 0.5
    points = _votes(head, body)
    others = [r for r in body if list(r) != list(head)]
    if len(others) < len(body) and (votes := _votes(head, others)) >= 1:
        # Where reports were joined the header stands there once more, among records that are unlike it.
        points = votes
    points += 0.3 * sum(_word(c) in _COMMON for c in filled)
    if len(set(filled)) == len(filled) and all(_NAME.fullmatch(c.strip()) for c in filled):
        points += 0.5
    points -= sum(len(c) > 80 for c in filled)
    if given is not None:
        points -= 0.5
    sure = min(1.0, 0.5 + abs(points) / (2 * max(2.0, len(head) * 0.5)))
    return points > 0, round(sure, 2)


def _votes(head: Sequence[Cell], body: Sequence[Sequence[Cell]]) -> float:
    """What all columns say together."""
    return sum(_vote(c, [r[i] for r in body if i < len(r) and r[i]]) for i, c in enumerate(head))


def _vote(cell: Cell, column: Sequence[Cell]) -> float:
    """What one column says: positive if its first cell is unlike the ones below."""
    if not column:
        return 0.2 if cell else 0.0
    kind = kind_of(cell)
    kinds = Counter(map(kind_of, column))
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


_NOTHING = frozenset(
    {"na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "unknown", "missing", "tbd", "n.a."}
)
_MOST_ROWS = 4


def typed(column: Sequence[Cell]) -> bool:
    """Whether nearly all of a column's values are numbers, dates and the like."""
    plain = sum(kind_of(c) in ("text", "") for c in column)
    return len(column) > 1 and plain <= 0.2 * len(column)


def rows_of(rows: Sequence[Row], top: int) -> int:
    """How many rows the header has that begins with row `top`: more than one only where the records leave no doubt."""
    count = 1
    while count < _MOST_ROWS and _goes_on(rows, top, top + count):
        count += 1
    return count


def _goes_on(rows: Sequence[Row], top: int, at: int) -> bool:
    """Whether row `at` has words where the rows below have numbers, dates and the like, in several columns."""
    head = rows[at].cells if at < len(rows) else ()
    body = [r.cells for r in rows[at + 1 : at + 201] if not r.blank and list(r.cells) != list(head)]
    if len(body) < 2 or not any(head):
        return False
    columns = [[r[i] for r in body if i < len(r) and r[i]] for i in range(len(head))]
    words = [c for c, column in zip(head, columns, strict=True) if c and typed(column)]
    if any(kind_of(c) != "text" or c.strip().lower() in _NOTHING for c in words):
        return False
    if not words or (len(words) < 3 and list(head) != list(rows[top].cells)):
        return False
    return not any(c and c in column for c, column in zip(head, columns, strict=True))


def joined(rows: Sequence[Row]) -> list[Cell]:
    """The names of the columns from the rows of a header: those below each other, joined. A name above several columns,
    which stands above the first of them, is the others' too."""
    width = max(len(r.cells) for r in rows)
    lines = [[*r.cells, *[None] * (width - len(r.cells))] for r in rows]
    for upper, lower in pairwise(lines):
        above: Cell = None
        for i, name in enumerate(lower):
            above = (upper[i] or above) if name else None
            upper[i] = upper[i] or above
    return [" ".join(c.strip() for c in column if c and c.strip()) or None for column in zip(*lines, strict=True)]


def _word(cell: str) -> str:
    return re.sub(r"[\s\-]+", "_", cell.strip().lower())


def _same_names(head: Sequence[Cell], given: Sequence[str]) -> bool:
    """Whether a row is a header all the same: most of its values are names the definition gives."""
    wanted = {_word(c) for c in given}
    return sum(_word(c or "") in wanted for c in head) >= max(1, (len(given) + 1) // 2)
