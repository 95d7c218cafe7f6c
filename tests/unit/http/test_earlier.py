"""What is known of requests that a process has sent that is gone."""

from __future__ import annotations

from typing import Any

from headgate.connectors.http.resource import EndpointSpec, ResourceSpec
from headgate.connectors.http.rest.answers import DONE, REFUSED, UNKNOWN
from headgate.connectors.http.rest.earlier import Earlier
from headgate.connectors.http.rest.requests import Item
from headgate.connectors.http.rest.template import Values
from headgate.model.outcome import Outcome
from headgate.model.sent import Sent
from headgate.spi.deciding import Change

RESOURCE = ResourceSpec(
    update=EndpointSpec(path="/change", method="POST", batch=5, idempotency="Key"),
    delete=EndpointSpec(path="/remove", method="POST", batch=5),
)
ENDPOINTS = {name: RESOURCE.endpoint(name) for name in ("update", "delete")}


def request(name: str, items: list[Any], answer: Any = None, *, endpoint: str = "delete") -> Sent:
    entries = [[n, 0, "deleted" if n is None else "updated", id_, {"email": f'"{id_}"'}] for n, id_ in items]
    return Sent(name, {"endpoint": endpoint, "items": entries}, answer)


def swept(*sent: Sent) -> list[Any]:
    return [id_ for id_, _ in Earlier(sent, ENDPOINTS).swept]


def test_a_deletion_that_was_sent_in_halves_is_one() -> None:
    gone = [(None, "a"), (None, "b")]
    assert swept(request("1", gone, [None, None]), request("2", gone[:1]), request("3", gone[1:], [[DONE]])) == [
        "a",
        "b",
    ]


def test_the_last_answer_to_a_deletion_counts() -> None:
    one = [(None, "a")]
    assert swept(request("1", one, [None]), request("2", one, [[REFUSED]])) == []
    assert swept(request("1", one, [[UNKNOWN]])) == ["a"]


def test_records_without_an_id_are_told_apart() -> None:
    entries = [[None, 0, "deleted", None, {"email": e}] for e in ("a", "b")]
    assert len(swept(Sent("1", {"endpoint": "delete", "items": entries}))) == 2


def test_a_request_with_marks_in_it_is_not_sent_again_without_them() -> None:
    """Under its key the API would take it for the whole of it."""
    item = Item(Change(Outcome.UPDATED, 4, {}, 0), ("x",), Values("x", {}, {}))
    marks = request("1", [(4, "x"), (None, "a")], endpoint="update")
    assert Earlier([marks], ENDPOINTS).first([("update", item)]) == ([], [("update", item)])
    alone = request("1", [(4, "x")], endpoint="update")
    again, rest = Earlier([alone], ENDPOINTS).first([("update", item)])
    assert ([p.id for p in again], rest) == (["1"], [])
