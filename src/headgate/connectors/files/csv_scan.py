"""CSV and its relatives: one file, opened."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin

from . import csv_fast, detect
from .base import Input
from .blanks import splitter
from .csv_fast import FastReader
from .csv_tolerant import TolerantReader
from .lines import Splitter, places, stretches
from .utf8_copy import Utf8Copy


def open_csv(given: Input, sheet: str | None = None) -> CsvScan:  # noqa: ARG001 - formats share one signature
    """Open delimited text; `sheet` has no meaning for it.

    Raises:
        SourceError: nothing is in it, or an option names what is not there.
    """
    csv_fast.soon()  # while the file is looked at
    return CsvScan(given, detect.look(given))


class CsvScan:
    """A delimited text file (`headgate.spi.source.Scan`). Every column is text, exactly as written."""

    def __init__(self, given: Input, found: detect.Found) -> None:
        self._given, self._found = given, found
        self._schema = pa.schema([pa.field(name, pa.string()) for name in found.columns])
        self._text = Utf8Copy(given, found.encoding, same_ends=found.same_ends)
        self._fast: FastReader | None = None
        self._at = self._size = 0

    @property
    def schema(self) -> pa.Schema:
        """The columns, all text."""
        return self._schema

    @property
    def findings(self) -> Mapping[str, object]:
        """What was found: format, encoding, delimiter, quote, escape, header (row, or False), header_rows,
        skip, columns, line_end; ``sure`` has a number from 0 to 1 for each decision, ``left_out`` what is no part of the
        table, ``notes`` sentences."""
        return self._found.findings

    def batches(self) -> Iterator[Batch]:
        """All records. Bad ones are faults of their batch: too few or many values, a quote not closed, bytes that are
        no text, too long."""
        try:
            yield from self._batches()
        except OSError as e:
            raise self._gone(e) from e

    def _batches(self) -> Iterator[Batch]:
        path = self._text.path()
        found, options = self._found, self._given.options
        stop = self._stop(path)
        self._at, self._size, ordinal = 0, max(1, path.stat().st_size if stop is None else stop), 0
        start = found.start
        if FastReader.takes(path, found.dialect, len(self._schema)):
            fast = self._fast = FastReader(path, found.dialect, self._schema, options.nulls, options.max_record)
            for records in fast.batches(start, found.start_row, found.line_end, stop):
                self._at = fast.at
                yield Batch(records, range(ordinal, ordinal + records.num_rows))
                ordinal += records.num_rows
            if fast.done:
                self._at = self._size
                return
            start = fast.at
        slow = TolerantReader(path, found.dialect, self._schema, self._splitter())
        for batch in slow.batches(start, ordinal, stop):
            self._at = slow.at
            yield batch
        self._at = self._size

    def _splitter(self) -> Splitter:
        options = self._given.options
        keep, fill = options.stray_quotes == "keep", options.ragged == "fill"
        return splitter(self._found.dialect, len(self._schema), options.nulls, options.max_record, keep=keep, fill=fill)

    def _stop(self, path: Path) -> int | None:
        """The byte at which the table ends, where that is not the end of the file."""
        found = self._found
        return path.stat().st_size - found.tail if found.tail else found.stop

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """Row and line of records. What was read at full speed costs nothing; else it is one pass up to the last of them."""
        try:
            return self._located(ordinals) if ordinals else []
        except OSError as e:
            raise self._gone(e) from e

    def _gone(self, e: OSError) -> SourceError:
        return SourceError(
            f"{self._given.name} cannot be read on: {e.strerror or e}", hint="Was it moved or changed meanwhile?"
        )

    def reread(self, ordinals: Sequence[int]) -> list[dict[str, str | None]] | None:
        """Records as they stand in the file, without reading all of it; None where that needs more than was noted."""
        fast, names = self._fast, self._schema.names
        if fast is None or (ordinals and ordinals[-1] >= fast.count):
            return None
        reader = self._splitter()
        try:
            return [dict(zip(names, reader.record(text), strict=True)) for text in fast.texts(ordinals)]
        except OSError as e:
            raise self._gone(e) from e

    def _located(self, ordinals: Sequence[int]) -> list[Origin]:
        """Those read at full speed by what was noted then, the others by going through the text from there on."""
        found, fast = self._found, self._fast
        start, record, line, row = found.start, 0, found.start_line, found.start_row
        origins: list[Origin] = []
        if fast is not None and fast.count:
            known = ordinals[: bisect_left(ordinals, fast.count)]
            origins = [self._origin(line + fast.line(n), row + n) for n in known]
            start, record, line, row = fast.at, fast.count, line + fast.line(fast.count), row + fast.count
        todo = len(origins)
        if todo == len(ordinals):
            return origins
        path = self._text.path()
        stop = self._stop(path)
        for stretch, _ in stretches(path, start, found.dialect, self._splitter(), values=False, stop=stop):
            here = []
            while todo < len(ordinals) and ordinals[todo] < record + stretch.count:
                here.append(ordinals[todo] - record)
                todo += 1
            origins += [self._origin(line + at_line, row + at_row) for at_line, at_row in places(stretch, here)]
            if todo == len(ordinals):
                break
            record, line, row = record + stretch.count, line + stretch.lines, row + stretch.count + stretch.blanks
        return origins

    def _origin(self, line: int, row: int) -> Origin:
        """A place from a line and a row counted from 0. Where records do not end with lines there are none to tell."""
        counted = self._found.dialect.newline in ("\n", "\r")
        return Origin(self._given.name, row=row + 1, line=line + 1 if counted else None)

    def progress(self) -> float:
        """Share of the bytes read."""
        return min(1.0, self._at / self._size) if self._size else 0.0

    def close(self) -> None:
        """Remove the temporary copy, if one was made."""
        self._text.close()
