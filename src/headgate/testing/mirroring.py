"""Tests of mirror: what it deletes, what it marks, and what is not in its charge."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from headgate.model.write import Operation, WriteSpec

from .matching import ITEM, THERE, item, spec
from .place import Place
from .runs import Row, fields

MIRROR = Operation.MIRROR
BRANCH = fields(id="integer", name="text", region="text", closed="boolean")
BRANCHES = [
    {"id": 1, "name": "a", "region": "north", "closed": False},
    {"id": 2, "name": "b", "region": "north", "closed": None},
    {"id": 3, "name": "c", "region": "south", "closed": False},
    {"id": 4, "name": "d", "region": None, "closed": False},
]


def ids(rows: list[Row]) -> list[int]:
    """Ids of the rows, in their order."""
    return [r["id"] for r in rows]


class MirroringTests:
    """Mirror makes the destination what the source is, and no more than that."""

    def test_mirror_updates_creates_and_deletes(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(MIRROR), [item(1, "lamp", 5), item(2, "desk", 8), item(4)])
        assert ran.counts == {"unchanged": 1, "updated": 1, "created": 1}
        assert ran.applied.account.mirror_deleted == 1
        assert (ran.matched.in_scope, ran.applied.in_scope) == (3, 3)
        assert place.read("item", ITEM) == [THERE[0], item(2, "desk", 8), item(4)]
        assert (ran.changes[-1]["_n"], ran.changes[-1]["_action"], ran.changes[-1]["id"]) == (None, "deleted", 3)

    def test_mirror_onto_an_empty_table_creates_all(self, place: Place) -> None:
        place.make("item", ITEM)
        ran = place.run(spec(MIRROR), THERE)
        assert ran.counts == {"created": 3}
        assert (ran.applied.account.mirror_deleted, ran.applied.in_scope) == (0, 0)

    def test_mirror_deletes_nothing_when_told_so(self, place: Place) -> None:
        place.needs(MIRROR)
        place.make("item", ITEM, THERE)
        writer = place.open(spec(MIRROR))
        found = writer.match(deletions=False)
        assert (found.account.mirror_deleted, found.in_scope) == (0, 3)
        assert [r for b in writer.changes() for r in b.to_pylist()] == []
        writer.apply()
        writer.commit()
        assert place.read("item", ITEM) == THERE

    def test_mirror_twice_changes_nothing(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        source = [item(1, "x", None), item(7)]
        place.run(spec(MIRROR), source)
        ran = place.run(spec(MIRROR), source)
        assert ran.counts == {"unchanged": 2}
        assert ran.changes == []

    def test_a_key_that_lost_by_the_duplicates_rule_is_still_in_the_source(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(MIRROR, duplicates="reject"), [*THERE, item(1, "again")])
        assert ran.counts == {"unchanged": 3, "invalid": 1}
        assert ran.applied.account.mirror_deleted == 0

    @pytest.mark.parametrize(
        ("scope", "in_scope", "left"),
        [
            ({"region": "north"}, 2, [1, 3, 4]),
            ({"region": ["north", "south"]}, 3, [1, 4]),
            ({"region": None}, 1, [1, 2, 3]),
            ({"region": ["south", None]}, 2, [1, 2]),
            ({"region": "north", "closed": False}, 1, [1, 2, 3, 4]),
            ({"region": "nowhere"}, 0, [1, 2, 3, 4]),
            ({"id": [2, 3, 99]}, 2, [1, 4]),
        ],
        ids=str,
    )
    def test_mirror_leaves_alone_what_is_out_of_scope(
        self, place: Place, scope: dict[str, object], in_scope: int, left: list[int]
    ) -> None:
        place.make("branch", BRANCH, BRANCHES)
        mirror = WriteSpec("branch", BRANCH, ("id",), MIRROR, scope=scope)
        ran = place.run(mirror, BRANCHES[:1])
        assert ran.counts == {"unchanged": 1}
        assert ran.matched.in_scope == in_scope
        assert ids(place.read("branch", BRANCH)) == left

    def test_a_record_of_the_source_is_matched_out_of_scope_too(self, place: Place) -> None:
        place.make("branch", BRANCH, BRANCHES)
        mirror = WriteSpec("branch", BRANCH, ("id",), MIRROR, scope={"region": "north"})
        moved = {"id": 3, "name": "c", "region": "north", "closed": False}
        ran = place.run(mirror, [moved])
        assert ran.counts == {"updated": 1}
        assert ran.applied.account.mirror_deleted == 2
        assert place.read("branch", BRANCH) == [moved, BRANCHES[3]]

    def test_scope_may_be_of_columns_that_are_no_fields_and_of_any_type(self, place: Place) -> None:
        wide = fields(id="integer", day="date", price="decimal(8,2)", ok="boolean")
        there = [
            {"id": 1, "day": datetime.date(2024, 2, 29), "price": Decimal("1.50"), "ok": True},
            {"id": 2, "day": datetime.date(2024, 2, 29), "price": Decimal("1.50"), "ok": False},
            {"id": 3, "day": datetime.date(2024, 3, 1), "price": Decimal("1.50"), "ok": True},
            {"id": 4, "day": datetime.date(2024, 2, 29), "price": Decimal("1.51"), "ok": True},
        ]
        place.make("wide", wide, there)
        scope = {"day": "2024-02-29", "price": "1.5", "ok": True}
        place.run(WriteSpec("wide", wide[:1], ("id",), MIRROR, scope=scope), [])
        assert ids(place.read("wide", wide)) == [2, 3, 4]

    def test_mirror_marks_instead_of_deleting_when_told(self, place: Place) -> None:
        place.make("branch", BRANCH, BRANCHES)
        mirror = WriteSpec("branch", BRANCH[:3], ("id",), MIRROR, mark={"closed": True})
        source = [{k: v for k, v in b.items() if k != "closed"} for b in BRANCHES[:2]]
        ran = place.run(mirror, source)
        assert ran.counts == {"unchanged": 2}
        assert ran.applied.account.mirror_deleted == 2
        assert [r["closed"] for r in place.read("branch", BRANCH)] == [False, None, True, True]
        again = place.run(mirror, source)
        assert again.applied.account.mirror_deleted == 0, "what is marked is not marked again"
        assert again.changes == []
        assert again.matched.in_scope == 4

    def test_marks_may_be_values_that_are_not_there_yet(self, place: Place) -> None:
        place.make("branch", BRANCH, BRANCHES)
        mirror = WriteSpec(
            "branch", BRANCH[:1], ("id",), MIRROR, scope={"region": "north"}, mark={"name": None, "closed": True}
        )
        ran = place.run(mirror, [])
        assert ran.applied.account.mirror_deleted == 2
        rows = place.read("branch", BRANCH)
        assert [(r["name"], r["closed"]) for r in rows] == [(None, True), (None, True), ("c", False), ("d", False)]
