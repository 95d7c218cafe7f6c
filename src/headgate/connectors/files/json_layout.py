"""Where in a file the JSON objects are: one a line, in a list of a document, or the document itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO, Protocol

import msgspec

from headgate.model.errors import SourceError
from headgate.model.record import Origin

from .json_cursor import OPENING, Cursor, StructureError
from .json_records import Piece
from .json_text import BLOCK, Utf8

_OBJECTS = re.compile(rb"\[\s*+\{")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Layout(Protocol):
    """A way in which objects lie in a file."""

    done: int

    def pieces(self) -> Iterator[Piece]:
        """All objects, in order. `done` is how many bytes have been read.

        Raises:
            SourceError: the file is not JSON from some place on; the objects before it have been given.
        """
        ...

    def origins(self, ordinals: Sequence[int]) -> list[Origin]:
        """Where these objects are; `ordinals` increase."""
        ...


class Lines:
    """Every line is an object; blank lines are nothing."""

    def __init__(self, text: Utf8, longest: int) -> None:
        self._text = text
        self._longest = longest
        self.done = 0

    def pieces(self) -> Iterator[Piece]:
        """See `Layout`."""
        number = 1
        with self._text.open() as f:
            while data := f.read(BLOCK):
                rest = b"" if data.endswith(b"\n") else f.readline(self._longest + 1)
                data += rest
                ends = data.count(b"\n")
                yield Piece(data, partial(_lines, data, number), partial(_one_a_line, data, ends))
                number += ends
                if len(rest) > self._longest and not rest.endswith(b"\n"):
                    number += _skip_line(f)
                self.done = f.tell()

    def origins(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Layout`."""
        found: list[Origin] = []
        first = 0
        done = self.done
        for piece in self.pieces():
            if len(found) == len(ordinals):
                break
            items = piece.split()
            while len(found) < len(ordinals) and ordinals[len(found)] < first + len(items):
                number = items[ordinals[len(found)] - first][0]
                found.append(Origin(self._text.name, row=number, line=number))
            first += len(items)
        self.done = done
        return found


def _lines(data: bytes, number: int) -> list[tuple[int, bytes]]:
    return [(i, line) for i, line in enumerate(data.split(b"\n"), number) if line.strip()]


def _one_a_line(data: bytes, ends: int, count: int) -> bool:
    """Whether `count` objects decoded from `data` were one a line: every line end then lies between two of them."""
    lines = ends + (not data.endswith(b"\n"))
    return lines == count and data.count(b"}\n{") == count - 1


def _skip_line(f: BinaryIO) -> int:
    """Step over the rest of a line; the number of line ends met, 0 or 1."""
    while part := f.readline(BLOCK):
        if part.endswith(b"\n"):
            return 1
    return 0


