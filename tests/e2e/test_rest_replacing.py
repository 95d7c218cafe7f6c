"""APIs that replace whole objects, or whole records, when they are sent a part: what the definition does not change stays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.crud import CrudServer
from support.people import FIND, PEOPLE, PLAIN, changes, write_people
from support.shop import Define, Headgate

ANN = {"email": "ann@example.com", "city": "Bern", "street": "Gasse 1", "floor": ""}
FIELDS = {"email": "email", "address.city": "city", "address.street": "street", "address.floor": "floor"}


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer(token=CrudServer.TOKEN) as api:
        api.add("people")
        yield api


@pytest.fixture
def define(folder: Path, api: CrudServer, monkeypatch: pytest.MonkeyPatch) -> Define:
    """A project that sends people.csv to the API."""
    monkeypatch.setenv("API_TOKEN", api.TOKEN)
    return partial(write_people, folder, api)


def test_a_part_of_an_object_is_sent_with_the_others(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(people=[ANN], fields=FIELDS)
    assert headgate("run", "people").code == 0
    define(people=[{**ANN, "city": "Lyon"}], fields=FIELDS)
    assert "1 read = 1 updated" in headgate("run", "people").out
    assert api.calls[-1].body == {"address": {"city": "Lyon", "street": "Gasse 1"}}
    assert "1 read = 1 unchanged" in headgate("run", "people").out
    assert headgate("undo", "2").code == 0
    (ann,) = api.records("people")
    assert ann["address"] == {"city": "Bern", "street": "Gasse 1"}


def test_a_part_that_an_update_does_not_write_is_sent_as_it_is(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    fields: dict[str, Any] = {**FIELDS, "address.street": {"from": "street", "when": "created"}}
    define(people=[ANN], fields=fields)
    assert headgate("run", "people").code == 0
    api.records("people")[0]["address"]["street"] = "Moved 2"
    define(people=[{**ANN, "city": "Lyon"}], fields=fields)
    assert "1 read = 1 updated" in headgate("run", "people").out
    (ann,) = api.records("people")
    assert ann["address"] == {"city": "Lyon", "street": "Moved 2"}


@pytest.mark.parametrize(
    "resource",
    [{**PLAIN, "update": "PUT /people/{id}"}, {"find": FIND, "upsert": "PUT /people/by/email/{email}"}],
    ids=["update", "upsert"],
)
def test_a_record_that_is_replaced_keeps_what_the_definition_does_not_name(
    api: CrudServer, define: Define, headgate: Headgate, resource: Any
) -> None:
    api.add("people", [{**p, "phone": "+41 1", "made": "yesterday", "tags": ["a"]} for p in PEOPLE])
    define({**resource, "read_only": ["made"]}, [{**p, "city": "Lyon"} for p in PEOPLE])
    assert "7 read = 7 updated" in headgate("run", "people").out
    sent = [c.body for c in api.calls if c.method == "PUT"]
    assert {tuple(sorted(body)) for body in sent} == {("city", "email", "name", "phone", "tags")}
    assert all((r["phone"], r["tags"]) == ("+41 1", ["a"]) for r in api.records("people"))
    if "update" in resource:
        assert headgate("undo", "1").code == 0
        cities = {(r["email"], r["city"], r["phone"]) for r in api.records("people")}
        assert cities == {(p["email"], p["city"], "+41 1") for p in PEOPLE}


def test_all_of_the_definition_may_be_sent_alone(api: CrudServer, define: Define, headgate: Headgate) -> None:
    api.add("people", [{**PEOPLE[0], "phone": "+41 1"}])
    update = {"method": "PUT", "path": "/people/{id}", "send": "all"}
    define({**PLAIN, "update": update}, [{**PEOPLE[0], "city": "Lyon"}])
    assert "1 read = 1 updated" in headgate("run", "people").out
    assert set(api.calls[-1].body) == set(PEOPLE[0])
    assert changes(api) == 1
