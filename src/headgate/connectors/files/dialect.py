"""How a text file writes its records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How records are written.

    Attributes:
        delimiter: what separates values; one character or more.
        quote: what encloses values; empty for nothing does.
        escape: what makes a quote inside quotes literal; empty for the quote doubled.
        newline: what ends a record: ``\n`` (a ``\r`` before it belongs to it), ``\r``, or punctuation and ``\n``.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    newline: str = "\n"
