"""Tables, views and queries of PostgreSQL as a source."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from headgate.model.errors import Cancelled
from headgate.model.spec import SourceSpec
from headgate.model.types import FieldType
from headgate.spi.kept import Page
from headgate.spi.registry import Connected
from headgate.spi.source import BATCH_ROWS
from headgate.sql.parameters import with_parameters
from headgate.sql.source import DatabaseSource, Value, Wanted, columns_of, source
from headgate.sql.typed import page

from .catalog import find, missing
from .connection import Access, PostgresSession, identifier
from .lookups import type_name

_BYTES: Final = 4 << 20
_DIGITS: Final = 38
_TYPES: Final = {
    "int2": pa.int64(), "int4": pa.int64(), "int8": pa.int64(), "float4": pa.float64(), "float8": pa.float64(),
    "bool": pa.bool_(), "date": pa.date32(), "time": pa.time64("us"), "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"), "bytea": pa.binary(),
}  # fmt: skip
_PARSED: Final = (pa.int64(), pa.float64(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"))
"""Types that the CSV parser makes exactly what a cast of the text makes of them."""


def open_source(spec: SourceSpec, base: Path, connected: Connected | None = None) -> DatabaseSource:
    """Tables and queries of ``postgresql://user@host/shop``."""
    del base
    return source(lambda options, wanted: PostgresSnapshot(Access.read(options), wanted), spec, connected)


class PostgresSnapshot:
    """One read-only transaction that sees the database as it is at its beginning (`headgate.sql.source.Snapshot`).

    Args:
        access: how the server is reached.
        wanted: what is to be read.

    Raises:
        SourceError, DestinationError: there is no such table or column, or the query is wrong.
    """

    def __init__(self, access: Access, wanted: Wanted) -> None:
        self._name, self._wanted = access.name, wanted
        self._session = PostgresSession(access)
        try:
            self._session.run("set transaction isolation level repeatable read, read only")
            self._session.begin()
            self._prepare()
        except psycopg.Error as e:
            self.close()
            raise self._session.failure(e) from None
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        wanted = self._wanted
        self.declared: dict[str, FieldType] = {}
        if wanted.query:
            given = {n: self._literal(v) for n, v in wanted.params.items()}
            self._from = f"({with_parameters(wanted.query, given, lambda name: given.get(name, 'null'))}\n)"
            what = "the query"
        else:
            relation = find(self._session.rows, wanted.table)
            if relation is None:
                raise missing(self._session.rows, wanted.table, self._name, create=False)
            self._from, what = relation.sql, f"{self._name}: {wanted.table}"
            self.declared = {c.name: c.type for c in relation.table.columns}
        described = (
            self._session.connection.execute(f"select * from {self._from} hg limit 0".encode()).description or []
        )
        types = {c.name: _type(c) for c in described}
        self._columns = columns_of([c.name for c in described], wanted, what)
        self.schema = pa.schema([(c, types[c]) for c in self._columns])
        since = "" if wanted.since is None else self._literal(wanted.since)
        self._where = wanted.later(f"hg.{identifier(wanted.growing)}", since)
        self.newest, self.rows = self._newest(), self._estimate()

    def _literal(self, value: Value | bool | None) -> str:
        """Written by the driver, as COPY takes no parameters; a text without a type, so that it takes the other side's."""
        return sql.Literal(value).as_string(self._session.connection)

    def _newest(self) -> Value | None:
        if not self._wanted.growing:
            return None
        found = self._session.rows(
            f"select max(hg.{identifier(self._wanted.growing)})::text from {self._from} hg{self._where}"
        )[0][0]
        return None if found is None else str(found)

    def _estimate(self) -> int:
        """What the planner expects."""
        plan = self._session.rows(f"explain (format json) select * from {self._from} hg{self._where}")[0][0]
        return int(plan[0]["Plan"]["Plan Rows"])

    def pages(self) -> Iterator[Page]:
        """See `Snapshot`."""
        columns = ", ".join(f"hg.{identifier(c)}" for c in self._columns)
        try:
            for piece in self._copied(
                f"copy (select {columns} from {self._from} hg{self._where}) to stdout (format csv)"
            ):
                yield page(self._parsed(piece), self.schema)
        except psycopg.Error as e:
            raise self._session.failure(e) from None

    def _copied(self, statement: str) -> Iterator[bytes]:
        """What COPY sends, in pieces of whole records."""
        connection = self._session.connection.pgconn
        with self._session.connection.cursor() as cursor, cursor.copy(statement.encode()):
            rows: list[bytes] = []
            size = 0
            while True:
                count, data = connection.get_copy_data(1)
                if not count:  # nothing has come yet
                    select.select([connection.socket], [], [], 1.0)
                    connection.consume_input()
                    if self._session.cancelled:
                        raise Cancelled("stopped")
                    continue
                if count < 0:
                    _check_end(connection)
                    break
                rows.append(bytes(data))
                size += count
                if len(rows) == BATCH_ROWS or size >= _BYTES:
                    yield b"".join(rows)
                    rows, size = [], 0
        if rows:
            yield b"".join(rows)

    def _parsed(self, piece: bytes) -> list[pa.Array]:
        """Columns in their types, or as text where that is not possible for all values."""
        wanted = {f.name: f.type if f.type in _PARSED else pa.string() for f in self.schema}
        try:
            table = self._read(piece, wanted)
        except pa.ArrowInvalid:
            table = self._read(piece, dict.fromkeys(self.schema.names, pa.string()))
        arrays = [c.combine_chunks() if c.num_chunks != 1 else c.chunk(0) for c in table.columns]
        binary = [pa.types.is_binary(f.type) for f in self.schema]
        return [
            pa.compute.replace_substring_regex(a, r"^\\x", "") if b else a for a, b in zip(arrays, binary, strict=True)
        ]

    def _read(self, piece: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        return csv.read_csv(
            pa.BufferReader(piece),
            csv.ReadOptions(column_names=list(types), block_size=len(piece) + 1, use_threads=False),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
                check_utf8=False,
            ),
        )  # fmt: skip

    def cancel(self) -> None:
        """See `Snapshot`."""
        self._session.cancel()

    def close(self) -> None:
        """See `Snapshot`."""
        self._session.close()


def _check_end(connection: psycopg.pq.abc.PGconn) -> None:
    """Whether COPY came to its end, or broke off: libpq gives the same sign of both, and the error as a result.

    Raises:
        psycopg.Error: it broke off.
    """
    failed: psycopg.Error | None = None
    while (result := connection.get_result()) is not None:
        if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
            failed = psycopg.errors.error_from_result(result)
    if failed is not None:
        raise failed


def _type(column: psycopg.Column) -> pa.DataType:
    """A column's type; those that have none of their own in Headgate are text, as PostgreSQL shows them."""
    name = type_name(column.type_code)
    precision, scale = column.precision, column.scale
    if name == "numeric" and precision is not None and scale is not None and 0 <= scale <= precision <= _DIGITS:
        return pa.decimal128(precision, scale)
    return _TYPES.get(name, pa.string())
