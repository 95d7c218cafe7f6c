"""A line whose quotes cannot all be meant: which of them enclose values, and which are text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .dialect import Dialect

_MOST = 200_000
_ODD_INSIDE, _ODD_BEFORE = 1, 2


class _Way(NamedTuple):
    """The best way to read the pieces up to some place as so many values.

    Attributes:
        odd: how odd it is.
        ways: how many ways are as good.
        begin: the piece its last value begins with.
        quoted: whether that value is in quotes.
    """

    odd: int
    ways: int
    begin: int
    quoted: bool


def split(line: str, dialect: Dialect, width: int) -> list[tuple[str, bool]]:
    """The `width` values of a line, each with whether it stood in quotes; those are without their quotes, not unescaped.

    A value is in quotes if it begins and ends with one, whatever is inside; a quote at the beginning of any other value
    is text. Of the ways to cut the line so, the least odd is taken; where there is none, or several, or where there
    would be too many to try, the result is empty.
    """
    places = dialect.pieces(line)
    pieces = [line[begin:end] for begin, end in places]
    count = len(pieces)
    if count < width or count * count * width > _MOST:
        return []
    spans = [list(_spans(line, places, pieces, i, dialect)) for i in range(count)]
    best: list[dict[int, _Way]] = [{0: _Way(0, 1, 0, quoted=False)}, *({} for _ in pieces)]
    for i in range(count):
        for values, so_far in best[i].items():
            for end, odd, quoted in spans[i] if values < width else ():
                _offer(best[end], values + 1, _Way(so_far.odd + odd, so_far.ways, i, quoted))
    found = best[count].get(width)
    if found is None or found.ways > 1:
        return []
    return _values(line, places, best, width, dialect)


def _offer(ways: dict[int, _Way], values: int, way: _Way) -> None:
    there = ways.get(values)
    if there is None or way.odd < there.odd:
        ways[values] = way
    elif way.odd == there.odd:
        ways[values] = there._replace(ways=there.ways + way.ways)


def _spans(
    line: str, places: list[tuple[int, int]], pieces: list[str], i: int, dialect: Dialect
) -> Iterator[tuple[int, int, bool]]:
    """The values that may begin with piece `i`: the piece behind them, how odd they are, whether they are in quotes."""
    quote, blanks = dialect.quote, _blanks(dialect)
    if not pieces[i].lstrip(blanks).startswith(quote):
        yield i + 1, 0, False
        return
    yield i + 1, _ODD_BEFORE, False
    for end in range(i + 1, len(pieces) + 1):
        if pieces[end - 1].rstrip(blanks).endswith(quote):
            text = line[places[i][0] : places[end - 1][1]].strip(blanks)
            if len(text) > 1:
                yield end, _ODD_INSIDE * _alone(text[1:-1], dialect), True


def _alone(inside: str, dialect: Dialect) -> bool:
    """Whether a quote inside quotes is not escaped."""
    escape = dialect.escape or dialect.quote
    if escape != dialect.quote:
        inside = inside.replace(escape * 2, "")
    return dialect.quote in inside.replace(escape + dialect.quote, "")


def _values(
    line: str, places: list[tuple[int, int]], best: list[dict[int, _Way]], width: int, dialect: Dialect
) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    end = len(places)
    for values in range(width, 0, -1):
        way = best[end][values]
        text = line[places[way.begin][0] : places[end - 1][1]]
        found.append((text.strip(_blanks(dialect))[1:-1] if way.quoted else text, way.quoted))
        end = way.begin
    return found[::-1]


def _blanks(dialect: Dialect) -> str:
    """What may stand between a delimiter and a quote."""
    if dialect.runs:
        return ""
    return " \t".replace(dialect.delimiter, "") if dialect.delimiter in " \t" else " \t"
