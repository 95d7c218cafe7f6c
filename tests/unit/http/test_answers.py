"""What answers of APIs say became of records."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.connectors.http.resource import AnswerSpec, EndpointSpec, ResourceSpec
from headgate.connectors.http.rest.answers import Verdict, refusal, verdicts
from headgate.connectors.http.rest.requests import Item, Parcel
from headgate.connectors.http.rest.sender import End, Reply
from headgate.connectors.http.rest.template import Values
from headgate.model.outcome import Outcome
from headgate.spi.deciding import Change

RESOURCE = ResourceSpec.model_validate({"create": "POST /x"})


def told(answer: dict[str, Any], body: Any, count: int = 3, name: str = "create") -> list[Verdict]:
    """The verdicts on records s0, s1, … with the ids i0, i1, …."""
    items = []
    for n in range(count):
        record = {"sku": f"s{n}"}
        items.append(Item(Change(Outcome.CREATED, n, record), (f"s{n}",), Values(f"i{n}", record, record)))
    endpoint = EndpointSpec.model_validate({"path": "/x", "batch": 10, "answer": answer})
    return verdicts(Reply(End.DONE, 207, {}, body), Parcel("p", name, endpoint, items), RESOURCE)


BY: dict[str, Any] = {
    "records": "results",
    "errors": "errors",
    "by": {"trace": "$index", "context.ids": "$id", "sku": "sku"},
}


def test_the_first_way_counts_that_an_entry_has() -> None:
    body = {
        "results": [{"trace": "2", "id": "c"}, {"sku": "S0", "id": "a"}],
        "errors": [{"context": {"ids": ["i1"]}, "message": "no"}],
    }
    assert [(v.what, v.id, v.reason) for v in told(BY, body)] == [
        ("done", "a", ""),
        ("refused", None, "no"),
        ("done", "c", ""),
    ]


def test_records_that_have_the_same_value_have_an_entry_each() -> None:
    items = [
        Item(Change(Outcome.CREATED, n, {}), (), Values(None, {"sku": sku}, {"sku": sku}))
        for n, sku in enumerate(["a", "A", "b", "a", "b"])
    ]
    answer = {"records": "done", "errors": "errors", "by": {"sku": "sku"}}
    endpoint = EndpointSpec.model_validate({"path": "/x", "batch": 10, "answer": answer})
    done = [{"sku": "A", "id": 1}, {"sku": "a", "id": 2}, {"sku": "B", "id": 3}, {"sku": "a", "id": 4}]
    body = {"done": done, "errors": [{"sku": "b", "message": "no"}]}
    found = verdicts(Reply(End.DONE, 207, {}, body), Parcel("p", "create", endpoint, items), RESOURCE)
    assert [(v.what, v.id) for v in found] == [("done", 2), ("done", 1), ("refused", None), ("done", 4), ("done", 3)]


def test_an_error_may_be_about_several_records() -> None:
    body = {
        "results": [],
        "errors": [{"trace": "99", "context": {"ids": ["i0", "i2", "elsewhere"]}, "message": "gone"}],
    }
    assert [v.what for v in told(BY, body)] == ["refused", "unknown", "refused"]
    missing = told({**BY, "missing": {"message": "gone"}}, body, name="update")
    assert [v.what for v in missing] == ["missing", "unknown", "missing"]


@pytest.mark.parametrize("name", ["create", "upsert"])
def test_what_is_lacking_for_a_new_record_is_why_it_is_refused(name: str) -> None:
    answer = {"records": "results", "status": "status", "failed": {"error": True}, "missing": {"code": "NO_OWNER"}}
    results = [{"status": 404, "error": "no such owner"}, {"code": "NO_OWNER", "error": "who?"}, {"status": 201}]
    found = told(answer, {"results": results}, name=name)
    assert [(v.what, v.reason) for v in found] == [("refused", "404: no such owner"), ("refused", "who?"), ("done", "")]


@pytest.mark.parametrize(
    ("found", "field"),
    [
        ({"a": {"name": "email"}}, "email"),
        ({"b": ["input", "phone"]}, "phone"),
        ({"a": {"name": ""}, "b": ["x"]}, "x"),
        ({"b": []}, ""),
        ({"a": {"name": 5}}, ""),
    ],
)
def test_the_field_is_at_the_first_of_its_paths(found: dict[str, Any], field: str) -> None:
    spec = {"failed": {"bad": True}, "field": ["a.name", "b"]}
    (verdict,) = told(spec, {"bad": 1, "message": "no", **found}, 1)
    assert (verdict.what, verdict.reason, verdict.field) == ("refused", "no", field)


def test_a_refusal_by_status_names_its_field() -> None:
    spec = AnswerSpec.model_validate({"message": "why", "field": "where"})
    said = refusal(spec, Reply(End.REFUSED, 422, {}, {"why": "too long", "where": "name"}, "422 …"))
    assert (said.reason, said.field) == ("422: too long", "name")
    assert refusal(spec, Reply(End.REFUSED, 500, {}, None, "500 Internal Server Error")).reason.startswith(
        "500 Internal"
    )


def test_null_says_nothing_of_a_record() -> None:
    answer = {"records": "results", "failed": {"error": True}}
    body = {"results": [{"id": 1}, None, {"error": "no"}]}
    assert [v.what for v in told(answer, body)] == ["done", "unknown", "refused"]
    by_index = {**answer, "by": {"index": "$index"}}
    assert [v.what for v in told(by_index, {"results": [None, {"index": 0}, {"index": 2}]})] == [
        "done",
        "unknown",
        "done",
    ]


def test_null_may_say_that_there_is_no_error() -> None:
    body = {"results": [None, "no such owner", None]}
    assert [v.what for v in told({"records": "results", "failed": {"": True}}, body)] == ["done", "refused", "done"]
    answer = {"records": "results", "errors": "errors"}
    body = {"results": [{"id": 1}, None, {"id": 3}], "errors": [None, {"message": "no"}, None]}
    assert [(v.what, v.reason) for v in told(answer, body)] == [("done", ""), ("refused", "no"), ("done", "")]


def test_a_list_with_an_entry_for_each_needs_no_path() -> None:
    body = [{"id": 1}, {"error": "no"}, {"id": 3}]
    assert [(v.what, v.id) for v in told({"failed": {"error": True}}, body)] == [
        ("done", 1),
        ("refused", None),
        ("done", 3),
    ]
    assert [v.what for v in told({"failed": {"error": True}}, [{"error": "no"}], count=1)] == ["refused"]
    assert [v.what for v in told({"failed": {"error": True}}, [])] == ["done"] * 3


@pytest.mark.parametrize(
    ("body", "what", "reason"),
    [
        ({"data": {"create": {"person": {"id": 1}, "problems": []}}}, "done", ""),
        ({"data": {"create": {"person": None, "problems": [{"message": "too short"}]}}}, "refused", "too short"),
        ({"data": {"create": None}, "errors": [{"message": "Internal"}]}, "refused", "Internal"),
        ({"data": None, "errors": [{"message": "Internal"}]}, "refused", "Internal"),
        ({"data": {"create": None}}, "unknown", "200"),
        ({"data": {}}, "unknown", "200"),
        ({"data": {"create": {"person": None, "problems": []}}, "errors": [{"message": "slow"}]}, "unknown", "slow"),
        ({"data": {"create": {"person": {"id": 1}, "problems": []}}, "errors": [{"message": "no photo"}]}, "done", ""),
    ],
)
def test_what_graphql_gives_null_for_was_not_done(body: Any, what: str, reason: str) -> None:
    answer = {
        "record": "data.create.person",
        "failed": {"data.create.problems": True},
        "message": ["data.create.problems.0.message", "errors.0.message"],
    }
    spec = {"path": "/x", "graphql": "mutation { create }", "answer": answer}
    item = Item(Change(Outcome.CREATED, 0, {}), (), Values(None, {}, {}))
    parcel = Parcel("p", "create", EndpointSpec.model_validate(spec), [item])
    (found,) = verdicts(Reply(End.DONE, 200, {}, body, "200"), parcel, RESOURCE)
    assert (found.what, found.reason) == (what, reason)
