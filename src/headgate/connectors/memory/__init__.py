"""Tables in the memory of this process: ``memory://NAME``.

The reference implementation of `headgate.spi.destination`, which other destinations are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from headgate.model.errors import UsageError
from headgate.model.reading import Reading
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import KINDS, FieldType
from headgate.model.write import RECORD_OPERATIONS, Ticket, WriteSpec
from headgate.spi.destination import Capabilities

from .state import State
from .tables import Table, read
from .writer import MemoryWriter

__all__ = ["MemoryDestination"]

_STORES: dict[str, tuple[dict[str, Table], State]] = {}


class MemoryDestination:
    """One named store. All destinations of a process with the same name share it, and it lasts as long as the process.

    Args:
        options: ``url`` (``memory://NAME``).
        base: not used.

    Raises:
        UsageError: the URL is not one of memory.
    """

    schemes = ("memory",)
    capabilities = Capabilities(
        operations=RECORD_OPERATIONS,
        transactional=True,
        row_rejects=True,
        create_table=True,
        exact_types=frozenset(KINDS) - {"other"},
        checkpoints=True,
        undo=True,
        lookups=True,
        alters=frozenset({"add", "widen"}),
    )

    def __init__(self, options: Mapping[str, Any], base: Path) -> None:  # noqa: ARG002
        url = urlsplit(str(options.get("url", "")))
        if url.scheme != "memory":
            raise UsageError(f"{url.geturl()!r} is not a URL of memory", hint="Write memory://NAME.")
        self._tables, self._state = _STORES.setdefault(unquote(url.netloc), ({}, State()))

    def inspect(self, table: str) -> TableSchema | None:
        """The table as it is now; None when there is none."""
        found = self._tables.get(table)
        return found.schema if found else None

    def tables(self) -> list[str]:
        """Names of the tables there are, sorted."""
        return sorted(self._tables)

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """What would make the table; for memory the statement is only words."""
        columns = ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' not null'}" for c in wanted.columns)
        key = f" with key {', '.join(wanted.key)}" if wanted.key else ""
        summary = f"create table {wanted.name} ({columns}){key}"
        return SchemaChange(summary, summary)

    def propose_columns(self, table: str, added: Sequence[Column], widened: Sequence[Column]) -> list[SchemaChange]:
        """What would change the table's columns, in words."""
        words = [f"add column {c.name} {c.type} to {table}" for c in added]
        words += [f"change column {c.name} of {table} to {c.type}" for c in widened]
        return [SchemaChange(w, w) for w in words]

    def native(self, type: FieldType) -> str:
        """The type as definitions name it."""
        return str(type)

    def open(self, spec: WriteSpec) -> MemoryWriter:
        """Begin a run's writing.

        Raises:
            DestinationError: the table or a column is missing, or the table to be made is there already.
        """
        return MemoryWriter(self._tables, self._state, spec)

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope."""
        return self._state.claim(ticket)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        """Read a table as text; there are no queries.

        Raises:
            DestinationError: there is no such table or column, or a query is asked for.
        """
        return read(self._tables, reading)

    def readable(self, image: str) -> str:
        """An image is the value's text."""
        return image

    def close(self) -> None:
        """Nothing is held. The store stays."""
