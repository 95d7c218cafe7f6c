"""Text whose values are separated by runs of blanks and tabs, as many as there happen to be.

Lines without quotes are squeezed: one blank between values, none around them. What is left is as any delimited text, so
everything else, faults and places among it, is the `Splitter`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .dialect import Dialect
from .lines import Cell, Splitter

_BLANKS: Final = " \t"


def splitter(
    dialect: Dialect, width: int | None, nulls: Sequence[str] = (), longest: int = 16 << 20, *,
    keep: bool = False, fill: bool = False,
) -> Splitter:  # fmt: skip
    """What splits text of a dialect; the arguments are those of `Splitter`."""
    kind = RunSplitter if dialect.runs else Splitter
    return kind(dialect, width, nulls, longest, keep=keep, fill=fill)


def squeezed(line: str) -> str:
    """A line with one blank for each run of blanks and tabs in it, and none at its beginning and end."""
    return " ".join(filter(None, line.replace("\t", " ").split(" ")))


class RunSplitter(Splitter):
    """Splits at runs of blanks and tabs; those at the beginning and end of a line separate nothing.

    There is no value of nothing but one in quotes, and a line of blanks alone is a blank one.
    """

    _joint = " "

    def _edges(self) -> tuple[str, str, str, str, str]:
        return "", "[^ \t]*+", r"(?:[ \t]+\Z|([ \t]+|\Z))", r"(?<![^ \t])", r"(?:(?=[ \t])|\Z)"

    def lines(self, text: str) -> tuple[list[str], list[str]]:
        """See `Splitter`. Lines with quotes, inside of which blanks count, are as they stand."""
        lines, raw = super().lines(text)
        quote = self._quote
        if quote and quote in text:
            return [line if quote in line else squeezed(line) for line in lines], raw
        return [squeezed(line) for line in lines], raw

    def _go_on(self, line: str, at: int, cells: list[Cell]) -> Sequence[Cell]:
        return super()._go_on(line, len(line) - len(line[at:].lstrip(_BLANKS)), cells)

    def _plain(self, line: str) -> list[Cell]:
        return super()._plain(squeezed(line))
