"""How numbers are written that are none as they stand: marks between thousands, decimal commas, signs of currencies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

_BLANK = "[ \u00a0\u2009\u202f]"
_SIGNS = f"(?:[$€£¥₹₽¢%]|{_BLANK})*"
_AROUND = re.compile(f"{_SIGNS}(?:[A-Z]{{3}})?{_SIGNS}")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WRITTEN = re.compile(rf"\(?[+\-−]?([0-9](?:[0-9.,'’]|{_BLANK})*)[\-−]?\)?", re.ASCII)
_POINT = re.compile(rf"(?:\d+|\d{{1,3}}(?:(?:[,'’]|{_BLANK})\d{{3}})+)(?:\.\d+)?", re.ASCII)
_COMMA = re.compile(rf"(?:\d+|\d{{1,3}}(?:(?:[.'’]|{_BLANK})\d{{3}})+)(?:,\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Notation:
    """How a column's numbers are written.

    Attributes:
        decimal: ``point``, ``comma``, or ``either`` where all that is there can be read both ways.
        example: a value that shows it.
    """

    decimal: str
    example: str

    @property
    def words(self) -> str:
        """What it may be, and what says so."""
        if self.decimal != "either":
            return f"numbers written like {self.example}: transform: {{ number: {self.decimal} }}"
        ways = "transform: { number: point } or { number: comma }"
        return f"{self.example} may have a mark between thousands or before decimals: {ways}"


def notation(values: Iterable[str | None]) -> Notation | None:
    """How the numbers of a column are written; None where they are plain, or anything else is among them."""
    point = comma = True
    example, marked = "", False
    for value in values:
        text = (value or "").strip()
        if not text:
            continue
        if (core := _core(text)) is None:
            return None
        point, comma = point and bool(_POINT.fullmatch(core)), comma and bool(_COMMA.fullmatch(core))
        if not (point or comma):
            return None
        if not _PLAIN.fullmatch(text) and (not example or (_marked(core) and not _marked(example))):
            example = text
        marked |= _marked(core)
    if not example:
        return None
    return Notation("comma" if not point else "point" if not comma or not marked else "either", example)


def _marked(text: str) -> bool:
    return "." in text or "," in text


def _core(text: str) -> str | None:
    """The digits and marks of what may be a number, with what stands around them taken away."""
    begin = _AROUND.match(text)
    rest = text[begin.end() if begin else 0 :]
    found = _WRITTEN.match(rest)
    if found is None or not _AROUND.fullmatch(rest[found.end() :].strip()):
        return None
    return found[1].rstrip(" \u00a0\u2009\u202f")


def notations(records: pa.RecordBatch) -> dict[str, Notation]:
    """Columns of text that have a notation."""
    texts = [f.name for f in records.schema if pa.types.is_string(f.type)]
    found = {name: notation(records.column(name).to_pylist()) for name in texts}
    return {name: one for name, one in found.items() if one is not None}
