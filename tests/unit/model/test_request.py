"""What a definition may ask of an API."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.model.request import ErrorSpec, RequestSpec
from headgate.model.spec import SourceSpec

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to read": ({}, "a path or a connection"),
    "two things to read": (
        {"path": "a.csv", "connection": "api", "request": {}},
        "either a table, or a query, or a request, or a path",
    ),
    "nothing to ask": ({"connection": "api"}, "either a table, or a query, or a request, or a path"),
    "nobody to ask": ({"path": "a.csv", "request": {}}, "request goes with a connection"),
    "a key of files": ({"connection": "api", "request": {}, "sheet": 1}, "sheet does not go with a request"),
    "records in the wrong place": ({"connection": "api", "request": {}, "records": "items"}, "say request.records"),
    "a body of GET": ({"connection": "api", "request": {"body": {}}}, "a body goes with method: POST"),
    "GraphQL and a body": (
        {"connection": "api", "request": {"graphql": "{a}", "method": "POST", "body": {}}},
        "graphql makes the method and the body itself",
    ),
    "variables of nothing": ({"connection": "api", "request": {"variables": {"a": 1}}}, "variables go with graphql"),
    "a cursor in no body": (
        {
            "connection": "api",
            "request": {"method": "POST", "body": "x", "pagination": {"type": "cursor", "path": "c", "send": "body"}},
        },
        "needs a body that is a mapping",
    ),
    "a cursor in two places": (
        {"connection": "api", "request": {"pagination": {"type": "cursor", "path": "c", "header": "X"}}},
        "a cursor is found in one place",
    ),
    "an unknown way": ({"connection": "api", "request": {"pagination": {"type": "scroll"}}}, "type"),
    "a condition of nothing": ({"connection": "api", "request": {"error": {"when": "a > 1"}}}, "neither a path"),
    "news without a question": (
        {"connection": "api", "columns": ["a"], "request": {}, "incremental": {"column": "a"}},
        "the request says {since}",
    ),
    "news without columns": (
        {"connection": "api", "request": {"query": {"a": "{since}"}}, "incremental": {"column": "a"}},
        "name the columns",
    ),
    "a parent without use": ({"connection": "api", "request": {"parent": {"path": "/a", "take": {}}}}, "take"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_has_no_sense_is_refused(name: str) -> None:
    source, said = WRONG[name]
    with pytest.raises(ValidationError) as caught:
        SourceSpec.model_validate(source)
    assert said in str(caught.value)


def test_columns_of_files_may_be_named() -> None:
    assert SourceSpec.model_validate({"path": "a.csv", "columns": ["a"]}).columns == ["a"]


@pytest.mark.parametrize(
    ("when", "condition"),
    [
        ("errors", ("errors", "", "")),
        ("status != ok", ("status", "!=", "ok")),
        ("a.b==false", ("a.b", "==", "false")),
        ("status == 'not found'", ("status", "==", "not found")),
        ("status != ", ("status", "!=", "")),
    ],
)
def test_conditions(when: str, condition: tuple[str, str, str]) -> None:
    assert ErrorSpec(when=when).condition == condition


@pytest.mark.parametrize(
    ("request_", "repeatable"),
    [
        ({}, True),
        ({"method": "POST"}, False),
        ({"method": "POST", "repeatable": True}, True),
        ({"repeatable": False}, False),
        ({"graphql": "query { a }"}, True),
        ({"graphql": "mutation { a }"}, False),
    ],
)
def test_what_may_be_sent_again(request_: dict[str, Any], repeatable: bool) -> None:
    assert RequestSpec.model_validate(request_).may_repeat is repeatable
