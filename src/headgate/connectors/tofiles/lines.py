"""Texts put together in columns, and written as bytes in a character set."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from .sink import Sink
from .values import content

_MOST: Final = 128 << 20


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in parts whose text is no more than Arrow can put into one column, however much it grows on its way."""
    if batch.nbytes <= _MOST or batch.num_rows == 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from pieces(batch.slice(0, half))
    yield from pieces(batch.slice(half))


def joined(parts: Sequence[Any], between: str = "") -> pa.Array:
    """Columns and texts put together row by row. None of them has a null."""
    return pc.binary_join_element_wise(*parts, between)


def without_values(batch: pa.RecordBatch) -> pa.Array | None:
    """Which records have no value at all; None where all of them have some."""
    mask = None
    for column in batch.columns:
        if not column.null_count:
            return None
        missing = pc.is_null(column)
        mask = missing if mask is None else pc.and_(mask, missing)
    return mask if mask is not None and pc.any(mask).as_py() else None


def changed(values: pa.Array, pattern: str, change: Callable[[str], str]) -> pa.Array:
    """The texts that match, changed; the others as they are."""
    mask = pc.fill_null(pc.match_substring_regex(values, pattern), fill_value=False)
    if not pc.any(mask).as_py():
        return values
    new = pa.array([change(v) for v in values.filter(mask).to_pylist()], pa.string())
    return pc.replace_with_mask(values, mask, new)


class Text:
    """Text in a character set, written to a file."""

    def __init__(self, sink: Sink, encoding: str, errors: str = "strict", *, begun: bool = False) -> None:
        self._sink = sink
        self._utf8 = codecs.lookup(encoding).name == "utf-8"
        self._encoder = codecs.getincrementalencoder(encoding)(errors)
        if begun:  # a byte order mark stands at the beginning of a file only
            self._encoder.encode("x")

    def write(self, text: str) -> None:
        """Write a text."""
        self._sink.write(self._encoder.encode(text))

    def write_column(self, column: pa.Array) -> None:
        """Write all texts of a column. None of them is null."""
        data = content(column)
        self._sink.write(data if self._utf8 else self._encoder.encode(str(data, "utf-8")))
