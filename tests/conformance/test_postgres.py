from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from headgate.connectors.postgres import PostgresDestination
from headgate.connectors.postgres.catalog import split
from headgate.model.write import WriteField
from headgate.spi.destination import Destination
from headgate.testing.destination import DestinationConformance
from headgate.testing.place import Connect
from headgate.testing.runs import Row


class TestPostgres(DestinationConformance):
    @pytest.fixture
    def connect(self, pg_db: str) -> Iterator[Connect]:
        with psycopg.connect(pg_db, autocommit=True, options="-c timezone=UTC") as self.reader:
            # Where clocks change, so that a moment which goes through local time anywhere is another one.
            name = sql.Identifier(self.reader.info.dbname)
            self.reader.execute(sql.SQL("ALTER DATABASE {} SET timezone TO 'Europe/Paris'").format(name))
            yield lambda: PostgresDestination({"url": pg_db}, Path())
            self.reader.execute(sql.SQL("ALTER DATABASE {} RESET timezone").format(name))

    def table_name(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"' if '"' in name or "." in name else name

    def read(self, destination: Destination, table: str, fields: Sequence[WriteField]) -> list[Row]:
        """With the driver alone: quicker, and says what is there whatever the connector thinks."""
        as_text = {"uuid": "::text", "json": "::text"}
        columns = [sql.Identifier(f.name) + sql.SQL(as_text.get(f.type.kind, "")) for f in fields]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), sql.Identifier(split(table)[1]))
        rows = self.reader.execute(query).fetchall()
        return [dict(zip((f.name for f in fields), row, strict=True)) for row in rows]
