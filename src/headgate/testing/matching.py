"""Tests of what the operations do with records that are found, not found, or given several times."""

from __future__ import annotations

from typing import Any, Final

import pytest

from headgate.model.types import FieldType
from headgate.model.write import DELETE, KEEP, LISTED_SKIPS, Operation, WriteField, WriteSpec

from .place import Place
from .runs import Row, fields

ITEM: Final = fields(id="integer", name="text", qty="integer")
THERE: Final[list[Row]] = [
    {"id": 1, "name": "lamp", "qty": 5},
    {"id": 2, "name": "desk", "qty": None},
    {"id": 3, "name": None, "qty": 0},
]
ALIKE: Final = [
    "a", "A", "a ", " a", "a\u00a0", "a\t", "a\u200b", "\uff41", "á", "a\u0301", "é", "e\u0301", "å", "\u212b", "ß", "ss", "ö", "oe", "i", "I",
    "ı", "İ", "1", "01", "1.0", "", "%", "_", "a'b", "a\\b", "NULL", "👩", "👨", "\ufffd",
]  # fmt: skip
"""Texts that some collation or other takes for the same as another one of them."""
MATCHED: Final = (Operation.UPDATE, Operation.UPSERT, Operation.DELETE, Operation.MIRROR)


def item(id: int, name: str | None = "new", qty: int | None = 1, **more: Any) -> Row:
    """A record of `ITEM`."""
    return {"id": id, "name": name, "qty": qty, **more}


def spec(operation: Operation, **options: Any) -> WriteSpec:
    """What to do with records of `ITEM` in the table ``item``, by their id."""
    return WriteSpec("item", **{"fields": ITEM, "key": ("id",), "operation": operation, **options})


