"""Whether a sample is a table whose values are separated by runs of blanks: proposed only where nothing else fits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from .blanks import splitter
from .dialect import WHITESPACE, Dialect
from .lines import Cell

_FEWEST = 4
_FITS = 0.5
_SEVERAL: Final = re.compile(r"\S(?:[ \t]{2,}|\t)\S")

FIXED: Final = "the columns seem to have fixed places: say a ruler or widths if they have, or delimiter: whitespace if values have no blanks"


def proposed(sample: str, dialects: Iterable[Dialect], quotes: Sequence[str]) -> tuple[Dialect | None, float, bool]:
    """Reading the sample by runs of blanks, if that is right beyond doubt.

    Every row must then be as wide as every other, at least half of them must have several blanks in a row (else
    they are single ones), and none of the other dialects may make a table of most rows.

    Args:
        sample: whole lines.
        dialects: what else separates values, one for each delimiter at least.
        quotes: what may enclose values.

    Returns:
        The dialect; how sure it is, which is less the more rows another one would make a table of; and, where there is no
        dialect, whether that is because the columns have fixed places, which is for a person to say.
    """
    others = list(dialects)
    for quote in quotes if others and _SEVERAL.search(sample) else ():
        dialect = replace(others[0], delimiter=WHITESPACE, quote=quote, escape="")
        if not _regular(sample, dialect):
            continue
        most = max(_share(sample, other) for other in others)
        if most >= _FITS:
            return None, 0.0, False
        if _fixed(sample, dialect):
            return None, 0.0, True
        return dialect, round(0.95 - most / 2, 2), False
    return None, 0.0, False


def _rows(sample: str, dialect: Dialect) -> tuple[list[Sequence[Cell]], int]:
    """The rows and how many are none."""
    reader = splitter(dialect, None)
    found = reader.records(*reader.lines(sample), last=True)
    return [r for r in found.rows if any(r)], len(found.bad)


def _regular(sample: str, dialect: Dialect) -> bool:
    rows, bad = _rows(sample, dialect)
    widths = {len(r) for r in rows}
    if bad or len(rows) < _FEWEST or len(widths) != 1 or widths == {1}:
        return False
    return sum(bool(_SEVERAL.search(line)) for line in sample.split(dialect.newline)) * 2 >= len(rows)


def _share(sample: str, dialect: Dialect) -> float:
    """How many of the rows another dialect gives the one width that most have, 0 where it gives columns of nothing."""
    rows, bad = _rows(sample, dialect)
    if not rows:
        return 0.0
    width, n = Counter(map(len, rows)).most_common(1)[0]
    alike = [r for r in rows if len(r) == width]
    if width < 2 or (dialect.delimiter == " " and not all(any(column) for column in zip(*alike, strict=True))):
        return 0.0
    return n / (len(rows) + bad)


def _fixed(sample: str, dialect: Dialect) -> bool:
    """Whether between each two columns there is a place that is blank in every line."""
    if "\t" in sample:
        return False
    gaps: list[list[tuple[int, int]]] = []
    for line in sample.split(dialect.newline):
        spans = dialect.pieces(line.rstrip("\r"))
        if spans:
            gaps.append([(end, begin) for (_, end), (begin, _) in pairwise(spans)])
    if len(set(map(len, gaps))) != 1:
        return False
    return all(max(begin for begin, _ in column) < min(end for _, end in column) for column in zip(*gaps, strict=True))
