"""Lookups that are not well written down are refused with what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.model.spec import ImportSpec, LookupSpec

TABLE = {"connection": "shop", "table": "price", "match": ["sku", "day"], "take": "id"}


@pytest.mark.parametrize(
    ("lookup", "said"),
    [
        ({}, "either values, or a path, or a connection"),
        ({"values": {}, "connection": "shop", "table": "x"}, "either values, or a path, or a connection"),
        ({"path": "x.csv", "match": "a"}, "needs match and take"),
        ({"connection": "shop", "match": "a", "take": "b"}, "either a table or a query"),
        (TABLE | {"query": "select 1"}, "either a table or a query"),
        ({"path": "x.csv", "match": "a", "take": "b", "table": "t"}, "either a table or a query"),
        ({"path": "x.csv", "match": "a", "take": "b", "where": {"a": 1}}, "where and create go with a table"),
        (TABLE | {"params": {"a": 1}}, "params go with a query"),
        ({"connection": "shop", "query": "delete from x", "match": "a", "take": "b"}, "a single SELECT"),
        ({"connection": "shop", "query": "select 1; select 2", "match": "a", "take": "b"}, "a single SELECT"),
    ],
)
def test_a_lookup_that_cannot_be(lookup: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LookupSpec.model_validate(lookup)


def test_a_query_may_end_with_a_semicolon() -> None:
    lookup = LookupSpec.model_validate({"connection": "s", "query": " SELECT 1 ;\n", "match": "a", "take": "b"})
    assert (lookup.query, lookup.match, lookup.width) == ("SELECT 1", ["a"], 1)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"from": ["a", "b"]}, "several columns make one value only by a lookup"),
        ({"from": "a", "lookup": "price"}, "compares 2 values, and field 'x' gives it 1"),
        ({"from": ["a", "b", "c"], "lookup": "price"}, "gives it 3"),
        ({"from": ["a", "b"], "lookup": "other", "missing": "create"}, "must be a table of the destination's connection"),
        ({"from": ["a", "b"], "lookup": "again", "missing": "create"}, "two lookups would make entries in 'price'"),
    ],
)  # fmt: skip
def test_a_field_that_cannot_look_up(field: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ImportSpec.model_validate({
            "source": "x.csv", "operation": "append", "destination": {"connection": "shop", "table": "t"},
            "lookups": {"price": TABLE, "again": TABLE, "other": TABLE | {"connection": "elsewhere"}},
            "fields": {"x": field, "y": {"from": ["a", "b"], "lookup": "price", "missing": "create"}},
        })  # fmt: skip
