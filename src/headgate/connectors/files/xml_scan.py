"""XML documents as scans, in memory for a record at a time. Every column is text, as written."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin, Problem
from headgate.spi.source import Scan

from . import encoding as enc
from .base import Input
from .gather import Batches, Decoded, without
from .utf8_copy import Utf8Copy
from .xml_flat import find_lists, flat
from .xml_records import Element, Found, Path, find, records

_SAMPLE: Final = 4 << 20
_TEXT: Final = pa.string()
_DECLARED: Final = re.compile(r"""<\?xml\s[^>]*?\bencoding\s*=\s*["']([\w.:-]+)["']""")
# These need no copy: the parser knows them.
_KNOWN: Final = ("utf-8", "ascii")


def open_xml(given: Input, sheet: str | None = None) -> Scan:
    """Open an XML document.

    Raises:
        SourceError: it is none, declares entities, or it cannot be told which of its elements are the records.
    """
    del sheet
    text = _text(given)
    try:
        return XmlScan(given, *text)
    except BaseException:
        text[1].close()
        raise


def _text(given: Input) -> tuple[str, Utf8Copy]:
    """The encoding of a document, by what the definition, its byte order mark or itself says, and its text."""
    with given.path.open("rb") as file:
        head = file.read(1024)
    marked = enc.find(head, [], given.options.encoding)
    if given.options.encoding is None and not marked.bom and not marked.name.startswith("utf-16"):
        # What it says of itself is more than what is likely.
        said = _DECLARED.search(head.decode("latin-1"))
        try:
            marked = enc.Encoding(codecs.lookup(said[1]).name if said else "utf-8")
        except LookupError:
            raise SourceError(
                f"{given.name} says that it is in {said[1] if said else ''!r}, which is no encoding",
                hint="Set source.encoding to the one it is in.",
            ) from None
    if marked.name in _KNOWN:
        marked = enc.Encoding("utf-8", marked.bom)
    return marked.name, Utf8Copy(given, marked, same_ends=False)


class XmlScan:
    """A scan of one XML document (`headgate.spi.source.Scan`)."""

    def __init__(self, given: Input, encoding: str, text: Utf8Copy) -> None:
        self._given, self._encoding, self._text = given, encoding, text
        self._size = max(1, text.path().stat().st_size)
        self._done = 0
        path = given.options.records
        if path is None:
            with text.path().open("rb") as file:
                path = find(given.name, file, utf8=True, longest=given.options.max_record)
        self._records, self._path = path, Path(path)
        # What is taken apart is a list, also where none of the records that are looked at has several entries.
        self._lists: set[str] = {given.options.explode.partition(".")[0]} if given.options.explode else set()
        seen = self._sample()
        self._names = given.options.columns or list(seen)
        if not self._names:
            raise SourceError(
                f"{given.name} has no element {path.strip('/')}", hint="Check the file and source.records."
            )
        self._known = frozenset(self._names)

    def _sample(self) -> dict[str, None]:
        """The columns of the first records, in the order of first appearance; `_lists` is filled too."""
        elements: list[Element] = []
        size = 0
        for found, done in self._found():
            elements += [f.element for f in found if f.element is not None]
            size += sum(f.size for f in found)
            if size >= _SAMPLE or (elements and done >= 4 * _SAMPLE):
                break
        for element in elements:
            find_lists(element, self._lists)
        return {name: None for element in elements for name in flat(element, self._lists)}

    def _found(self, *, lines: bool = False) -> Iterator[tuple[list[Found], int]]:
        with self._text.path().open("rb") as file:
            yield from records(
                self._given.name, file, self._path, utf8=True, longest=self._given.options.max_record, lines=lines
            )

    @property
    def schema(self) -> pa.Schema:
        """Attributes (``@id``) and elements (``address/city``) of the first records, all text."""
        return pa.schema([(name, _TEXT) for name in self._names])

    @property
    def findings(self) -> Mapping[str, object]:
        """``format``, ``encoding``, ``records`` (their path), and ``notes``."""
        found: dict[str, object] = {"format": "xml", "encoding": self._encoding, "records": self._records}
        if lists := [n for n in self._names if n in self._lists]:
            found["notes"] = [f"elements that are repeated become JSON text: {', '.join(lists)}"]
        return found

    def batches(self) -> Iterator[Batch]:
        """See `Scan`. A record with an element or attribute that none of the first records has is a fault [RD02]."""
        self._done = 0
        batches = Batches(self.schema)
        try:
            for found, done in self._found():
                yield from batches.add(self._decode(found), sum(f.size for f in found))
                self._done = done
        except SourceError:
            yield from batches.rest()
            raise
        yield from batches.rest()
        self._done = self._size

    def _decode(self, found: list[Found]) -> Decoded:
        rows: list[dict[str, str | None]] = []
        kept: list[int] = []
        faults: list[tuple[int, Problem, dict[str, str | None]]] = []
        open_ended = self._given.options.columns is not None
        for place, record in enumerate(found):
            if record.element is None:
                reason = f"the record is longer than source.max_record, {self._given.options.max_record:,} bytes"
                faults.append((place, Problem("RD08", reason), {}))
                continue
            row = flat(record.element, self._lists)
            if not open_ended and not row.keys() <= self._known and (problem := self._unknown(row)):
                faults.append((place, problem, row))
                continue
            rows.append(row)
            kept.append(place)
        nulls = self._given.options.nulls
        columns = [without(pa.array([r.get(n) for r in rows], _TEXT), nulls) for n in self._names]
        return Decoded(len(found), columns, kept if faults else range(len(found)), faults)

    def _unknown(self, row: dict[str, Any]) -> Problem | None:
        name = next((n for n, v in row.items() if v is not None and n not in self._known), None)
        if name is None:
            return None
        reason = f"the record has {name!r}, which is not among the elements of the first records"
        return Problem("RD02", reason, column=name, value=row[name])

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`. The row is the number of the record, and the line is where it begins."""
        origins: list[Origin] = []
        first = 0
        for found, _ in self._found(lines=True) if ordinals else ():
            while len(origins) < len(ordinals) and (at := ordinals[len(origins)] - first) < len(found):
                origins.append(Origin(self._given.name, row=first + at + 1, line=found[at].line))
            first += len(found)
            if len(origins) == len(ordinals):
                break
        return origins

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._done / self._size)

    def close(self) -> None:
        """See `Scan`."""
        self._text.close()
