from __future__ import annotations

import pyarrow as pa
import pytest

from headgate.testing.source import Make, SourceConformance
from headgate.testing.sources import RecordsSource


class TestRecords(SourceConformance):
    @pytest.fixture
    def make(self) -> Make:
        self.expected = [{"id": i, "name": f"n{i}"} for i in range(100)]
        return lambda: RecordsSource(pa.Table.from_pylist(self.expected), batch_rows=7)
