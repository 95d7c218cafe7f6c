"""Destinations that take runs back or keep checkpoints with one thing wrong each, for the suite to notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pyarrow as pa

from headgate.connectors.memory import MemoryDestination
from headgate.connectors.memory.state import State
from headgate.connectors.memory.tables import Table
from headgate.connectors.memory.writer import MemoryWriter
from headgate.model.errors import Fenced
from headgate.model.outcome import Outcome
from headgate.model.write import ACTION, NUMBER, Images, Matched, Ticket, WriteSpec
from headgate.spi.deciding import Change, Row


class Wrong(MemoryWriter):
    """Base of the wrong writers; a class attribute says what must fail."""

    fails: tuple[str, ...] = ()


class ForgetsWhatWas(Wrong):
    fails = (
        "test_every_operation_is_taken_back",
        "test_records_marked_by_mirror_are_unmarked",
        "test_an_undo_can_be_undone",
        "test_every_value_comes_back",
        "test_records_are_found_again_by_keys_of_every_type",
    )

    def before(self) -> Iterator[pa.RecordBatch]:
        for batch in super().before():
            key = {*self._spec.key, *(f"_old_{k}" for k in self._spec.key)}
            lost = [
                v if n in key or not n.startswith("_old_") else pa.nulls(len(v), v.type)
                for n, v in zip(batch.schema.names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(lost, schema=batch.schema)


class SaysNothingOfCreatedRecords(Wrong):
    fails = ("test_every_operation_is_taken_back",)

    def after(self) -> Iterator[pa.RecordBatch]:
        return iter(())


class KnowsOnlyMappedColumns(Wrong):
    fails = ("test_columns_that_are_not_mapped_come_back_with_a_deleted_record",)

    def _imaged(self, change: Change, action: str, new: Row, old: Row) -> Row:
        mapped = {f.name for f in self._spec.fields}
        return super()._imaged(change, action, new, {k: v for k, v in old.items() if k in mapped})


class DoesNotReadCreatedRecordsBack(Wrong):
    fails = ("test_a_created_record_edited_in_a_column_that_is_not_mapped_is_left",)

    def images(self) -> Images:
        return replace(super().images(), created=tuple(f.name for f in self._spec.fields))


class PutsWholeRecordsBack(Wrong):
    fails = ("test_an_edit_of_another_column_stays_and_the_update_is_taken_back",)

    def images(self) -> Images:
        images = super().images()
        return replace(images, updated=images.columns)


class AlwaysForces(Wrong):
    fails = ("test_records_edited_since_are_left_and_named",)

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        super().__init__(tables, state, replace(spec, forced=spec.planned))


class NeverForces(Wrong):
    fails = ("test_force_takes_back_what_was_edited",)

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        super().__init__(tables, state, replace(spec, forced=False))


class BringsBackWhatIsGone(Wrong):
    fails = ("test_what_is_gone_is_held_even_with_force",)

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        if not found and record[NUMBER] is not None and record[ACTION] == "updated":
            record = {**record, ACTION: "created"}
        super()._decide_planned(record, found)


class FindsNothingWithoutAKey(Wrong):
    fails = ("test_appended_records_are_taken_back_one_by_one",)

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        if not self._spec.key and record[ACTION] == "deleted":
            self._refuse(record[NUMBER], Outcome.HELD, "HE01")
        else:
            super()._decide_planned(record, found)


class RemovesNoTable(Wrong):
    fails = ("test_a_table_the_run_made_is_removed_when_it_is_empty",)

    def drop(self) -> bool:
        return True


class RemovesAnyTable(Wrong):
    fails = ("test_a_table_the_run_made_stays_when_somebody_has_added_to_it",)

    def drop(self) -> bool:
        self._dropped = True
        return True


class CommitsWithAnyFence(Wrong):
    fails = ("test_who_was_overtaken_cannot_commit",)

    def commit(self, checkpoint: str = "") -> None:
        self._spec = replace(self._spec, ticket=None)
        super().commit(checkpoint)


class KeepsACheckpointBeforeItsTime(Wrong):
    fails = ("test_a_run_that_aborts_leaves_the_checkpoint_as_it_was", "test_every_batch_has_its_checkpoint")

    def apply(self) -> Matched:
        if self._spec.ticket is not None:
            self._state.keep(self._spec.ticket, "too early")
        return super().apply()


class KeepsNoCheckpoint(MemoryDestination):
    fails = (
        "test_the_last_checkpoint_is_given_to_who_claims",
        "test_a_table_that_the_run_makes_comes_with_its_checkpoint",
    )

    def claim(self, ticket: Ticket) -> str | None:
        super().claim(ticket)
        return None


class LetsAnybodyClaim(MemoryDestination):
    fails = ("test_a_lower_fence_claims_nothing",)

    def claim(self, ticket: Ticket) -> str | None:
        with suppress(Fenced):
            return super().claim(ticket)
        return None


class ShowsWhatItKeeps(MemoryDestination):
    fails = ("test_what_is_kept_is_not_shown_among_the_tables",)

    def tables(self) -> list[str]:
        return ["_headgate_checkpoint", *super().tables()]


WRONG: list[Any] = [*Wrong.__subclasses__(), KeepsNoCheckpoint, LetsAnybodyClaim, ShowsWhatItKeeps]
