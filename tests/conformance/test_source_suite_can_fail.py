"""Every test of the suite of sources fails for some source that is wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from headgate.model.errors import HeadgateError
from headgate.model.record import Batch, Origin
from headgate.spi.source import Partition
from headgate.testing.source import SourceConformance
from headgate.testing.sources import RecordsScan, RecordsSource

TABLE = pa.table({"id": list(range(100))})
counter = itertools.count()


class Wrong(RecordsScan):
    fails: tuple[str, ...] = ()


class OtherOrdinalsEachTime(Wrong):
    fails = (
        "test_a_scan_read_again_yields_the_same_records_with_the_same_ordinals",
        "test_ordinals_count_every_record_once",
    )

    def batches(self) -> Iterator[Batch]:
        first = next(counter) + 1
        yield from (Batch(b.records, [o + first for o in b.ordinals]) for b in super().batches())


class OtherRecordsInEachScan(Wrong):
    fails = ("test_another_source_yields_the_same_records_with_the_same_ordinals",)

    def __init__(self, table: pa.Table, name: str, batch_rows: int) -> None:
        super().__init__(pa.table({"id": [next(counter)]}), name, batch_rows)


class GoesOnWhereItStopped(Wrong):
    fails = ("test_reading_may_stop_early_and_start_again",)

    def batches(self) -> Iterator[Batch]:
        start = self._read if 0 < self._read < 100 else 0
        yield from (b for b in super().batches() if b.ordinals[0] >= start)


class GivesOneBatchOfAnyLength(Wrong):
    fails = ("test_batches_are_bounded_and_have_the_scans_schema",)

    def batches(self) -> Iterator[Batch]:
        yield Batch(pa.record_batch({"id": list(range(70_000))}), range(70_000))


class CountsOneOrdinalTwice(Wrong):
    fails = ("test_ordinals_count_every_record_once",)

    def batches(self) -> Iterator[Batch]:
        yield from (Batch(b.records, [max(o - 1, 0) for o in b.ordinals]) for b in super().batches())


class LocatesBackwards(Wrong):
    fails = ("test_every_record_has_an_origin_and_origins_increase",)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        return super().locate(ordinals)[::-1]


class LocatesByPosition(Wrong):
    fails = ("test_the_origin_of_some_records_is_that_among_all",)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        return super().locate(range(len(ordinals)))


class ProgressGoesBack(Wrong):
    fails = ("test_progress_grows_from_nothing_to_all",)

    def progress(self) -> float:
        return 1 - super().progress()


class FindsWhatCannotBeShown(Wrong):
    fails = ("test_findings_can_be_shown",)

    def __init__(self, table: pa.Table, name: str, batch_rows: int) -> None:
        super().__init__(table, name, batch_rows)
        self.findings = {"table": table}


class LosesARecord(Wrong):
    fails = ("test_the_records_are_the_expected_ones",)

    def __init__(self, table: pa.Table, name: str, batch_rows: int) -> None:
        super().__init__(table.slice(1), name, batch_rows)


class WrongSource(RecordsSource):
    fails: tuple[str, ...] = ()


class NamesPartitionsAnewEachTime(WrongSource):
    fails = ("test_partitions_are_the_same_each_time",)

    def partitions(self) -> list[Partition]:
        return [Partition(f"part {next(counter)}")]


class HasNothingToRead(WrongSource):
    fails = ("test_has_partitions_with_distinct_names", "test_nothing_to_read_is_an_error_for_people")

    def partitions(self) -> list[Partition]:
        return []


class WrongInput(RecordsSource):
    """A source that makes something else of the header or the records it is given."""

    fails: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str], rows: Sequence[Sequence[str]]) -> RecordsSource:
        columns = [pa.array([cls.text(row[i]) for row in cls.records(rows)], pa.string()) for i in range(len(names))]
        named = cls.named(list(names))
        return cls(pa.Table.from_arrays(columns[: len(named)], names=named))

    @classmethod
    def named(cls, names: list[str]) -> list[str]:
        """Names that are there keep what they name, others get one that is free."""
        taken = {n for n in names if n.strip()}
        made: list[str] = []
        for i, name in enumerate(names):
            wanted = name.strip() and name not in made
            made.append(name if wanted else next(n for k in itertools.count(i) if (n := f"free_{k}") not in taken))
            taken.add(made[-1])
        return made

    @classmethod
    def text(cls, value: str) -> str:
        return value

    @classmethod
    def records(cls, rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        return rows


class SimplifiesNames(WrongInput):
    fails = ("test_names_are_given_as_they_are",)

    @classmethod
    def named(cls, names: list[str]) -> list[str]:
        return super().named([n.lower().replace(".", "_") for n in names])


class RepeatsNames(WrongInput):
    fails = ("test_names_that_repeat_are_told_apart_or_refused",)

    @classmethod
    def named(cls, names: list[str]) -> list[str]:
        return names


class LeavesColumnsWithoutAName(WrongInput):
    fails = ("test_columns_without_a_name_are_given_one_or_refused",)

    @classmethod
    def named(cls, names: list[str]) -> list[str]:
        return [n + " " * i if not n.strip() else n for i, n in enumerate(names)]


class DropsColumnsWithoutAName(WrongInput):
    fails = ("test_columns_without_a_name_are_given_one_or_refused",)

    @classmethod
    def named(cls, names: list[str]) -> list[str]:
        return [n for n in names if n.strip()]


class TakesTheHeaderForARecord(WrongInput):
    fails = ("test_an_input_without_records_has_none_or_is_refused",)

    @classmethod
    def of(cls, names: Sequence[str], rows: Sequence[Sequence[str]]) -> RecordsSource:
        return super().of(names, rows or [names])


class TakesTheFirstRecordForTheHeader(WrongInput):
    fails = ("test_an_input_of_one_record_has_one", "test_names_are_given_as_they_are")

    @classmethod
    def records(cls, rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        return rows[1:]


class TrimsTexts(WrongInput):
    fails = ("test_texts_are_given_as_written",)

    @classmethod
    def text(cls, value: str) -> str:
        return value.strip(" ")


class ReadsAThousandColumns(WrongInput):
    fails = ("test_an_input_may_have_very_many_columns",)

    @classmethod
    def named(cls, names: list[str]) -> list[str]:
        return super().named(names)[:1000]


WRONG: list[Any] = [*Wrong.__subclasses__(), *WrongSource.__subclasses__(), *WrongInput.__subclasses__()]
SUITE = {n for n in dir(SourceConformance) if n.startswith("test_")}


def passes(wrong: Any, name: str) -> bool:
    class Source(wrong if issubclass(wrong, RecordsSource) else RecordsSource):  # type: ignore[misc]
        def open(self, partition: Partition) -> Any:
            scan = wrong if issubclass(wrong, RecordsScan) else RecordsScan
            return scan(self._table, partition.name, self._batch_rows)

    def make() -> Source:
        return Source(TABLE, batch_rows=30)

    suite = SourceConformance()
    suite.expected = TABLE.to_pylist()
    source = make()
    of = wrong.of if issubclass(wrong, WrongInput) else WrongInput.of
    given = {"make": make, "make_missing": make, "source": source, "make_of": of}
    given["scans"] = [source.open(p) for p in source.partitions()]  # type: ignore[assignment]
    method = getattr(suite, name)
    names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    try:
        method(**{n: given[n] for n in names})
    except (AssertionError, TypeError, pytest.fail.Exception, HeadgateError):
        return False
    return True


@pytest.mark.parametrize(("wrong", "name"), [(w, n) for w in WRONG for n in w.fails])
def test_the_suite_notices(wrong: Any, name: str) -> None:
    assert not passes(wrong, name)


def test_every_test_of_the_suite_can_fail() -> None:
    assert SUITE - {n for w in WRONG for n in w.fails} == set()


def test_an_intact_source_passes_each_test_called_this_way() -> None:
    assert [n for n in SUITE - {"test_nothing_to_read_is_an_error_for_people"} if not passes(RecordsScan, n)] == []
