from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.singer import layout

TYPES: list[tuple[Any, str]] = [
    ({"type": "integer"}, "bigint"),
    ({"type": ["null", "integer"], "maximum": 10**20}, "decimal(38,0)"),
    ({"type": "number"}, "double"),
    ({"type": "number", "multipleOf": 0.01}, "decimal(38,2)"),
    ({"type": "number", "multipleOf": 0.01, "minimum": -999.99, "maximum": 999.99}, "decimal(5,2)"),
    ({"type": "number", "multipleOf": 1e-50}, "double"),
    ({"type": "number", "multipleOf": 10}, "decimal(38,0)"),
    ({"type": "string", "format": "singer.decimal"}, "decimal(38,10)"),
    ({"type": ["string", "null"], "format": "date-time"}, "timestamptz"),
    ({"type": "string", "format": "date"}, "date"),
    ({"type": "string", "format": "time"}, "time"),
    ({"type": "string", "format": "uuid"}, "uuid"),
    ({"type": "string", "format": "email"}, "text"),
    ({"type": "boolean"}, "boolean"),
    ({"type": "object"}, "json"),
    ({"type": ["array", "null"]}, "json"),
    ({"type": ["string", "integer"]}, "text"),
    ({"type": ["integer", "boolean"]}, "text"),
    ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "timestamptz"),
    ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, "text"),
    ({}, "text"),
    (True, "text"),
    ({"type": "null"}, "text"),
]


@pytest.mark.parametrize(("of", "wanted"), TYPES)
def test_a_property_has_the_type_its_schema_says(of: Any, wanted: str) -> None:
    found = layout(json.dumps({"properties": {"a": of}}).encode())
    assert str(found.types["a"]) == wanted


def test_required_is_what_must_be_there_and_cannot_be_null() -> None:
    properties = {"a": {"type": "integer"}, "b": {"type": ["integer", "null"]}, "c": {"type": "integer"}}
    found = layout(json.dumps({"properties": properties, "required": ["a", "b", "gone"]}).encode(), ["a"])
    assert (found.required, found.key) == ({"a"}, ("a",))


@pytest.mark.parametrize(
    "schema", ["7", "[]", "{}", '{"type": "object"}', '{"properties": {}}', '{"properties": {"": {}}}', "[" * 100_000]
)
def test_what_is_no_schema_of_records_is_refused(schema: str) -> None:
    with pytest.raises(ValueError, match="."):
        layout(schema.encode())


def test_a_key_that_is_no_property_is_refused() -> None:
    with pytest.raises(ValueError, match="'id'"):
        layout(b'{"properties": {"a": {}}}', ["id"])


def test_later_schemas_add_columns_and_widen_types() -> None:
    one = layout(b'{"properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}, "required": ["a", "b"]}')
    two = layout(b'{"properties": {"a": {"type": "string"}, "c": {"type": "object"}}, "required": ["a"]}', ["a"])
    both = one.joined(two)
    assert {n: str(t) for n, t in both.types.items()} == {"a": "text", "b": "boolean", "c": "json"}
    assert (both.required, both.key) == ({"a"}, ("a",))
