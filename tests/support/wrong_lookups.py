"""Destinations that read lookups or add parents with one thing wrong each, for the suite to notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pyarrow as pa

from headgate.connectors.memory import MemoryDestination
from headgate.connectors.memory.tables import Table
from headgate.model.errors import DestinationError
from headgate.model.reading import Parents, Reading
from support.wrong_destinations import Wrong


class LosesParents(Wrong):
    fails = ("test_parents_are_added_with_the_records", "test_parents_belong_to_the_first_batch")

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        added = super().add_parents(parents, rows)
        self._parents.clear()
        return added


class KeepsParents(Wrong):
    fails = ("test_parents_are_forgotten_by_abort", "test_parents_are_added_with_the_records")

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        added = super().add_parents(parents, rows)
        for name, there in self._parents.items():
            self._tables[name] = Table(self._tables[name].schema, there)
        return added


class RefusesAllParentsTogether(Wrong):
    fails = ("test_a_parent_that_is_refused_leaves_the_others",)

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        before = dict(self._parents)
        added = super().add_parents(parents, rows)
        if any(added["refused"].to_pylist()):
            self._parents = before
            return pa.table({"taken": pa.nulls(len(rows), pa.string()), "refused": pa.array(["no"] * len(rows))})
        return added


class TakesParentsWithoutTheirHardValues(Wrong):
    fails = ("test_a_parent_with_a_value_that_cannot_be_held_is_refused",)

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        hard = [r | {n: None for n, v in r.items() if v != v or "\0" in str(v)} for r in rows.to_pylist()]
        return super().add_parents(parents, pa.RecordBatch.from_pylist(hard, schema=rows.schema))


class ReadsOtherwise(MemoryDestination):
    fails = ("test_values_are_looked_up_in_their_text_form",)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        for batch in super().read(reading):
            padded = [None if v is None else f"{v} " for v in batch.column(batch.num_columns - 1).to_pylist()]
            yield batch.set_column(batch.num_columns - 1, reading.columns[-1], pa.array(padded, pa.string()))


class ReadsInItsOwnOrder(MemoryDestination):
    fails = ("test_columns_are_read_in_the_order_asked_for",)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        for batch in super().read(replace(reading, columns=tuple(sorted(reading.columns)))):
            yield batch.rename_columns(list(reading.columns))


class ReadsEverything(MemoryDestination):
    fails = ("test_only_entries_with_these_values_are_read",)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        return super().read(replace(reading, values={}))


class ReadsOnePage(MemoryDestination):
    fails = ("test_many_entries_are_read_in_pages",)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        yield next(super().read(reading))


class ReadsNothingWhereNothingIs(MemoryDestination):
    fails = ("test_what_is_not_there_cannot_be_looked_up",)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        with suppress(DestinationError):
            yield from super().read(reading)


class KeepsTheTableToItself(MemoryDestination):
    fails = ("test_reading_may_stop_early_and_leaves_the_table_free",)

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        table = self._tables.pop(reading.table)
        yield from (batches := list(MemoryDestination.read(_only(reading.table, table), reading)))
        assert batches
        self._tables[reading.table] = table


def _only(name: str, table: Table) -> MemoryDestination:
    made = MemoryDestination.__new__(MemoryDestination)
    made._tables = {name: table}
    return made


WRONG: list[Any] = [
    LosesParents,
    KeepsParents,
    RefusesAllParentsTogether,
    TakesParentsWithoutTheirHardValues,
    ReadsOtherwise,
    ReadsInItsOwnOrder,
    ReadsEverything,
    ReadsOnePage,
    ReadsNothingWhereNothingIs,
    KeepsTheTableToItself,
]
