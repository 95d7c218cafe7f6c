"""CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.errors import DestinationError
from headgate.model.write import WriteField
from headgate.report.cells import neutralise

from .lines import Text, changed, joined, pieces, without_values
from .naming import Naming
from .options import FileOptions
from .sink import Sink, unpacked
from .values import texts

_MAY_BE_FORMULA = r"^['\s]*[=+\-@＝＋－＠\t\r\n]"


class CsvFile:
    """A file of CSV. A value that is missing and one that is empty are told apart: the empty one is quoted."""

    def __init__(
        self, path: Path, fields: Sequence[WriteField], naming: Naming, options: FileOptions, after: Path | None
    ) -> None:
        self._fields = fields
        self._options = options
        self._delimiter = naming.delimiter
        self._end = "\r\n" if options.line_end == "crlf" else "\n"
        header = self._header() if options.header else ""
        lead = header if after is None else self._join(after, naming, header)
        self._sink = Sink(path, naming.compression, after)
        encoding = "utf-8-sig" if options.bom and options.encoding.lower() in ("utf-8", "utf8") else options.encoding
        self._text = Text(self._sink, encoding, begun=after is not None)
        self._text.write(lead)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add records."""
        for piece in pieces(batch):
            columns = [self._cells(piece.column(f.name), f) for f in self._fields]
            empty = without_values(piece.select([f.name for f in self._fields]))
            if empty is not None and not self._options.null:  # a line with nothing in it is no record to many readers
                columns[0] = pc.if_else(empty, self._options.quote * 2, columns[0])
            lines = joined([joined(columns, self._delimiter), pa.scalar(self._end)])
            self._text.write_column(lines)

    def close(self, *, whole: bool = True) -> None:  # noqa: ARG002
        """End the file."""
        self._sink.close()

    def _cells(self, column: pa.Array, field: WriteField) -> pa.Array:
        options, quote = self._options, self._options.quote
        values = texts(column)
        if options.neutralize and field.type.kind in ("text", "json", "other"):
            values = changed(values, _MAY_BE_FORMULA, neutralise)
        quoted = joined([quote, pc.replace_substring(pc.fill_null(values, ""), quote, quote * 2), quote])
        if options.quoting == "all":
            written = quoted
        else:
            written = pc.if_else(pc.fill_null(self._needs_quotes(values), fill_value=False), quoted, values)
        return pc.if_else(pc.is_null(values), options.null, written)

    def _needs_quotes(self, values: pa.Array) -> pa.Array:
        signs = "".join(re.escape(c) for c in {*self._delimiter, self._options.quote, "\r", "\n"})
        needs = pc.match_substring_regex(values, rf"[{signs}]|^\s|\s$|^\x{{feff}}")
        return pc.or_(needs, pc.is_in(values, pa.array(["", self._options.null])))

    def _header(self) -> str:
        quote, always = self._options.quote, self._options.quoting == "all"
        names = pa.array([f.name for f in self._fields], pa.string())
        needs = self._needs_quotes(names).to_pylist()
        cells = [
            quote + n.replace(quote, quote * 2) + quote if always or q else n
            for n, q in zip(names.to_pylist(), needs, strict=True)
        ]
        return self._delimiter.join(cells) + self._end

    def _join(self, after: Path, naming: Naming, header: str) -> str:
        """What has to come between a file and what is added to it.

        Raises:
            DestinationError: it has other columns.
        """
        last, head = b"", b""
        with unpacked(after, naming.compression) as file:
            while data := file.read(1 << 20):
                head, last = (head or data), data
        if not head:
            return header
        line, wanted = self._first_line(head), header.rstrip("\r\n")
        if line != wanted and wanted:
            raise DestinationError(
                f"{naming.pattern}: records cannot be added to the file, whose header is {line!r}",
                hint="Give the import the same fields in the same order, or say existing: replace.",
            )
        return "" if last.decode(self._options.encoding, "replace").endswith("\n") else self._end

    def _first_line(self, head: bytes) -> str:
        text = head.decode(self._options.encoding, "replace").removeprefix("\ufeff")
        return text.partition("\n")[0].removesuffix("\r")


def check_header(fields: Sequence[WriteField], options: FileOptions) -> None:
    """Refuse names that the character set does not have.

    Raises:
        DestinationError: with the name.
    """
    for field in fields:
        try:
            field.name.encode(options.encoding)
        except UnicodeEncodeError:
            raise DestinationError(
                f"the field {field.name!r} cannot be written in {options.encoding}",
                hint="Name it otherwise, or say encoding: utf-8.",
            ) from None
