"""Whatever an OpenAPI document says: a definition that can be read, or an error in words."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.app import yaml_file
from headgate.app.openapi import choose, connection_lines, listings, propose_api, with_connection
from headgate.app.project import Project
from headgate.model.errors import HeadgateError
from headgate.model.spec import ImportSpec, ProjectSpec
from support.openapi import document, items, listing, read

NAMES = st.one_of(
    st.sampled_from(["id", "items", "next", "page", "data", "type", "a.b", "a[0]", "{x}", "yes"]), st.text(max_size=6)
)
TYPES = st.one_of(
    st.sampled_from(["string", "integer", "number", "object", "array", "null", "boolean", "?"]),
    st.none(),
    st.integers(),
)
REFS = st.sampled_from(
    ["#/components/schemas/A", "#/components/schemas/B", "#/nowhere", "other.json#/A", "#/paths", "#"]
)
JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.lists(st.integers(), max_size=2))


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(TYPES, st.lists(TYPES, max_size=2)), "properties": st.dictionaries(NAMES, inner, max_size=4), "items": inner,
            "allOf": several, "oneOf": several, "anyOf": several, "required": st.one_of(JUNK, st.lists(NAMES, max_size=2)), "$ref": REFS,
            "format": st.one_of(JUNK, st.sampled_from(["date", "uri", "int32", "decimal"])), "enum": JUNK, "maxLength": JUNK, "multipleOf": JUNK,
            "maximum": JUNK, "default": JUNK, "minimum": JUNK, "description": JUNK,
        },
    )  # fmt: skip


SCHEMAS = st.recursive(JUNK, _nodes, max_leaves=12)
ENTRIES = st.builds(lambda p: {"type": "object", "properties": p}, st.dictionaries(NAMES, SCHEMAS, max_size=5))
PARAMETERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.one_of(NAMES, st.sampled_from(["cursor", "offset", "limit", "since"])), "in": st.sampled_from(["query", "header", "path", "cookie"])},
        optional={"required": st.booleans(), "schema": SCHEMAS, "example": JUNK, "description": JUNK},
    ),
    max_size=4,
)  # fmt: skip
SERVERS = st.lists(st.one_of(JUNK, st.fixed_dictionaries({"url": st.one_of(st.text(max_size=8), st.sampled_from(["https://a.example/{v}", "/b"]))})), max_size=2)  # fmt: skip
PATHS = st.one_of(st.sampled_from(["/a", "/a/{id}/b", "", "a b"]), st.text(max_size=8))


@settings(max_examples=120)
@given(
    answer=SCHEMAS, entry=ENTRIES, a=SCHEMAS, b=SCHEMAS, parameters=PARAMETERS, servers=SERVERS, path=PATHS, title=JUNK
)
def test_what_is_proposed_can_be_read(
    answer: Any, entry: Any, a: Any, b: Any, parameters: list[Any], servers: list[Any], path: str, title: Any
) -> None:
    answers = [listing(items(entry), *parameters, summary=title), listing(answer, *parameters)]
    paths = {path: answers[0], f"{path}/x": answers[1], "/a/{id}": {"get": {}}}
    data = document(paths, {"A": a, "B": b}, servers=servers, info={"title": title})
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        api = read(folder, json.dumps(data), "api.json")
        listings(api)
        for one in (path, f"{path}/x"):
            try:
                chosen = choose(api, one)
                assert chosen is not None
                draft = propose_api(
                    Project(folder, None), api, chosen, "sqlite:///shop.db#t", key=(), operation=None, name=None
                )
            except HeadgateError as e:
                assert "the proposed definition" not in str(e)  # which would be one that cannot be read
                continue
            spec = yaml_file.parse(yaml_file.document(draft.text, ""), ImportSpec)
            assert [f.source for f in spec.fields.values()] == [f.column for f in draft.fields]
            assert spec.source.connection == draft.connection.name
            added = yaml_file.document(with_connection("name: here\n", draft.connection, folder), "")
            assert list(yaml_file.parse(added, ProjectSpec).connections) == [draft.connection.name]
            assert connection_lines(draft.connection)
