"""The guess at a text file's dialect, from a sample of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from . import aligned
from .blanks import splitter
from .dialect import WHITESPACE, Dialect

DELIMITERS: Final = {",": 1.0, "\t": 1.0, ";": 1.0, "|": 1.0, "^": 0.9, "~": 0.9, ":": 0.6, " ": 0.5, "§": 0.9, "¦": 0.9, "¬": 0.9,
              "\x01": 1.0, "\x1f": 1.0}  # fmt: skip
NAMES: Final = {
    ",": "comma",
    "\t": "tab",
    ";": "semicolon",
    "|": "bar",
    "^": "caret",
    "~": "tilde",
    ":": "colon",
    " ": "blank",
    WHITESPACE: "runs of blanks",
    ", ": "comma and blank",
    "; ": "semicolon and blank",
    "\t\t": "two tabs",
}
_LOOKED_AT = 500
_SMALL = 64 << 10
_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Guess:
    """A dialect with how sure it is (0 to 1) and why, for a person."""

    dialect: Dialect
    sure: float
    notes: tuple[str, ...]


def spoken(delimiter: str) -> str:
    """The delimiter's name, or itself."""
    return NAMES.get(delimiter, repr(delimiter))


def guess(text: str, delimiter: str | None, quote: str | None, escape: str | None) -> Guess:
    """The dialect of a sample; what is given is believed.

    Args:
        text: the beginning of a file, whole lines unless it is one giant line.
    """
    newline = _newline(text)
    sample = _first_lines(text, newline)
    if quote == "":
        quotes = [""]
    elif quote:
        quotes = [quote]
    else:
        quotes = ['"'] + (["'"] if sample.count("'") > 1 else [])
    candidates = [delimiter] if delimiter else [d for d in DELIMITERS if d in sample]
    dialects = [Dialect(d, q, _escaped(sample, d, q, escape), newline)
                for d in candidates for q in quotes if delimiter or d != q]  # fmt: skip
    notes: list[str] = []
    if delimiter is None:
        runs, sure, fixed = aligned.proposed(sample, dialects, quotes)
        if runs is not None:
            return Guess(runs, sure, ())
        notes += [aligned.FIXED] if fixed else []
    otherwise = Dialect(delimiter or ",", quotes[0], "", newline)
    if delimiter and quote is not None and dialects == [otherwise]:
        return Guess(otherwise, 1.0, tuple(notes))
    best, best_score, second = _best(sample, dialects, otherwise)
    if best_score <= 0 and delimiter is None:
        notes.append("nothing separates values: every line is read as one column; say delimiter if that is wrong")
        return Guess(replace(best, delimiter=","), 0.5, tuple(notes))
    if quote is None:
        best = _without_quote(sample, best, notes)
    if delimiter is None:
        best = _longer(sample, best)
    sure = 1.0 if delimiter else round(min(1.0, 0.5 + 0.5 * (1 - second / best_score)) if best_score else 0.5, 2)
    return Guess(best, sure, tuple(notes))


def _best(sample: str, dialects: Sequence[Dialect], otherwise: Dialect) -> tuple[Dialect, float, float]:
    """The dialect with the best score, its score, and the best one with another delimiter."""
    best, best_score, second = otherwise, 0.0, 0.0
    for dialect in dialects:
        score = _score(sample, dialect) * DELIMITERS.get(dialect.delimiter, 1.0) * (0.97 if dialect.quote == "'" else 1)
        if score > best_score + 1e-9:
            if dialect.delimiter != best.delimiter:
                second = best_score
            best, best_score = dialect, score
        elif dialect.delimiter != best.delimiter:
            second = max(second, score)
    return best, best_score, second


def _newline(text: str) -> str:
    if "\n" not in text:
        return "\r" if "\r" in text else "\n"
    lines = text.split("\n")[:-1][:_LOOKED_AT]
    # Bulk exports end records with punctuation of their own before the line end, so that values may have line ends.
    ends = Counter(line[-2:] for line in lines if len(line) > 2)
    if ends and len(lines) > 1:
        end, n = ends.most_common(1)[0]
        if n >= 0.5 * len(lines) and re.fullmatch(r"[&^|~#@$%+]{2}", end) and len(set(end)) == 2:
            return end + "\n"
    return "\n"


def _first_lines(text: str, newline: str) -> str:
    text = text[:_SMALL]
    cut = text.rfind(newline)
    return text[: cut + len(newline)] if cut > 0 else text


def _escaped(sample: str, delimiter: str, quote: str, given: str | None) -> str:
    return given if given is not None and given != quote else _escape(sample, delimiter, quote)


def _escape(sample: str, delimiter: str, quote: str) -> str:
    """A backslash, where quotes inside quotes have one and are not doubled."""
    if not quote or "\\" + quote not in sample:
        return ""
    d, q = "[ \\t]" if delimiter == WHITESPACE else re.escape(delimiter), re.escape(quote)
    # `"C:\",next` ends a value; `\"` anywhere else inside one is an escape.
    inside = len(re.findall(rf"\\{q}(?!\s*(?:{d}|\r|\n|\Z))", sample))
    doubled = len(re.findall(rf"(?<!{q})(?<!{d})(?<!\n){q}{q}(?!{q}|{d}|\r|\n|\Z)", sample))
    return "\\" if inside > doubled else ""


