"""A database file as a destination."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa

from headgate.model.errors import DestinationError, UsageError
from headgate.model.reading import Reading
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import KINDS, FieldType
from headgate.model.write import RECORD_OPERATIONS, Ticket, WriteSpec
from headgate.spi.destination import Capabilities
from headgate.spi.options import check_options, seconds
from headgate.sql import Checkpoints

from . import tables, types
from .connect import BUSY_SECONDS, connect, failure, path_of
from .dialect import SqliteSpelling
from .lookups import read
from .session import SqliteSession
from .writer import Place, SqliteWriter

_T = TypeVar("_T")
_MOST_COLUMNS: Final = 660
"""A table or a result has at most 2,000 columns, and undo stages of each column a new and an old value and a flag."""

_OPTIONS: Final = ("url", "foreign_keys", "timeout")


class SqliteDestination:
    """The tables of one database file.

    Args:
        options: ``url`` (``sqlite:///shop.db``, ``sqlite:////data/shop.db``); ``foreign_keys``: whether SQLite enforces
            them, true by default; ``timeout``: seconds to wait while another program has the file locked, 10 by default.
        base: folder relative paths start from.

    Raises:
        UsageError: the url names no file, or an option is unknown or wrong.
    """

    schemes = ("sqlite",)

    capabilities = Capabilities(
        operations=RECORD_OPERATIONS,
        transactional=True,
        row_rejects=True,
        create_table=True,
        exact_types=frozenset(KINDS) - {"other"},
        checkpoints=True,
        undo=True,
        lookups=True,
        max_columns=_MOST_COLUMNS,
        folds_case=True,
        refuses=frozenset({"nan"}),
        alters=frozenset({"add"}),
        gaps={"test_zero_keeps_its_sign": "SQLite keeps the number -0.0 as 0.0"},
    )

    def __init__(self, options: Mapping[str, Any], base: Path) -> None:
        check_options(options, _OPTIONS, "an SQLite connection")
        self._path = path_of(str(options["url"]), base)
        self._foreign_keys = options.get("foreign_keys", True)
        if not isinstance(self._foreign_keys, bool):
            raise UsageError(f"foreign_keys is {self._foreign_keys!r}, not true or false")
        self._timeout = seconds(options, "timeout", BUSY_SECONDS)

    def inspect(self, table: str) -> TableSchema | None:
        """The table as it is now; None when there is none, or no file."""
        found = self._look(lambda con: tables.find(con, table))
        return found.schema if found else None

    def tables(self) -> list[str]:
        """Names of the tables, sorted; none when there is no file."""
        return self._look(tables.names) or []

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """The CREATE TABLE for it."""
        columns = ", ".join(f"{c.name} {c.type}" for c in wanted.columns)
        key = f" with key {', '.join(wanted.key)}" if wanted.key else ""
        where = "" if self._path.exists() else f" in the new database {self._path.name}"
        return SchemaChange(f"create table {wanted.name} ({columns}){key}{where}", tables.create_statement(wanted))

    def propose_columns(self, table: str, added: Sequence[Column], widened: Sequence[Column]) -> list[SchemaChange]:
        """The statements that add columns. Types are not widened: SQLite changes none, and stores what comes."""
        if widened:
            raise DestinationError(f"SQLite cannot change the type of {widened[0].name}", hint="Make the table anew.")
        return [
            SchemaChange(f"add column {c.name} {types.native(c.type)} to {table}", tables.add_column(table, c))
            for c in added
        ]

    def native(self, type: FieldType) -> str:
        """What a column of that type is declared as."""
        return types.native(type)

    def open(self, spec: WriteSpec) -> SqliteWriter:
        """Begin a run's writing.

        Raises:
            DestinationError: the table is missing, is there although the run should make it, or lacks a field's column.
        """
        found = self._look(lambda con: tables.find(con, spec.table))
        if spec.create and found:
            raise DestinationError(
                f"{self._path}: table {spec.table} is there already",
                hint="Leave out create: true, or name another table.",
            )
        if spec.create:
            found = tables.planned(_wanted(spec))
        if found is None:
            raise self._missing(spec.table)
        there = {c.name for c in found.schema.columns}
        added = tuple(Column(f.name, f.type) for f in spec.fields if f.name in spec.added - there)
        found = tables.extended(found, added)
        for f in spec.fields:
            if found.schema.column(f.name) is None:
                known = ", ".join(c.name for c in found.schema.columns)
                raise DestinationError(
                    f"{self._path}: table {found.name} has no column {f.name}", hint=f"Its columns are: {known}."
                )
        return SqliteWriter(Place(self._path, found, self._foreign_keys, self._timeout, added), spec)

    def absent(self) -> bool:
        """Whether there is no file, in a folder that is there."""
        return self._path.parent.is_dir() and not self._path.exists()

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope; a file that is not there yet has no checkpoints, and is not made for it."""
        if self.absent():
            return None
        with closing(connect(self._path, foreign_keys=self._foreign_keys, timeout=self._timeout)) as con:
            session = SqliteSession(con, self._path)
            kept = Checkpoints(SqliteSpelling(), session)
            session.run("begin immediate")
            kept.make()
            found = kept.claim(ticket)
            session.run("commit")
            return found

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        """Read a table or a query as text.

        Raises:
            DestinationError: there is no such file, table or column, or the query fails.
        """
        if self.absent():
            what = f"table {reading.table}" if reading.table else "query of it"
            raise DestinationError(
                f"{self._path}: there is no such file, and so no {what}", hint="Correct the connection's url."
            )
        return read(connect(self._path, timeout=self._timeout), self._path, reading)

    def readable(self, image: str) -> str:
        """An image without the letter for its kind."""
        return image[1:]

    def close(self) -> None:
        """Nothing to release: every connection is closed by who opened it."""

    def _look(self, ask: Callable[[sqlite3.Connection], _T]) -> _T | None:
        if self.absent():
            return None
        with closing(connect(self._path, timeout=self._timeout)) as con:
            try:
                return ask(con)
            except sqlite3.Error as e:
                raise failure(e, self._path) from e

    def _missing(self, table: str) -> DestinationError:
        if not self._path.exists():
            return DestinationError(
                f"{self._path}: there is no such file, and so no table {table}",
                hint="Correct the connection's url, or let the run make both: create: true.",
            )
        there = self.tables()
        near = get_close_matches(table, there, 3, 0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(there[:20]) or 'none'}."
        return DestinationError(
            f"{self._path}: there is no table {table}", hint=f"{hint} With create: true the run makes it."
        )


def _wanted(spec: WriteSpec) -> TableSchema:
    columns = tuple(
        Column(f.name, f.type, nullable=f.name not in spec.required and f.name not in spec.key) for f in spec.fields
    )
    return TableSchema(spec.table, columns, spec.key)
