"""Which encoding bytes are likely in: by how much the text that each makes of them resembles a language of its countries (chardet's models), and
by whether anybody would write it so.
"""

from __future__ import annotations

import codecs
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .plausible import plausible

_TIERS: Final = (
    ("cp1252",),
    ("iso8859-15", "cp1250", "cp1251", "cp1254", "cp1253", "cp1257", "cp1255", "cp1256", "cp874", "cp932", "gb18030", "cp949", "big5"),
    ("iso8859-2", "iso8859-9", "iso8859-7", "iso8859-13", "iso8859-8", "iso8859-6", "iso8859-5", "cp850", "cp1258", "mac-roman", "koi8-r",
     "koi8-u", "cp852", "cp866", "cp857", "euc-jp"),
    ("cp437", "cp737", "cp775", "cp862", "cp720", "cp1125", "cp869", "mac-latin2"),
)  # fmt: skip
"""How usual encodings are, by what Office programs of their countries write. Of those that make the same text of the bytes, the first is named."""
_SEVERAL: Final = {"cp932", "gb18030", "cp949", "big5", "euc-jp"}
"""Those with characters of several bytes: letters of others often fit them by chance, and they fit nothing else."""
# The weights were found with CLDR's names of countries, languages and currencies in forty languages; bench/exports.py has other words.
_RARER = 0.12
_BY_CHANCE = 0.3
_BROKEN = 0.5
_RESEMBLANCE = 0.2
_LEAST = 0.02
_FITS = 0.3
"""The least share of resemblance: of any, and of those with characters of several bytes, for which it tells something that the bytes fit at all."""


@dataclass(frozen=True, slots=True)
class Likeliest:
    """An encoding.

    Attributes:
        plausible: how much of its text looks written, at most 1.
        lead: how much more speaks for it than for any that makes another text of the bytes; that it is more usual does not count.
    """

    name: str
    plausible: float
    lead: float


@dataclass(slots=True)
class _Reading:
    """A text that the bytes can be, and what is known of it."""

    name: str
    tier: int
    plausible: float
    resemblance: float

    def evidence(self, most: float, count: int) -> float:
        """How much speaks for it: of a language, few letters tell little."""
        several = self.name in _SEVERAL
        share = math.log2(max(self.resemblance / most, _FITS if several else _LEAST)) if most else 0.0
        return self.plausible + _RESEMBLANCE * share * count / (count + 2) - _BY_CHANCE * several / math.pow(count, 0.4)

    def unusual(self, count: int) -> float:
        """How much speaks against it before anything is seen, which counts the less, the more is seen."""
        return _RARER * self.tier / math.pow(count, 0.4)


def likeliest(piece: bytes) -> Likeliest:
    """The encoding of bytes that are neither ASCII nor UTF-8, whole lines if possible."""
    readings: dict[str, _Reading] = {}
    for tier, names in enumerate(_TIERS):
        for name in names:
            _read(piece, name, tier, readings)
    # A word that comes again tells nothing new.
    count = len({around for around in zip(piece, piece[1:], piece[2:] + b" ", strict=False) if around[1] >= 0x80}) or 1
    most = max(r.resemblance for r in readings.values())
    evidence = {r.name: r.evidence(most, count) for r in readings.values()}
    best = max(readings.values(), key=lambda r: evidence[r.name] - r.unusual(count))
    rival = max((e for name, e in evidence.items() if name != best.name), default=-1.0)
    return Likeliest(best.name, best.plausible, evidence[best.name] - rival)


def _read(piece: bytes, name: str, tier: int, readings: dict[str, _Reading]) -> None:
    """Add what an encoding makes of the bytes."""
    try:
        # A last character may be cut.
        text, broken = codecs.getincrementaldecoder(name)().decode(piece), False
    except UnicodeDecodeError:
        if name in _SEVERAL:
            return
        text, broken = piece.decode(name, "replace"), True
    if same := readings.get(text):
        if not broken:
            same.resemblance = max(same.resemblance, _resemblance(piece, name))
            same.plausible = max(same.plausible, plausible(text, name))
        return
    readings[text] = _Reading(name, tier, plausible(text, name) - _BROKEN * broken, _resemblance(piece, name))


def _resemblance(piece: bytes, name: str) -> float:
    """How much the bytes resemble a language that is written in the encoding, as chardet knows it.

    The models are of running text, in which nearly all letters are small; names, headers and old programs' files are not.
    """
    if name not in _SEVERAL:
        piece = piece.translate(*_small(name))
    # The answer when nothing fits has to be one of those that are asked for.
    found = _detector()(
        piece, ignore_threshold=True, compat_names=False, include_encodings=(name, "ascii"), no_match_encoding="ascii"
    )
    return max((float(one["confidence"]) for one in found if one["encoding"] not in ("ascii", None)), default=0.0)


@functools.cache
def _detector() -> Callable[..., list[Any]]:
    # It takes a while to import, and few files need it.
    import chardet

    return chardet.detect_all


@functools.cache
def _small(name: str) -> tuple[bytes, bytes]:
    """Each byte of an encoding as the small letter's, and the bytes that stand for nothing."""
    small, nothing = bytearray(range(256)), bytearray()
    for byte in range(256):
        try:
            lower = bytes([byte]).decode(name).lower().encode(name)
        except UnicodeDecodeError:
            nothing.append(byte)
        except UnicodeEncodeError:
            continue
        else:
            small[byte] = lower[0] if len(lower) == 1 else byte
    return bytes(small), bytes(nothing)
