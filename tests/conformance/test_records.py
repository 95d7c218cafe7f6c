from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from headgate.connectors.records import RecordsSource as Records
from headgate.testing.hostile_sources import MakeOf
from headgate.testing.source import Make, SourceConformance
from headgate.testing.sources import RecordsSource


def source_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> RecordsSource | None:
    """Whoever makes a table names its columns."""
    if len(set(names)) < len(names):
        return None
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(names))]
    return RecordsSource(pa.Table.from_arrays(columns, names=list(names)))


class TestRecords(SourceConformance):
    @pytest.fixture
    def make(self) -> Make:
        self.expected = [{"id": i, "name": f"n{i}"} for i in range(100)]
        return lambda: RecordsSource(pa.Table.from_pylist(self.expected), batch_rows=7)

    @pytest.fixture
    def make_of(self) -> MakeOf:
        return source_of


class TestRecordsOfAProgram(SourceConformance):
    @pytest.fixture
    def make(self) -> Make:
        self.expected = [{"id": str(i), "name": f"n{i}"} for i in range(100)]
        return lambda: Records([{"id": i, "name": f"n{i}"} for i in range(100)])

    @pytest.fixture
    def make_of(self) -> MakeOf:
        def make(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Records | None:
            if len(set(names)) < len(names) or not all(n.strip() for n in names):
                return None  # a dict has each key once, and whoever makes one names it
            return Records([dict(zip(names, row, strict=True)) for row in rows])

        return make


class TestArrowOfAProgram(SourceConformance):
    @pytest.fixture
    def make(self) -> Make:
        self.expected = [{"id": i, "name": f"n{i}"} for i in range(70_000)]
        return lambda: Records(pa.Table.from_pylist(self.expected))

    @pytest.fixture
    def make_of(self) -> MakeOf:
        def make(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Records | None:
            if not all(n.strip() for n in names):
                return None
            return Records(
                pa.Table.from_arrays(
                    [pa.array([r[i] for r in rows], pa.string()) for i in range(len(names))], names=list(names)
                )
            )

        return make
