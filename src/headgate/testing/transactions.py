"""Tests of what is visible when, of ending, of repeating, and of what the destination refuses."""

from __future__ import annotations

import threading

import pytest

from headgate.model.errors import DestinationError, HeadgateError
from headgate.model.outcome import Outcome
from headgate.model.types import FieldType
from headgate.model.write import RECORD_OPERATIONS, Operation, WriteSpec
from headgate.spi.destination import Destination

from .matching import ITEM, THERE, item, spec
from .place import Place
from .runs import batches, check_account, fields

UPSERT = Operation.UPSERT
NEW = [item(1, "changed", 1), item(9)]


class TransactionTests:
    """Nothing before its time, nothing twice, nothing half."""

    def count_elsewhere(self, place: Place, table: str) -> int:
        """Override where reading through a second connection while the first writes needs another way."""
        return len(place.reader(place.fresh(), table, ITEM))

    def test_match_writes_nothing(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.plan(spec(UPSERT), NEW)
        assert ran.counts == {"updated": 1, "created": 1}

    def test_abort_after_apply_leaves_nothing(self, place: Place) -> None:
        place.needs(UPSERT)
        place.make("item", ITEM, THERE)
        writer = place.open(spec(UPSERT))
        for b in batches(spec(UPSERT), NEW):
            writer.write(b)
        writer.match()
        writer.apply()
        writer.abort()
        writer.abort()
        assert place.read("item", ITEM) == THERE or not place.destination.capabilities.transactional

    def test_nothing_is_visible_to_others_before_commit(self, place: Place) -> None:
        place.needs(UPSERT)
        if not place.destination.capabilities.transactional:
            pytest.skip("not stated: transactional")
        place.make("item", ITEM, THERE)
        writer = place.open(spec(UPSERT))
        for b in batches(spec(UPSERT), NEW):
            writer.write(b)
        seen = [self.count_elsewhere(place, "item")]
        writer.match()
        seen.append(self.count_elsewhere(place, "item"))
        writer.apply()
        seen.append(self.count_elsewhere(place, "item"))
        writer.commit()
        seen.append(self.count_elsewhere(place, "item"))
        writer.abort()
        assert seen == [3, 3, 3, 4]

    @pytest.mark.parametrize("operation", (UPSERT, Operation.UPDATE, Operation.MIRROR))
    def test_the_same_run_again_changes_nothing(self, place: Place, operation: Operation) -> None:
        place.make("item", ITEM, THERE)
        source = [item(1, "changed"), item(2, None, None), item(3, "", -1)]
        assert place.run(spec(operation), source).counts == {"updated": 3}
        again = place.run(spec(operation), source)
        assert again.counts == {"unchanged": 3}
        assert again.changes == []

    def test_the_same_insert_or_deletion_again_changes_nothing(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        place.run(spec(Operation.INSERT, existing="skip"), NEW)
        assert place.run(spec(Operation.INSERT, existing="skip"), NEW).counts == {"skipped": 2}
        place.run(spec(Operation.DELETE, missing="skip"), NEW)
        assert place.run(spec(Operation.DELETE, missing="skip"), NEW).counts == {"skipped": 2}

    def test_records_may_come_in_many_batches(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(UPSERT), [item(i, "x", i) for i in range(1000)], size=7)
        assert ran.counts == {"updated": 3, "created": 997}

    def test_a_batched_run_commits_several_times(self, place: Place) -> None:
        place.needs(UPSERT)
        place.make("item", ITEM, THERE)
        batched = spec(UPSERT, batched=True)
        writer = place.open(batched)
        for first in (10, 20):
            for b in batches(batched, [item(i, _n=i) for i in range(first, first + 5)]):
                writer.write(b)
            check_account(writer.match(), 5)
            applied = writer.apply()
            check_account(applied, 5)
            assert applied.account.outcomes[Outcome.CREATED] == 5
            writer.commit()
        for b in batches(batched, [item(10, "later", _n=30), item(30, _n=31)]):
            writer.write(b)
        last = writer.match().account.outcomes
        assert (last[Outcome.UPDATED], last[Outcome.CREATED]) == (1, 1)
        writer.apply()
        writer.abort()
        rows = place.read("item", ITEM)
        kept = {r["id"]: r for r in [*THERE, *(item(i) for i in (*range(10, 15), *range(20, 25)))]}
        if not place.destination.capabilities.transactional:  # what was applied is done
            kept |= {10: item(10, "later"), 30: item(30)}
        assert rows == list(kept.values())

    def test_a_writer_that_has_committed_takes_no_more(self, place: Place) -> None:
        place.needs(UPSERT)
        place.make("item", ITEM, THERE)
        writer = place.open(spec(UPSERT))
        writer.match()
        writer.apply()
        writer.commit()
        with pytest.raises(HeadgateError):
            writer.write(batches(spec(UPSERT), NEW)[0])
        writer.abort()
        assert place.read("item", ITEM) == THERE

    def test_cancel_and_abort_are_safe_at_any_time(self, place: Place) -> None:
        place.needs(UPSERT)
        place.make("item", ITEM, THERE)
        for steps in range(4):
            writer = place.open(spec(UPSERT))
            if steps > 0:
                writer.write(batches(spec(UPSERT), NEW)[0])
            if steps > 1:
                writer.match()
            if steps > 2:
                writer.apply()
            thread = threading.Thread(target=writer.cancel)
            thread.start()
            thread.join()
            writer.abort()
            writer.cancel()
            writer.abort()
        assert place.read("item", ITEM) == THERE or not place.destination.capabilities.transactional

    def test_what_is_not_stated_is_refused(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        for operation in RECORD_OPERATIONS - place.destination.capabilities.operations:
            with pytest.raises(HeadgateError):
                place.open(spec(operation, key=() if operation is Operation.APPEND else ("id",)))
        assert place.read("item", ITEM) == THERE

    def test_a_table_that_is_not_there_is_an_error_and_not_made(self, place: Place) -> None:
        place.make("other", ITEM)
        operation = next(iter(place.destination.capabilities.operations))
        with pytest.raises(DestinationError) as caught:
            place.open(spec(operation, key=() if operation is Operation.APPEND else ("id",)))
        assert "item" in caught.value.message
        assert place.destination.inspect("item") is None
        assert place.destination.tables() == ["other"]

    def test_a_table_the_run_makes_is_there_after_commit_only(self, place: Place) -> None:
        destination = place.destination
        if not destination.capabilities.create_table:
            pytest.skip("not stated: create_table")
        place.needs(UPSERT)
        create = spec(UPSERT, create=True, required=frozenset({"name"}))
        self._apply(destination, create)
        assert place.destination.inspect("item") is None or not destination.capabilities.transactional
        ran = place.run(create, [item(1), item(2), item(1, "later")])
        assert ran.counts == {"created": 2, "skipped": 1}
        assert place.read("item", ITEM) == [item(1, "later"), item(2)]

    @staticmethod
    def _apply(destination: Destination, create: WriteSpec) -> None:
        writer = destination.open(create)
        writer.write(batches(create, [item(1)])[0])
        writer.match()
        writer.apply()
        writer.abort()

    def test_inspect_shows_the_table_that_was_made(self, place: Place) -> None:
        made = fields(part="text", no="integer", day="date", price="decimal(12,2)", note="text(40)")
        place.make("part", made, key=("no", "part"), required=("day",))
        seen = place.fresh().inspect("part")
        assert seen is not None
        assert [c.name for c in seen.columns] == [f.name for f in made]
        assert seen.key == ("no", "part")
        assert [c.name for c in seen.columns if not c.nullable] == ["part", "no", "day"]
        for f in made:
            column = seen.column(f.name)
            assert column is not None
            assert column.type.holds(f.type), f"{f.name}: {column.type} does not hold {f.type}"
        assert "part" in place.destination.tables()

    def test_proposals_name_every_column_and_the_key(self, place: Place) -> None:
        place.make("item", ITEM)
        table = place.destination.inspect("item")
        assert table is not None
        change = place.destination.propose(table)
        assert all(f.name in change.summary and f.name in change.statement for f in ITEM)
        assert all(place.destination.native(FieldType.parse(t)) for t in ("text", "integer", "decimal(10,2)", "date"))


class RefusalTests:
    """A record the destination refuses is told from its neighbours, who get through."""

    @pytest.fixture(autouse=True)
    def _states_row_rejects(self, place: Place, request: pytest.FixtureRequest) -> None:
        place.states("row_rejects", RefusalTests, request)

    def test_a_missing_value_is_refused_alone(self, place: Place) -> None:
        place.make("item", ITEM, [item(1)], required=("name",))
        bad = {0, 41, 42, 199}
        ran = place.run(spec(UPSERT), [item(i + 10, None if i in bad else "x") for i in range(200)])
        assert ran.counts == {"created": 196, "rejected": 4}
        assert ran.codes == dict.fromkeys(bad, "DE04")
        assert ran.matched.account.outcomes[Outcome.CREATED] == 200

    def test_an_update_that_is_refused_leaves_the_record_as_it_was(self, place: Place) -> None:
        place.make("item", ITEM, [item(i, "x", i) for i in range(5)], required=("name",))
        ran = place.run(spec(UPSERT), [item(i, None if i == 2 else "y", i) for i in range(5)])
        assert ran.counts == {"updated": 4, "rejected": 1}
        assert ran.codes == {2: "DE04"}
        assert [r["name"] for r in place.read("item", ITEM)] == ["y", "y", "x", "y", "y"]

    def test_a_value_another_record_has_is_refused_alone(self, place: Place) -> None:
        place.make("item", ITEM, [item(1, "a"), item(2, "b")])
        by_name = spec(UPSERT, key=("name",))
        ran = place.run(by_name, [item(3, "c"), item(1, "d"), item(2, "b", 9), item(4, "e")])
        assert ran.counts == {"created": 2, "rejected": 1, "updated": 1}
        assert ran.codes == {1: "DE02"}

    def test_append_refuses_the_later_of_two_records_with_one_value(self, place: Place) -> None:
        place.needs(Operation.APPEND)
        place.make("item", ITEM, [item(5, "there")])
        ran = place.run(spec(Operation.APPEND, key=()), [item(1, "a"), item(5, "b"), item(2, "c"), item(1, "d")])
        assert ran.counts == {"created": 2, "rejected": 2}
        assert ran.codes == {1: "DE02", 3: "DE02"}
        assert place.read("item", ITEM) == [item(1, "a"), item(2, "c"), item(5, "there")]
