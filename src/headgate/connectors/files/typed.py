"""What formats whose columns have types share: their own types where a destination knows such, text for the rest."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
from collections.abc import Sequence
from uuid import UUID

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Fault, Origin

from .base import Input
from .gather import nul_fault, with_nul, without

WRITE_AGAIN = "Copy it again, or have it written again."


class TypedColumns:
    """The columns of a file that are read, and how its arrays become theirs.

    Raises:
        SourceError: two columns have one name, or one that `source.columns` names is not there.
    """

    def __init__(self, given: Input, whole: pa.Schema) -> None:
        self._given = given
        names = given.options.columns or whole.names
        if lost := [n for n in names if n not in whole.names]:
            raise SourceError(
                f"{given.name} has no column {lost[0]!r}", hint=f"Its columns are: {', '.join(whole.names)}."
            )
        if len(set(whole.names)) < len(whole.names):
            raise SourceError(
                f"{given.name} has several columns of one name: {', '.join(whole.names)}", hint=WRITE_AGAIN
            )
        self.names = list(names)
        self.schema = pa.schema([pa.field(n, _type(whole.field(n).type)) for n in names])
        nested = [n for n in names if pa.types.is_nested(_plain(whole.field(n).type))]
        self.notes = [f"lists and structs become JSON text: {', '.join(nested)}"] if nested else []

    def batch(self, records: pa.RecordBatch, first: int) -> Batch:
        """Records of the file, the first of which has the number `first`; those with a NUL in a text are faults."""
        columns = [self._column(records.column(n), self.schema.field(n).type) for n in self.names]
        whole = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        bad = with_nul(whole.columns)
        if not bad:
            return Batch(whole, range(first, first + whole.num_rows))
        rows = whole.take(pa.array(bad)).to_pylist()
        raws = [{k: None if v is None else str(v) for k, v in row.items()} for row in rows]
        faults = tuple(Fault(first + n, *nul_fault(raw)) for n, raw in zip(bad, raws, strict=True))
        out = set(bad)
        kept = [n for n in range(whole.num_rows) if n not in out]
        return Batch(whole.take(pa.array(kept, pa.int64())), [first + n for n in kept], faults)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """Where records are: the row is the record's number."""
        return [Origin(self._given.name, row=n + 1) for n in ordinals]

    def _column(self, array: pa.Array, wanted: pa.DataType) -> pa.Array:
        if wanted != pa.string():
            array = array.storage if isinstance(array, pa.ExtensionArray) else array
            return array if array.type == wanted else _decoded(array).cast(wanted)
        kind = _plain(array.type)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            array = _decoded(array.storage if isinstance(array, pa.ExtensionArray) else array).cast(wanted)
        else:
            texts = [None if v is None else _text(v) for v in array.to_pylist()]
            array = pa.array(texts, wanted)
        return without(array, self._given.options.nulls)


def first_line(e: BaseException) -> str:
    """The first line of a library's message, which may go on with addresses and advice of its own."""
    return str(e).partition("\n")[0].rstrip(". ") or type(e).__name__


def as_json(value: object) -> str:
    """A nested value as JSON; exact numbers, dates and bytes in it become texts."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=json_scalar)


def _decoded(array: pa.Array) -> pa.Array:
    if pa.types.is_run_end_encoded(array.type):
        import pyarrow.compute as pc

        return pc.run_end_decode(array)
    return array


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type a value has once dictionaries and extensions are taken off."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind) else kind


def _type(kind: pa.DataType) -> pa.DataType:
    """The type a column is given in: its own where a destination may know such, else text."""
    if isinstance(kind, pa.UuidType):
        return pa.string()
    kind = _plain(kind)
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind) and kind.precision <= 38:
        return pa.decimal128(kind.precision, kind.scale)
    own = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal128, pa.types.is_boolean, pa.types.is_date,
        pa.types.is_time, pa.types.is_timestamp, pa.types.is_binary, pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
    )  # fmt: skip
    return kind if any(of(kind) for of in own) else pa.string()


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case decimal.Decimal():
            return format(value, "f")
        case UUID() | dt.timedelta():
            return str(value)
        case pa.MonthDayNano():
            return f"{value.months} months {value.days} days {value.nanoseconds / 1e9:.9g} seconds"
    return as_json(value)


def json_scalar(value: object) -> object:
    """A value that JSON has no word for as one it has."""
    match value:
        case decimal.Decimal():
            return format(value, "f")
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    return str(value)
