"""JSON Lines and JSON documents as scans. Every column is text, as written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin
from headgate.spi.source import Scan

from .base import Input
from .gather import Batches
from .json_layout import Layout, Lines, find, is_lines
from .json_records import Decoder, Keys, NotJsonError, Piece
from .json_text import Utf8

_BYTE = re.compile(r"\(byte (\d+)\)")


def open_jsonl(given: Input, sheet: str | None = None) -> Scan:
    """Open JSON Lines: an object on every line. A file that is one JSON document is read as that.

    Raises:
        SourceError: the file is empty, or is not JSON.
    """
    del sheet
    return _open(given, lines=True)


def open_json(given: Input, sheet: str | None = None) -> Scan:
    """Open a JSON document: a list of objects, an object that holds one, or a single object. A file with an object on
    every line is read as that.

    Raises:
        SourceError: the file is empty, is not JSON, or holds several lists and `source.records` does not say which.
    """
    del sheet
    return _open(given, lines=False)


def _open(given: Input, *, lines: bool) -> Scan:
    text = Utf8(given)
    try:
        head, whole = text.head()
        if not head.strip():
            raise _empty(given)
        return JsonScan(given, text, *_layout(given, text, is_lines(head, whole, lines), lines))
    except SourceError:
        text.close()
        raise


def _empty(given: Input) -> SourceError:
    return SourceError(f"{given.name} is empty", hint="Check that it was written whole.")


def _layout(given: Input, text: Utf8, is_lines: bool, named: bool) -> tuple[Layout, dict[str, object]]:
    findings: dict[str, object] = {"format": "jsonl" if is_lines else "json", "encoding": text.encoding}
    if is_lines != named:
        findings["notes"] = [
            "said to be JSON, but every line is an object"
            if is_lines
            else "said to be JSON Lines, but it is one document"
        ]
    if is_lines:
        return Lines(text, given.options.max_record), findings
    layout, path = find(text, given.options.max_record, given.options.records)
    if path:
        findings["records"] = path
    return layout, findings


class JsonScan:
    """A scan of JSON objects, however they lie in the file."""

    def __init__(self, given: Input, text: Utf8, layout: Layout, findings: dict[str, object]) -> None:
        self._name = given.name
        self._text = text
        self._layout = layout
        self._findings = findings
        self._options = given.options
        self._lines = isinstance(layout, Lines)
        named = given.options.columns
        self._keys = Keys.sample(layout.pieces())
        if named is not None:
            self._keys = replace(self._keys, names=list(named))
        elif not self._keys.names:
            raise SourceError(
                f"{given.name} has no JSON objects among its first records",
                hint="Check the file, source.format and source.records.",
            )

    @property
    def schema(self) -> pa.Schema:
        """The keys of the first records, all text."""
        return pa.schema([(name, pa.string()) for name in self._keys.names])

    @property
    def findings(self) -> Mapping[str, object]:
        """``format``, ``encoding``, ``records`` (the path within a document), and ``notes``."""
        return self._findings

    def batches(self) -> Iterator[Batch]:
        """See `Scan`. A record with a key that none of the first records has is a fault [RD02]."""
        self._layout.done = 0
        decoder = Decoder(
            self._keys,
            closed=self._options.columns is None,
            nulls=self._options.nulls,
            longest=self._options.max_record,
            lines=self._lines,
        )
        batches = Batches(self.schema)
        try:
            for piece in self._layout.pieces():
                try:
                    decoded = decoder.decode(piece)
                except NotJsonError as e:
                    yield from batches.add(decoder.decode(_before(piece, e.position)), 0)
                    raise self._broken(piece, e) from None
                yield from batches.add(decoded, len(piece.data))
        except SourceError:
            yield from batches.rest()
            raise
        yield from batches.rest()

    def _broken(self, piece: Piece, e: NotJsonError) -> SourceError:
        message = str(e)
        byte = _BYTE.search(message)
        place = self._text.place(piece.offsets[e.position] + (int(byte[1]) if byte else 0))
        reason = _BYTE.sub("", message).removeprefix("JSON is malformed: ").strip()
        return SourceError(
            f"{self._name} is not JSON at {place}: {reason}", hint="Mend the file, or have it written again."
        )

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`. For a document the row is the number of the record, and the line is where it begins."""
        return self._layout.origins(ordinals)

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._layout.done / max(1, self._text.size))

    def close(self) -> None:
        """See `Scan`."""
        self._text.close()


def _before(piece: Piece, position: int) -> Piece:
    """The piece without the item at `position` and those after it."""
    items = piece.split()[:position]
    return Piece(b"\n".join(item for _, item in items), lambda: items, lambda count: count == len(items))
