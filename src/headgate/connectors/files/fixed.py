"""Text whose columns have fixed places in the line. Every column is text without the blanks around it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.counting import counted
from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin, Problem
from headgate.model.spec import SourceSpec
from headgate.spi.nul import nul_fault, with_nul
from headgate.spi.source import Scan

from . import detect, layout
from . import encoding as enc
from .base import Input
from .dialect import Dialect
from .gather import Batches, Decoded, without
from .lines import SURROGATE, blocks, shown
from .utf8_copy import Utf8Copy

_TEXT: Final = pa.string()
_AT_ONCE: Final = 4096
# A line some programs put under the header; and what old systems put at the end of a file.
_UNDERLINE: Final = re.compile(r"[-=_ +|]*[-=][-=_ +|]*")
_ENDS: Final = "\r\n\t\x1a\0 "


def open_fixed(given: Input, sheet: str | None = None) -> Scan:
    """Open text of fixed width.

    Raises:
        SourceError: nothing is in it, or an option names what is not there.
    """
    del sheet
    return FixedScan(given)


@dataclass(frozen=True, slots=True)
class _Place:
    """A column: its first character and the one behind its last; None where it goes to the end of the line."""

    begin: int
    end: int | None


@dataclass(frozen=True, slots=True)
class _Lines:
    """Records that follow each other.

    Attributes:
        numbers: their lines, from 1.
        texts: the lines without their ends.
        clean: there are no bytes in them that are no text.
        overlong: bytes of the one line, of which only the beginning is held; else 0.
        end: byte up to which the file has been read.
    """

    numbers: Sequence[int]
    texts: list[str]
    clean: bool
    overlong: int
    end: int


class FixedScan:
    """A file of fixed width (`headgate.spi.source.Scan`)."""

    def __init__(self, given: Input) -> None:
        self._given = given
        head, probes, _ = detect.sample(given.path)
        self._encoding = enc.find(head, probes, given.options.encoding)
        text = enc.decode(head, self._encoding)
        same_ends = detect.mixed_with_cr(text)
        self._text = Utf8Copy(given, self._encoding, same_ends=same_ends)
        if same_ends:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._newline = next((n for n in ("\n", "\r", "\x85") if n in text), "")
        if not text.strip("\r\n \t\0\ufeff\x85"):
            raise SourceError(f"{given.name} has only blank lines", hint="Check that it is the right file.")
        self._places = _places(given.options)
        self._width = self._places[-1].end
        self._notes = [f"encoding {self._encoding.name}: {self._encoding.note}"] if self._encoding.note else []
        if not self._newline:
            self._notes.append("there are no line ends: records follow each other")
        first = [line.removesuffix("\r") for line in text.split(self._newline or "\n")]
        self._header, self._skip = self._top(first)
        self._names = self._name(first)
        self._at = self._size = 0

    def _top(self, first: Sequence[str]) -> tuple[int | None, int]:
        """The number of the header's line, and how many lines are before the first record."""
        wanted, skip = self._given.options.header, self._given.options.skip or 0
        if not self._newline and (wanted or skip):
            raise SourceError(
                f"{self._given.name} has no lines, so none can be a header or be left out",
                hint="Leave header and skip out.",
            )
        if wanted is None or wanted is False:
            return None, skip
        header = (
            wanted if wanted is not True else 1 + next((i for i in range(skip, len(first)) if first[i].strip()), skip)
        )
        if not skip < header <= len(first):
            raise SourceError(
                f"{self._given.name}: there is no row {header} for a header"
                + (f" behind {skip} left out" if skip else ""),
                hint="Rows are counted from the beginning of the file.",
            )
        under = first[header : header + 1]
        return header, header + bool(under and _UNDERLINE.fullmatch(under[0]))

    def _name(self, first: Sequence[str]) -> tuple[str, ...]:
        options = self._given.options
        given = list(options.widths or options.columns or ())
        if not given:
            cells = (
                _cut(first[self._header - 1], self._places) if self._header is not None else [None] * len(self._places)
            )
            return layout.unique(cells, self._notes if self._header is not None else [])
        if len(given) != len(self._places) or len(set(given)) != len(given):
            raise SourceError(
                f"{self._given.name}: columns has {counted(len(given), 'name')}, the ruler has {counted(len(self._places), 'column')}"
                if len(given) != len(self._places)
                else f"{self._given.name}: source.columns names a column twice",
                hint="Name every column once, in the order of the line.",
            )
        return tuple(given)

    @property
    def schema(self) -> pa.Schema:
        """The columns, all text."""
        return pa.schema([(name, _TEXT) for name in self._names])

    @property
    def findings(self) -> Mapping[str, object]:
        """``format``, ``encoding``, ``header`` (row, or False), ``width`` of a line, and ``notes``."""
        return {
            "format": "fixed",
            "encoding": self._encoding.name,
            "header": self._header or False,
            "width": self._width if self._width is not None else f"{self._places[-1].begin} and the rest",
            "sure": {"encoding": self._encoding.sure},
            "warnings": self._encoding.warnings,
            "notes": self._notes,
        }

    def batches(self) -> Iterator[Batch]:
        """See `Scan`. Too short and too long lines, and bytes that are no text, are faults."""
        batches = Batches(self.schema)
        self._at, self._size = 0, max(1, self._text.path().stat().st_size)
        try:
            before = 0
            for lines in self._lines():
                yield from batches.add(self._decode(lines), lines.end - before)
                self._at = before = lines.end
        except OSError as e:
            raise SourceError(
                f"{self._given.name} cannot be read on: {e.strerror or e}", hint="Was it moved or changed meanwhile?"
            ) from e
        yield from batches.rest()
        self._at = self._size

    def _lines(self) -> Iterator[_Lines]:
        """All records; blank lines are none."""
        if not self._newline:
            yield from self._unlined()
            return
        path, dialect = self._text.path(), Dialect(newline=self._newline)
        start = self._encoding.bom if self._text.as_is else 0
        done = 0
        for block in blocks(path, start, dialect, self._given.options.max_record):
            texts = [block.text] if block.overlong else block.text.split(self._newline)
            if not block.overlong and not texts[-1]:
                texts.pop()
            if self._newline == "\n" and "\r" in block.text:
                texts = [t.removesuffix("\r") for t in texts]
            numbers: Sequence[int] = range(done + 1, done + 1 + len(texts))
            done += len(texts)
            if numbers and (numbers[0] <= self._skip or not all(map(str.strip, texts))):
                kept = [
                    i for i, n in enumerate(numbers) if n > self._skip and (block.overlong or texts[i].strip(_ENDS))
                ]
                numbers, texts = [numbers[i] for i in kept], [texts[i] for i in kept]
            for i in range(0, len(texts), _AT_ONCE):
                some = slice(i, i + _AT_ONCE)
                yield _Lines(numbers[some], texts[some], block.clean, block.overlong, block.end)

    def _unlined(self) -> Iterator[_Lines]:
        """Records of a file without line ends, as some large computers write them."""
        width, done = self._width or 1, 0
        errors = "surrogateescape" if self._text.as_is else "surrogatepass"
        with self._text.path().open("rb") as binary:
            binary.seek(self._encoding.bom if self._text.as_is else 0)
            file = io.TextIOWrapper(binary, "utf-8", errors, newline="")
            while text := file.read(width * _AT_ONCE):
                if len(text) < width * _AT_ONCE:
                    whole = len(text) - len(text) % width
                    text = text[:whole] + text[whole:].rstrip(_ENDS)
                texts = [text[i : i + width] for i in range(0, len(text), width)]
                yield _Lines(range(done + 1, done + 1 + len(texts)), texts, False, 0, binary.tell())
                done += len(texts)

    def _decode(self, lines: _Lines) -> Decoded:
        texts = lines.texts
        faults: dict[int, tuple[Problem, dict[str, str | None]]] = {}
        if lines.overlong:
            reason = f"the record has {lines.overlong:,} bytes, more than {self._given.options.max_record:,}"
            faults[0] = Problem("RD08", reason), {self._names[0]: shown(texts[0]) + "…"}
        else:
            width = self._width
            odd = [i for i, t in enumerate(texts) if not lines.clean or (width is not None and len(t) != width)]
            for i in odd:
                if problem := self._problem(texts[i]):
                    faults[i] = problem, self._raw(texts[i])
        kept, columns = self._columns(texts, faults)
        if found := with_nul(columns):
            faults |= {kept[n]: nul_fault(self._raw(texts[kept[n]])) for n in found}
            kept, columns = self._columns(texts, faults)
        return Decoded(len(texts), columns, kept, [(n, *faults[n]) for n in sorted(faults)])

    def _problem(self, text: str) -> Problem | None:
        if SURROGATE.search(text):
            bad = ", ".join(sorted({shown(c) for c in SURROGATE.findall(text)})[:4])
            return Problem("RD04", f"bytes that are not text in this encoding: {bad}")
        if self._width is None or len(text) == self._width:
            return None
        if len(text) < self._width:
            return Problem("RD01", f"the line has {len(text)} characters, {self._width} are expected")
        if text[self._width :].strip(" "):
            return Problem("RD02", f"the line has {len(text)} characters, {self._width} are expected")
        return None

    def _columns(self, texts: list[str], leave: Mapping[int, object]) -> tuple[range | list[int], list[pa.Array]]:
        """The columns of the lines but some, and which lines those are."""
        kept = [i for i in range(len(texts)) if i not in leave] if leave else range(len(texts))
        lines = pa.array([texts[i] for i in kept] if leave else texts, _TEXT)
        nothing = pa.scalar(None, _TEXT)
        columns = []
        for place in self._places:
            cells = pc.utf8_trim(pc.utf8_slice_codeunits(lines, place.begin, place.end), " ")
            columns.append(without(pc.if_else(pc.equal(cells, ""), nothing, cells), self._given.options.nulls))
        return kept, columns

    def _raw(self, text: str) -> dict[str, str | None]:
        raw: dict[str, str | None] = {
            name: None if cell is None else shown(cell)
            for name, cell in zip(self._names, _cut(text, self._places), strict=True)
        }
        if self._width is not None and (more := text[self._width :].strip(" ")):
            raw[f"column_{len(self._names) + 1}"] = shown(more)
        return raw

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`. Where there are no line ends, the row is the record's number."""
        found: list[Origin] = []
        first = 0
        for lines in self._lines() if ordinals else ():
            while len(found) < len(ordinals) and (at := ordinals[len(found)] - first) < len(lines.numbers):
                number = lines.numbers[at]
                found.append(Origin(self._given.name, row=number, line=number if self._newline else None))
            first += len(lines.numbers)
            if len(found) == len(ordinals):
                break
        return found

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._at / self._size) if self._size else 0.0

    def close(self) -> None:
        """See `Scan`."""
        self._text.close()


def _places(options: SourceSpec) -> list[_Place]:
    places, at = [], 0
    for width in (options.widths or {}).values():
        end = None if width == "rest" else at + width
        places.append(_Place(at, end))
        at = end or at
    ruler = options.ruler or ""
    runs = re.finditer("-+|=+", ruler)
    return places + [_Place(r.start(), None if ruler[r.end() :] == ">" else r.end()) for r in runs]


def _cut(text: str, places: Sequence[_Place]) -> list[str | None]:
    return [text[p.begin : p.end].strip(" ") or None for p in places]
