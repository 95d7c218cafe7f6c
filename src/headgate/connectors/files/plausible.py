"""How much the text that an encoding makes of bytes looks like something that somebody wrote."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from typing import Final

_MEASURES = "µ±²³°×¼½¾"
_UNITS = ("m", "g", "l", "s", "A", "F", "V", "W", "H")
_NEVER_AFTER = ("^", "`", "~", "\\")
_ALONE = "àéèêíóôâåäöı"
"""Letters that are words of their own."""
_NOTHING_ELSE = 1.3
"""The point of a sign where it belongs so much that nothing else can be meant."""
_MADE_UP = -2.0
"""The point of what no text has: control characters, and bytes that stand for nothing."""

_WEST: Final = (
    "äöüßé", "àâæçéèêëîïôùûüÿœ", "áéíóúñü", "áâãàçéêíóôõú", "àèéìòù", "áéëïóöüèêç", "åäöé", "æøåéòóôü", "áðéíóúýþæö", "àçéèíïóòúü", "ëç",
    "äõöüšž", "àáâäåãçèéêëìíîïñòóôöõøùúûüæœß",
)  # fmt: skip
_MIDDLE: Final = (
    "ąćęłńóśźż",
    "áčďéěíňóřšťúůýž",
    "áäčďéíĺľňóôŕšťúýž",
    "áéíóöőúüű",
    "čšž",
    "čćđšž",
    "âăîşţ",
    "äöüß",
    "ëç",
)
_TURKISH: Final = ("âçîığöşûüİ",)
_BALTIC: Final = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")
_LETTERS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("cp1250", "iso8859-2", "cp852", "mac-latin2"), _MIDDLE),
    **dict.fromkeys(("cp1254", "iso8859-9", "cp857"), _TURKISH),
    **dict.fromkeys(("cp1257", "iso8859-13", "cp775"), _BALTIC),
    "cp1258": ("àâăçèéêëôơùûüưđ",),
}
"""The letters of the languages of an encoding, besides those of ASCII; of others, of the languages of western Europe, and of their names
in one table.
"""


def plausible(text: str, name: str) -> float:
    """How much the non-ASCII characters of a text look like writing: at most 1, and that for letters of one
    language which stand among letters of their own script. What is frequent counts more, but not as much more as it is.
    """
    around = Counter(zip(" " + text, text, text[1:] + " ", strict=False))
    seen: Counter[str] = Counter()
    for (_, c, _), count in around.items():
        if c >= "\x80":
            seen[c] += count
    letters = _language(seen, _LETTERS.get(name, _WEST))
    points = sum(
        count * _point(before, c, after, letters) / math.sqrt(seen[c])
        for (before, c, after), count in around.items()
        if c >= "\x80"
    )
    return points / sum(map(math.sqrt, seen.values())) if seen else 0.0


def _language(seen: Counter[str], languages: tuple[str, ...]) -> str:
    """The letters of the language that has most of the characters."""
    weights = {c: math.sqrt(count) for c, count in seen.items()}
    return max(
        languages, key=lambda letters: sum(w for c, w in weights.items() if c in letters or c.lower() in letters)
    )


def _point(before: str, c: str, after: str, letters: str) -> float:
    """How much a character looks as if somebody wrote it there."""
    kind = unicodedata.category(c)
    inside = before.isalpha() and after.isalpha()
    if c == "µ" and not before.isalpha() and after in _UNITS:
        return _NOTHING_ELSE
    if c in "øØ" and not (before.isalpha() or after.isalpha()):
        # The sign of a diameter.
        return 1.0
    if c in _MEASURES and (c == "µ" or not inside):
        return _measure(before, c, after)
    if c in "ªº":
        return (0.8 if before.isdigit() else 0.4) if before.isalnum() and not after.isalnum() else -1.0
    if kind[0] == "L":
        return _letter(before, c, after, letters)
    if kind == "Mn":
        return 1.0 if _script(before) == _script(c) or (_script(c) == "COMBINING" and before.isalpha()) else -1.0
    if kind in ("Cc", "Cn", "Co") or c == "\ufffd":
        return _MADE_UP
    if kind in ("So", "Sk", "Sm"):
        return -1.0 if inside else (0.6 if c in "©®" else -0.2)
    return _sign(before, c, after, inside=inside)


def _measure(before: str, c: str, after: str) -> float:
    if after.isalpha() and not (c == "°" and after in "CF"):
        return 0.4
    return 0.85 if before.isdigit() or after.isdigit() or before in " m" else 0.5


def _letter(before: str, c: str, after: str, letters: str) -> float:
    if _hangul(c) or "\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff":
        # Two bytes of a word of another language make such a character between its letters.
        beside = _ascii_letter(before) + _ascii_letter(after)
        # Chinese read as Korean is a mixture of both.
        mixed = not _hangul(c) and (_hangul(before) or _hangul(after))
        return -1.0 if mixed else (1.0, 0.3, -0.5)[beside]
    if "\uff61" <= c <= "\uff9f":
        return 0.2
    script = _script(c)
    neighbours = [n for n in (before, after) if n.isalpha()]
    if any(_script(n) != script for n in neighbours):
        return -1.0
    if (c.isupper() and before.islower()) or (c.islower() and after.isupper() and c != "ß") or after in _NEVER_AFTER:
        return -1.0
    if c.isupper() and before.isupper() and after.islower():
        return -0.5
    if script != "LATIN":
        return 1.0 if neighbours else 0.3
    if not neighbours and c.lower() not in _ALONE:
        return 0.4
    if len(neighbours) == 2 and letters in _WEST and not (before.isascii() or after.isascii()):
        return -0.5
    return (1.0 if c in letters or c.lower() in letters else 0.6) - (0.0 if neighbours else 0.3)


def _script(c: str) -> str:
    return unicodedata.name(c, "?").split()[0]


def _sign(before: str, c: str, after: str, *, inside: bool) -> float:
    if c == "’" and _ascii_letter(before) and after and after in "stdlrvm":
        return _NOTHING_ELSE
    opens = c in "“«„‚‘" and not before.isalnum() and not after.isspace()
    closes = c in "”»“‘" and not after.isalnum() and not before.isspace()
    dash = c in "–—" and not before.isalpha() and not after.isalpha()
    if opens or closes or dash or (c == "’" and inside):
        return 1.0
    if c == "¤":
        return -0.5
    if c in "‘“«„£" and before.isalpha():
        return -0.5
    if c in "¿¡" and after.isalpha() and not before.isalnum():
        return 0.6
    if c == "…" and before.isalpha() and not inside:
        return 0.6
    if c in "€£–—‘’“”…•«»§\u00a0":
        return -0.5 if inside else 0.8
    if c == "·" and before in "lL" and after in "lL":
        return 0.8
    return -0.5 if before.isalpha() or after.isalpha() else 0.2


def _ascii_letter(c: str) -> bool:
    return c.isascii() and c.isalpha()


def _hangul(c: str) -> bool:
    return "\uac00" <= c <= "\ud7a3"
