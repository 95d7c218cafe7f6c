"""Cells for spreadsheets: text that a spreadsheet would run as a formula is made harmless (CWE-1236)."""

from __future__ import annotations

import re
from typing import Final

# What begins a formula, for the usual programs, after blanks and apostrophes; full-width signs count as well.
_FORMULA: Final = re.compile(r"['\s]*[=+\-@＝＋－＠]|'*[\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]\d[\d.,]*(?:[eE][+-]?\d+)?%?", re.ASCII)


def neutralise(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet could take it for a formula.

    A sign followed by nothing but a number (`-5`, `+1.234,50`, `-1E5`, `-3%`) is left alone: it can only be that number.
    `restored` gives the text back exactly.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restored(text: str) -> str:
    """What `neutralise` was given."""
    return text[1:] if text.startswith("'") and neutralise(text[1:]) == text else text
