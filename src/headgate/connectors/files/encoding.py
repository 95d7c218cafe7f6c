"""The character set of a text file: found out from samples, and turned into UTF-8."""

from __future__ import annotations

import codecs
import io
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from headgate.model.errors import SourceError

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# In order of likelihood: the first of equal scores wins.
_SINGLE: Final = ("cp1252", "iso8859-15", "cp1250", "cp1251", "koi8-r", "cp850", "cp437", "mac-roman")
_DOUBLE: Final = ("shift_jis", "euc-kr", "gb18030", "big5")
_CHUNK = 1 << 20
_GUESS = 0.7
_WRITING = 0.85
"""From which plausibility on a text looks as one that somebody wrote: less is what is left of one in another encoding."""
_MEASURES = "µ±²³°×¼½¾"


@dataclass(frozen=True, slots=True)
class Encoding:
    """A character set.

    Attributes:
        name: as Python calls it, without a BOM in it.
        bom: bytes of the byte order mark at the beginning.
        sure: 0 to 1.
        note: how it was told, a sentence; empty where it goes without saying.
    """

    name: str
    bom: int = 0
    sure: float = 1.0
    note: str = ""

    @property
    def warnings(self) -> list[str]:
        """What every run should say of it: that it is no more than a guess."""
        guess = f"read as {self.name}, which is a guess: check the accented letters, and say source.encoding"
        return [guess] if self.sure < _GUESS else []

    @property
    def is_utf8(self) -> bool:
        """Whether the file needs no turning."""
        return self.name == "utf-8"


def find(head: bytes, probes: list[bytes], given: str | None) -> Encoding:
    """The character set of a file.

    Args:
        head: its beginning; the last character may be cut.
        probes: pieces from further on, from line to line.
        given: what the definition says.

    Raises:
        SourceError: `given` is none that exists.
    """
    bom = next(
        (
            Encoding(name, len(mark), 1.0, "told by its byte order mark")
            for mark, name in _BOMS
            if head.startswith(mark)
        ),
        None,
    )
    if given is not None:
        return _given(given, bom)
    if bom is not None:
        return bom
    if wide := _without_bom(head):
        return wide
    pieces = [_whole_end(head), *probes]
    if all(p.isascii() for p in pieces):
        return Encoding("utf-8")
    wrong = sum(_wrong(p) for p in pieces)
    if not wrong:
        return Encoding("utf-8")
    # Bytes that make up a UTF-8 character hardly ever stand together by chance in text of another kind.
    right = sum(not c.isascii() for p in pieces for c in p.decode("utf-8", "ignore"))
    if right >= 2 * wrong:
        return Encoding("utf-8", sure=0.8, note=f"UTF-8 but for {wrong} places in the sample that are not")
    return _likeliest(b"\n".join(_with_high(p) for p in pieces))


def _given(given: str, bom: Encoding | None) -> Encoding:
    try:
        name = codecs.lookup(given).name
    except LookupError:
        raise SourceError(
            f"there is no encoding {given!r}", hint="Common ones are utf-8, cp1252, latin-1, utf-16, shift_jis."
        ) from None
    if bom is not None and (name in ("utf-8-sig", "utf-16", "utf-32") or name == bom.name):
        return Encoding(bom.name, bom.bom)
    return Encoding(
        {"utf-8-sig": "utf-8", "ascii": "ascii", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)
    )


