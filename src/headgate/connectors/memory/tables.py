"""Tables in memory, and reading them as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.model.reading import Reading
from headgate.model.table import Column, TableSchema
from headgate.model.text import text_form
from headgate.model.types import INTEGERS
from headgate.model.write import WriteSpec
from headgate.spi.deciding import Row

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its schema, and its rows by a number that is never used again. Rows are replaced, never altered."""

    schema: TableSchema
    rows: dict[int, Row]


def altered(schema: TableSchema, spec: WriteSpec) -> TableSchema:
    """A table's schema with the columns a run adds and the types it widens."""
    types = {f.name: f.type for f in spec.fields}
    columns = [replace(c, type=types[c.name]) if c.name in spec.widened else c for c in schema.columns]
    there = {c.name for c in columns}
    columns += [Column(f.name, f.type) for f in spec.fields if f.name in spec.added - there]
    return replace(schema, columns=tuple(columns))


def read(tables: Mapping[str, Table], reading: Reading) -> Iterator[pa.RecordBatch]:
    """See `headgate.spi.destination.Readable.read`. Rows are replaced and never altered, so that a list of them is a
    consistent read."""
    if reading.query:
        raise DestinationError("memory has no queries", hint="Look in a table.")
    if reading.table not in tables:
        there = ", ".join(sorted(tables)) or "none"
        raise DestinationError(f"there is no table {reading.table!r}", hint=f"There are: {there}.")
    table = tables[reading.table]
    for name in (*reading.columns, *reading.values):
        require_column(table.schema, name)
    wanted = {n: typed(table.schema, n, v) for n, v in reading.values.items()}
    rows = [r for r in table.rows.values() if all(r[n] == v for n, v in wanted.items())]
    for start in range(0, len(rows), BATCH_ROWS):
        page = rows[start : start + BATCH_ROWS]
        arrays = [pa.array([text_form(r[c]) for r in page], pa.string()) for c in reading.columns]
        yield pa.RecordBatch.from_arrays(arrays, names=list(reading.columns))


def require_column(schema: TableSchema, name: str) -> None:
    """Refuse a column that the table does not have."""
    if schema.column(name) is None:
        there = ", ".join(c.name for c in schema.columns)
        raise DestinationError(f"the table {schema.name} has no column {name!r}", hint=f"There are: {there}.")


def typed(schema: TableSchema, name: str, value: object) -> object:
    """A value written in a definition as the column holds it."""
    column = schema.column(name)
    assert column is not None  # whoever calls has looked
    return pa.array([value]).cast(column.type.arrow)[0].as_py()


def counted(schema: TableSchema, row: Row, rows: Mapping[int, Row]) -> Row:
    """The row with a number of its own in a key of one whole number that it has no value for."""
    column = schema.column(schema.key[0]) if len(schema.key) == 1 else None
    if column is None or column.type.kind not in INTEGERS or row[column.name] is not None:
        return row
    return row | {column.name: max((r[column.name] for r in rows.values()), default=0) + 1}
