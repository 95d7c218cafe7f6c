"""Tables, views and queries of PostgreSQL as a source."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
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

from .catalog import Relation, find, missing
from .connection import Access, PostgresSession, identifier, literal
from .lookups import type_name
from .ranges import Divided, divide, key_of

_BYTES: Final = 4 << 20
_DIGITS: Final = 38
_TYPES: Final = {
    "int2": pa.int64(), "int4": pa.int64(), "int8": pa.int64(), "float4": pa.float64(), "float8": pa.float64(),
    "bool": pa.bool_(), "date": pa.date32(), "time": pa.time64("us"), "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"), "bytea": pa.binary(),
}  # fmt: skip
_ENDLESS: Final = ("float4", "float8", "numeric", "date", "timestamp", "timestamptz")
"""Types that have values above all others."""
_PARSED: Final = (pa.int64(), pa.float64(), pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"))
"""Types that the CSV parser makes exactly what a cast of the text makes of them."""


def open_source(spec: SourceSpec, base: Path, connected: Connected | None = None) -> DatabaseSource:
    """Tables and queries of ``postgresql://user@host/shop``."""
    del base
    return source(
        lambda options, wanted: PostgresSnapshot(Access.read(options), wanted), spec, connected, parallel=True
    )


class PostgresSnapshot:
    """Read-only transactions that see the database as it is at the beginning of the first of them (`headgate.sql.source.Ranged`).

    Args:
        access: how the server is reached.
        wanted: what is to be read.

    Raises:
        SourceError, DestinationError: there is no such table or column, or the query is wrong.
        ConnectionFailed: the server has not as many connections as are wanted.
    """

    def __init__(self, access: Access, wanted: Wanted) -> None:
        self._name, self._wanted = access.name, wanted
        self._session = PostgresSession(access)
        self._sessions = [self._session]
        try:
            self._session.run("set transaction isolation level repeatable read, read only")
            self._session.begin()
            self._prepare()
            self._join(access)
        except psycopg.Error as e:
            self.close()
            raise self._session.failure(e) from None
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        wanted = self._wanted
        self.declared: dict[str, FieldType] = {}
        relation: Relation | None = None
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
        growing = next((type_name(c.type_code) for c in described if c.name == wanted.growing), "")
        self._endless = growing if growing in _ENDLESS else ""
        since = "" if wanted.since is None else self._literal(wanted.since)
        self._where = wanted.later(f"hg.{identifier(wanted.growing)}", since)
        self.newest, self.rows = self._newest(), self._estimate()
        self._divided: Divided | None = None
        if relation is not None and wanted.connections > 1:
            key = key_of(relation, wanted.by, what)
            self._divided = divide(self._session, relation, key, self._where, wanted.connections, self.rows)

    def _join(self, access: Access) -> None:
        """Connect once for each further range, in transactions that see what the first one does."""
        if self._divided is None or len(self._divided.ranges) == 1:
            return
        seen = literal(self._session.rows("select pg_export_snapshot()")[0][0])
        for _ in self._divided.ranges[1:]:
            session = PostgresSession(access)
            self._sessions.append(session)
            session.run("set transaction isolation level repeatable read, read only")
            session.run(f"set transaction snapshot {seen}")
            session.begin()

    def _literal(self, value: Value | bool | None) -> str:
        """Written by the driver, as COPY takes no parameters; a text without a type, so that it takes the other side's."""
        return sql.Literal(value).as_string(self._session.connection)

    def _newest(self) -> Value | None:
        if not self._wanted.growing:
            return None
        column = f"hg.{identifier(self._wanted.growing)}"
        where = self._where
        if self._endless:  # beyond infinity and NaN, which are above all, nothing would ever be new
            old = self._session.connection.info.server_version < 140_000
            first = "nan" if old and self._endless == "numeric" else "infinity"
            where += f" {'and' if where else 'where'} {column} < '{first}'::{self._endless}"
        found = self._session.rows(f"select max({column})::text from {self._from} hg{where}")[0][0]
        return None if found is None else str(found)

    def _estimate(self) -> int:
        """What the planner expects."""
        plan = self._session.rows(f"explain (format json) select * from {self._from} hg{self._where}")[0][0]
        return int(plan[0]["Plan"]["Plan Rows"])

    def pages(self) -> Iterator[Page]:
        """See `Snapshot`."""
        for pages in self.ranges():
            yield from pages

    def ranges(self) -> list[Iterator[Page]]:
        """See `Ranged`."""
        columns = ", ".join(f"hg.{identifier(c)}" for c in self._columns)
        every = f"select {columns} from {self._from} hg{self._where}"
        if self._divided is None:
            return [self._copies(self._session, [every])]
        joined, order = "and" if self._where else "where", self._divided.order
        return [
            self._copies(session, [f"{every} {joined} {condition} order by {order}" for condition in conditions])
            for session, conditions in zip(self._sessions, self._divided.ranges, strict=True)
        ]

    def _copies(self, session: PostgresSession, queries: Sequence[str]) -> Iterator[Page]:
        share = max(1, len(self._sessions) // 2)  # so that many pages at once are not many times as much
        try:
            for query in queries:
                for piece in _copied(session, f"copy ({query}) to stdout (format csv)", share):
                    yield page(self._parsed(piece), self.schema)
        except psycopg.Error as e:
            raise session.failure(e) from None
        finally:
            session.close()

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
        for session in self._sessions:
            session.cancel()

    def close(self) -> None:
        """See `Snapshot`."""
        for session in self._sessions:
            session.close()


def _copied(session: PostgresSession, statement: str, share: int) -> Iterator[bytes]:
    """What COPY sends, in pieces of whole records: of a page, or of a `share`-th of one."""
    connection = session.connection.pgconn
    with session.connection.cursor() as cursor, cursor.copy(statement.encode()):
        rows: list[bytes] = []
        size = 0
        while True:
            count, data = connection.get_copy_data(1)
            if not count:  # nothing has come yet
                select.select([connection.socket], [], [], 1.0)
                connection.consume_input()
                if session.cancelled:
                    raise Cancelled("stopped")
                continue
            if count < 0:
                _check_end(connection)
                break
            rows.append(bytes(data))
            size += count
            if len(rows) == BATCH_ROWS // share or size >= _BYTES // share:
                yield b"".join(rows)
                rows, size = [], 0
    if rows:
        yield b"".join(rows)


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
