"""An XML parser that is fed a file piece by piece, and that follows nothing and expands nothing a document declares.

It is expat, which the standard library has. Entities are refused where they are declared, so that there are none to expand, in the document
or from elsewhere; what a document type says beside is of no consequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, Protocol
from xml.parsers import expat

from headgate.model.errors import SourceError

BLOCK: Final = 256 << 10
_DEEPEST: Final = 200


class Handler(Protocol):
    """What is told of a document."""

    def start(self, name: str, attributes: list[str]) -> None:
        """An element begins; its attributes are names and values in turn."""
        ...

    def end(self, name: str) -> None:
        """An element ends."""
        ...

    def text(self, data: str) -> None:
        """Text, perhaps with more to come."""
        ...


class Parser:
    """Reads a document.

    Args:
        name: the file as the user named it.
        file: open at its beginning; UTF-8 unless the document itself says otherwise.
        utf8: it is UTF-8 whatever the document says.
        longest: most bytes of a single tag or comment.
    """

    def __init__(self, name: str, file: BinaryIO, handler: Handler, *, utf8: bool, longest: int) -> None:
        self._name, self._file, self._longest = name, file, longest
        self._handler = handler
        self._depth = 0
        self._parser = parser = expat.ParserCreate("utf-8" if utf8 else None)
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = handler.text
        parser.EntityDeclHandler = self._declared
        parser.SkippedEntityHandler = self._unknown
        self.done = 0

    @property
    def line(self) -> int:
        """The line of what is being told, from 1."""
        return self._parser.CurrentLineNumber

    def feed(self) -> Iterator[None]:
        """Read the file; gives a turn after each block.

        Raises:
            SourceError: the document is not XML from some place on, or declares entities.
        """
        while True:
            data = self._file.read(BLOCK)
            try:
                self._parser.Parse(data, not data)
            except expat.ExpatError as e:
                raise SourceError(
                    f"{self._name} is not XML at line {e.lineno}, column {e.offset + 1}: {expat.ErrorString(e.code)}",
                    hint="Mend the file, or have it written again.",
                ) from None
            self.done += len(data)
            if not data:
                return
            # A tag that does not end would be read again from its beginning with each block.
            if self.done - self._parser.CurrentByteIndex > self._longest + BLOCK:
                raise self._refusal(f"a tag or comment is longer than source.max_record, {self._longest:,} bytes")
            yield

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refusal(f"elements are nested more than {_DEEPEST} deep")
        self._handler.start(name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._handler.end(name)

    def _declared(self, name: str, *_: object) -> None:
        raise self._refusal(f"it declares the entity {name!r}; entities are not read, for safety")

    def _unknown(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            raise self._refusal(f"it uses the entity {name!r}, which is not declared in it")

    def _refusal(self, what: str) -> SourceError:
        return SourceError(
            f"{self._name} is refused at line {self.line}: {what}", hint="Have it written with plain text in its place."
        )
