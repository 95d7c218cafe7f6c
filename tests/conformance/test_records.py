from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

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
