"""Templates of what is sent to APIs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from headgate.connectors.http.rest.template import Many, Values, filled, names, path, query
from headgate.model.errors import DestinationError


def values(i: int, **more: Any) -> Values:
    record = {"sku": f"s{i}", "price": i}
    return Values(f"id{i}", record, record, f"s{i}", ["sku"], **more)


TWO = Many([values(0), values(1)], ["sku", "price"])


def test_the_place_in_the_request_is_a_number_or_a_text() -> None:
    assert filled({"$each": {"at": "{index}", "trace": "{index:json}"}}, TWO) == [
        {"at": 0, "trace": "0"},
        {"at": 1, "trace": "1"},
    ]
    assert filled("{index}", Many([values(7)])) == 0


def test_numbers_in_texts_have_no_exponents() -> None:
    one = Many([Values(None, {}, {"price": Decimal("0.00000001"), "none": Decimal("0E-8")})])
    assert query({"p": "{price}", "all": ["{price}", "{none}"]}, one) == {
        "p": "0.00000001",
        "all": ["0.00000001", "0.00000000"],
    }
    assert path("/at/{price}", one) == "/at/0.00000001"


def test_lists_take_in_the_fields_and_the_keys() -> None:
    assert filled(["id", "{fields}", "price"], TWO) == ["id", "sku", "price", "price"]
    assert filled(["price", "{fields}"], TWO) == ["price", "sku"], "what stands there already is not said again"
    assert filled(["{keys}"], TWO) == ["s0", "s1"]
    assert filled({"keys": "{keys}"}, TWO) == {"keys": ["s0", "s1"]}
    assert filled(["{fields:json}"], TWO) == ['["sku","price"]']
    assert filled([["{fields}"]], TWO) == [["sku", "price"]]


def test_a_mapping_takes_in_another() -> None:
    one = Many([values(3)])
    assert filled({"$all": "{record}", "id": "{id}"}, one) == {"sku": "s3", "price": 3, "id": "id3"}
    assert filled({"$all": "{record}", "price": 0}, one) == {"sku": "s3", "price": 0}, "its own names go before"
    assert filled({"$each": {"$all": "{record}", "id": "{id}"}}, TWO)[1] == {"sku": "s1", "price": 1, "id": "id1"}


def test_what_is_there_already_can_be_named() -> None:
    there = {"owner.id": 5, "lines.0.no": 7}.get
    assert filled("{there.owner.id}", Many([values(0, there=there)])) == 5
    assert filled("/x/{there.lines.0.no}", Many([values(0, there=there)])) == "/x/7"
    assert filled("{there.owner.id}", Many([values(0)])) is None
    assert names({"a": "{there.owner.id}", "b": ["{sku}"]}) == {"there.owner.id", "sku"}


def test_the_name_of_the_key_is_that_of_one_field() -> None:
    assert filled("{key_name}", TWO) == "sku"
    with pytest.raises(DestinationError, match="the key here is one field, not sku, size"):
        filled("{key_name}", Many([Values(None, {}, {}, [1, 2], ["sku", "size"])]))


def test_a_part_of_a_list_stands_for_each_entry_of_another() -> None:
    def made(template: Any, **fields: Any) -> Any:
        return filled(template, Many([Values("id0", {}, fields)]))

    to = {"ids": [{"$for": "{to}", "id": "{it}"}]}
    assert made(to, to=[1, 2, 1]) == {"ids": [{"id": 1}, {"id": 2}]}, "of equal ones there is one"
    assert made(to, to="7") == {"ids": [{"id": "7"}]}
    assert made({"$all": to, "x": 1}, to=None) == {"x": 1}, "a list of nothing is left out"
    assert made(to, to="") == {}
    assert made({"ids": [9, {"$for": "{to}", "id": "{it}"}]}, to=None) == {"ids": [9]}
    lines = [{"sku": "a", "of": ["x", "y"]}, {"sku": "b", "of": None}]
    inner = {"no": "{it.sku}", "all": [{"$for": "{it.of}", "is": "{it}", "not": "{other}"}]}
    assert made({"lines": [{"$for": "{lines}", **inner}]}, lines=lines, other=5) == {
        "lines": [{"no": "a", "all": [{"is": "x", "not": 5}, {"is": "y", "not": 5}]}, {"no": "b"}]
    }
    with pytest.raises(DestinationError, match="{it}, which is no field"):
        made("{it}")
    assert filled([{"$for": "{keys}", "k": "{it}"}], TWO) == [{"k": "s0"}, {"k": "s1"}]
