"""Destinations that change their tables' columns with one thing wrong each, for the suite to notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from headgate.connectors.memory import MemoryDestination
from headgate.connectors.memory.tables import Table
from headgate.connectors.memory.writer import MemoryWriter
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import FieldType


class Wrong(MemoryWriter):
    """Base of the wrong writers; a class attribute says what must fail."""

    fails: tuple[str, ...] = ()


class AddsAtOnce(Wrong):
    fails = ("test_a_plan_adds_no_column", "test_a_type_is_widened_with_the_records")

    def _find(self) -> TableSchema:
        schema = super()._find()
        there = self._tables.get(self._spec.table)
        if there is not None:
            blank = dict.fromkeys(c.name for c in schema.columns)
            rows = {n: blank | row for n, row in there.rows.items()}
            if self._spec.widened:
                rows = {n: {**row, "qty": 0} for n, row in rows.items()}
            self._tables[self._spec.table] = Table(schema, rows)
        return schema


class AddsRequiredColumns(Wrong):
    fails = ("test_a_column_is_added_with_the_records",)

    def _find(self) -> TableSchema:
        schema = super()._find()
        columns = tuple(replace(c, nullable=c.name not in self._spec.added) for c in schema.columns)
        return replace(schema, columns=columns)


class AddsForOneBatch(Wrong):
    fails = ("test_a_column_is_added_once_for_many_batches",)

    def write(self, batch: pa.RecordBatch) -> None:
        if self._spec.batched and self._spec.added <= {c.name for c in self._tables[self._spec.table].schema.columns}:
            batch = batch.set_column(batch.schema.get_field_index("name"), "name", pa.array(["?"] * batch.num_rows))
        super().write(batch)


class LeavesColumns(Wrong):
    fails = ("test_a_column_that_was_added_goes_with_the_run",)

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        return []


class DropsUsedColumns(Wrong):
    fails = ("test_a_column_that_somebody_uses_stays",)

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        for row in self._rows.values():
            row.update(dict.fromkeys(names))
        return super().drop_columns(names)


class NarrowsNothing(Wrong):
    fails = ("test_a_type_is_widened_with_the_records",)

    def _find(self) -> TableSchema:
        schema = super()._find()
        columns = tuple(
            replace(c, type=FieldType("smallint")) if c.name in self._spec.widened else c for c in schema.columns
        )
        return replace(schema, columns=columns)


class KeepsQuiet(MemoryDestination):
    fails = ("test_what_it_would_do_to_columns_is_said",)

    def propose_columns(self, table: str, added: Sequence[Column], widened: Sequence[Column]) -> list[SchemaChange]:
        return []


WRONG = [AddsAtOnce, AddsRequiredColumns, AddsForOneBatch, LeavesColumns, DropsUsedColumns, NarrowsNothing, KeepsQuiet]