def _without_bom(head: bytes) -> Encoding | None:
    """UTF-16 without a mark: every other byte of western text is zero."""
    piece = head[: 4096 // 2 * 2]
    if len(piece) < 4:
        return None
    even, odd = piece[::2].count(0) / (len(piece) // 2), piece[1::2].count(0) / (len(piece) // 2)
    if max(even, odd) < 0.4 or min(even, odd) > 0.1:
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    return Encoding(name, 0, 0.9, "UTF-16 without a byte order mark, told by its zero bytes")


def _whole_end(head: bytes) -> bytes:
    """Without a last UTF-8 character that is cut."""
    for back in range(1, min(4, len(head) + 1)):
        byte = head[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return head[:-back] if length > back else head
        if byte < 0x80:
            break
    return head


def _wrong(piece: bytes) -> int:
    """Places that are not UTF-8."""
    try:
        piece.decode()
    except UnicodeDecodeError:
        return sum("\udc80" <= c <= "\udcff" for c in piece.decode("utf-8", "surrogateescape"))
    return 0


def _with_high(piece: bytes) -> bytes:
    """The lines that tell something, at most 32 KiB of them."""
    lines = [line for line in piece.split(b"\n") if not line.isascii()]
    return b"\n".join(lines)[: 32 << 10]


def _likeliest(piece: bytes) -> Encoding:
    scores: dict[str, float] = {}
    for name in (*_SINGLE, *_DOUBLE):
        try:
            scores[name] = _plausible(piece.decode(name)) - (0.15 if name in _DOUBLE else 0)
        except UnicodeDecodeError:
            if name in _DOUBLE:
                continue
            scores[name] = _plausible(piece.decode(name, "replace")) - 0.5
    best = max(scores, key=lambda n: scores[n])
    if best == "iso8859-15" and "€" not in piece.decode(best):
        best = "cp1252"
    text = piece.decode(best, "replace")
    # Encodings that make the same text of it are no rivals: it does not matter which of them it is.
    rivals = (s for n, s in scores.items() if n != best and piece.decode(n, "replace") != text)
    rival = max(rivals, default=0.0)
    sure = 0.85 if scores[best] - rival > 0.1 and scores[best] >= _WRITING else 0.6
    return Encoding(best, 0, sure, f"not UTF-8; {best} is the likeliest of those that fit, check the accented letters")


def _plausible(text: str) -> float:
    """How much the non-ASCII characters look like writing, at most 1."""
    total = points = 0.0
    before = " "
    for at, c in enumerate(text):
        if c >= "\x80":
            total += 1
            points += _point(before, c, text[at + 1 : at + 2])
        before = c
    return points / total if total else 0.0


def _point(before: str, c: str, after: str) -> float:
    """How much a character looks as if somebody wrote it there."""
    kind = unicodedata.category(c)
    inside = before.isalpha() and after.isalpha()
    if c in _MEASURES and (c == "µ" or not inside):
        return 0.7
    if kind[0] == "L":
        return _letter(before, c, after)
    if kind in ("Cc", "Cn", "Co") or c == "\ufffd":
        return -2.0
    if kind in ("So", "Sk", "Sm"):
        return -1.0 if inside else (0.6 if c in "©®" else -0.2)
    return _sign(before, c, after, inside=inside)


def _letter(before: str, c: str, after: str) -> float:
    if _hangul(c):
        return 1.0
    if "\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff":
        # Chinese read as Korean is such a mixture.
        return -1.0 if _hangul(before) or _hangul(after) else 1.0
    if "\uff61" <= c <= "\uff9f":
        return 0.2
    script = unicodedata.name(c, "?").split()[0]
    neighbours = [n for n in (before, after) if n.isalpha()]
    if any(unicodedata.name(n, "?").split()[0] != script for n in neighbours):
        return -1.0
    if c.isupper() and before.islower():
        return -1.0
    if script == "LATIN" and len(neighbours) == 2 and not (before.isascii() or after.isascii()):
        return -0.5
    common = c in "àâäáãåæçèéêëìíîïñòóôöõøœßùúûüýÿÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜÝ" or script == "CYRILLIC"
    return (1.0 if common else 0.6) - (0.0 if neighbours else 0.3)


def _sign(before: str, c: str, after: str, *, inside: bool) -> float:
    opens = c in "“«" and not before.isalnum() and not after.isspace()
    closes = c in "”»" and not after.isalnum() and not before.isspace()
    dash = c in "–—" and not before.isalpha() and not after.isalpha()
    if opens or closes or dash or (c == "’" and inside):
        return 1.0
    if c in "€£–—‘’“”…•«»§\u00a0":
        return -0.5 if inside else 0.8
    return -0.5 if inside else 0.2


def _hangul(c: str) -> bool:
    return "\uac00" <= c <= "\ud7a3"


def decode(head: bytes, encoding: Encoding) -> str:
    """The sample as text, as `to_utf8` would make it; a cut last character is left out."""
    for errors in (_errors(encoding), "replace"):
        try:
            return codecs.getincrementaldecoder(encoding.name)(errors).decode(head[encoding.bom :])
        except UnicodeDecodeError:
            continue
    raise AssertionError("replace refuses nothing")


def _errors(encoding: Encoding) -> str:
    return "surrogatepass" if encoding.name.startswith(("utf-16", "utf-32")) else "surrogateescape"


def to_utf8(path: Path, encoding: Encoding, out: BinaryIO, *, same_ends: bool) -> None:
    r"""Write the file as UTF-8. Bytes that are no text become lone surrogates, which no UTF-8 reader accepts for text,
    so that none is lost silently.

    Args:
        same_ends: make every line end ``\n``, for files that mix old Macintosh line ends with others.

    Raises:
        SourceError: the bytes cannot be followed in this encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding.name)(_errors(encoding))
    ends = io.IncrementalNewlineDecoder(None, translate=True) if same_ends else None
    with path.open("rb") as file:
        file.seek(encoding.bom)
        done = False
        while not done:
            data = file.read(_CHUNK)
            done = not data
            try:
                text = decoder.decode(data, done)
            except UnicodeDecodeError as e:
                raise SourceError(
                    f"{path.name} cannot be read as {encoding.name}: {e.reason} near byte {file.tell() - len(data) + e.start}",
                    hint="Set source.encoding, or save the file as UTF-8.",
                ) from None
            if ends is not None:
                text = ends.decode(text, done)
            out.write(text.encode("utf-8", "surrogatepass"))
