"""Typed columns as text and back, column by column. The text is that of `headgate.model.text.text_form`."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.text import text_form
from headgate.model.types import FieldType


def texts(values: pa.Array) -> pa.Array:
    """A column as text; what has no value stays null."""
    of = values.type
    if pa.types.is_string(of):
        return values
    if pa.types.is_integer(of) or pa.types.is_boolean(of) or pa.types.is_date(of):
        return values.cast(pa.string())
    if pa.types.is_time(of):
        return _short(values.cast(pa.string()))
    if pa.types.is_timestamp(of):
        zone = "Z" if of.tz else ""
        written = pc.replace_substring(values.cast(pa.timestamp("us")).cast(pa.string()), " ", "T", max_replacements=1)
        return pc.binary_join_element_wise(_short(written), zone, "")
    if pa.types.is_decimal(of):
        written = values.cast(pa.string())
        if not pc.any(pc.match_substring(written, "E")).as_py():  # Arrow writes small ones as 1E-10
            return written
    return pa.array([text_form(v) for v in values.to_pylist()], pa.string())


def _short(moments: pa.Array) -> pa.Array:
    """Without zeros at the end of a fraction of a second."""
    return pc.replace_substring_regex(moments, r"\.?0{1,6}$", "") if len(moments) and _all_long(moments) else moments


def _all_long(moments: pa.Array) -> bool:
    """Whether every one has six digits of a second's fraction, so that zeros cut off are none of the second's own."""
    return bool(pc.all(pc.match_substring_regex(moments, r"\.\d{6}$")).as_py() in (True, None))


def typed(written: pa.Array, of: FieldType) -> pa.Array:
    """A column of that type from the texts that `texts` made of it."""
    if of.kind == "time":
        return pa.array([None if v is None else dt.time.fromisoformat(v) for v in written.to_pylist()], of.arrow)
    if of.kind == "binary":
        return pa.array([None if v is None else bytes.fromhex(v) for v in written.to_pylist()], of.arrow)
    return written.cast(of.arrow)


def content(column: pa.Array) -> memoryview:
    """The bytes of all texts of a column, one after the other; nulls have none."""
    if not len(column):
        return memoryview(b"")
    _, offsets, data = column.buffers()
    if data is None:
        return memoryview(b"")
    numbers = memoryview(offsets).cast("i")
    return memoryview(data)[numbers[column.offset] : numbers[column.offset + len(column)]]
