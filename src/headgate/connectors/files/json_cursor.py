"""Walks through a JSON document of any size at byte level, holding little more than one element at a time.

Only the structure is looked at (brackets, strings, commas); what lies between is decoded elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from .json_text import BLOCK

END = -1
OPENING = (ord("{"), ord("["))

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]}\s\"{\[]++")
_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
# An object without lists or objects in it, and what follows it.
_FLAT = re.compile(
    rb'[ \t\r\n]*+(\{[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+\})[ \t\r\n]*+,(?=[ \t\r\n]*+\{)', re.DOTALL
)

_NOT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_AS_BRACES = bytes.maketrans(b"[]", b"{}")


class StructureError(Exception):
    """The document is not JSON at the byte `at` (counted from 0)."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


class TooLongError(StructureError):
    """An element is longer than allowed."""


class Cursor:
    """A place in a document.

    Args:
        file: open at `offset`.
        longest: most bytes `take` holds.
    """

    def __init__(self, file: BinaryIO, offset: int, longest: int) -> None:
        self._file = file
        self._longest = longest
        self._base = offset
        self._buffer = b""
        self._at = 0

    @property
    def offset(self) -> int:
        """Bytes before this place."""
        return self._base + self._at

    def more(self) -> bool:
        """Read on, keeping what lies ahead; False at the end of the file."""
        ahead = self._buffer[self._at :]
        read = self._file.read(max(BLOCK, len(ahead)))
        self._base += self._at
        self._at = 0
        self._buffer = ahead + read
        return bool(read)

    def peek(self) -> int:
        """The next byte that is not white space; END at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self.more():
                return END

    def starts(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether what lies ahead matches; looks no further than one block."""
        return bool(pattern.match(self._buffer, self._at) or (self.more() and pattern.match(self._buffer, self._at)))

    def expect(self, wanted: bytes) -> int:
        """Step over one of these characters and return it.

        Raises:
            StructureError: another comes next, or none.
        """
        found = self.peek()
        if found == END:
            raise StructureError("the document ends too early", self.offset)
        if found not in wanted:
            names = " or ".join(repr(chr(c)) for c in wanted)
            raise StructureError(f"expected {names}, found {chr(found)!r}", self.offset)
        self._at += 1
        return found

    def expect_end(self) -> None:
        """See that nothing follows.

        Raises:
            StructureError: something does.
        """
        if (found := self.peek()) != END:
            raise StructureError(f"expected the end, found {chr(found)!r}", self.offset)

    def take(self) -> bytes:
        """The value that begins here, whole.

        Raises:
            StructureError: it does not end, or nothing begins here.
            TooLongError: it is longer than allowed.
        """
        self.peek()
        start = self.offset
        while True:
            if (end := self._end()) is not None:
                value = self._buffer[self._at : end]
                self._at = end
                return value
            if len(self._buffer) - self._at > self._longest:
                raise TooLongError(f"the record is longer than source.max_record, {self._longest:,} bytes", start)
            if not self.more():
                return self._last(start)

    def _last(self, start: int) -> bytes:
        """A number or word that ends with the file."""
        match = _SCALAR.fullmatch(self._buffer, self._at)
        if match is None:
            raise StructureError("the document ends inside this value", start)
        self._at = len(self._buffer)
        return match[0]

    def _end(self) -> int | None:
        """Where the value that begins here ends; None when the buffer ends first."""
        first = self._buffer[self._at : self._at + 1]
        if first in (b"{", b"["):
            depth = 0
            for mark in _MARK.finditer(self._buffer, self._at):
                if (found := mark[0]) in (b"{", b"["):
                    depth += 1
                elif found in (b"}", b"]"):
                    depth -= 1
                    if not depth:
                        return mark.end()
                elif len(found) == 1:
                    return None
            return None
        match = (_STRING if first == b'"' else _SCALAR).match(self._buffer, self._at)
        if match is None:
            if first and first != b'"':
                raise StructureError(f"expected a value, found {first.decode(errors='replace')!r}", self.offset)
            return None
        return match.end() if first == b'"' or match.end() < len(self._buffer) else None

    def skip(self) -> None:
        """Step over the value that begins here, however long it is.

        Raises:
            StructureError: it does not end.
        """
        if self.peek() not in OPENING:
            self.take()
            return
        start, depth = self.offset, 1
        self._at += 1
        while True:
            end = _outside(self._buffer, self._at)
            closing, opening = _brackets(self._buffer[self._at : end])
            if closing >= depth:
                self._at = self._closed(depth)
                return
            depth += opening - closing
            self._at = end
            if len(self._buffer) - end > self._longest:
                raise TooLongError(f"a text is longer than source.max_record, {self._longest:,} bytes", self.offset)
            if not self.more():
                raise StructureError("the document ends inside this value", start)

    def _closed(self, depth: int) -> int:
        """Where, in the buffer, the last of `depth` open brackets is closed."""
        for mark in _MARK.finditer(self._buffer, self._at):
            depth += (mark[0] in (b"{", b"[")) - (mark[0] in (b"}", b"]"))
            if not depth and len(mark[0]) == 1:
                return mark.end()
        raise StructureError("brackets do not match", self.offset)

    def members(self) -> Iterator[bytes]:
        """The keys of the object that begins here, as JSON strings; at each the cursor is before the key's value, over
        which the caller steps.

        Raises:
            StructureError: it is not an object as JSON has them.
        """
        self.expect(b"{")
        if self.peek() == ord("}"):
            self._at += 1
            return
        while True:
            if self.peek() != ord('"'):
                self.expect(b'"')
            key = self.take()
            self.expect(b":")
            yield key
            if self.expect(b",}") == ord("}"):
                return

    def elements(self) -> Iterator[tuple[int, bytes]]:
        """The elements of the list that begins here, each with the number of bytes before it.

        Raises:
            StructureError: it is not a list as JSON has them, or does not end.
        """
        self.expect(b"[")
        if self.peek() == ord("]"):
            self._at += 1
            return
        while True:
            while match := _FLAT.match(self._buffer, self._at):
                self._at = match.end()
                yield self._base + match.start(1), match[1]
            self.peek()
            start = self.offset
            yield start, self.take()
            if self.expect(b",]") == ord("]"):
                return


def _outside(buffer: bytes, start: int) -> int:
    """The last place in the buffer that is not inside a text; `start` is outside."""
    ahead = buffer[start:]
    if b"\\" in ahead:
        # Same length, so that places stay the same; an escape at the very end may hide a quote to come.
        ahead = ahead.replace(b"\\\\", b"--").replace(b'\\"', b"--")
    return start + ahead.rfind(b'"') if ahead.count(b'"') % 2 else len(buffer)


def _brackets(text: bytes) -> tuple[int, int]:
    """How many brackets are closed in the text that were opened before it, and how many stay open after it.

    What a whole text needs is counted here by a few passes of the C library instead of bracket by bracket.
    """
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = b"".join(text.split(b'"')[::2]).translate(_AS_BRACES, _NOT_BRACKETS)
    while (shorter := marks.replace(b"{}", b"")) != marks:
        marks = shorter
    return marks.count(b"}"), marks.count(b"{")
