from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import closing

import pyarrow as pa
import pytest

from headgate.connectors.records import RecordsSource as Records
from headgate.model.errors import SourceError
from headgate.model.record import Fault
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


def read(records: object) -> tuple[list[dict[str, object]], list[Fault]]:
    with closing(Records(records)) as source, closing(source.open(source.partitions()[0])) as scan:
        batches = list(scan.batches())
    return [r for b in batches for r in b.records.to_pylist()], [f for b in batches for f in b.faults]


def test_a_moment_with_a_zone_stays_the_moment_it_is() -> None:
    paris = dt.datetime(2024, 1, 1, 10, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert read([{"at": paris}]) == ([{"at": "2024-01-01T09:00:00Z"}], [])


def test_half_a_character_spoils_its_own_record_only() -> None:
    records, faults = read([{"id": 1, "s": "\ud83d", "t": "\udc80x"}, {"id": 2, "s": "\U0001f600", "t": None}])
    assert records == [{"id": "2", "s": "\U0001f600", "t": None}]
    assert [(f.ordinal, f.problem.code, f.problem.column, f.raw) for f in faults] == [
        (0, "RD04", "s", {"id": "1", "s": "\\ud83d", "t": "\\udc80x"})
    ]


def test_dates_no_person_could_write_are_faults() -> None:
    records, faults = read(pa.table({"id": [1, 2], "d": pa.array([0, 2**31 - 1], pa.date32())}))
    assert [r["id"] for r in records] == [1]
    assert [(f.problem.code, f.problem.value) for f in faults] == [("RD09", "infinity")]


@pytest.mark.parametrize("records", [[], [{}, {}]])
def test_records_that_do_not_say_their_columns_are_refused_with_a_way_out(records: list[dict[str, object]]) -> None:
    with pytest.raises(SourceError, match="no records with columns") as e:
        read(records)
    assert "Arrow table of no rows" in (e.value.hint or "")
    assert read(pa.table({"id": pa.array([], pa.int64())})) == ([], [])