class Elements:
    """The elements of a list within a document.

    Args:
        offset: bytes before the list.
        last: the list is the whole document, so that nothing may follow.
    """

    def __init__(self, text: Utf8, longest: int, offset: int, *, last: bool) -> None:
        self._text = text
        self._longest = longest
        self._offset = offset
        self._last = last
        self.done = 0

    def _walk(self) -> Iterator[tuple[int, bytes]]:
        with self._text.open(self._offset) as f:
            cursor = Cursor(f, self._offset, self._longest)
            for offset, element in cursor.elements():
                self.done = offset
                yield offset, element
            if self._last:
                cursor.expect_end()

    def pieces(self) -> Iterator[Piece]:
        """See `Layout`."""
        number, size = 1, 0
        offsets: list[int] = []
        items: list[bytes] = []
        walk = self._walk()
        while True:
            try:
                element = next(walk, None)
            except StructureError as e:
                if items:
                    yield _piece(items, offsets, number)
                raise SourceError(
                    f"{self._text.name} is not JSON at {self._text.place(e.at)}: {e}",
                    hint="Mend the file, or have it written again.",
                ) from None
            if element is None:
                break
            offsets.append(element[0])
            items.append(element[1])
            size += len(element[1])
            if size >= BLOCK:
                yield _piece(items, offsets, number)
                number += len(items)
                items, offsets, size = [], [], 0
        if items:
            yield _piece(items, offsets, number)

    def origins(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Layout`."""
        wanted = set(ordinals)
        found: list[Origin] = []
        line = 1
        done = self.done
        with self._text.open() as f:
            for number, (offset, _) in enumerate(self._walk()):
                if number in wanted:
                    line += _line_ends(f, offset)
                    found.append(Origin(self._text.name, row=number + 1, line=line))
                    if len(found) == len(ordinals):
                        break
        self.done = done
        return found


class Single:
    """The document, or one object in it, is the only record."""

    def __init__(self, text: Utf8, longest: int, offset: int, *, last: bool) -> None:
        self._text = text
        self._longest = longest
        self._offset = offset
        self._last = last
        self.done = 0

    def pieces(self) -> Iterator[Piece]:
        """See `Layout`."""
        with self._text.open(self._offset) as f:
            cursor = Cursor(f, self._offset, self._longest)
            try:
                item = cursor.take()
                if self._last:
                    cursor.expect_end()
            except StructureError as e:
                raise SourceError(f"{self._text.name} is not JSON at {self._text.place(e.at)}: {e}") from None
        self.done = self._text.size
        yield _piece([item], [self._offset], 1)

    def origins(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Layout`."""
        with self._text.open() as f:
            line = 1 + _line_ends(f, self._offset)
        return [Origin(self._text.name, row=1, line=line) for _ in ordinals]


def _line_ends(f: BinaryIO, until: int) -> int:
    """Read on to the byte `until` and count the line ends met."""
    count = 0
    while (left := until - f.tell()) > 0 and (block := f.read(min(left, BLOCK))):
        count += block.count(b"\n")
    return count


def _piece(items: list[bytes], offsets: list[int], number: int) -> Piece:
    return Piece(
        b"\n".join(items), lambda: list(enumerate(items, number)), lambda count: count == len(items), tuple(offsets)
    )


def is_lines(head: bytes, whole: bool, likely: bool) -> bool:
    """Whether a file that begins with `head` has an object on every line.

    Args:
        whole: `head` is the whole file.
        likely: its name says so.
    """
    lines = [line for line in head.split(b"\n", 50) if line.strip()]
    if not whole and len(lines) > 1:
        lines.pop()
    good = [_is_object(line) for line in lines[:50]]
    if good[0] and len(good) > 1:
        return True
    if sum(good) > 1:
        return head.lstrip()[:1] != b"["
    if not likely:
        return False
    return good[0] or (not whole and len(lines) == 1) or (any(good) and not _is_json(head))


def _is_object(line: bytes) -> bool:
    try:
        _OBJECT.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_json(document: bytes) -> bool:
    try:
        msgspec.json.decode(document)
    except (ValueError, RecursionError):
        return False
    return True


def find(text: Utf8, longest: int, path: str | None) -> tuple[Layout, str]:
    """Where the objects of a document are, and the path there for people (empty for the document itself).

    Raises:
        SourceError: it is not JSON, has no such path, or has several lists and no path says which.
    """
    with text.open() as f:
        cursor = Cursor(f, text.begin, longest)
        try:
            return _within(text, cursor, longest, path)
        except StructureError as e:
            raise SourceError(f"{text.name} is not JSON at {text.place(e.at)}: {e}") from None


def _within(text: Utf8, cursor: Cursor, longest: int, path: str | None) -> tuple[Layout, str]:
    first = cursor.peek()
    if first not in OPENING:
        raise SourceError(
            f"{text.name} is not JSON: it begins with {chr(max(first, 0))!r}", hint="Set source.format to what it is."
        )
    start = cursor.offset
    if path:
        _descend(text, cursor, path)
        cursor.peek()
        kind = Elements if cursor.peek() == ord("[") else Single
        return kind(text, longest, cursor.offset, last=False), path
    if first == ord("["):
        return Elements(text, longest, start, last=True), ""
    lists: list[tuple[str, int]] = []
    for key in cursor.members():
        cursor.peek()
        if cursor.starts(_OBJECTS):
            lists.append((msgspec.json.decode(key), cursor.offset))
        cursor.skip()
    cursor.expect_end()
    if len(lists) > 1:
        names = ", ".join(name for name, _ in lists)
        raise SourceError(f"{text.name} holds several lists: {names}", hint="Say in source.records which one to read.")
    if lists:
        return Elements(text, longest, lists[0][1], last=False), lists[0][0]
    return Single(text, longest, start, last=True), ""


def _descend(text: Utf8, cursor: Cursor, path: str) -> None:
    """Step to the value at a dotted path."""
    rest = path
    while rest:
        if cursor.peek() != ord("{"):
            raise SourceError(f"{text.name} has no {path!r}", hint=f"What holds {rest!r} is not an object.")
        names = []
        for key in cursor.members():
            name = str(msgspec.json.decode(key))
            names.append(name)
            if rest == name or rest.startswith(name + "."):
                rest = rest[len(name) + 1 :]
                break
            cursor.skip()
        else:
            raise SourceError(f"{text.name} has no {path!r}", hint=f"There are: {', '.join(names) or 'no keys'}.")
