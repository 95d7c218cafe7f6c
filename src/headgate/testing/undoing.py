"""Tests of what undo and resuming need: images that give everything back, checkpoints, fences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pytest

from headgate.model.errors import Fenced
from headgate.model.write import RECORD_OPERATIONS, Operation, Ticket, WriteSpec
from headgate.spi.destination import DropsColumns, Writer
from headgate.spi.reversal import Written, reversal, reversed_batch

from .matching import ITEM, THERE, item, spec
from .place import Place
from .runs import Ran, Row, batches, check_account, fields
from .values import KEYS, VALUES

WIDE = fields(id="integer", name="text", qty="integer", note="text", seen="timestamp")
FULL: list[Row] = [{"note": f"note {i}", "seen": None, **row} for i, row in enumerate(THERE)]
UPSERT = Operation.UPSERT
IMPORT = "a ledger/an import"


@dataclass(frozen=True)
class Journaled:
    """A run that was committed, and what undo needs of it."""

    written: Written
    batches: list[pa.RecordBatch]
    ran: Ran


def journaled(
    place: Place,
    of: WriteSpec,
    batches_: Sequence[pa.RecordBatch],
    *,
    drop: bool = False,
    drop_columns: Sequence[str] = (),
) -> Journaled:
    """Run with a journal."""
    of = replace(of, journal=True)
    place.needs(of.operation)
    writer = place.open(of)
    try:
        for b in batches_:
            writer.write(b)
        matched = writer.match()
        check_account(matched, sum(b.num_rows for b in batches_))
        kept = list(batches_) if of.spooled else list(writer.before())
        images = None if of.spooled else writer.images()
        applied = writer.apply()
        check_account(applied, sum(b.num_rows for b in batches_))
        kept += [] if of.spooled else list(writer.after())
        if drop:
            writer.drop()
        if drop_columns:
            assert isinstance(writer, DropsColumns)
            writer.drop_columns(drop_columns)
        writer.commit()
    finally:
        writer.abort()
    return Journaled(Written(of, images), [b for b in kept if b.num_rows], Ran(matched, [], applied))


def undo(
    place: Place, what: Journaled, *, forced: bool = False, drop: bool = False, drop_columns: Sequence[str] = ()
) -> Journaled:
    """Take a run back."""
    first, turned = 0, []
    for batch in what.batches:
        turned.append(reversed_batch(what.written, batch, first))
        first += batch.num_rows
    return journaled(place, reversal(what.written, forced=forced), turned, drop=drop, drop_columns=drop_columns)


def _do(place: Place, of: WriteSpec, rows: Sequence[Row]) -> Journaled:
    return journaled(place, of, batches(of, rows))


class UndoTests:
    """A run and its undo are nothing."""

    @pytest.fixture(autouse=True)
    def _states_undo(self, place: Place, request: pytest.FixtureRequest) -> None:
        place.states("undo", UndoTests, request)

    @pytest.mark.parametrize("operation", sorted(RECORD_OPERATIONS - {Operation.APPEND}))
    def test_every_operation_is_taken_back(self, place: Place, operation: Operation) -> None:
        place.make("item", ITEM, THERE)
        source = [item(1, "changed"), item(2, "desk", None), item(7, None, None), item(8, "", 0)]
        done = _do(place, spec(operation, missing="skip", existing="skip"), source)
        assert place.read("item", ITEM) != THERE
        back = undo(place, done)
        assert place.read("item", ITEM) == THERE
        assert "held" not in back.ran.counts

    def test_columns_that_are_not_mapped_come_back_with_a_deleted_record(self, place: Place) -> None:
        place.make("item", WIDE, FULL)
        done = _do(place, spec(Operation.DELETE, fields=WIDE[:1]), [{"id": 1}, {"id": 3}])
        assert len(place.read("item", WIDE)) == 1
        undo(place, done)
        assert place.read("item", WIDE) == FULL

    def test_records_marked_by_mirror_are_unmarked(self, place: Place) -> None:
        place.make("item", WIDE, FULL)
        done = _do(place, spec(Operation.MIRROR, mark={"note": "gone"}), [item(1, "lamp", 5)])
        assert [r["note"] for r in place.read("item", WIDE)] == ["note 0", "gone", "gone"]
        undo(place, done)
        assert place.read("item", WIDE) == FULL

    def test_records_edited_since_are_left_and_named(self, place: Place) -> None:
        place.make("item", WIDE, FULL)
        done = _do(place, spec(UPSERT), [item(1, "a"), item(2, "b"), item(8, "c"), item(9, "d")])
        place.run(spec(Operation.UPDATE, fields=WIDE[:3]), [item(1, "edited"), item(9, "edited")])
        back = undo(place, done)
        assert back.ran.counts == {"updated": 1, "deleted": 1, "held": 2}
        rows = {r["id"]: r["name"] for r in place.read("item", WIDE)}
        assert rows == {1: "edited", 2: "desk", 3: None, 9: "edited"}

    def test_a_created_record_edited_in_a_column_that_is_not_mapped_is_left(self, place: Place) -> None:
        place.make("item", WIDE, FULL)
        done = _do(place, spec(UPSERT), [item(8), item(9)])
        noted = (WIDE[0], WIDE[3])
        place.run(spec(Operation.UPDATE, fields=noted), [{"id": 9, "note": "somebody's work"}])
        assert undo(place, done).ran.counts == {"deleted": 1, "held": 1}
        assert [r["id"] for r in place.read("item", WIDE)] == [1, 2, 3, 9]

    def test_an_edit_of_another_column_stays_and_the_update_is_taken_back(self, place: Place) -> None:
        place.make("item", WIDE, FULL)
        done = _do(place, spec(UPSERT), [item(1, "changed", 5)])
        place.run(spec(Operation.UPDATE, fields=(WIDE[0], WIDE[3])), [{"id": 1, "note": "somebody's work"}])
        assert undo(place, done).ran.counts == {"updated": 1}
        assert place.read("item", WIDE)[0] == {**FULL[0], "note": "somebody's work"}

    def test_force_takes_back_what_was_edited(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        done = _do(place, spec(UPSERT, deletes=True), [
            {**item(1, "a"), "_delete": False}, {**item(8, "b"), "_delete": False}, {**item(3), "_delete": True},
        ])  # fmt: skip
        place.run(spec(UPSERT), [item(1, "edited"), item(8, "edited"), item(3, "again")])
        assert undo(place, done).ran.counts == {"held": 3}
        undo(place, done, forced=True)
        assert place.read("item", ITEM) == THERE

    def test_what_is_gone_is_held_even_with_force(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        done = _do(place, spec(UPSERT), [item(1, "a"), item(8)])
        place.run(spec(Operation.DELETE), [item(1), item(8)])
        assert undo(place, done, forced=True).ran.counts == {"held": 2}

    def test_an_undo_can_be_undone(self, place: Place) -> None:
        place.make("item", WIDE, FULL)
        done = _do(place, spec(Operation.MIRROR), [item(1, "changed"), item(2, "desk", None), item(8)])
        after = place.read("item", WIDE)
        back = undo(place, done)
        assert place.read("item", WIDE) == FULL
        undo(place, back)
        assert place.read("item", WIDE) == after

    def test_appended_records_are_taken_back_one_by_one(self, place: Place) -> None:
        plain = fields(name="text", qty="integer")
        append = WriteSpec("entry", plain, (), Operation.APPEND)
        twin: Row = {"name": "x", "qty": None}
        place.needs(Operation.APPEND)
        place.make("entry", plain, [twin], key=())
        done = _do(place, append, [twin, twin, {"name": None, "qty": 1}])
        assert len(place.read("entry", plain)) == 4
        back = undo(place, done)
        assert back.ran.counts == {"deleted": 3}
        assert place.read("entry", plain) == [twin]
        undo(place, back)
        assert len(place.read("entry", plain)) == 4

    def test_a_table_the_run_made_is_removed_when_it_is_empty(self, place: Place) -> None:
        if not place.destination.capabilities.create_table:
            pytest.skip("not stated: create_table")
        done = _do(place, spec(UPSERT, create=True), [item(1), item(2, None, None)])
        undo(place, done, drop=True)
        assert place.fresh().inspect("item") is None

    def test_a_table_the_run_made_stays_when_somebody_has_added_to_it(self, place: Place) -> None:
        if not place.destination.capabilities.create_table:
            pytest.skip("not stated: create_table")
        done = _do(place, spec(UPSERT, create=True), [item(1), item(2)])
        place.seed("item", ITEM, [item(9)])
        undo(place, done, drop=True)
        assert place.read("item", ITEM) == [item(9)]

    @pytest.mark.parametrize("kind", sorted(VALUES))
    def test_every_value_comes_back(self, place: Place, kind: str) -> None:
        typed = fields(id="integer", value=kind)
        there = [{"id": i, "value": v} for i, v in enumerate([*VALUES[kind], None])]
        place.make("thing", typed, there)
        before = place.read("thing", typed)
        emptied = WriteSpec("thing", typed, ("id",), Operation.UPDATE)
        back = undo(place, _do(place, emptied, [{"id": i, "value": None} for i in range(len(there))]))
        assert place.read("thing", typed) == before
        assert "held" not in back.ran.counts
        undo(
            place,
            _do(place, WriteSpec("thing", typed[:1], ("id",), Operation.DELETE), [{"id": r["id"]} for r in there]),
        )
        assert place.read("thing", typed) == before

    @pytest.mark.parametrize("kind", sorted(KEYS))
    def test_records_are_found_again_by_keys_of_every_type(self, place: Place, kind: str) -> None:
        typed = fields(value=kind, note="text")
        known: list[Any] = VALUES[kind][:4]
        place.make("thing", typed, [{"value": v, "note": "before"} for v in known[:2]], key=("value",))
        before = place.read("thing", typed)
        upsert = WriteSpec("thing", typed, ("value",), UPSERT)
        undo(place, _do(place, upsert, [{"value": v, "note": "after"} for v in known]))
        assert place.read("thing", typed) == before


class CheckpointTests:
    """A checkpoint says what was committed, and only the last who claimed can commit."""

    @pytest.fixture(autouse=True)
    def _states_checkpoints(self, place: Place, request: pytest.FixtureRequest) -> None:
        place.states("checkpoints", CheckpointTests, request)

    def _commit(self, place: Place, fence: int, rows: Sequence[Row], checkpoint: str) -> None:
        of = spec(UPSERT, ticket=Ticket(IMPORT, fence))
        place.needs(UPSERT)
        writer = place.open(of)
        _apply(writer, of, rows)
        writer.commit(checkpoint)
        writer.abort()

    def test_the_last_checkpoint_is_given_to_who_claims(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        texts = ['{"run": 1}', 'it\'s "é" \\ 👩 %s :a ?', "x" * 100_000]
        assert place.destination.claim(Ticket(IMPORT, 1)) is None
        for fence, text in enumerate(texts, 2):
            place.fresh().claim(Ticket(IMPORT, fence))
            self._commit(place, fence, [item(fence)], text)
            assert place.fresh().claim(Ticket(IMPORT, fence)) == text
        assert place.fresh().claim(Ticket("another", 1)) is None

    def test_who_was_overtaken_cannot_commit(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        place.needs(UPSERT)
        place.destination.claim(Ticket(IMPORT, 1))
        of = spec(UPSERT, ticket=Ticket(IMPORT, 1))
        writer = place.open(of)
        writer.write(batches(of, [item(1, "late"), item(9)])[0])
        place.fresh().claim(Ticket(IMPORT, 2))
        with pytest.raises(Fenced):
            self._finish(writer)
        writer.abort()
        assert place.read("item", ITEM) == THERE
        assert place.fresh().claim(Ticket(IMPORT, 3)) is None

    @staticmethod
    def _finish(writer: Writer) -> None:
        writer.match()
        writer.apply()
        writer.commit("late")

    def test_a_lower_fence_claims_nothing(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        place.destination.claim(Ticket(IMPORT, 5))
        with pytest.raises(Fenced):
            place.fresh().claim(Ticket(IMPORT, 4))
        self._commit(place, 5, [item(9)], "kept")
        assert place.fresh().claim(Ticket(IMPORT, 6)) == "kept"

    def test_a_run_that_aborts_leaves_the_checkpoint_as_it_was(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        place.destination.claim(Ticket(IMPORT, 1))
        self._commit(place, 1, [item(8)], "first")
        of = spec(UPSERT, ticket=Ticket(IMPORT, 1))
        writer = place.open(of)
        _apply(writer, of, [item(9)])
        writer.abort()
        assert place.fresh().claim(Ticket(IMPORT, 2)) == "first"

    def test_every_batch_has_its_checkpoint(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        place.needs(UPSERT)
        place.destination.claim(Ticket(IMPORT, 1))
        of = spec(UPSERT, batched=True, ticket=Ticket(IMPORT, 1))
        writer = place.open(of)
        for number in (10, 11):
            _apply(writer, of, [item(number, _n=number)])
            writer.commit(f"after {number}")
        _apply(writer, of, [item(12, _n=12)])
        writer.abort()
        assert place.fresh().claim(Ticket(IMPORT, 2)) == "after 11"
        applied = [] if place.destination.capabilities.transactional else [12]
        assert [r["id"] for r in place.read("item", ITEM)] == [1, 2, 3, 10, 11, *applied]

    def test_a_table_that_the_run_makes_comes_with_its_checkpoint(self, place: Place) -> None:
        if not place.destination.capabilities.create_table:
            pytest.skip("not stated: create_table")
        place.needs(UPSERT)
        place.destination.claim(Ticket(IMPORT, 1))
        of = spec(UPSERT, create=True, ticket=Ticket(IMPORT, 1))
        writer = place.open(of)
        _apply(writer, of, [item(1)])
        writer.commit("made")
        assert place.fresh().claim(Ticket(IMPORT, 2)) == "made"

    def test_what_is_kept_is_not_shown_among_the_tables(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        place.destination.claim(Ticket(IMPORT, 1))
        self._commit(place, 1, [item(8)], "first")
        assert place.fresh().tables() == ["item"]


def _apply(writer: Writer, of: WriteSpec, rows: Sequence[Row]) -> None:
    for b in batches(of, rows):
        writer.write(b)
    writer.match()
    writer.apply()
