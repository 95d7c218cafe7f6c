"""The character set of a text file: found out from samples, and turned into UTF-8."""

from __future__ import annotations

import codecs
import io
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
_CHUNK = 1 << 20
_GUESS = 0.7
_WRITING = 0.85
"""From which plausibility on a text looks as one that somebody wrote: less is what is left of one in another encoding."""
_NONSENSE = 0.5
"""Below which plausibility a text is none in this encoding either."""
_WESTERN_15: Final = frozenset("€ŠšŽžŒœŸ")
"""What ISO 8859-15 has that Windows' western encoding has elsewhere."""
_LEAD = 0.05
"""How much likelier than its rivals an encoding is that is no guess."""
_TELLING = 32 << 10


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
    return _likeliest(_telling(pieces))


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


def _telling(pieces: list[bytes]) -> bytes:
    """The lines that tell something, at most 32 KiB of them, whole if possible."""
    lines: list[bytes] = []
    size = 0
    for line in (line for piece in pieces for line in piece.split(b"\n") if not line.isascii()):
        size += len(line) + 1
        if lines and size > _TELLING:
            break
        lines.append(line)
    return b"\n".join(lines)[:_TELLING]


def _likeliest(piece: bytes) -> Encoding:
    # It needs what only such files need.
    from .likeliest import likeliest

    best = likeliest(piece)
    sure = 0.85 if best.lead > _LEAD and best.plausible >= _WRITING else 0.6
    name = best.name
    # What nobody would write in any of them is left to the most usual one, as are bytes that this one lacks.
    if best.plausible < _NONSENSE or (name == "iso8859-15" and _WESTERN_15.isdisjoint(piece.decode(name))):
        name, sure = "cp1252", min(sure, 0.6)
    note = f"not UTF-8; {name} is the likeliest of those that fit, check the accented letters"
    return Encoding(name, 0, sure, note)


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
