"""Tests of runs that do what a plan found, and hold back what has changed since."""

from __future__ import annotations

from headgate.model.write import KEEP, Operation, WriteField, WriteSpec

from .matching import ITEM, THERE, item, spec
from .place import Place
from .runs import Ran, Row

UPSERT, MIRROR = Operation.UPSERT, Operation.MIRROR
SOURCE = [item(1, "lamp", 6), item(2, "desk", None), item(3, _delete=True), item(4)]


def planned(place: Place) -> tuple[WriteSpec, Ran]:
    """A plan of one update, one deletion and one creation, on a table of three."""
    place.make("item", ITEM, THERE)
    todo = spec(UPSERT, deletes=True)
    plan = place.plan(todo, SOURCE)
    assert plan.counts == {"updated": 1, "unchanged": 1, "deleted": 1, "created": 1}
    return todo, plan


def edit(place: Place, *rows: Row) -> None:
    """Somebody else changes records between plan and run."""
    place.run(spec(UPSERT), rows)


class PlanningTests:
    """A plan is run exactly, or held back record by record."""

    def test_a_plan_is_run_as_it_was_shown(self, place: Place) -> None:
        todo, plan = planned(place)
        ran = place.run_plan(todo, plan)
        assert ran.counts == {"updated": 1, "deleted": 1, "created": 1}
        assert ran.changes == plan.changes
        assert place.read("item", ITEM) == [item(1, "lamp", 6), THERE[1], item(4)]

    def test_a_plan_run_twice_is_held_the_second_time(self, place: Place) -> None:
        todo, plan = planned(place)
        place.run_plan(todo, plan)
        ran = place.run_plan(todo, plan)
        assert ran.counts == {"held": 3}
        assert set(ran.codes.values()) == {"HE01"}
        assert ran.changes == []

    def test_a_record_that_changed_since_is_held(self, place: Place) -> None:
        todo, plan = planned(place)
        edit(place, item(1, "lamp", 7))
        ran = place.run_plan(todo, plan)
        assert ran.counts == {"held": 1, "deleted": 1, "created": 1}
        assert ran.codes == {0: "HE01"}
        assert place.read("item", ITEM)[0] == item(1, "lamp", 7)

    def test_a_record_that_should_go_and_changed_since_is_held(self, place: Place) -> None:
        todo, plan = planned(place)
        edit(place, item(3, "wanted", 0))
        ran = place.run_plan(todo, plan)
        assert ran.counts == {"updated": 1, "held": 1, "created": 1}
        assert ran.codes == {2: "HE01"}
        assert item(3, "wanted", 0) in place.read("item", ITEM)

    def test_a_record_that_came_since_is_held(self, place: Place) -> None:
        todo, plan = planned(place)
        edit(place, item(4, "mine", 1))
        ran = place.run_plan(todo, plan)
        assert ran.counts == {"updated": 1, "deleted": 1, "held": 1}
        assert ran.codes == {3: "HE01"}
        assert place.read("item", ITEM)[-1] == item(4, "mine", 1)

    def test_a_key_that_several_records_have_since_is_held(self, place: Place) -> None:
        place.needs(Operation.APPEND)
        place.make("item", ITEM, THERE, key=())
        plan = place.plan(spec(UPSERT), [item(1, "lamp", 6), item(2, "desk", 7)])
        place.run(spec(Operation.APPEND, key=()), [item(1, "mine", 5)])
        ran = place.run_plan(spec(UPSERT), plan)
        assert ran.counts == {"held": 1, "updated": 1}
        assert ran.codes == {0: "HE01"}
        assert sorted(r["name"] for r in place.read("item", ITEM) if r["id"] == 1) == ["lamp", "mine"]

    def test_records_that_went_since_are_held(self, place: Place) -> None:
        todo, plan = planned(place)
        place.run(spec(Operation.DELETE), [item(1), item(3)])
        ran = place.run_plan(todo, plan)
        assert ran.counts == {"held": 2, "created": 1}
        assert ran.codes == {0: "HE01", 2: "HE01"}

    def test_a_change_from_or_to_no_value_is_a_change(self, place: Place) -> None:
        place.make("item", ITEM, [item(1, "a", None), item(2, "b", 2)])
        plan = place.plan(spec(UPSERT), [item(1, "x", 9), item(2, "x", 9)])
        edit(place, item(1, "a", 1), item(2, "b", None))
        assert place.run_plan(spec(UPSERT), plan).counts == {"held": 2}

    def test_a_plan_carries_the_values_there_will_be(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        name, qty = ITEM[1], ITEM[2]
        todo = spec(
            UPSERT,
            fields=(ITEM[0], WriteField("name", name.type, when="created"), WriteField("qty", qty.type, keeps=True)),
        )
        source = [
            item(1, "ignored", 6, **{KEEP + "qty": False}),
            item(2, "ignored", 6, **{KEEP + "qty": True}),
            item(4, "new", 6, **{KEEP + "qty": True}),
        ]
        plan = place.plan(todo, source)
        assert plan.counts == {"updated": 1, "unchanged": 1, "created": 1}
        assert [(c["name"], c["qty"]) for c in plan.changes] == [("lamp", 6), ("new", 6)]
        ran = place.run_plan(todo, plan)
        assert ran.counts == {"updated": 1, "created": 1}
        assert place.read("item", ITEM) == [item(1, "lamp", 6), *THERE[1:], item(4, "new", 6)]

    def test_a_planned_mirror_deletes_what_was_planned_and_nothing_else(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        plan = place.plan(spec(MIRROR), [item(1, "lamp", 6)])
        assert plan.matched.account.mirror_deleted == 2
        edit(place, item(2, "changed since", 1), item(8, "came since", 1))
        ran = place.run_plan(spec(MIRROR), plan)
        assert ran.counts == {"updated": 1}
        assert ran.applied.account.mirror_deleted == 1
        assert place.read("item", ITEM) == [item(1, "lamp", 6), item(2, "changed since", 1), item(8, "came since", 1)]

    def test_a_planned_mirror_marks(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        marking = spec(MIRROR, mark={"qty": -1})
        plan = place.plan(marking, [item(1, "lamp", 5)])
        ran = place.run_plan(marking, plan)
        assert ran.applied.account.mirror_deleted == 2
        assert [r["qty"] for r in place.read("item", ITEM)] == [5, -1, -1]

    def test_a_planned_append_creates(self, place: Place) -> None:
        place.needs(Operation.APPEND)
        place.make("item", ITEM, THERE, key=())
        append = spec(Operation.APPEND, key=())
        ran = place.run_plan(append, place.plan(append, [item(1), item(1)]))
        assert ran.counts == {"created": 2}
