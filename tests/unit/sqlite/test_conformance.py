"""What every destination must do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from headgate.connectors.sqlite import SqliteDestination, stage
from headgate.testing.destination import DestinationConformance
from headgate.testing.place import Place


class TestSqlite(DestinationConformance):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Callable[[], SqliteDestination]:
        self._path = tmp_path / "shop.db"
        return lambda: SqliteDestination({"url": "sqlite:///shop.db"}, tmp_path)

    def count_elsewhere(self, place: Place, table: str) -> int:
        """Another program's view: a second writer would wait for the first."""
        with closing(sqlite3.connect(self._path)) as con:
            return int(con.execute(f'select count(*) from "{table}"').fetchone()[0])


class TestManyRecords(TestSqlite):
    """The same by the way of the driver that loads many records at once."""

    @pytest.fixture(autouse=True)
    def _few_are_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stage, "FEW", 0)
