"""Tables, views and queries of a DuckDB file as a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec
from headgate.spi.kept import Page
from headgate.spi.registry import Connected
from headgate.spi.source import BATCH_ROWS
from headgate.sql.parameters import with_parameters
from headgate.sql.source import DatabaseSource, Value, Wanted, columns_of, source
from headgate.sql.typed import page

from .catalog import split, sql_name
from .connection import Access, DuckdbSession, identifier, literal
from .types import field_type

_NATIVE: Final = (
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "FLOAT", "DOUBLE", "VARCHAR",
    "BLOB",
)  # fmt: skip
_ENDLESS: Final = ("FLOAT", "DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_NESTED: Final = ("STRUCT", "MAP", "UNION")


def open_source(spec: SourceSpec, base: Path, connected: Connected | None = None) -> DatabaseSource:
    """Tables and queries of ``duckdb:///shop.duckdb``."""
    return source(lambda options, wanted: DuckdbSnapshot(Access.read(options, base), wanted), spec, connected)


class DuckdbSnapshot:
    """One read transaction (`headgate.sql.source.Snapshot`).

    Args:
        access: what to open.
        wanted: what is to be read.

    Raises:
        SourceError, DestinationError: there is no such file, table or column, or the query is wrong.
    """

    def __init__(self, access: Access, wanted: Wanted) -> None:
        if not access.is_there:
            raise SourceError(f"{access.path}: there is no such file", hint="Correct the connection's url.")
        self._path, self._wanted = access.path, wanted
        self._session = DuckdbSession(access)
        try:
            self._session.run("begin transaction read only")
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        wanted, rows = self._wanted, self._session.rows
        what = "the query" if wanted.query else f"{self._path}: {wanted.table}"
        self._from = self._query() if wanted.query else self._table()
        types = {str(n): str(of) for n, of, *_ in rows(f"describe select * from {self._from} hg")}
        self.declared = {n: field_type(of) for n, of in types.items()}
        columns = columns_of(list(types), wanted, what)
        self._columns = [_readable(f"hg.{identifier(c)}", types[c]) for c in columns]
        self._growing = types.get(wanted.growing, "")
        since = "" if wanted.since is None else _literal(wanted.since)
        self._where = wanted.later(f"hg.{identifier(wanted.growing)}", since)
        self.newest = self._newest()
        self.rows = int(rows(f"select count(*) from {self._from} hg{self._where}")[0][0]) if wanted.table else 0
        with_names = ", ".join(f"{c} as {identifier(n)}" for c, n in zip(self._columns, columns, strict=True))
        self._select = f"select {with_names} from {self._from} hg{self._where}"
        described = self._session.connection.sql(f"{self._select} limit 0").to_arrow_table().schema
        self.schema = pa.schema([(f.name, _plain(f.type)) for f in described])

    def _query(self) -> str:
        given = {name: "null" if v is None else _literal(v) for name, v in self._wanted.params.items()}
        return f"({with_parameters(self._wanted.query, given, lambda name: given.get(name, 'null'))}\n)"

    def _table(self) -> str:
        schema, table = split(self._wanted.table)
        found = self._session.rows(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database() "
            "order by table_schema <> 'main', table_schema, table_name"
        )
        if (schema.lower(), table.lower()) not in [(s.lower(), t.lower()) for s, t in found]:
            there = ", ".join(t if s == "main" else f"{s}.{t}" for s, t in found[:20])
            raise SourceError(
                f"{self._path}: there is no table {self._wanted.table}", hint=f"There are: {there or 'none'}."
            )
        return sql_name(self._wanted.table)

    def _newest(self) -> Value | None:
        if not self._wanted.growing:
            return None
        column = f"hg.{identifier(self._wanted.growing)}"
        where = self._where
        if self._growing in _ENDLESS:  # beyond infinity and NaN, which are above all, nothing would ever be new
            where += f" {'and' if where else 'where'} isfinite({column})"
        found = self._session.rows(f"select cast(max({column}) as varchar) from {self._from} hg{where}")[0][0]
        return None if found is None else str(found)

    def pages(self) -> Iterator[Page]:
        """See `Snapshot`."""
        for batch in self._session.pages(self._select, rows=BATCH_ROWS):
            arrays = [
                c if c.type == f.type else c.cast(f.type) for c, f in zip(batch.columns, self.schema, strict=True)
            ]
            if batch.num_rows:
                yield page(arrays, self.schema)

    def cancel(self) -> None:
        """See `Snapshot`."""
        self._session.cancel()

    def close(self) -> None:
        """See `Snapshot`."""
        self._session.close()


def _literal(value: Value | bool) -> str:
    return literal(value) if isinstance(value, str) else str(value).lower()


def _readable(column: str, of: str) -> str:
    """The column as something that every part of Headgate knows; what it does not know as text, lists and structs as JSON."""
    if of.endswith("]") or of.startswith(_NESTED):
        return f"cast(to_json({column}) as varchar)"
    if of in _NATIVE or of.startswith("DECIMAL"):
        return column
    if of in ("DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"):
        return column
    return f"cast({column} as varchar)"


def _plain(of: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(of):
        return pa.timestamp("us", of.tz)
    return pa.string() if pa.types.is_large_string(of) or pa.types.is_string_view(of) else of
