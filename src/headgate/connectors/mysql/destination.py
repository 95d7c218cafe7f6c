"""The MariaDB and MySQL destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headgate.model.reading import Reading
from headgate.model.table import SchemaChange, TableSchema
from headgate.model.types import KINDS, FieldType
from headgate.model.write import RECORD_OPERATIONS, Ticket, WriteSpec
from headgate.spi.destination import Capabilities

if TYPE_CHECKING:
    import pyarrow as pa

    from .writer import MysqlWriter

MARIADB: Final = Capabilities(
    operations=RECORD_OPERATIONS,
    transactional=True,
    row_rejects=True,
    create_table=True,
    exact_types=frozenset(KINDS) - {"json"},  # a column of MySQL's own type json keeps the value, not its spelling
    max_identifier=64,
    checkpoints=True,
    undo=True,
    lookups=True,
    max_columns=180,  # undo stages of each a new and an old value as text, and InnoDB has room for about 390 texts in a row
    folds_case=True,
    refuses=frozenset({"nan", "infinity"}),
    gaps={
        "test_columns_may_have_a_blank_at_the_end_of_their_names": "names of columns end in no blank",
        "test_columns_may_have_emoji_in_their_names": "names of columns have no characters beyond U+FFFF",
        "test_tables_may_have_emoji_in_their_names": "names of tables have no characters beyond U+FFFF",
        "test_appended_records_are_taken_back_one_by_one": "without a primary key there is no name for a row",
        "test_zero_keeps_its_sign": "MariaDB takes the number -0.0 for 0.0",
    },
)
MYSQL: Final = replace(
    MARIADB,
    max_columns=90,  # its InnoDB has room for about 190 texts
    gaps={name: gap for name, gap in MARIADB.gaps.items() if name != "test_zero_keeps_its_sign"}
    | {
        "test_decimals_of_every_scale_come_back_as_written": "decimals have at most 30 digits after the point",
        "test_a_table_may_have_300_columns_of_text": "a table has at most about 190 columns of text",
    },
)


class MysqlDestination:
    """A MariaDB database, 10.11 and later, or a MySQL database, 8.0.17 and later.

    Args:
        options: the connection: ``url`` (``mysql://user:password@host:port/database``), and ``password``,
            ``connect_timeout`` and ``lock_timeout`` (seconds), ``local_infile``, ``ssl_ca``, ``ssl_cert`` and ``ssl_key``
            (files) where given.
        base: not used; a database has no folder.

    Raises:
        UsageError: the options are wrong. Nothing is connected yet.
    """

    schemes = ("mysql", "mariadb")
    by_server: Mapping[str, Capabilities] = {"mariadb": MARIADB, "mysql": MYSQL}

    def __init__(self, options: Mapping[str, Any], base: Path) -> None:  # noqa: ARG002 - the constructor all connectors have
        from .connection import Access

        self._access = Access.read(options)
        self._session: Any = None

    @property
    def capabilities(self) -> Capabilities:
        """Those of the server at the other end."""
        return MARIADB if self._connected().mariadb else MYSQL

    def inspect(self, table: str) -> TableSchema | None:
        """The table or view as it is now; None when there is none."""
        from .catalog import find

        found = find(self._rows, table)
        return found.table if found is not None else None

    def tables(self) -> list[str]:
        """All tables and views of the database."""
        from .catalog import names

        return names(self._rows)

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """The statement that makes the table."""
        from .ddl import create_table

        columns = ", ".join(f"{c.name} {self.native(c.type)}" for c in wanted.columns)
        key = f" with key {', '.join(wanted.key)}" if wanted.key else ""
        mariadb = self._connected().mariadb
        return SchemaChange(f"create table {wanted.name} ({columns}){key}", create_table(wanted, mariadb=mariadb))

    def native(self, type: FieldType) -> str:
        """The database's name for a type."""
        from .types import native

        return native(type)

    def open(self, spec: WriteSpec) -> MysqlWriter:
        """Begin a run's writing on a connection of its own."""
        from .writer import MysqlWriter

        return MysqlWriter(self._access, spec)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        """Read a table or a query as text, on a connection of its own."""
        from .lookups import read

        return read(self._access, reading)

    def readable(self, image: str) -> str:
        """An image is the value's text."""
        return image

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope; checkpoints are kept in a table beside the others."""
        from .state import claim

        return claim(self._access, ticket)

    def close(self) -> None:
        """Disconnect what inspection uses."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _connected(self) -> Any:
        if self._session is None:
            from .connection import MysqlSession

            self._session = MysqlSession(self._access)
        return self._session

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        session = self._connected()
        try:
            return list(session.rows(sql))
        finally:
            session.rollback()
