"""What a definition may ask of an API."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.model.request import ErrorSpec, RequestSpec
from headgate.model.spec import SourceSpec

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to read": ({}, "either a path or a connection"),
    "two things to read": ({"path": "a.csv", "connection": "api", "request": {}}, "either a path or a connection"),
    "nothing to ask": ({"connection": "api"}, "a connection goes with a request"),
    "nobody to ask": ({"path": "a.csv", "request": {}}, "a connection goes with a request"),
    "a key of files": ({"connection": "api", "request": {}, "sheet": 1}, "sheet goes with files"),
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
    "a parent without use": ({"connection": "api", "request": {"parent": {"path": "/a", "take": {}}}}, "take"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_has_no_sense_is_refused(name: str) -> None:
    source, said = WRONG[name]
    with pytest.raises(ValidationError) as caught:
        SourceSpec.model_validate(source)
    assert said in str(caught.value)


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
