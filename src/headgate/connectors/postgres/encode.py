"""Batches as the bytes of a binary COPY.

Binary COPY does not convert: bytes of another type than the column's are misread without a word, so every column is brought
to exactly the Arrow type whose encoding the column's type has.
"""

from __future__ import annotations

from dataclasses import dataclass

import pgpq
import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.errors import DestinationError
from headgate.model.types import INTEGERS, FieldType
from headgate.sql import Why

_UUID = pa.binary(16)


@dataclass(frozen=True, slots=True)
class Sent:
    """A column to be sent.

    Attributes:
        source: its name in the batches.
        arrow: the Arrow type whose encoding is the column's.
    """

    source: str
    arrow: pa.DataType


def encoding(of: FieldType) -> pa.DataType:
    """The Arrow type whose encoding the staged type of a field has."""
    return _UUID if of.kind == "uuid" else of.arrow


def nul(source: str, values: pa.Array, of: FieldType) -> tuple[pa.Array, Why] | None:  # noqa: ARG001
    """Which texts have a NUL in them: no type of PostgreSQL holds it, and a COPY fails as a whole for one."""
    if not pa.types.is_string(values.type):
        return None
    data = values.buffers()[2]
    if data is None or data.to_pybytes().find(0) < 0:  # a hundredth of the time that looking at every value takes
        return None
    mask = pc.match_substring(values, "\0").fill_null(False)
    return mask, lambda _: "PostgreSQL has no NUL in a text"


def direct(field: FieldType, column: FieldType) -> pa.DataType | None:
    """The Arrow type in which a field's values can be copied straight into a column; None when they need a cast there."""
    if (
        column.kind in ("json", "other")
        or column.native == "real"
        or ("(" in column.native and column.kind in ("time", "timestamp", "timestamptz"))
    ):
        return None
    if field.kind == column.kind:
        return encoding(field)
    if column.kind == "text":
        return pa.string() if field.kind in ("json", "other") else None
    if field.kind in INTEGERS and (column.kind in INTEGERS or column.kind == "double"):
        return column.arrow
    return pa.decimal128(19, 0) if field.kind in INTEGERS and column.kind == "decimal" else None


class Encoder:
    """Encodes batches for one COPY.

    Args:
        columns: what is sent, in the order of the COPY's columns.
    """

    def __init__(self, columns: list[Sent]) -> None:
        self._columns = columns
        self._schema = pa.schema([(f"c{i}", c.arrow) for i, c in enumerate(columns)])
        self._encoder = pgpq.ArrowToPostgresBinaryEncoder(self._schema)

    def header(self) -> bytes:
        """What a COPY begins with."""
        return bytes(self._encoder.write_header())

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """The records of a batch.

        Raises:
            DestinationError: a value does not fit the type that was announced; a fault of whoever made the batch.
        """
        try:
            arrays = [_exact(batch.column(c.source), c.arrow) for c in self._columns]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as e:
            raise DestinationError(f"records are not of the types announced for {_names(self._columns)}: {e}") from e
        return bytes(self._encoder.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema)))

    def trailer(self) -> bytes:
        """What a COPY ends with."""
        return bytes(self._encoder.finish())


def _names(columns: list[Sent]) -> str:
    return ", ".join(c.source for c in columns)


def _exact(array: pa.Array, to: pa.DataType) -> pa.Array:
    if to == _UUID and not pa.types.is_fixed_size_binary(array.type):
        return _uuids(array)
    return array if array.type == to else array.cast(to)


def _uuids(array: pa.Array) -> pa.Array:
    """Sixteen bytes a value, from the canonical text."""
    digits = pc.replace_substring(pc.fill_null(array.cast(pa.string()), "0" * 32), "-", "")
    text = b"".join(digits.cast(pa.binary()).to_pylist()).decode()
    if len(text) != 32 * len(array):
        raise ValueError("a uuid is not 32 hexadecimal digits")
    raw = pa.py_buffer(bytes.fromhex(text))
    valid = pc.is_valid(array)
    plain = pa.Array.from_buffers(_UUID, len(array), [None, raw])
    return pc.if_else(valid, plain, pa.scalar(None, _UUID))