def _score(sample: str, dialect: Dialect) -> float:
    """How regular and how sensible the sample looks when read this way: 0 when nothing is separated.

    The two factors are those of data consistency measures: rows of equal width, and values that look like something.
    """
    reader = splitter(dialect, None)
    found = reader.records(*reader.lines(sample), last=True)
    rows = [r for r in found.rows if len(r) > 1 or (r and r[0])]
    if not rows:
        return 0.0
    widths = Counter(map(len, rows))
    pattern = sum(n * (w - 1) / w for w, n in widths.items()) / len(widths)
    modal, n = widths.most_common(1)[0]
    if modal == 1 and n > 0.8 * len(rows):
        return 0.0
    cells = [c for r in rows[:_LOOKED_AT] for c in r[:200] if c]
    sensible = sum(map(_sensible, cells)) / max(1, len(cells))
    steady = (n / len(rows)) ** 2
    broken = 1 - len(found.bad) / (len(rows) + len(found.bad))
    return pattern / len(rows) * max(sensible, 0.001) * steady * broken**2


_SENSIBLE = re.compile(
    r"\s*(?:[-+(]?[$€£]?\s?\d[\d.,' ]*[%)]?|[-+]?[.,]\d+|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ][\d:.]+(?:Z|[-+]\d\d:?\d\d)?)?"
    r"|\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?[AaPp][Mm])?|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[\w.+-]+@[\w.-]+\.\w+"
    r"|https?://\S+|[A-Za-z]:\\\S*)\s*"
)
_WORDS = re.compile(r"\s*[^\W\d_][\w .,'’/&()+\-#:!?%°\"]{0,120}\s*")


def _sensible(cell: str) -> float:
    """1 for a number, date, address, ...; less for words, little for anything else or text with loose quotes."""
    if _SENSIBLE.fullmatch(cell):
        return 1.0
    if cell[0] in "\"'" or cell[-1] in "\"'":
        return 0.05
    return 0.8 if _WORDS.fullmatch(cell) else 0.4


def _without_quote(sample: str, dialect: Dialect, notes: list[str]) -> Dialect:
    """The dialect without its quote where the sample's quotes are plain text that happens to begin a value."""
    if dialect.quote not in sample:
        return dialect
    reader = splitter(dialect, None)
    found = reader.records(*reader.lines(sample), last=True)
    bad = sum(b.code == "RD03" for b in found.bad)
    if bad <= 2 or bad <= 0.2 * sum(dialect.quote in line for line in sample.split(dialect.newline)):
        return dialect
    plain = replace(dialect, quote="", escape="")
    if _score(sample, plain) <= _score(sample, dialect):
        return dialect
    notes.append(f"{dialect.quote} is text here, it does not enclose values")
    return plain


def _longer(sample: str, dialect: Dialect) -> Dialect:
    """Several characters, where the delimiter always has the same beside it (``||``, ``+|``, ``<|>``, a comma and a blank, a bar between
    blanks)."""
    d = dialect.delimiter
    if d == " ":
        return dialect
    for wide in () if d == "\t" else (f" {d} ", f"{d} "):
        if wide in sample and _as_regular(sample, dialect, replace(dialect, delimiter=wide)):
            return replace(dialect, delimiter=wide)
    body = sample.replace(dialect.newline, "\n")
    total, at = body.count(d), body.find(d)
    for size in range(_LONGEST, 1, -1):
        for begin in range(max(0, at - size + 1), at + 1):
            grown = body[begin : begin + size]
            # Empty values between single delimiters also make doubles; only where every one is doubled is it one.
            if _can_be(grown, d) and body.count(grown) * grown.count(d) == total:
                return replace(dialect, delimiter=grown)
    return dialect


def _can_be(grown: str, delimiter: str) -> bool:
    """Whether a delimiter may be so long: itself several times, or with punctuation that is no part of values beside it."""
    return all(c == delimiter or (delimiter not in ",;" and re.match(r"[|~^&+<>:#@*!=/\\§¦¬-]", c)) for c in grown)


def _as_regular(sample: str, dialect: Dialect, wide: Dialect) -> bool:
    """Whether the rows are as many and as wide with blanks beside every delimiter that are no part of the values."""
    narrow, wider = splitter(dialect, None), splitter(wide, None)
    rows = narrow.records(*narrow.lines(sample), last=True).rows
    others = wider.records(*wider.lines(sample), last=True).rows
    (width, n), (other, m) = ((Counter(map(len, r)).most_common(1) or [(0, 0)])[0] for r in (rows, others))
    return 1 < width == other and m >= n and any(c and c[0] == " " for r in rows for c in r[1:])
