"""Which elements of a document are records, and each of them as a tree, one at a time."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from headgate.model.errors import SourceError

from .xml_parser import Parser

_NO_VALUE: Final = re.compile("xmlns(:|$)|xsi:")
_SAMPLE: Final = 1 << 20


@dataclass(slots=True)
class Element:
    """An element: names are without prefixes; `text` is its own, that of elements in it left out.

    Attributes:
        children: None where there are none.
        missing: it says itself that it has no value (``xsi:nil``).
    """

    name: str
    attributes: dict[str, str] | None = None
    text: str = ""
    children: list[Element] | None = None
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A record; `element` is None where it is longer than allowed."""

    element: Element | None
    line: int
    size: int


def local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


class Path:
    """Says which elements are records: those whose path ends so, or is so where it begins with a slash."""

    def __init__(self, text: str) -> None:
        self._names = [local(n) for n in text.strip("/").split("/")]
        self._whole = text.startswith("/")

    def matches(self, path: list[str]) -> bool:
        """Whether an element with this path, from the root on, is a record."""
        names = self._names
        return path[-len(names) :] == names and (not self._whole or len(path) == len(names))


def records(
    name: str, file: BinaryIO, path: Path, *, utf8: bool, longest: int, lines: bool = False
) -> Iterator[tuple[list[Found], int]]:
    """All records, block by block, with the bytes read so far.

    Args:
        lines: the lines on which they begin are wanted, too; else they are 0.

    Raises:
        SourceError: see `Parser.feed`.
    """
    collector = _Collector(path, longest)
    parser = Parser(name, file, collector, utf8=utf8, longest=longest)
    if lines:
        collector.line_of = lambda: parser.line
    feed = parser.feed()
    while True:
        try:
            more = next(feed, feed) is None
        except SourceError:
            yield collector.found, parser.done
            raise
        yield collector.found, parser.done
        collector.found = []
        if not more:
            return


class _Names(dict[str, str]):
    """Names without their prefixes, each made once."""

    def __missing__(self, name: str) -> str:
        return self.setdefault(name, local(name))


class _Collector:
    """Gathers the records of a document (`headgate.connectors.files.xml_parser.Handler`)."""

    def __init__(self, path: Path, longest: int) -> None:
        self._path, self._longest = path, longest
        self._names = _Names()
        self._above: list[str] = []
        self._open: list[Element] = []
        self._size = self._line = 0
        self.line_of: Callable[[], int] = int
        self.found: list[Found] = []

    def start(self, name: str, attributes: list[str]) -> None:
        short = self._names[name]
        if self._open:
            element = Element(short)
            if self._size <= self._longest:
                above = self._open[-1]
                if above.children is None:
                    above.children = [element]
                else:
                    above.children.append(element)
            self._size += len(name)
        else:
            self._above.append(short)
            if not self._path.matches(self._above):
                return
            element = Element(short)
            self._size, self._line = len(name), self.line_of()
        if attributes:
            self._size += sum(map(len, attributes))
            self._attributes(element, attributes)
        self._open.append(element)

    def end(self, name: str) -> None:  # noqa: ARG002 - what every handler is told
        if self._open:
            element = self._open.pop()
            if self._open:
                return
            whole = element if self._size <= self._longest else None
            self.found.append(Found(whole, self._line, self._size))
        self._above.pop()

    def _attributes(self, element: Element, given: list[str]) -> None:
        """Attributes without prefixes, unless two would then have one name; none that are about the document itself."""
        found: dict[str, str] = {}
        for i in range(0, len(given), 2):
            name, value = given[i], given[i + 1]
            if name.startswith("xsi:"):
                element.missing |= name == "xsi:nil" and value.strip() in ("true", "1")
            elif name != "xmlns" and not name.startswith("xmlns:"):
                short = self._names[name]
                found[name if short in found else short] = value
        if found:
            element.attributes = found

    def text(self, data: str) -> None:
        if self._open:
            self._size += len(data)
            if self._size <= self._longest:
                self._open[-1].text += data


def find(name: str, file: BinaryIO, *, utf8: bool, longest: int) -> str:
    """The path of the records: of the only element that is repeated, outermost; of the one record where none is.

    Raises:
        SourceError: several elements are repeated, or nothing is in the document.
    """
    seen = _Seen()
    parser = Parser(name, file, seen, utf8=utf8, longest=longest)
    for _ in parser.feed():
        if parser.done >= (_SAMPLE if seen.repeated else longest):
            break
    outer = [p for p in seen.repeated if not any(p[:n] in seen.repeated for n in range(1, len(p)))]
    if len(outer) > 1:
        told = ", ".join(f"{'/'.join(p)} ({seen.repeated[p]} in the first part of it)" for p in outer[:5])
        raise SourceError(
            f"{name} has several elements that are repeated: {told}", hint="Say source.records: one of them."
        )
    path = outer[0] if outer else seen.single()
    if len(path) == 1 and not seen.filled:
        raise SourceError(
            f"{name} has nothing in its element {path[0]}, so it is not known what its records are",
            hint="Where that may be so, say source.records and source.columns.",
        )
    return "/" + "/".join(path)


class _Seen:
    """Counts which elements stand beside others of their name (`headgate.connectors.files.xml_parser.Handler`).

    Attributes:
        repeated: elements that do, by their path, and how often.
        filled: whether there is anything but an element.
    """

    def __init__(self) -> None:
        self._path: list[str] = []
        self._beside: list[Counter[str]] = [Counter()]
        self._below: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self.repeated: Counter[tuple[str, ...]] = Counter()
        self.filled = False

    def start(self, name: str, attributes: list[str]) -> None:
        short = local(name)
        self.filled = self.filled or bool(self._path) or any(not _NO_VALUE.match(a) for a in attributes[::2])
        self._below[tuple(self._path)].add(short)
        beside = self._beside[-1]
        beside[short] += 1
        self._path.append(short)
        self._beside.append(Counter())
        if beside[short] > 1:
            path = tuple(self._path)
            self.repeated[path] += 1 if path in self.repeated else 2

    def end(self, name: str) -> None:  # noqa: ARG002 - what every handler is told
        self._path.pop()
        self._beside.pop()

    def text(self, data: str) -> None:
        self.filled = self.filled or bool(data.strip())

    def single(self) -> tuple[str, ...]:
        """The element that holds more than one other that holds others itself: all of the document's data."""
        path: tuple[str, ...] = tuple(self._below[()])
        while len(inner := self._below.get(path, set())) == 1 and (*path, *inner) in self._below:
            path = (*path, *inner)
        return path
