"""How a text file writes its records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

WHITESPACE: Final = "whitespace"
_SOLID: Final = re.compile(r"[^ \t]+")


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How records are written.

    Attributes:
        delimiter: what separates values; one character or more. The word `WHITESPACE` means any run of blanks and tabs.
        quote: what encloses values; empty for nothing does.
        escape: what makes a quote inside quotes literal; empty for the quote doubled.
        newline: what ends a record: ``\n`` (a ``\r`` before it belongs to it), ``\r``, or punctuation and ``\n``.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    newline: str = "\n"

    @property
    def runs(self) -> bool:
        """Whether any run of blanks and tabs separates values."""
        return self.delimiter == WHITESPACE

    def pieces(self, line: str) -> list[tuple[int, int]]:
        """Where each piece between delimiters begins and ends in a line, quotes disregarded."""
        if self.runs:
            return [found.span() for found in _SOLID.finditer(line)]
        spans, at = [], 0
        for piece in line.split(self.delimiter):
            spans.append((at, at + len(piece)))
            at += len(piece) + len(self.delimiter)
        return spans
