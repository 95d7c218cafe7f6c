"""A DuckDB database file as a destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from headgate.model.reading import Reading
from headgate.model.table import SchemaChange, TableSchema
from headgate.model.types import KINDS, FieldType
from headgate.model.write import RECORD_OPERATIONS, Ticket, WriteSpec
from headgate.spi.destination import Capabilities

if TYPE_CHECKING:
    import pyarrow as pa

    from .catalog import Rows
    from .writer import DuckdbWriter

_T = TypeVar("_T")
_MOST_COLUMNS = 800
"""DuckDB has no limit of its own, but takes twice the columns four times as long: a plan of these, some seconds."""


class DuckdbDestination:
    """The tables of one database file.

    Args:
        options: ``url`` (``duckdb:///shop.duckdb``, ``duckdb:////data/shop.duckdb``); ``memory_limit``: what DuckDB may take
            (``1GB``), ``threads``: how many it uses (at most 4), ``temp_directory``: where it puts what does not fit
            (beside the file); ``timeout``: seconds to wait for another run of the process, 10.
        base: folder relative paths start from.

    Raises:
        UsageError: the url names no file, or an option is unknown or wrong.
    """

    schemes = ("duckdb",)

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
    )

    def __init__(self, options: Mapping[str, Any], base: Path) -> None:
        from .connection import Access

        self._access = Access.read(options, base)

    def inspect(self, table: str) -> TableSchema | None:
        """The table as it is now; None when there is none, or no file."""
        from .catalog import find

        found = self._look(lambda rows: find(rows, table))
        return found.table if found else None

    def tables(self) -> list[str]:
        """Names of the tables, sorted; none when there is no file."""
        from .catalog import names

        return self._look(names) or []

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """The CREATE TABLE for it."""
        from .catalog import create_table

        columns = ", ".join(f"{c.name} {c.type}" for c in wanted.columns)
        key = f" with key {', '.join(wanted.key)}" if wanted.key else ""
        path = self._access.path
        where = "" if path.exists() else f" in the new database {path.name}"
        return SchemaChange(f"create table {wanted.name} ({columns}){key}{where}", create_table(wanted))

    def native(self, type: FieldType) -> str:
        """The database's name for a type."""
        from .types import native

        return native(type)

    def open(self, spec: WriteSpec) -> DuckdbWriter:
        """Begin a run's writing; the file is this process' until it ends."""
        from .writer import DuckdbWriter

        return DuckdbWriter(self._access, spec)

    def absent(self) -> bool:
        """Whether there is no file, in a folder that is there."""
        return not self._access.is_there

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope; a file that is not there yet has no checkpoints, and is not made for it."""
        from headgate.sql import Checkpoints

        from .connection import DuckdbSession
        from .dialect import DuckdbDialect

        if self.absent():
            return None
        with closing(DuckdbSession(self._access)) as session:
            session.hold()
            session.begin()
            kept = Checkpoints(DuckdbDialect(), session)
            kept.make()
            found = kept.claim(ticket)
            session.commit()
            return found

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        """Read a table or a query as text.

        Raises:
            DestinationError: there is no such file, table or column, or the query fails.
        """
        from .lookups import read

        return read(self._access, reading)

    def readable(self, image: str) -> str:
        """An image is the value's text."""
        return image

    def close(self) -> None:
        """Nothing to release: every connection is closed by who opened it."""

    def _look(self, ask: Callable[[Rows], _T]) -> _T | None:
        from .connection import DuckdbSession

        if not self._access.is_there:
            return None
        with closing(DuckdbSession(self._access)) as session:
            return ask(session.rows)
