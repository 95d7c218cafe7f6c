"""Values that a format cannot hold: each is a reject of its record, never another value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.outcome import Outcome
from headgate.model.write import NUMBER, Refusal, WriteField

from .naming import MOST_NAME, Naming, escaped
from .options import FileOptions
from .values import texts

_CODE: Final = "DE05"
_CELL: Final = 32_767
_TEXTS: Final = ("text", "uuid", "json", "other")
_NOT_XML: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
Found = Iterator[tuple[int, str]]


class Checks:
    """What the files of one table cannot hold.

    Args:
        fields: that are written.
        naming: the files.
        options: of the connection.
    """

    def __init__(self, fields: Sequence[WriteField], naming: Naming, options: FileOptions) -> None:
        self._fields = fields
        self._naming = naming
        utf = options.encoding.lower().replace("_", "-").startswith("utf")
        self._encoding = options.encoding if naming.format == "csv" and not utf else None

    def refusals(self, batch: pa.RecordBatch) -> dict[int, Refusal]:
        """Records that cannot be written, by their row in the batch."""
        found: dict[int, Refusal] = {}
        for field in self._fields:
            column = batch.column(field.name)
            for row, reason in self._of_column(field, column):
                number = batch.column(NUMBER)[row].as_py()
                found.setdefault(row, Refusal(number, Outcome.REJECTED, _CODE, reason, field.name))
        return found

    def _of_column(self, field: WriteField, column: pa.Array) -> Found:
        if field.type.kind == "double" and self._naming.format != "parquet":
            odd = pc.invert(pc.is_finite(column))
            yield from _where(odd, f"{self._naming.format} has no NaN and no infinite numbers")
        if field.type.kind in _TEXTS:
            yield from self._of_texts(column)
        if field.name in self._naming.by:
            for row, value in enumerate(texts(column).to_pylist()):
                if len(escaped(value).encode()) > MOST_NAME:
                    yield row, "the value is too long for the name of a file"

    def _of_texts(self, column: pa.Array) -> Found:
        match self._naming.format:
            case "parquet":
                return
            case "xml":
                yield from _where(
                    pc.match_substring_regex(column, _NOT_XML), "it has a control character, which XML does not"
                )
            case "xlsx":
                yield from _too_long(column)
        yield from _where(pc.match_substring(column, "\0"), "it has a NUL character")
        if self._encoding is not None:
            yield from _not_encoded(column, self._encoding)


def _where(mask: pa.Array, reason: str) -> Found:
    if pc.any(mask).as_py():
        for row, wrong in enumerate(mask.to_pylist()):
            if wrong:
                yield row, reason


def _too_long(column: pa.Array) -> Found:
    """Excel counts in UTF-16, in which no character takes more than two."""
    if pc.any(pc.greater(pc.utf8_length(column), _CELL // 2)).as_py():
        for row, value in enumerate(column.to_pylist()):
            if value is not None and len(value.encode("utf-16-le")) // 2 > _CELL:
                yield row, f"a cell holds {_CELL:,} characters"


def _not_encoded(column: pa.Array, encoding: str) -> Found:
    values = column.to_pylist()
    try:
        "\n".join(v for v in values if v is not None).encode(encoding)
    except UnicodeEncodeError:
        for row, value in enumerate(values):
            try:
                (value or "").encode(encoding)
            except UnicodeEncodeError as e:
                sign = e.object[e.start]
                yield row, f"{encoding} has no {sign!r} (U+{ord(sign):04X})"
