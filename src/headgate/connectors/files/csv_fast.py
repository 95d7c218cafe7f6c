"""Delimited text into batches at full speed, by DuckDB's parser, with every byte accounted for.

The parser is quick and nearly always right, but it is lenient in silence: a quote that is never closed ends the file, a
delimiter too many at the end of a line is dropped, so are blanks around quotes. Therefore each batch is weighed before
it is given on: its values, delimiters, quotes and line ends must make up exactly the bytes of the file it came from. A
batch that does not balance, or has a row of nothing but delimiters, is not given on, and somebody slower reads from
there.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import accumulate, islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.instances import Instances
from headgate.spi.source import BATCH_ROWS

from .dialect import Dialect

# Longer records are left to the tolerant reading; the parser's memory is a multiple of this.
_LONGEST = 2 << 20
_BUFFER = 8 << 20
# Files change between two readings.
_instances = Instances({"threads": 1, "memory_limit": "300MB", "enable_external_file_cache": False})


def soon() -> None:
    """Say that a file is about to be read."""
    _instances.soon()


class FastReader:
    """Reads the records of a UTF-8 file from some line on, as far as it can vouch for them.

    Attributes:
        at: the byte behind the last record that was given on.
        count: records given on.
        done: the file is read to its end.
    """

    def __init__(self, path: Path, dialect: Dialect, schema: pa.Schema, nulls: Sequence[str], longest: int) -> None:
        self._path, self._dialect, self._schema = path, dialect, schema
        self._nulls, self._longest = list(nulls), min(longest, _LONGEST)
        self.at = self.count = 0
        self.done = False
        # Of records that go over several lines: their number, and how many lines more than one they and those before have.
        self._long, self._more = array("q"), array("q")
        # Where each batch begins: its first record's number and byte.
        self._firsts, self._bytes = array("q"), array("q")

    def texts(self, records: Sequence[int]) -> Iterator[str]:
        """The text of records given on, without their line ends; their numbers increase. Only their batches are read again.

        Raises:
            OSError: the file cannot be read.
        """
        with self._path.open("rb") as file:
            batch, lines, first = -1, [], 0
            for record in records:
                if (found := bisect_right(self._firsts, record) - 1) != batch:
                    batch, first = found, self.line(self._firsts[found])
                    end = self._bytes[found + 1] if found + 1 < len(self._bytes) else self.at
                    file.seek(self._bytes[found])
                    lines = file.read(end - self._bytes[found]).split(b"\n")
                begin, behind = self.line(record) - first, self.line(record + 1) - first
                yield b"\n".join(lines[begin:behind]).removesuffix(b"\r").decode()

    def line(self, record: int) -> int:
        """The line on which a record given on begins, counted from 0 at the first one's; that behind the last, too."""
        before = bisect_left(self._long, record)
        return record + (self._more[before - 1] if before else 0)

    @staticmethod
    def takes(path: Path, dialect: Dialect, width: int) -> bool:
        """Whether the dialect, the file's name and the number of columns are within what the parser does well."""
        return (
            width > 1
            and not dialect.runs
            and dialect.newline == "\n"
            and not dialect.escape
            and len(dialect.delimiter.encode()) <= 4
            and (not dialect.quote or dialect.quote.isascii())
            and not set("*?[") & set(str(path.resolve()))
        )

    def batches(self, start: int, skip: int, line_end: bytes, stop: int | None = None) -> Iterator[pa.RecordBatch]:
        """Batches until something does not fit; then `at` tells how far it went.

        Args:
            start: byte at which the first record begins.
            skip: rows before it, blank ones included. The parser counts those, and takes a line break in quotes for none;
                where it does not understand them it begins elsewhere, which the first record shows.
            line_end: what ends each line.
            stop: byte at which the records end, where that is not the end of the file.
        """
        import duckdb

        self.at, self.count, self.done = start, 0, False
        del self._long[:], self._more[:], self._firsts[:], self._bytes[:]
        own = _instances.borrow()
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                for batch in own.con.sql(self._query(skip)).to_arrow_reader(BATCH_ROWS):
                    given = pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)
                    end = self._weigh(file, given, line_end, size)
                    if end is None or (stop is not None and end > stop) or _has_blank(given):
                        return
                    self._firsts.append(self.count)
                    self._bytes.append(self.at)
                    self.at = end
                    self._note_lines(given)
                    self.count += given.num_rows
                    yield self._without_nulls(given)
                file.seek(self.at)
                # Blank lines may be left; anything else was lost in silence, and is read again.
                left = (size if stop is None else stop) - self.at
                blank = left <= _BUFFER and not file.read(max(0, left)).replace(b"\r\n", b"").strip(b"\n")
                self.done = left <= 0 or blank
        except (duckdb.Error, pa.ArrowException, OSError):
            # The text is not as the dialect says, or a record is too long: the tolerant reading tells which.
            return
        finally:
            own.close()

    def _query(self, skip: int) -> str:
        def text(value: str) -> str:
            return "'" + value.replace("'", "''") + "'"

        columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(self._schema)))
        quote = text(self._dialect.quote)
        return (
            f"SELECT * FROM read_csv({text(str(self._path.resolve()))}, columns={{{columns}}}, auto_detect=false, "
            f"header=false, skip={skip}, delim={text(self._dialect.delimiter)}, quote={quote}, escape={quote}, "
            "strict_mode=true, nullstr='', allow_quoted_nulls=false, comment='', compression='none', "
            f"hive_partitioning=false, max_line_size={self._longest}, buffer_size={_BUFFER})"
        )

    def _weigh(self, file: BinaryIO, batch: pa.RecordBatch, line_end: bytes, size: int) -> int | None:
        """The byte behind the batch's last record; None if the batch is not exactly the file's bytes up to there."""
        if not self._begins(file, batch):
            return None
        quote, ends = self._dialect.quote.encode(), len(line_end)
        length = batch.num_rows * (ends + len(self._dialect.delimiter.encode()) * (batch.num_columns - 1))
        values = [_data(column) for column in batch.columns]
        length += sum(map(len, values))
        # A line end of another length than the others, or a blank line, which the parser passes over, might make up for
        # something that is lost elsewhere.
        returns = -sum(_count(v, b"\r") for v in values)
        lines = -sum(_count(v, b"\n") for v in values)
        quotes = 0
        if quote:
            length -= sum(_count(v, quote) for v in values)
        end, todo = self.at, length
        while todo > 0:
            file.seek(end)
            piece = file.read(todo)
            end += todo
            todo = _count(piece, quote) if quote else 0
            quotes += todo
            returns += _count(piece, b"\r")
            lines += _count(piece, b"\n")
        if quotes % 2 or (self._nulls and quote and self._quoted_null(file, end)):
            return None
        # The last record may do without its line end.
        rows = batch.num_rows - (end == size + ends)
        if lines != rows or returns != rows * (ends - 1) or end > size + (batch.num_rows - rows) * ends:
            return None
        if end > size:
            return end
        file.seek(end - ends)
        return end if file.read(ends) == line_end else None

    def _begins(self, file: BinaryIO, batch: pa.RecordBatch) -> bool:
        """Whether the batch's first record is what stands there: records of one length weigh the same."""
        quote, delimiter = self._dialect.quote.encode(), self._dialect.delimiter.encode()
        values = [(c[0].as_py() or "").encode() for c in batch.columns] if batch.num_rows else []
        file.seek(self.at)
        piece = file.read(sum(2 * len(v) + 2 + len(delimiter) for v in values))
        at = 0
        for i, value in enumerate(values):
            text = delimiter * (i > 0)
            quoted = quote and piece.startswith(text + quote, at)
            text += quote + value.replace(quote, quote * 2) + quote if quoted else value
            if not piece.startswith(text, at):
                return False
            at += len(text)
        return True

    def _note_lines(self, batch: pa.RecordBatch) -> None:
        """Remember which records go over several lines, so that the lines of all of them are known."""
        broken = [c for c in batch.columns if b"\n" in _data(c)]
        if not broken:
            return
        counts = [pc.fill_null(pc.count_substring(c, "\n"), 0) for c in broken]
        lines = reduce(pc.add, counts)
        places = pc.indices_nonzero(lines)
        total = self._more[-1] if self._more else 0
        self._long.extend(self.count + place for place in places.to_pylist())
        self._more.extend(islice(accumulate(lines.take(places).to_pylist(), initial=total), 1, None))

    def _quoted_null(self, file: BinaryIO, end: int) -> bool:
        """Whether a word that means no value stands in quotes somewhere, and so may be a value."""
        quote = self._dialect.quote
        file.seek(self.at)
        piece = file.read(end - self.at)
        return any(f"{quote}{word}{quote}".encode() in piece for word in self._nulls)

    def _without_nulls(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._nulls:
            return batch
        words, nothing = pa.array(self._nulls, pa.string()), pa.scalar(None, pa.string())
        columns = [pc.if_else(pc.is_in(c, value_set=words), nothing, c) for c in batch.columns]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def _has_blank(batch: pa.RecordBatch) -> bool:
    """Whether a row has no value at all: such are no records."""
    if any(column.null_count == 0 for column in batch.columns):
        return False
    return bool(pc.any(reduce(pc.and_, map(pc.is_null, batch.columns))).as_py())


def _count(data: bytes, sign: bytes) -> int:
    """How often a sign stands in data. Most columns have none, and looking for one is ten times as quick as counting."""
    return data.count(sign) if sign in data else 0


def _data(column: pa.Array) -> bytes:
    """The bytes of all values of a text column, one behind the other."""
    _, offsets, data = column.buffers()
    if data is None:
        return b""
    places = memoryview(offsets).cast("i")
    return bytes(memoryview(data)[places[column.offset] : places[column.offset + len(column)]])
