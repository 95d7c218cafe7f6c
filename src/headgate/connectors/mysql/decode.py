"""Rows of the server's text as Arrow batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any

import pyarrow as pa


def batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a batch of a schema."""
    columns = [_array(values, of) for values, of in zip(zip(*rows, strict=True), schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _array(values: Sequence[Any], of: pa.DataType) -> pa.Array:
    if pa.types.is_binary(of):
        return pa.array([v.encode() if isinstance(v, str) else v for v in values], of)
    texts = [v.decode() if isinstance(v, bytes) else None if v is None else str(v) for v in values]
    if pa.types.is_timestamp(of) and of.tz:
        return _cast(texts, pa.timestamp("us")).cast(of)
    if pa.types.is_time(of):
        return pa.array([None if t is None else time.fromisoformat(t) for t in texts], of)
    return _cast(texts, of)


def _cast(texts: list[str | None], of: pa.DataType) -> pa.Array:
    array = pa.array(texts, pa.string())
    return array if pa.types.is_string(of) else array.cast(of)
