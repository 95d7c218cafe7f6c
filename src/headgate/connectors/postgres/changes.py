"""Queries as streams of Arrow batches, by COPY in CSV form."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

_ROWS = 16_384
_BYTES = 16 << 20


def stream(
    connection: psycopg.Connection[tuple[object, ...]], select: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows of a query as batches of a schema.

    Args:
        connection: it has a transaction with the settings of `PostgresSession.begin` open.
        select: gives the schema's columns in its order; names do not matter.
        schema: what is given out.

    Raises:
        psycopg.Error: the query failed.
    """
    with ThreadPoolExecutor(1, "headgate-stream") as parser:
        parsing: Future[pa.RecordBatch] | None = None
        for piece in _pieces(connection, select):
            # The server goes on sending while what it has sent is parsed.
            parsing, parsed = parser.submit(_parsed, piece, schema), parsing
            if parsed is not None:
                yield parsed.result()
        if parsing is not None:
            yield parsing.result()


def _pieces(
    connection: psycopg.Connection[tuple[object, ...]], select: str
) -> Iterator[list[bytes | bytearray | memoryview]]:
    """Rows as they are sent, some at a time."""
    rows: list[bytes | bytearray | memoryview] = []
    size = 0
    with connection.cursor().copy(f"copy ({select}) to stdout (format csv)".encode()) as copy:
        for row in copy:
            rows.append(row)
            size += len(row)
            if len(rows) >= _ROWS or size >= _BYTES:
                yield rows
                rows, size = [], 0
    if rows:
        yield rows


def _parsed(rows: list[bytes | bytearray | memoryview], schema: pa.Schema) -> pa.RecordBatch:
    data = b"".join(rows)
    names = [str(i) for i in range(len(schema))]
    types = [_read_as(t) for t in schema.types]
    table = csv.read_csv(
        pa.py_buffer(data),
        read_options=csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            true_values=["t"], false_values=["f"],
        ),
    )  # fmt: skip
    columns = [_back(c.combine_chunks(), t) for c, t in zip(table.columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _read_as(of: pa.DataType) -> pa.DataType:
    if pa.types.is_binary(of):
        return pa.string()
    return of


def _back(array: pa.Array, to: pa.DataType) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if not pa.types.is_binary(to):
        return array.cast(to)
    digits = pc.utf8_slice_codeunits(array, 2)  # after \x
    return pa.array([None if v is None else bytes.fromhex(v) for v in digits.to_pylist()], to)
