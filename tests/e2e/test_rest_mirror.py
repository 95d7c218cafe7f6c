"""Mirroring a list into an API by the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.crud import CrudServer
from support.rest_mirroring import GONE, MARKS, PAGES, PEOPLE, THERE, Define, defining, held, writes
from support.shop import Headgate


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer() as api:
        api.add("people", THERE, unique=[("email",)])
        yield api


@pytest.fixture
def define(folder: Path, api: CrudServer) -> Define:
    return defining(folder, api)


def test_plan_run_again_and_undo(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    before = held(api)
    said = headgate("plan", "people")
    assert said.code == 0, said
    assert "7 read = 3 created + 1 updated + 3 unchanged" in said.out
    assert "2 deleted at the destination" in said.out
    assert "email g1@example.com" in said.out
    assert (held(api), writes(api)) == (before, [])
    assert headgate("run", "--plan", "1").code == 0
    assert held(api) == PEOPLE
    sent = writes(api)
    said = headgate("run", "people")
    assert "7 read = 7 unchanged" in said.out
    assert writes(api) == sent, "what is equal is not sent"
    assert headgate("undo", "2").code == 0
    assert held(api) == before


def test_it_stops_before_it_deletes_too_much(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(limits={"deletes": "10%"})
    said = headgate("run", "people")
    assert said.code == 1
    assert "mirror would delete 2 of 6 records, more than limits.deletes: 10%" in said.err
    assert writes(api) == []


def test_a_list_with_a_bad_record_deletes_nothing(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(fields={"email": {"from": "email", "required": True}, "name": {"from": "name", "type": "integer"}})
    said = headgate("run", "people")
    assert said.code == 3
    assert "nothing was deleted: 7 records of the source were refused" in said.err + said.out
    assert not any(w.startswith("DELETE") for w in writes(api))


@pytest.mark.parametrize("kind", ["status", "cut_before"])
def test_what_cannot_be_listed_whole_is_left_alone(
    api: CrudServer, define: Define, headgate: Headgate, kind: Any
) -> None:
    define()
    api.fault(kind, method="GET", path="/people", skip=1, times=9)
    said = headgate("run", "people")
    assert said.code == 1
    assert "what is there cannot be listed, so nothing was sent" in said.err
    assert (writes(api), len(held(api))) == ([], len(THERE))


def test_where_a_listing_has_its_records_is_said_by_its_own_name(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(resource={"listing": {"path": "/people", "records": "itms"}})
    said = headgate("run", "people")
    assert (said.code, writes(api)) == (1, [])
    assert "Set listing.records to the path of the records." in said.err


def test_a_listing_without_its_further_pages_makes_no_record_twice(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(resource={"listing": {"path": "/people?_size=2", "records": "items"}})
    api.add("people", THERE)  # which takes two with the same address
    assert headgate("run", "people").code == 0
    assert held(api) == sorted([*PEOPLE, *GONE], key=lambda p: p["email"])


def test_a_record_that_comes_on_two_pages_is_one(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(resource={"listing": {"path": "/people?_size=6", "records": "items", "pagination": {**PAGES, "size": 5}}})
    said = headgate("run", "people")
    assert said.code == 0, said
    assert held(api) == PEOPLE


@pytest.mark.parametrize("update", ["PATCH /people/{id}", "PUT /people/{id}"])
def test_records_are_marked_where_that_is_said(
    api: CrudServer, define: Define, headgate: Headgate, update: str
) -> None:
    define(resource={"update": update}, **MARKS)
    before = held(api)
    said = headgate("run", "people")
    assert said.code == 0, said
    found = {r["email"]: r for r in held(api)}
    assert [found[g["email"]]["archived"] for g in GONE] == [True, True]
    assert found[GONE[0]["email"]]["name"] == "Gone 0"
    assert "archived" not in found["p1@example.com"]
    sent = writes(api)
    assert "7 read = 7 unchanged" in headgate("run", "people").out
    assert writes(api) == sent, "what is marked is not marked again"
    assert headgate("undo", "1").code == 0
    assert [{k: v for k, v in r.items() if v is not None} for r in held(api)] == before


def test_only_what_is_in_scope_is_deleted(api: CrudServer, define: Define, headgate: Headgate) -> None:
    api.add("people", [{**g, "list": name} for g, name in zip(GONE, ("a", "b"), strict=True)])
    define(scope={"list": "a"})
    said = headgate("run", "people")
    assert said.code == 0, said
    assert "1 deleted at the destination" in said.out
    assert [r["email"] for r in held(api)] == ["g1@example.com", *(p["email"] for p in PEOPLE)]


@pytest.mark.parametrize("planned", [False, True])
def test_a_record_that_cannot_be_deleted_is_named(
    api: CrudServer, define: Define, headgate: Headgate, *, planned: bool
) -> None:
    define()
    assert not planned or headgate("plan", "people").code == 0
    api.fault("status", method="DELETE", status=409, times=1, body={"error": "it has orders"})
    said = headgate(*(("run", "--plan", 1) if planned else ("run", "people")))
    assert "1 record that the source has no more was not deleted; email g" in said.out + said.err
    assert "it has orders" in said.out + said.err
    assert "7 read = 3 created + 1 updated + 3 unchanged" in said.out
    assert "1 deleted at the destination" in said.out
    assert len(held(api)) == len(PEOPLE) + 1


def test_without_a_listing_it_is_refused_before_anything_is_read(define: Define, headgate: Headgate) -> None:
    define(resource={"listing": None})
    said = headgate("check", "people")
    assert said.code == 1
    assert "does not say how all its records are read, which mirror needs" in said.err
    assert "Add listing in headgate.yaml under resources: people:." in said.err


def test_without_a_way_to_delete_it_is_refused(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(resource={"delete": None}, **MARKS)
    said = headgate("run", "people")
    assert said.code == 0
    assert "a run of it cannot be undone: the resource people does not say how to delete" in said.out + said.err
    assert sum("archived" in r for r in held(api)) == len(GONE)
    define(resource={"delete": None})
    said = headgate("run", "people")
    assert said.code == 1
    assert "does not say how to delete, which mirror needs" in said.err
    assert "delete: { set: … }" in said.err


def test_what_is_expected_is_looked_at_before_anything_is_sent(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(expect={"rows": 8})
    said = headgate("run", "people")
    assert said.code == 1
    assert writes(api) == []


def test_a_plan_says_once_what_cannot_be_undone(define: Define, headgate: Headgate) -> None:
    define(resource={"delete": None}, **MARKS)
    said = headgate("plan", "people")
    assert said.code == 0
    assert (said.out + said.err).count("a run of it cannot be undone") == 1
