from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headgate.connectors.sqlite import SqliteDestination
from headgate.testing.destination import DestinationConformance
from headgate.testing.place import Connect, Place


class TestSqlite(DestinationConformance):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        self.path = tmp_path / "place.db"
        return lambda: SqliteDestination({"url": f"sqlite:///{self.path}"}, tmp_path)

    def count_elsewhere(self, place: Place, table: str) -> int:
        """A file has one writer at a time, and reading through the interface begins one."""
        with closing(sqlite3.connect(self.path)) as connection:
            return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])
