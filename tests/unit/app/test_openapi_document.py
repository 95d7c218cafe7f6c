"""Reading OpenAPI documents: what is none, what is too much, and what references lead to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.app.openapi import choose, listings
from headgate.app.openapi import document as reader
from headgate.model.errors import HeadgateError
from support.openapi import document, items, listing, proposed, read

ONE = {"/customers": listing(items())}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.yaml", "openapi: 3.0.3\npaths:\n  /a: {get: [\n", "a.yaml:4:1: not YAML"),
        ("a.yaml", "openapi: 3.0.3\npaths: {}\n", "a.yaml:2:8: it describes no paths"),
        ("a.yaml", "openapi: 3.0.3\nopenapi: 3.0.3\n", "a.yaml:2:1: 'openapi' is written twice"),
        ("a.yaml", "openapi: 4.0.0\npaths: {/a: {}}\n", "a.yaml:1:10: openapi '4.0.0' is no version that is known"),
        ("a.yaml", "swagger: '1.2'\npaths: {/a: {}}\n", "a.yaml:1:10: swagger '1.2' is no version that is known"),
        ("a.yaml", "info: {title: Postman}\nitem: []\n", "no OpenAPI document\n  It begins with openapi: 3.0.3"),
        ("a.yaml", "just words", "no OpenAPI document"),
        ("a.yaml", "", "no OpenAPI document"),
        ("a.json", '{"openapi": "3.0.3",\n "paths": {]}', "a.json:2:12: not JSON: Expecting property name"),
        ("a.json", "[" * 100_000, "nested too deep"),
        ("a.json", '{"openapi": "3.0.3", "paths": {"\\ud800": {}}}', "half a character"),
        ("a.yaml", "[" * 100_000, "a.yaml"),
    ],
)
def test_what_is_no_document_is_told_with_its_place(name: str, text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(HeadgateError) as e:
        read(tmp_path, text, name)
    assert told in str(e.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"openapi: \xff\xfe")
    with pytest.raises(HeadgateError, match="byte 9 is not UTF-8"):
        reader.read_api(None, str(tmp_path / "a.yaml"))  # type: ignore[arg-type]  # a file needs no project


def test_a_document_is_bounded_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_BYTES", 2 << 20)
    with pytest.raises(HeadgateError, match="has 3 MiB, more than 2"):
        read(tmp_path, "#" * (3 << 20))


def test_aliases_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    lines = ["openapi: 3.0.3", "a: &a0 [1, 2]", *(f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(9))]
    with pytest.raises(HeadgateError, match="its aliases followed"):
        read(tmp_path, "\n".join(lines))
    with pytest.raises(HeadgateError, match="its aliases followed"):
        read(tmp_path, "openapi: 3.0.3\na: &a [*a]\n")


def test_a_large_document_is_gone_through(tmp_path: Path) -> None:
    schemas = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}], "type": "object"} for n in range(400)}
    schemas["S400"] = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(300)}}
    paths = {f"/things{n}": listing(items({"$ref": "#/components/schemas/S0"})) for n in range(80)}
    api = read(tmp_path, json.dumps(document(paths, schemas)), "a.json")
    assert len(listings(api)) == 80
    draft = proposed(tmp_path, json.dumps(document(paths, schemas)), "/things7")
    assert len(draft.fields) == 200
    assert "A record has 300 values; these are the first 200." in draft.remarks


def test_schemas_that_multiply_are_refused_and_the_rest_is_still_listed(tmp_path: Path) -> None:
    schemas = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2} for n in range(40)}
    paths = ONE | {"/deep": listing({"type": "array", "items": {"$ref": "#/components/schemas/S0"}})}
    api = read(tmp_path, document(paths, schemas | {"S40": {"type": "object"}}))
    assert [o.path for o in listings(api)] == ["/customers"]
    with pytest.raises(HeadgateError, match=r"lead to more than 50,000 others\n  Write the definition by hand"):
        choose(api, "/deep")


def test_references_lead_through_references_and_escapes(tmp_path: Path) -> None:
    components = {
        "responses": {"List": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/a~1b%20c"}}}}},
        "parameters": {"Page": {"name": "page", "in": "query", "schema": {"$ref": "#/components/schemas/Count"}}},
    }
    schemas = {
        "a/b c": {"$ref": "#/components/schemas/List"},
        "List": items(),
        "Count": {"type": "integer", "default": 1},
    }
    path = {
        "parameters": [{"$ref": "#/components/parameters/Page"}],
        "get": {"responses": {"200": {"$ref": "#/components/responses/List"}}},
    }
    draft = proposed(tmp_path, document({"/customers": path}, schemas, components=components))
    assert "pagination: { type: page, param: page }" in draft.text
    assert [f.name for f in draft.fields][:2] == ["id", "name"]


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        (
            "other.yaml#/Answer",
            "GET /customers: other.yaml#/Answer is in another file, which is not read\n  Make one file",
        ),
        ("https://example.com/a.json", "is in another file"),
        ("#/components/schemas/Nothing", "there is no #/components/schemas/Nothing"),
    ],
)
def test_an_answer_that_cannot_be_followed_is_refused_with_its_line(ref: str, told: str, tmp_path: Path) -> None:
    api = read(tmp_path, document({"/customers": listing({"$ref": ref})}))
    assert listings(api) == []
    with pytest.raises(HeadgateError) as e:
        choose(api, "/customers")
    assert told in str(e.value)
    assert "openapi.yaml:9:5: " in str(e.value)


def test_references_in_a_circle(tmp_path: Path) -> None:
    round_ = {"$ref": "#/paths/~1a/get/responses/200"}
    api = read(tmp_path, document({"/a": {"get": {"responses": {"200": round_}}}}))
    with pytest.raises(HeadgateError, match="leads in a circle"):
        choose(api, "/a")


@pytest.mark.parametrize("where", ["other.yaml#/Address", "#/components/schemas/Nothing"])
def test_a_value_that_is_described_elsewhere_is_left_out_with_a_remark(where: str, tmp_path: Path) -> None:
    entry = {"type": "object", "properties": {"id": {"type": "integer"}, "address": {"$ref": where}}}
    draft = proposed(tmp_path, document({"/customers": listing(items(entry))}))
    assert [f.name for f in draft.fields] == ["id"]
    assert "# - Left out: address: " in draft.text
    assert where in draft.text


def test_a_path_is_found_however_it_is_written(tmp_path: Path) -> None:
    api = read(tmp_path, document({"/a/{aId}/b/": listing(items()), "/c": {"post": {}, "delete": {}}}))
    for said in ("/a/{aId}/b/", "a/{id}/b", "/a/{}/b"):
        found = choose(api, said)
        assert found is not None
        assert found.path == "/a/{aId}/b/"
    for path, told in {
        "/c": "/c has no GET, but POST, DELETE",
        "/a/b": "has no path /a/b",
        "/cc": "Did you mean /c?",
    }.items():
        with pytest.raises(HeadgateError) as e:
            choose(api, path)
        assert told in str(e.value)


def test_odd_parts_of_a_document_do_no_harm(tmp_path: Path) -> None:
    odd = [None, 7, "text", [], {}, [1], {"get": None}, {"get": {"responses": []}}, {"get": {"responses": {"200": 5}}}]
    odd += [listing(5), listing({"type": 5, "properties": [1], "allOf": 3, "items": "x", "required": 1, "enum": {}})]
    odd += [
        {"get": {"parameters": {"a": 1}, "responses": {200: {"content": {"application/json": {"schema": items()}}}}}}
    ]
    odd += [{"get": {"parameters": [1, {"name": 3}], "responses": {"2XX": {"content": {"*/*": {"schema": items()}}}}}}]
    api = read(tmp_path, json.dumps(document({f"/{n}": o for n, o in enumerate(odd)})), "a.json")
    assert [o.path for o in listings(api)] == [f"/{len(odd) - 2}", f"/{len(odd) - 1}"]
