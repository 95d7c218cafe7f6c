"""From schemas to fields: where the records are, what types their values have, and which is the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.app.openapi import choose
from headgate.model.errors import HeadgateError
from support.openapi import document, items, listing, proposed, read

TEXT: dict[str, Any] = {"type": "string"}


def types(folder: Path, properties: dict[str, Any], schemas: dict[str, Any] | None = None) -> dict[str, str]:
    """The proposed fields of such records, with their types."""
    entry = {"type": "object", "properties": properties}
    draft = proposed(folder, document({"/things": listing(items(entry))}, schemas))
    return {f.column: str(f.type) for f in draft.fields}


@pytest.mark.parametrize(
    ("schema", "type"),
    [
        (TEXT, "text"),
        (TEXT | {"maxLength": 20}, "text(20)"),
        (TEXT | {"maxLength": 100_000}, "text"),
        (TEXT | {"format": "date"}, "date"),
        (TEXT | {"format": "date-time"}, "timestamptz"),
        (TEXT | {"format": "uuid", "maxLength": 36}, "uuid"),
        (TEXT | {"format": "decimal"}, "decimal(38,10)"),
        (TEXT | {"format": "int64"}, "bigint"),
        (TEXT | {"format": "email", "maxLength": 9}, "text"),
        ({"type": "integer"}, "bigint"),
        ({"type": "integer", "format": "int32"}, "integer"),
        ({"type": "number"}, "double"),
        ({"type": "number", "format": "decimal"}, "decimal(38,10)"),
        ({"type": "number", "multipleOf": 0.01}, "decimal(18,2)"),
        ({"type": "number", "multipleOf": "much"}, "double"),
        ({"type": "boolean"}, "boolean"),
        ({"type": ["string", "null"], "format": "date"}, "date"),
        ({"type": ["integer", "string"]}, "text"),
        ({"type": "array", "items": TEXT}, "json"),
        ({"type": "object"}, "json"),
        ({"type": "object", "additionalProperties": TEXT}, "json"),
        ({"enum": ["a", "b"]}, "text"),
        ({"const": 3}, "bigint"),
        ({"enum": [True]}, "boolean"),
        ({}, "text"),
        ({"oneOf": [{"type": "null"}, {"type": "integer", "format": "int32"}]}, "integer"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "double"),
        ({"anyOf": [{"type": "integer", "format": "int32"}, {"type": "integer"}]}, "bigint"),
        ({"oneOf": [TEXT | {"format": "date"}, TEXT | {"format": "date-time"}]}, "text"),
        ({"oneOf": [TEXT, {"type": "object", "properties": {"a": TEXT}}]}, "text"),
        ({"oneOf": [{"type": "array"}, {"type": "null"}]}, "json"),
        ({"allOf": [{"description": "a day"}, TEXT | {"format": "date"}]}, "date"),
    ],
)
def test_types_of_values(schema: dict[str, Any], type: str, tmp_path: Path) -> None:
    assert types(tmp_path, {"it": schema}) == {"it": type}


def test_what_never_comes_is_no_field(tmp_path: Path) -> None:
    assert types(
        tmp_path, {"a": TEXT, "password": TEXT | {"writeOnly": True}, "nothing": {"type": "null"}, "": TEXT}
    ) == {"a": "text"}


def test_objects_are_fields_by_path_and_deeper_ones_are_json(tmp_path: Path) -> None:
    deep = {
        "type": "object",
        "properties": {"c": {"type": "object", "properties": {"d": {"type": "object", "properties": {"e": TEXT}}}}},
    }
    assert types(tmp_path, {"a": TEXT, "b": deep, "a.b": TEXT}) == {"a": "text", "b.c.d": "json", "a.b": "text"}


def test_schemas_that_contain_themselves_are_json_where_they_begin_again(tmp_path: Path) -> None:
    node = {"type": "object", "properties": {"name": TEXT, "parent": {"$ref": "#/components/schemas/Node"}, "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}}}  # fmt: skip
    found = types(tmp_path, {"node": {"$ref": "#/components/schemas/Node"}}, {"Node": node})
    assert found == {"node.name": "text", "node.parent": "json", "node.children": "json"}
    itself = {"allOf": [{"$ref": "#/components/schemas/Self"}, {"type": "object", "properties": {"a": TEXT}}]}
    assert types(tmp_path, {"x": {"$ref": "#/components/schemas/Self"}}, {"Self": itself}) == {"x.a": "text"}


def test_all_of_one_of_and_any_of_are_put_together(tmp_path: Path) -> None:
    cat = {"type": "object", "properties": {"kind": TEXT, "lives": {"type": "integer"}, "size": {"type": "integer"}}}
    dog = {"type": "object", "properties": {"kind": TEXT, "barks": {"type": "boolean"}, "size": TEXT}}
    entry = {
        "allOf": [{"$ref": "#/components/schemas/Base"}, {"oneOf": [cat, dog]}],
        "properties": {"note": TEXT},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    base = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"description": "a note"}}}
    draft = proposed(tmp_path, document({"/pets": listing(items(entry))}, {"Base": base}))
    assert {f.name: str(f.type) for f in draft.fields} == {
        "note": "text", "id": "bigint", "kind": "text", "lives": "bigint", "size": "text", "barks": "boolean",
    }  # fmt: skip


ENTRY = {"type": "object", "properties": {"id": TEXT}}
LIST = {"type": "array", "items": ENTRY}


def within(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("path", "schema", "records"),
    [
        ("/a", LIST, ""),
        ("/a", within(items=LIST), "items"),
        ("/a", within(data=LIST, included=LIST), "data"),
        ("/a", within(result=within(rows=LIST), warnings=LIST), "result.rows"),
        ("/a", within(_embedded=within(a=LIST), page=within(number={"type": "integer"})), "_embedded.a"),
        ("/customers", within(customer=LIST, groups=LIST), "customer"),
        ("/customers", within(people=LIST, errors=LIST), "people"),
        ("/a", within(one=LIST, two=LIST), None),
        ("/a/{id}", within(id=TEXT, orders=LIST), None),
        ("/a/b", within(id=TEXT, orders=LIST), None),
        ("/a/{id}", within(data=within(id=TEXT, tags=LIST)), None),
        ("/a", {"type": "array", "items": TEXT}, None),
        ("/a", within(items={"type": "array", "items": TEXT}), None),
        ("/a", within(a=within(b=within(c=within(items=LIST)))), None),
    ],
)
def test_where_the_records_are(path: str, schema: dict[str, Any], records: str | None, tmp_path: Path) -> None:
    api = read(tmp_path, document({path: listing(schema)}))
    found = choose(api, None)
    assert (found.records if found else None) == records
    if records is None:
        with pytest.raises(HeadgateError, match=r"the answer of GET .* has (several|no) list"):
            choose(api, path)


def test_which_list_it_is_can_be_said(tmp_path: Path) -> None:
    api = read(tmp_path, document({"/a": listing(within(one=LIST, two=within(three=LIST)))}))
    with pytest.raises(
        HeadgateError, match=r"several lists \(one, two.three\)\n  Say which: --set source.request.records=one"
    ):
        choose(api, "/a")
    found = choose(api, "/a", "two.three")
    assert found is not None
    assert found.records == "two.three"
    with pytest.raises(HeadgateError, match="no list of objects at 'two'"):
        choose(api, "/a", "two")


@pytest.mark.parametrize(
    ("properties", "single", "key"),
    [
        ({"id": TEXT, "no": TEXT}, "", ["id"]),
        ({"ID": TEXT}, "", ["id"]),
        ({"id": TEXT, "customerNo": TEXT}, "/customers/{customer_no}", ["customer_no"]),
        ({"nr": TEXT, "name": TEXT}, "/customers/{customerNr}", ["nr"]),
        ({"id": TEXT, "name": TEXT}, "/customers/{customer_id}", ["id"]),
        ({"no": TEXT, "name": TEXT}, "/customers/{code}", []),
        ({"name": TEXT}, "", []),
    ],
)
def test_the_key(properties: dict[str, Any], single: str, key: list[str], tmp_path: Path) -> None:
    paths = {"/customers": listing(items(within(**properties)))} | (
        {single: listing(within(**properties))} if single else {}
    )
    draft = proposed(tmp_path, document(paths), "/customers")
    wanted = f"key: {key[0]}\noperation: upsert\n" if key else "operation: append\n"
    assert wanted in draft.text
    assert ("key:" in draft.text) is bool(key)


def test_a_key_and_an_operation_that_are_said_count(tmp_path: Path) -> None:
    data = document({"/customers": listing(items())})
    assert "key: name\noperation: upsert" in proposed(tmp_path, data, key=("name",)).text
    assert "key: id\noperation: mirror" in proposed(tmp_path, data, operation="mirror").text
    assert "key:" not in proposed(tmp_path, data, operation="append").text


def test_records_of_which_nothing_is_said_are_taken_as_they_come(tmp_path: Path) -> None:
    draft = proposed(tmp_path, document({"/things": listing(items({"type": "object"}))}))
    assert draft.fields == []
    assert "fields:" not in draft.text
    assert "What a record has is not said" in draft.text
    assert "records are added only: see key" in draft.remarks[-1]
