"""The PostgreSQL destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headgate.model.reading import Reading
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import KINDS, FieldType
from headgate.model.write import RECORD_OPERATIONS, Ticket, WriteSpec
from headgate.spi.destination import Capabilities

from . import types
from .ddl import MAX_IDENTIFIER, alter_table, create_table

if TYPE_CHECKING:
    from .prompt import PostgresPrompt
    from .writer import PostgresWriter


_MOST_COLUMNS = 532
"""A table has at most 1,600 columns, and undo stages of each column a new and an old value and a flag."""


class PostgresDestination:
    """A PostgreSQL database, version 14 to 18.

    Args:
        options: the connection: ``url`` (``postgresql://user@host:port/database``), and ``password``, ``connect_timeout`` and
            ``lock_timeout`` (seconds) where given.
        base: not used; a database has no folder.

    Raises:
        UsageError: the options are wrong. Nothing is connected yet.
    """

    schemes = ("postgres", "postgresql")

    def __init__(self, options: Mapping[str, Any], base: Path) -> None:  # noqa: ARG002 - the constructor all connectors have
        from .connection import Access

        self._access = Access.read(options)
        self._session: Any = None

    @property
    def capabilities(self) -> Capabilities:
        """Everything, in one transaction."""
        return Capabilities(
            operations=RECORD_OPERATIONS,
            transactional=True,
            row_rejects=True,
            create_table=True,
            exact_types=frozenset(KINDS) - {"json"},  # jsonb keeps the value, not its spelling
            max_identifier=MAX_IDENTIFIER,
            max_columns=_MOST_COLUMNS,
            refuses=frozenset({"nul"}),
            alters=frozenset({"add", "widen"}),
            checkpoints=True,
            undo=True,
            lookups=True,
        )

    def inspect(self, table: str) -> TableSchema | None:
        """The table, view or foreign table as it is now; None when there is none."""
        from .catalog import find

        found = find(self._rows, table)
        return found.table if found is not None else None

    def tables(self) -> list[str]:
        """Everything that can be inspected, except the system's own."""
        from .catalog import names

        return names(self._rows)

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """The statement that makes the table."""
        columns = ", ".join(f"{c.name} {types.native(c.type)}" for c in wanted.columns)
        key = f" with key {', '.join(wanted.key)}" if wanted.key else ""
        return SchemaChange(f"create table {wanted.name} ({columns}){key}", create_table(wanted))

    def propose_columns(self, table: str, added: Sequence[Column], widened: Sequence[Column]) -> list[SchemaChange]:
        """The statements that change the table's columns."""
        return alter_table(table, added, widened)

    def native(self, type: FieldType) -> str:
        """PostgreSQL's name for a type."""
        return types.native(type)

    def open(self, spec: WriteSpec) -> PostgresWriter:
        """Begin a run's writing on a connection of its own."""
        from .writer import PostgresWriter

        return PostgresWriter(self._access, spec)

    def prompt(self, spec: WriteSpec) -> PostgresPrompt | None:
        """One statement for few records, on a connection of its own; see `headgate.spi.destination.Prompts`."""
        from .prompt import open_prompt

        return open_prompt(self._access, spec)

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope; checkpoints are kept in a schema of their own."""
        from .state import claim

        return claim(self._access, ticket)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        """Read a table or a query as text, on a connection of its own."""
        from .lookups import read

        return read(self._access, reading)

    def readable(self, image: str) -> str:
        """An image is the value's text."""
        return image

    def close(self) -> None:
        """Disconnect what inspection uses."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        if self._session is None:
            from .connection import PostgresSession

            self._session = PostgresSession(self._access)
        try:
            return list(self._session.rows(sql))
        finally:
            self._session.rollback()