class MatchingTests:
    """Each test is one line, or one option, of the matching table."""

    def test_insert_creates_what_is_new_and_rejects_what_is_there(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.INSERT), [item(4), item(1, "lamp", 5), item(2)])
        assert ran.counts == {"created": 1, "rejected": 2}
        assert ran.codes == {1: "KY03", 2: "KY03"}
        assert place.read("item", ITEM) == [*THERE, item(4)]

    def test_insert_skips_what_is_there_when_told(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.INSERT, existing="skip"), [item(1), item(4)])
        assert ran.counts == {"created": 1, "skipped": 1}
        assert ran.codes == {0: "existing"}
        assert ran.applied.account.skips == {"existing": 1}

    def test_update_changes_what_differs_and_rejects_what_is_missing(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.UPDATE), [item(1, "lamp", 6), item(2, "desk", None), item(9)])
        assert ran.counts == {"updated": 1, "unchanged": 1, "rejected": 1}
        assert ran.codes == {2: "KY04"}
        assert place.read("item", ITEM) == [item(1, "lamp", 6), *THERE[1:]]

    def test_update_skips_what_is_missing_when_told(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.UPDATE, missing="skip"), [item(9), item(3, "shelf", 0)])
        assert ran.counts == {"updated": 1, "skipped": 1}
        assert ran.applied.account.skips == {"missing": 1}

    def test_upsert_updates_leaves_and_creates(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.UPSERT), [item(3, None, 0), item(2, "desk", 7), item(8), item(7)])
        assert ran.counts == {"updated": 1, "unchanged": 1, "created": 2}
        assert place.read("item", ITEM) == [THERE[0], item(2, "desk", 7), THERE[2], item(7), item(8)]

    def test_delete_deletes_what_is_there_and_skips_or_rejects_what_is_missing(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.DELETE, missing="skip"), [item(2, "whatever", 99), item(9)])
        assert ran.counts == {"deleted": 1, "skipped": 1}
        assert ran.applied.account.skips == {"missing": 1}
        ran = place.run(spec(Operation.DELETE, missing="reject"), [item(9), item(3)])
        assert ran.counts == {"deleted": 1, "rejected": 1}
        assert ran.codes == {0: "KY04"}
        assert place.read("item", ITEM) == THERE[:1]

    def test_delete_needs_no_field_but_the_key(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.DELETE, fields=ITEM[:1]), [{"id": 1}])
        assert ran.counts == {"deleted": 1}
        assert place.read("item", ITEM) == THERE[1:]

    def test_append_adds_without_matching(self, place: Place) -> None:
        place.needs(Operation.APPEND)
        place.make("item", ITEM, THERE, key=())
        append = spec(Operation.APPEND, key=())
        ran = place.run(append, [item(1, "lamp", 5), item(1, "lamp", 5)])
        assert ran.counts == {"created": 2}
        assert len(place.read("item", ITEM)) == 5

    @pytest.mark.parametrize("operation", MATCHED)
    def test_a_key_the_destination_has_several_times_is_rejected(self, place: Place, operation: Operation) -> None:
        place.needs(operation, Operation.APPEND)
        twice = [item(1, "a"), item(1, "b"), item(2, "c")]
        place.make("item", ITEM, twice, key=())
        ran = place.run(spec(operation), [item(1, "d"), item(2, "e")])
        assert ran.counts == {"rejected": 1, "deleted" if operation is Operation.DELETE else "updated": 1}
        assert ran.codes == {0: "KY05"}
        assert [r["name"] for r in place.read("item", ITEM) if r["id"] == 1] in (["a", "b"], ["b", "a"])

    @pytest.mark.parametrize(("existing", "outcome"), [("reject", "rejected"), ("skip", "skipped")])
    def test_insert_takes_a_key_that_is_there_several_times_for_there(
        self, place: Place, existing: str, outcome: str
    ) -> None:
        place.needs(Operation.INSERT, Operation.APPEND)
        place.make("item", ITEM, [item(1, "a"), item(1, "b")], key=())
        ran = place.run(spec(Operation.INSERT, existing=existing), [item(1, "c"), item(2)])
        assert ran.counts == {"created": 1, outcome: 1}
        assert ran.codes == {0: "KY03" if existing == "reject" else "existing"}

    @pytest.mark.parametrize("operation", (Operation.INSERT, Operation.UPSERT, Operation.MIRROR))
    @pytest.mark.parametrize("rule", ("last", "first", "reject"))
    def test_of_several_new_records_with_one_key_one_counts(
        self, place: Place, operation: Operation, rule: str
    ) -> None:
        place.make("item", ITEM)
        ran = place.run(
            spec(operation, duplicates=rule), [item(1, "a"), item(2, "b"), item(1, "c"), item(1, "d"), item(3, "e")]
        )
        self._one_of_three(ran.counts, ran.codes, rule, "created")
        assert place.read("item", ITEM) == [item(1, "d" if rule == "last" else "a"), item(2, "b"), item(3, "e")]

    @pytest.mark.parametrize("operation", MATCHED)
    @pytest.mark.parametrize("rule", ("last", "first", "reject"))
    def test_of_several_known_records_with_one_key_one_counts(
        self, place: Place, operation: Operation, rule: str
    ) -> None:
        place.make("item", ITEM, [item(1, "x"), item(2, "x"), item(3, "x")])
        ran = place.run(
            spec(operation, duplicates=rule), [item(1, "a"), item(2, "b"), item(1, "c"), item(1, "d"), item(3, "e")]
        )
        self._one_of_three(ran.counts, ran.codes, rule, "deleted" if operation is Operation.DELETE else "updated")
        if operation is not Operation.DELETE:
            assert place.read("item", ITEM) == [item(1, "d" if rule == "last" else "a"), item(2, "b"), item(3, "e")]

    @staticmethod
    def _one_of_three(counts: dict[str, int], codes: dict[int, str], rule: str, outcome: str) -> None:
        assert counts == {outcome: 3, "invalid" if rule == "reject" else "skipped": 2}
        losers = (0, 2) if rule == "last" else (2, 3)
        assert codes == dict.fromkeys(losers, "KY02" if rule == "reject" else "duplicate")

    def test_which_record_is_last_is_said_by_its_number(self, place: Place) -> None:
        place.make("item", ITEM)
        ran = place.run(spec(Operation.UPSERT), [item(1, "late", _n=7 << 40), item(1, "early", _n=3)])
        assert ran.codes == {3: "duplicate"}
        assert place.read("item", ITEM) == [item(1, "late")]

    def test_skips_are_counted_to_the_last_and_listed_up_to_a_limit(self, place: Place) -> None:
        place.make("item", ITEM)
        ran = place.run(spec(Operation.UPSERT), [item(1, "x", n) for n in range(LISTED_SKIPS + 51)], size=300)
        assert ran.applied.account.skips == {"duplicate": LISTED_SKIPS + 50}
        assert len(ran.applied.refusals) == LISTED_SKIPS

    def test_no_records_are_no_changes(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(spec(Operation.UPSERT), [])
        assert ran.counts == {}
        assert place.read("item", ITEM) == THERE

    def test_no_value_and_empty_text_are_different_values(self, place: Place) -> None:
        place.make("item", ITEM, [item(1, None), item(2, ""), item(3, None), item(4, ""), item(5, "x")])
        ran = place.run(spec(Operation.UPSERT), [item(1, ""), item(2, None), item(3, None), item(4, ""), item(5, None)])
        assert ran.counts == {"updated": 3, "unchanged": 2}
        assert [r["name"] for r in place.read("item", ITEM)] == ["", None, None, "", None]

    def test_texts_that_only_look_alike_are_different_values(self, place: Place) -> None:
        place.make("item", ITEM, [item(1, "a"), item(2, "a"), item(3, "e\u0301"), item(4, "1")])
        ran = place.run(spec(Operation.UPSERT), [item(1, "A"), item(2, "a "), item(3, "\u00e9"), item(4, "1.0")])
        assert ran.counts == {"updated": 4}
        assert [r["name"] for r in place.read("item", ITEM)] == ["A", "a ", "\u00e9", "1.0"]

    def test_keys_that_only_look_alike_are_different_keys(self, place: Place) -> None:
        by_name = fields(name="text", qty="integer")
        place.make("item", by_name, [{"name": n, "qty": 0} for n in ALIKE], key=("name",))
        ran = place.run(
            spec(Operation.UPSERT, fields=by_name, key=("name",)),
            [{"name": n, "qty": i} for i, n in enumerate(ALIKE)] + [{"name": "A ", "qty": 0}],
        )
        assert ran.counts == {"unchanged": 1, "updated": len(ALIKE) - 1, "created": 1}

    def test_columns_that_are_no_fields_keep_their_values_and_are_empty_in_new_records(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(
            spec(Operation.UPSERT, fields=ITEM[:2]), [{"id": 1, "name": "lamp 2"}, {"id": 4, "name": "new"}]
        )
        assert ran.counts == {"updated": 1, "created": 1}
        assert place.read("item", ITEM) == [item(1, "lamp 2", 5), *THERE[1:], item(4, "new", None)]

    def test_a_field_may_be_kept_record_by_record(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        keeping = (*ITEM[:2], WriteField("qty", FieldType("integer"), keeps=True))
        keep = KEEP + "qty"
        ran = place.run(
            spec(Operation.UPSERT, fields=keeping),
            [
                item(1, "lamp", 9, **{keep: True}),
                item(2, "desk 2", 9, **{keep: True}),
                item(3, None, 9, **{keep: False}),
                item(4, "new", 9, **{keep: True}),
            ],
        )
        assert ran.counts == {"unchanged": 1, "updated": 2, "created": 1}
        assert [r["qty"] for r in place.read("item", ITEM)] == [5, None, 9, 9]
        assert [c["qty"] for c in ran.changes] == [None, 9, 9]

    def test_a_field_for_created_records_leaves_existing_ones_alone(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        once = (*ITEM[:2], WriteField("qty", FieldType("integer"), when="created"))
        ran = place.run(
            spec(Operation.UPSERT, fields=once), [item(1, "lamp", 9), item(2, "desk 2", 9), item(4, "new", 9)]
        )
        assert ran.counts == {"unchanged": 1, "updated": 1, "created": 1}
        assert [r["qty"] for r in place.read("item", ITEM)] == [5, None, 0, 9]

    def test_a_field_for_updated_records_is_no_difference_by_itself(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        later = (*ITEM[:2], WriteField("qty", FieldType("integer"), when="updated"))
        ran = place.run(
            spec(Operation.UPSERT, fields=later), [item(1, "lamp", 9), item(2, "desk 2", 9), item(4, "new", 9)]
        )
        assert ran.counts == {"unchanged": 1, "updated": 1, "created": 1}
        assert [r["qty"] for r in place.read("item", ITEM)] == [5, 9, 0, None]

    def test_append_leaves_out_a_field_for_updated_records(self, place: Place) -> None:
        place.needs(Operation.APPEND)
        place.make("item", ITEM, key=())
        later = (*ITEM[:2], WriteField("qty", FieldType("integer"), when="updated"))
        place.run(spec(Operation.APPEND, fields=later, key=()), [item(1, "a", 9)])
        assert place.read("item", ITEM) == [item(1, "a", None)]

    @pytest.mark.parametrize("missing", ("skip", "reject"))
    def test_single_records_of_an_upsert_may_be_deletions(self, place: Place, missing: str) -> None:
        place.make("item", ITEM, THERE)
        ran = place.run(
            spec(Operation.UPSERT, deletes=True, missing=missing),
            [
                item(1, _delete=True),
                item(2, "desk", 3, _delete=False),
                item(9, _delete=True),
                item(3, "shelf", 1, _delete=False),
                item(3, _delete=True),
                item(4, _delete=None),
            ],
        )
        refused = {"skipped": 2} if missing == "skip" else {"skipped": 1, "rejected": 1}
        assert ran.counts == {"deleted": 2, "updated": 1, "created": 1, **refused}
        assert ran.codes == {2: "missing" if missing == "skip" else "KY04", 3: "duplicate"}
        assert place.read("item", ITEM) == [item(2, "desk", 3), item(4)]
        assert DELETE not in ran.changes[0]

    def test_changes_show_old_and_new_of_every_field(self, place: Place) -> None:
        place.make("item", ITEM, THERE)
        ran = place.plan(
            spec(Operation.UPSERT, deletes=True),
            [item(4), item(1, "lamp", 6), item(2, "desk", None), item(3, _delete=True)],
        )
        assert ran.changes == [
            {"_n": 0, "_action": "created", **item(4), "_old_id": None, "_old_name": None, "_old_qty": None},
            {"_n": 1, "_action": "updated", **item(1, "lamp", 6), "_old_id": 1, "_old_name": "lamp", "_old_qty": 5},
            {"_n": 3, "_action": "deleted", **item(3, None, None), "_old_id": 3, "_old_name": None, "_old_qty": 0},
        ]
