"""Tests of columns that a run adds to its table, or gives larger types."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from headgate.model.table import Column
from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteSpec
from headgate.spi.destination import Alterable

from .matching import ITEM, THERE, item
from .place import Place
from .runs import Row, batches, fields, run
from .undoing import journaled, undo

NOTED: Final = (*ITEM, *fields(note="text"))
UPSERT: Final = Operation.UPSERT
ADDS: Final = WriteSpec("item", NOTED, ("id",), UPSERT, added=frozenset({"note"}))
SOURCE: Final[list[Row]] = [{**item(1, "lamp", 5), "note": "new"}, {**item(8), "note": None}]
AFTER: Final[list[Row]] = [
    {**row, "note": None} if row["id"] != 1 else {**item(1, "lamp", 5), "note": "new"} for row in THERE
] + [{**item(8), "note": None}]


class AlteringTests:
    """A run's changes of its table's columns are part of its transaction."""

    @pytest.fixture(autouse=True)
    def _states_alters(self, place: Place, request: pytest.FixtureRequest) -> None:
        place.states("alters", AlteringTests, request)

    def test_a_column_is_added_with_the_records(self, place: Place) -> None:
        _needs(place, "add")
        place.make("item", ITEM, THERE)
        ran = run(place.open(ADDS), ADDS, SOURCE)
        assert ran.counts == {"updated": 1, "created": 1}
        assert place.read("item", NOTED) == AFTER
        table = place.destination.inspect("item")
        assert table is not None
        column = table.column("note")
        assert column is not None
        assert column.type.holds(FieldType("text"))
        assert column.nullable

    def test_a_plan_adds_no_column(self, place: Place) -> None:
        _needs(place, "add")
        place.make("item", ITEM, THERE)
        writer = place.open(ADDS)
        for batch in batches(ADDS, SOURCE):
            writer.write(batch)
        matched = writer.match()
        assert {o.value: n for o, n in matched.account.outcomes.items() if n} == {"updated": 1, "created": 1}
        assert [c["note"] for batch in writer.changes() for c in batch.to_pylist()] == ["new", None]
        writer.abort()
        _has_not(place, "note")
        assert place.read("item", ITEM) == THERE

    def test_a_column_is_added_once_for_many_batches(self, place: Place) -> None:
        _needs(place, "add")
        place.make("item", ITEM, THERE)
        batched = replace(ADDS, batched=True)
        writer = place.open(batched)
        for row in SOURCE:
            for batch in batches(batched, [row]):
                writer.write(batch)
            writer.match()
            writer.apply()
            writer.commit()
        writer.abort()
        assert place.read("item", NOTED) == AFTER

    def test_a_column_that_was_added_goes_with_the_run(self, place: Place) -> None:
        _needs(place, "add")
        _needs_undo(place)
        place.make("item", ITEM, THERE)
        done = journaled(place, ADDS, batches(ADDS, SOURCE))
        back = undo(place, done, drop_columns=("note",))
        assert "held" not in back.ran.counts
        _has_not(place, "note")
        assert place.read("item", ITEM) == THERE

    def test_a_column_that_somebody_uses_stays(self, place: Place) -> None:
        _needs(place, "add")
        _needs_undo(place)
        place.make("item", ITEM, THERE)
        done = journaled(place, ADDS, batches(ADDS, SOURCE))
        noted = WriteSpec("item", (NOTED[0], NOTED[3]), ("id",), Operation.UPDATE)
        place.run(noted, [{"id": 2, "note": "somebody's"}])
        undo(place, done, drop_columns=("note",))
        notes = {r["id"]: r["note"] for r in place.read("item", NOTED)}
        assert notes == {1: None, 2: "somebody's", 3: None}

    def test_a_type_is_widened_with_the_records(self, place: Place) -> None:
        _needs(place, "widen")
        small = fields(id="integer", qty="smallint", price="decimal(6,2)", code="text(3)")
        large = fields(id="integer", qty="bigint", price="decimal(12,4)", code="text(9)")
        there: list[Row] = [{"id": 1, "qty": 5, "price": None, "code": "abc"}]
        place.make("item", small, there)
        spec = WriteSpec("item", large, ("id",), UPSERT, widened=frozenset({"qty", "price", "code"}))
        more: list[Row] = [{"id": 2, "qty": 2**40, "price": None, "code": "abcdefghi"}]
        writer = place.open(spec)
        for batch in batches(spec, more):
            writer.write(batch)
        writer.match()
        writer.abort()
        assert place.read("item", small) == there
        assert run(place.open(spec), spec, more).counts == {"created": 1}
        assert place.read("item", large) == there + more
        table = place.destination.inspect("item")
        assert table is not None
        for field in large:
            column = table.column(field.name)
            assert column is not None
            assert column.type.holds(field.type)

    def test_what_it_would_do_to_columns_is_said(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        assert isinstance(place.destination, Alterable)
        can = place.destination.capabilities.alters
        added = [Column("note", FieldType("text"))] if "add" in can else []
        widened = [Column("qty", FieldType("bigint"))] if "widen" in can else []
        changes = place.destination.propose_columns("item", added, widened)
        assert len(changes) == len(added) + len(widened)
        for column, change in zip((*added, *widened), changes, strict=True):
            assert column.name in change.summary
            assert column.name in change.statement


def _needs(place: Place, what: str) -> None:
    if what not in place.destination.capabilities.alters:
        pytest.skip(f"not stated: alters {what}")


def _needs_undo(place: Place) -> None:
    if not place.destination.capabilities.undo:
        pytest.skip("not stated: undo")


def _has_not(place: Place, column: str) -> None:
    table = place.destination.inspect("item")
    assert table is not None
    assert table.column(column) is None
