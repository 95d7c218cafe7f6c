from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from headgate.connectors.duckdb import DuckdbDestination
from headgate.connectors.duckdb.connection import Access, identifier
from headgate.testing.destination import DestinationConformance
from headgate.testing.place import Connect, Place


class TestDuckdb(DestinationConformance):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        self.options = {"url": f"duckdb:///{tmp_path / 'place.duckdb'}"}
        self.base = tmp_path
        return lambda: DuckdbDestination(self.options, tmp_path)

    def table_name(self, name: str) -> str:
        return identifier(name) if '"' in name or "." in name else name

    def count_elsewhere(self, place: Place, table: str) -> int:
        """A file has one writer at a time, and reading through the interface begins one."""
        with closing(Access.read(self.options, self.base).connect()) as connection:
            return int(connection.execute(f'select count(*) from "{table}"').fetchall()[0][0])
