"""Lists within records whose entries are records themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from headgate.connectors.http.resource import EntriesSpec
from headgate.connectors.http.rest.entries import Entries

SPEC = EntriesSpec.model_validate(
    {
        "fields": {"size": "text", "price": "decimal(8,2)", "item.cost": "decimal(8,2)", "sold": "boolean"},
        "key": ["size"],
        "reads": {"size": "options.0.value", "item.cost": "item.unit.amount"},
        "texts": ["price", "item.cost"],
        "blanks": {"size": "One"},
        "apart": ["size"],
        "most": 3,
    }
)
SIZES = Entries("sizes", SPEC)
THERE = [
    {"id": 7, "options": [{"value": "One"}], "price": "9.9", "item": {"unit": {"amount": "1.0"}}, "sold": True},
    {"id": 8, "options": [{"value": "S"}], "price": "5", "item": {"unit": None}, "sold": False},
]


def given(*entries: dict[str, Any]) -> Any:
    return SIZES.text(SIZES.given(list(entries)))


def test_what_both_name_is_compared_in_any_order() -> None:
    there = SIZES.text(SIZES.read(THERE))
    assert given({"size": "S", "price": "5.00"}, {"size": "", "price": "9.90"}) == there
    assert given({"size": "S", "price": 5, "sold": "false"}, {"size": None}) == there
    assert given({"size": "S", "price": "5.01"}, {"size": ""}) != there
    assert given({"size": "S"}) != there, "one is missing"
    assert given({"size": "S"}, {"size": "M"}) != there
    assert given({"size": "S", "item.cost": ""}, {}) == there
    assert hash(given({"size": "S"}, {})) == hash(there)
    assert given({"size": "S"}, {"size": "S"}) != there


def test_entries_are_sent_with_their_ids_and_as_the_api_has_them() -> None:
    wire = SIZES.given([{"size": "", "price": "9", "item.cost": "2"}, {"size": "L", "sold": "true"}])
    one, two = SIZES.sent(wire, THERE)
    assert one["record"] == {"price": "9.00", "item": {"cost": "2.00"}, "id": 7}
    assert one["size"] == "One"
    assert two == {"size": "L", "price": None, "item.cost": None, "sold": True, "record": {"sold": True}}
    assert SIZES.sent(wire, None)[0]["record"] == {"price": "9.00", "item": {"cost": "2.00"}}


def test_what_is_put_back_is_what_was_written() -> None:
    was = SIZES.read(THERE)
    written = SIZES.given([{"size": "S", "price": "6"}])
    gone, kept = SIZES.back(was, written)
    assert kept == {"size": "S", "price": Decimal("5.00")}
    assert gone.keys() == SPEC.fields.keys(), "an entry that was deleted comes back as a whole"


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        ("S", "sizes is no list of objects"),
        ([1], "sizes is no list of objects"),
        ([{"size": "S", "colour": "red"}], "entries of sizes have no field 'colour'"),
        ([{"size": "S"}, {"size": "S"}], "sizes has two entries with size S"),
        ([{}, {"size": ""}], "sizes has two entries with nothing to tell them by"),
        ([{"size": str(i)} for i in range(4)], "sizes has 4 entries, and more than 3 cannot be read"),
    ],
)
def test_what_is_no_such_list_is_said(wire: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SIZES.sent(SIZES.given(wire), None)


def test_a_spec_names_its_own_fields() -> None:
    with pytest.raises(ValueError, match="'weight' is none"):
        EntriesSpec.model_validate({"fields": {"size": "text"}, "key": ["weight"]})
