"""The conformance suite of sources."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Fault
from headgate.spi.source import BATCH_ROWS, Partition, Scan, Source

from .hostile_sources import HostileInputTests

Make = Callable[[], Source]


def _seen(scan: Scan) -> tuple[list[int], pa.Table, list[Fault]]:
    """Every record with its ordinal, and every fault, in the order given."""
    batches = list(scan.batches())
    records = pa.Table.from_batches([b.records for b in batches], schema=scan.schema)
    return [o for b in batches for o in b.ordinals], records, [f for b in batches for f in b.faults]


def _ordinals(scan: Scan) -> list[int]:
    """Ordinals of all records and faults, as they must be asked for."""
    ordinals, _, faults = _seen(scan)
    return sorted([*ordinals, *(f.ordinal for f in faults)])


class SourceConformance(HostileInputTests):
    """What every source must do; subclass it and say how to make one.

    Required: the fixture ``make``, a function that makes a new `Source` over the same input each time it is called.
    Optional: the fixture ``make_missing``, the same over input that is not there; ``make_of``, a function that makes a source
    of a given header and records; ``expected``, the records of all partitions in order, as dicts.
    """

    expected: list[dict[str, Any]] | None = None

    @pytest.fixture
    def make(self) -> Make:
        """Override: a function that makes the source."""
        raise NotImplementedError("a subclass of SourceConformance defines the fixture `make`")

    @pytest.fixture
    def make_missing(self) -> Make | None:
        """Override: a function that makes a source without anything to read."""
        return None

    @pytest.fixture
    def source(self, make: Make) -> Iterator[Source]:
        """One source, closed twice in the end."""
        source = make()
        yield source
        source.close()
        source.close()

    @pytest.fixture
    def scans(self, source: Source) -> Iterator[list[Scan]]:
        """All partitions, opened, and closed twice in the end."""
        scans = [source.open(p) for p in source.partitions()]
        yield scans
        for scan in scans:
            scan.close()
            scan.close()

    def test_has_partitions_with_distinct_names(self, source: Source) -> None:
        partitions = source.partitions()
        assert partitions
        assert len({p.name for p in partitions}) == len(partitions)
        assert all(p.name and p.size >= 0 for p in partitions)

    def test_partitions_are_the_same_each_time(self, make: Make, source: Source) -> None:
        def shown(partitions: list[Partition]) -> list[tuple[str, int]]:
            return [(p.name, p.size) for p in partitions]

        again = make()
        assert shown(source.partitions()) == shown(source.partitions()) == shown(again.partitions())
        again.close()

    def test_a_scan_read_again_yields_the_same_records_with_the_same_ordinals(self, scans: list[Scan]) -> None:
        for scan in scans:
            assert _seen(scan) == _seen(scan)

    def test_another_source_yields_the_same_records_with_the_same_ordinals(self, make: Make, scans: list[Scan]) -> None:
        again = make()
        for scan, partition in zip(scans, again.partitions(), strict=True):
            other = again.open(partition)
            assert _seen(other) == _seen(scan)
            other.close()
        again.close()

    def test_reading_may_stop_early_and_start_again(self, scans: list[Scan]) -> None:
        for scan in scans:
            whole = _seen(scan)
            batches = scan.batches()
            next(batches, None)
            batches.close()  # type: ignore[attr-defined]
            assert _seen(scan) == whole

    def test_batches_are_bounded_and_have_the_scans_schema(self, scans: list[Scan]) -> None:
        for scan in scans:
            for batch in scan.batches():
                assert len(batch) <= BATCH_ROWS
                assert batch.records.schema.equals(scan.schema)
                assert len(batch.ordinals) == batch.records.num_rows

    def test_ordinals_count_every_record_once(self, scans: list[Scan]) -> None:
        def numbers(batch: Batch) -> list[int]:
            return sorted([*batch.ordinals, *(f.ordinal for f in batch.faults)])

        for scan in scans:
            batches = list(scan.batches())
            ordinals = [o for batch in batches for o in numbers(batch)]
            assert all(list(b.ordinals) == sorted(b.ordinals) for b in batches)
            assert ordinals == list(range(len(ordinals)))

    def test_every_record_has_an_origin_and_origins_increase(self, scans: list[Scan]) -> None:
        for scan in scans:
            ordinals = _ordinals(scan)
            origins = scan.locate(ordinals)
            assert len(origins) == len(ordinals)
            for before, after in itertools.pairwise(origins):
                assert (before.file, before.sheet) == (after.file, after.sheet)
                assert before.row is None or after.row is None or before.row < after.row
                assert before.line is None or after.line is None or before.line <= after.line

    def test_the_origin_of_some_records_is_that_among_all(self, scans: list[Scan]) -> None:
        for scan in scans:
            ordinals = _ordinals(scan)
            whole = dict(zip(ordinals, scan.locate(ordinals), strict=True))
            for some in (ordinals[::2], ordinals[-1:], []):
                assert scan.locate(some) == [whole[o] for o in some]
            assert _ordinals(scan) == ordinals

    def test_progress_grows_from_nothing_to_all(self, scans: list[Scan]) -> None:
        for scan in scans:
            seen = [scan.progress() for _ in scan.batches()]
            seen.append(scan.progress())
            assert seen == sorted(seen)
            assert all(0 <= p <= 1 for p in seen)

    def test_findings_can_be_shown(self, scans: list[Scan]) -> None:
        for scan in scans:
            assert json.loads(json.dumps(dict(scan.findings)))

    def test_the_records_are_the_expected_ones(self, scans: list[Scan]) -> None:
        if self.expected is None:
            pytest.skip("not stated: the expected records")
        records = [r for scan in scans for b in scan.batches() for r in b.records.to_pylist()]
        assert records == self.expected

    def test_nothing_to_read_is_an_error_for_people(self, make_missing: Make | None) -> None:
        if make_missing is None:
            pytest.skip("not stated: input that is not there")
        source = make_missing()
        with pytest.raises(SourceError) as caught:
            for partition in source.partitions():
                source.open(partition)
        assert caught.value.message
        source.close()
