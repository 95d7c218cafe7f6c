"""Destinations with one thing wrong each, for the suite to notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pyarrow as pa
from msgspec import structs

from headgate.connectors.memory import MemoryDestination
from headgate.connectors.memory.state import State
from headgate.connectors.memory.tables import Table
from headgate.connectors.memory.writer import MemoryWriter
from headgate.model.errors import DestinationError
from headgate.model.outcome import Outcome
from headgate.model.table import SchemaChange, TableSchema
from headgate.model.write import DELETE, Matched, Operation, Refusal, WriteSpec
from headgate.spi.deciding import Change, Row


class Wrong(MemoryWriter):
    """Base of the wrong writers; a class attribute says what must fail."""

    fails: tuple[str, ...] = ()


class LosesARecord(Wrong):
    fails = (
        "test_records_may_come_in_many_batches",
        "test_upsert_updates_leaves_and_creates",
        "test_insert_creates_what_is_new_and_rejects_what_is_there",
    )

    def apply(self) -> Matched:
        applied = super().apply()
        if created := [c for c in self._changes if c.action is Outcome.CREATED]:
            self._rows = {n: r for n, r in self._rows.items() if any(r[k] != v for k, v in created[-1].values.items())}
        return applied


class CreatesWhatIsThere(Wrong):
    fails = ("test_the_same_run_again_changes_nothing", "test_mirror_twice_changes_nothing")

    def _decide(self, record: Row, found: list[int]) -> None:
        super()._decide(record, [] if self._spec.operation is not Operation.DELETE else found)


class CountsUnchangedAsUpdated(Wrong):
    fails = ("test_the_same_run_again_changes_nothing",)

    def _result(self, done: list[Change], refused: list[Refusal]) -> Matched:
        result = super()._result(done, refused)
        result.account.outcomes[Outcome.UPDATED] += result.account.outcomes.pop(Outcome.UNCHANGED, 0)
        return result


class WritesAtMatch(Wrong):
    fails = ("test_match_writes_nothing", "test_nothing_is_visible_to_others_before_commit")

    def match(self, *, deletions: bool = True) -> Matched:
        matched = super().match(deletions=deletions)
        if self._spec.operation is Operation.UPSERT:
            self.apply()
            self._tables[self._spec.table] = Table(self._schema, self._rows)
        return matched


class CommitsAtApply(Wrong):
    fails = (
        "test_abort_after_apply_leaves_nothing",
        "test_a_batched_run_commits_several_times",
        "test_cancel_and_abort_are_safe_at_any_time",
        "test_a_table_the_run_makes_is_there_after_commit_only",
    )

    def apply(self) -> Matched:
        applied = super().apply()
        self._tables[self._spec.table] = Table(self._schema, self._rows)
        return applied


class TakesRecordsAfterCommit(Wrong):
    fails = ("test_a_writer_that_has_committed_takes_no_more",)

    def commit(self, checkpoint: str = "") -> None:
        super().commit(checkpoint)
        self._finished = False


class RepeatsEarlierBatches(Wrong):
    fails = ("test_a_batched_run_commits_several_times",)

    def commit(self, checkpoint: str = "") -> None:
        records = self._records
        super().commit(checkpoint)
        self._records = records if self._spec.batched else []


class Edited(Wrong):
    """Changes the specification it was given."""

    change: ClassVar[dict[str, Any]] = {}

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        super().__init__(tables, state, replace(spec, **self.change))


class IgnoresScope(Edited):
    fails = (
        "test_mirror_leaves_alone_what_is_out_of_scope",
        "test_a_record_of_the_source_is_matched_out_of_scope_too",
        "test_scope_may_be_of_columns_that_are_no_fields_and_of_any_type",
        "test_tables_may_have_any_name",
        "test_columns_may_have_any_name",
        "test_a_table_may_have_300_columns_of_text",
    )
    change: ClassVar = {"scope": {}}


class DeletesInsteadOfMarking(Edited):
    fails = (
        "test_mirror_marks_instead_of_deleting_when_told",
        "test_marks_may_be_values_that_are_not_there_yet",
        "test_a_planned_mirror_marks",
    )
    change: ClassVar = {"mark": {}}


class FirstAlwaysWins(Edited):
    fails = (
        "test_of_several_new_records_with_one_key_one_counts",
        "test_of_several_known_records_with_one_key_one_counts",
        "test_which_record_is_last_is_said_by_its_number",
    )
    change: ClassVar = {"duplicates": "first"}


class SkipsWhatIsThere(Edited):
    fails = ("test_insert_creates_what_is_new_and_rejects_what_is_there",)
    change: ClassVar = {"existing": "skip"}


class RejectsWhatIsThere(Edited):
    fails = (
        "test_insert_skips_what_is_there_when_told",
        "test_the_same_insert_or_deletion_again_changes_nothing",
    )
    change: ClassVar = {"existing": "reject"}


class SkipsWhatIsMissing(Edited):
    fails = (
        "test_update_changes_what_differs_and_rejects_what_is_missing",
        "test_delete_deletes_what_is_there_and_skips_or_rejects_what_is_missing",
        "test_single_records_of_an_upsert_may_be_deletions",
    )
    change: ClassVar = {"missing": "skip"}


class RejectsWhatIsMissing(Edited):
    fails = ("test_update_skips_what_is_missing_when_told",)
    change: ClassVar = {"missing": "reject"}


class ForgetsWhatIsRequired(Edited):
    fails = (
        "test_a_missing_value_is_refused_alone",
        "test_an_update_that_is_refused_leaves_the_record_as_it_was",
        "test_inspect_shows_the_table_that_was_made",
    )
    change: ClassVar = {"required": frozenset()}


class OverwritesWhatHasDrifted(Wrong):
    fails = (
        "test_a_record_that_changed_since_is_held",
        "test_a_record_that_should_go_and_changed_since_is_held",
        "test_a_change_from_or_to_no_value_is_a_change",
        "test_a_planned_mirror_deletes_what_was_planned_and_nothing_else",
    )

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        if found:
            record = record | {f"_old_{n}": v for n, v in self._rows[found[0]].items()}
        super()._decide_planned(record, found)


class CreatesWhatCameSince(Wrong):
    fails = ("test_a_record_that_came_since_is_held", "test_a_plan_run_twice_is_held_the_second_time")

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        super()._decide_planned(record, [] if record["_action"] == "created" else found)


class DropsWhatWentSince(Wrong):
    fails = ("test_records_that_went_since_are_held", "test_a_plan_run_twice_is_held_the_second_time")

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        if found or record["_action"] == "created":
            super()._decide_planned(record, found)


class TakesOneOfSeveralPlanned(Wrong):
    fails = ("test_a_key_that_several_records_have_since_is_held",)

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        super()._decide_planned(record, found[:1])


class PlansAnew(Wrong):
    fails = ("test_a_planned_append_creates", "test_a_plan_is_run_as_it_was_shown")

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        anew = replace(spec, planned=False, key=spec.key or ("id",), operation=Operation.UPSERT)
        super().__init__(tables, state, anew if spec.planned else spec)


class PlansWhatTheSourceHas(Wrong):
    fails = (
        "test_a_plan_carries_the_values_there_will_be",
        "test_a_field_may_be_kept_record_by_record",
        "test_a_field_for_created_records_leaves_existing_ones_alone",
    )

    def _update(self, record: Row, row: int) -> None:
        super()._update(record, row)
        if self._changes and self._changes[-1].row == row:
            values = {f.name: record[f.name] for f in self._spec.fields}
            self._changes[-1] = structs.replace(self._changes[-1], values=values)


class TakesEveryFieldForADifference(Wrong):
    fails = (
        "test_a_field_for_updated_records_is_no_difference_by_itself",
        "test_append_leaves_out_a_field_for_updated_records",
    )

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        super().__init__(tables, state, replace(spec, fields=tuple(replace(f, when="always") for f in spec.fields)))


class IgnoresDeletions(Wrong):
    fails = (
        "test_single_records_of_an_upsert_may_be_deletions",
        "test_changes_show_old_and_new_of_every_field",
    )

    def _deletes(self, record: Row) -> bool:
        return super()._deletes(record | {DELETE: None})


class DeletesOnlyWhatIsEqual(Wrong):
    fails = ("test_delete_deletes_what_is_there_and_skips_or_rejects_what_is_missing",)

    def _decide(self, record: Row, found: list[int]) -> None:
        if self._spec.operation is Operation.DELETE:
            found = [n for n in found if all(self._rows[n][k] == v for k, v in record.items() if k[0] != "_")]
        super()._decide(record, found)


class InsertsWhatIsThereSeveralTimes(Wrong):
    fails = ("test_insert_takes_a_key_that_is_there_several_times_for_there",)

    def _decide(self, record: Row, found: list[int]) -> None:
        super()._decide(record, [] if len(found) > 1 else found)


class TakesOneOfSeveral(Wrong):
    fails = ("test_a_key_the_destination_has_several_times_is_rejected",)

    def _decide(self, record: Row, found: list[int]) -> None:
        super()._decide(record, found[:1])


class MatchesAppends(Wrong):
    fails = ("test_append_adds_without_matching",)

    def match(self, *, deletions: bool = True) -> Matched:
        if self._spec.operation is Operation.APPEND and self._spec.table in self._tables:
            there = list(self._tables[self._spec.table].rows.values())
            self._records = [r for r in self._records if {k: v for k, v in r.items() if k != "_n"} not in there]
        return super().match(deletions=deletions)


class MirrorsWhateverItIsTold(Wrong):
    fails = ("test_mirror_deletes_nothing_when_told_so",)

    def match(self, *, deletions: bool = True) -> Matched:
        return super().match()


class NeverMirrors(Wrong):
    fails = ("test_mirror_updates_creates_and_deletes", "test_a_key_may_be_of_several_fields_of_different_types")

    def match(self, *, deletions: bool = True) -> Matched:
        return super().match(deletions=deletions and not self._records)


class CountsWhatItCreatesAsInScope(Wrong):
    fails = ("test_mirror_onto_an_empty_table_creates_all", "test_mirror_updates_creates_and_deletes")

    def _result(self, done: list[Change], refused: list[Refusal]) -> Matched:
        result = super()._result(done, refused)
        result.in_scope += result.account.outcomes[Outcome.CREATED]
        return result


class MirrorsWinnersOnly(Wrong):
    fails = ("test_a_key_that_lost_by_the_duplicates_rule_is_still_in_the_source",)

    def _one_a_key(self) -> list[Row]:
        winners = list(super()._one_a_key())
        lost = {self._key(r) for r in self._records if r not in winners}
        self._records = [r for r in winners if self._key(r) not in lost]
        return winners


class MarksAgain(Wrong):
    fails = ("test_mirror_marks_instead_of_deleting_when_told",)

    def _sweep(self, *, deletions: bool) -> None:
        kept, self._spec = self._spec, replace(self._spec, mark={})
        super()._sweep(deletions=deletions)
        self._spec = kept


class ShowsWrongOldValues(Wrong):
    fails = ("test_changes_show_old_and_new_of_every_field",)

    def changes(self) -> Iterator[pa.RecordBatch]:
        for batch in super().changes():
            rows = batch.to_pylist()
            for row in rows:
                if row["_action"] == "updated":
                    row |= {n: row[n[5:]] for n in row if n.startswith("_old_")}
            yield pa.RecordBatch.from_pylist(rows, schema=batch.schema)


class ListsEverySkip(Wrong):
    fails = ("test_skips_are_counted_to_the_last_and_listed_up_to_a_limit",)

    def _skip(self, number: int, reason: str) -> None:
        super()._skip(number, reason)
        if self._decided.refusals[-1].number != number:
            self._decided.refusals.append(replace(self._decided.refusals[-1], number=number))


class InventsARecord(Wrong):
    fails = ("test_no_records_are_no_changes", "test_delete_needs_no_field_but_the_key")

    def apply(self) -> Matched:
        applied = super().apply()
        if any(v is not None for row in self._rows.values() for v in row.values()):
            self._rows[max(self._rows) + 1] = dict.fromkeys(c.name for c in self._schema.columns)
        return applied


class EmptiesWhatIsNoField(Wrong):
    fails = ("test_columns_that_are_no_fields_keep_their_values_and_are_empty_in_new_records",)

    def _row_after(self, change: Change) -> Row | None:
        row = super()._row_after(change)
        names = {f.name for f in self._spec.fields}
        return {n: v if n in names else None for n, v in row.items()} if row and change.number is not None else row


class Converts(Wrong):
    """Loses something of the values it is given."""

    def write(self, batch: pa.RecordBatch) -> None:
        rows = [{k: self.convert(v) if k[0] != "_" else v for k, v in r.items()} for r in batch.to_pylist()]
        super().write(pa.RecordBatch.from_pylist(rows, schema=batch.schema))

    def convert(self, value: Any) -> Any:
        raise NotImplementedError


class TakesEmptyTextForNoValue(Converts):
    fails = ("test_no_value_and_empty_text_are_different_values", "test_values_come_back_as_written")

    def convert(self, value: Any) -> Any:
        return None if value == "" else value


class FoldsText(Converts):
    fails = (
        "test_texts_that_only_look_alike_are_different_values",
        "test_keys_that_only_look_alike_are_different_keys",
        "test_values_of_every_type_can_be_a_key",
    )

    def convert(self, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value


class HoldsOneValueForEqual(Wrong):
    fails = ("test_a_change_of_value_is_seen_and_shown", "test_match_writes_nothing")

    def _update(self, record: Row, row: int) -> None:
        super()._update(self._rows[row] | {k: v for k, v in record.items() if k[0] == "_"}, row)


class RefusesAllForOne(Wrong):
    fails = (
        "test_a_missing_value_is_refused_alone",
        "test_a_value_another_record_has_is_refused_alone",
        "test_append_refuses_the_later_of_two_records_with_one_value",
    )

    def apply(self) -> Matched:
        applied = super().apply()
        if any(r.code.startswith("DE") for r in applied.refusals):
            raise DestinationError("the database refuses it")
        return applied


class MakesAnyTable(Wrong):
    fails = ("test_a_table_that_is_not_there_is_an_error_and_not_made",)

    def _find(self) -> TableSchema:
        self._spec = replace(self._spec, create=self._spec.table not in self._tables)
        return super()._find()


class ProposesNothing(MemoryDestination):
    fails = ("test_proposals_name_every_column_and_the_key",)

    def propose(self, wanted: TableSchema) -> SchemaChange:
        return SchemaChange("create table", "create table")


class TakesWhatItDoesNotState(MemoryDestination):
    fails = ("test_what_is_not_stated_is_refused",)
    capabilities = replace(MemoryDestination.capabilities, operations=frozenset(Operation) - {Operation.DELETE})


class NamesAGapThereIsNot(MemoryDestination):
    fails = ("test_every_gap_is_the_name_of_a_test",)
    capabilities = replace(MemoryDestination.capabilities, gaps={"test_of_nothing": "no reason"})


def _all(base: type) -> list[type]:
    return [c for s in base.__subclasses__() for c in (s, *_all(s)) if "fails" in vars(c)]


WRONG: list[Any] = [*_all(Wrong), *_all(MemoryDestination)]
