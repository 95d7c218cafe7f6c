"""Mirroring into an API that is not as one would like it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.crud import CrudServer
from support.rest_mirroring import GONE, LISTING, MARKS, PEOPLE, THERE, Define, defining, held, writes
from support.shop import Headgate

NUMBERED = {"key": "nr", "fields": {"nr": {"from": "email", "type": "integer"}, "name": "name"}}
NUMBERS = [{"email": n, "name": f"Person {n}"} for n in range(4)]


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer() as api:
        api.add("people", THERE, unique=[("email",)])
        yield api


@pytest.fixture
def define(folder: Path, api: CrudServer) -> Define:
    return defining(folder, api)


def plain(api: CrudServer) -> list[dict[str, Any]]:
    """The people that the API has, without what has no value."""
    return [{k: v for k, v in r.items() if v is not None} for r in held(api)]


def test_what_was_not_deleted_is_nothing_for_undo(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    before = held(api)
    api.fault("status", method="DELETE", status=409, times=1, body={"error": "it has orders"})
    assert headgate("run", "people").code == 0
    said = headgate("undo", "1").no_fault()
    assert (said.code, held(api)) == (0, before), said
    assert "5 reversed" in said.out


def test_what_was_not_marked_is_nothing_for_undo(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(**MARKS)
    before = held(api)
    gone = next(r["id"] for r in api.records("people") if r["email"] == GONE[0]["email"])
    api.fault("status", method="PATCH", path=f"/people/{gone}", status=409, times=1, body={"error": "it has orders"})
    said = headgate("run", "people")
    assert "1 record that the source has no more was not deleted" in said.out
    said = headgate("undo", "1").no_fault()
    assert (said.code, plain(api)) == (0, before), said


def test_an_endpoint_that_deletes_nothing_is_told_from_records_that_are_gone(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(resource={"delete": "DELETE /person/{id}"})
    said = headgate("run", "people").no_fault()
    assert "2 records that the source has no more were not deleted; email g" in said.out
    assert "the API knows no such record, and had listed it; 404: there is nothing called person" in " ".join(
        said.out.split()
    )


def test_a_record_that_somebody_else_has_just_deleted_is_no_matter(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define()
    (one, other) = (r["id"] for r in api.records("people") if r["email"].startswith("g"))
    api.fault("status", method="DELETE", path=f"/people/{one}", status=404, times=1)
    api.fault("cut_after", method="DELETE", path=f"/people/{other}", times=1)
    said = headgate("run", "people").no_fault()
    assert "was not deleted; email g0" in said.out, "it is still there"
    assert "1 deleted at the destination" in said.out
    said = headgate("run", "people").no_fault()
    assert "not deleted" not in said.out
    assert held(api) == PEOPLE


@pytest.fixture
def numbered(api: CrudServer, define: Define) -> list[dict[str, Any]]:
    """Records of which some have a key that none of the source can have; and what they were."""
    odd: list[dict[str, Any]] = [{"nr": "abc", "name": "x"}, {"name": "none"}, {"nr": {"a": 1}, "name": "y"}]
    api.add("people", [{"nr": n, "name": f"Person {n}"} for n in range(3)] + odd)
    define(NUMBERS, limits={"deletes": 3}, **NUMBERED)
    return api.records("people")


def unnumbered(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records without the API's own ids, in an order of their own."""
    return sorted(({k: v for k, v in r.items() if k != "id"} for r in records), key=lambda r: r["name"])


def test_keys_of_another_type_are_deleted_and_come_back(
    api: CrudServer, numbered: list[dict[str, Any]], headgate: Headgate
) -> None:
    said = headgate("run", "people").no_fault()
    assert "3 deleted at the destination" in said.out
    assert [r["nr"] for r in api.records("people")] == [0, 1, 2, 3]
    assert headgate("undo", 1).no_fault().code == 0
    assert unnumbered(api.records("people")) == unnumbered(numbered)


def test_keys_of_another_type_can_be_named(api: CrudServer, numbered: list[dict[str, Any]], headgate: Headgate) -> None:
    api.fault("status", method="DELETE", status=409, times=3, body={"error": "it has orders"})
    said = headgate("run", "people").no_fault()
    assert "3 records that the source has no more were not deleted; " in said.out
    assert {r["name"] for r in numbered} <= {r["name"] for r in api.records("people")}


@pytest.mark.usefixtures("numbered")
def test_keys_of_another_type_are_deleted_by_plan(api: CrudServer, headgate: Headgate) -> None:
    assert "3 deleted at the destination" in headgate("plan", "people").no_fault().out
    assert "3 deleted at the destination" in headgate("run", "--plan", 1).no_fault().out
    assert [r["nr"] for r in api.records("people")] == [0, 1, 2, 3]


@pytest.mark.parametrize("finds", [True, False])
def test_a_listing_that_lacks_the_key_is_not_taken_for_records_that_are_gone(
    api: CrudServer, define: Define, headgate: Headgate, *, finds: bool
) -> None:
    api.add("short", [{"id": r["id"]} for r in api.records("people")])
    resource: dict[str, Any] = {"listing": {**LISTING, "path": "/short"}}
    define(resource=resource if finds else {**resource, "find": None}, limits={"deletes": None})
    said = headgate("run", "people").no_fault()
    assert said.code == 1
    assert "none of the records that listing of the resource people gives has a value of the key (email)" in said.err
    assert writes(api) == []


def test_a_record_that_is_listed_without_its_key_and_found_by_it_stays(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    records = api.records("people")
    api.add("short", [records[0], *({"id": r["id"]} for r in records[1:])])
    define(resource={"listing": {**LISTING, "path": "/short"}})
    said = headgate("run", "people").no_fault()
    assert "7 read = 3 created + 1 updated + 3 unchanged" in said.out
    assert held(api) == PEOPLE


def test_a_listing_of_no_objects_is_refused(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(resource={"find": None, "listing": {"path": "/people", "records": "items.*.id"}})
    said = headgate("run", "people").no_fault()
    assert "what it gives are no records" in said.err
    assert (said.code, writes(api)) == (1, [])


def test_who_lists_knows_what_is_there(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(resource={"find": None})
    said = headgate("run", "people").no_fault()
    assert "what is there already is not known" not in said.out
    assert held(api) == PEOPLE


def test_who_marks_by_replacing_a_record_sends_all_that_it_has(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(resource={"update": "PUT /people/{id}"}, **MARKS)
    headgate("run", "people").no_fault()
    sent = [c.body for c in api.calls if c.method == "PUT" and "archived" in str(c.body)]
    assert sorted(sent, key=lambda r: r["email"]) == [{**g, "archived": True} for g in GONE]


def test_the_share_of_rejects_is_looked_at_before_anything_is_sent(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    api.add("people", [*PEOPLE[:3], PEOPLE[0], PEOPLE[1]])
    define(rejects={"limit": "10%"}, limits={"deletes": None})
    said = headgate("run", "people").no_fault()
    assert "2 of 7 records were refused, more than rejects.limit: 10%; nothing was kept" in said.err
    assert writes(api) == []
    assert "KY05" in headgate("rejects", 1).out


def test_what_was_sent_is_not_said_to_be_undone(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(rejects={"limit": 0})
    api.fault("status", method="POST", path="/people", status=422, times=1, body={"error": "no"})
    said = headgate("run", "people").no_fault()
    assert "1 of 7 records were refused, more than rejects.limit: 0; what was sent is kept" in said.err


def test_a_retry_deletes_nothing(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    api.fault("status", method="POST", path="/people", status=422, times=1, body={"error": "no"})
    assert "1 rejected" in headgate("run", "people").no_fault().out
    api.add("people", [*api.records("people"), {"email": "new@example.com", "name": "New"}])
    assert headgate("retry", "1").no_fault().code == 0
    assert held(api) == [{"email": "new@example.com", "name": "New"}, *PEOPLE]


def test_a_scope_of_several_types_and_of_no_value(api: CrudServer, define: Define, headgate: Headgate) -> None:
    owners: list[Any] = [None, 5, "5", 6]
    api.add("people", [{"email": f"h{n}@example.com", "owner": o} for n, o in enumerate(owners)])
    define(scope={"owner": [None, 5]}, limits={"deletes": None})
    assert "3 deleted at the destination" in headgate("run", "people").no_fault().out
    assert [r["email"] for r in held(api)] == ["h3@example.com", *(p["email"] for p in PEOPLE)]


@pytest.mark.parametrize("marks", [True, False])
def test_what_a_run_that_broke_off_has_deleted_is_in_the_account_and_the_undo_of_the_next(
    api: CrudServer, define: Define, headgate: Headgate, *, marks: bool
) -> None:
    """Also where the API lists nothing any more that is marked."""
    api.add("people", [{**r, "state": "on"} for r in THERE])
    before = held(api)
    listing = {**LISTING, "path": "/people?state=on"}
    define(resource={"listing": listing}, **({"delete": {"set": {"state": "off"}}} if marks else {}))
    api.fault("status", method="POST", path="/people", status=503, times=6)
    assert headgate("run", "people").code == 1
    assert [r.get("state") for r in held(api) if r["email"].startswith("g")] == (["off"] * 2 if marks else [])
    said = headgate("run", "people").no_fault()
    assert "2 deleted at the destination" in said.out, said
    assert headgate("undo", 2 if "Run 2" in said.out else 1).no_fault().code == 0
    assert held(api) == before


class Replacing(CrudServer):
    """What is put takes the place of all that was there."""

    def _on(self, kept: Any, method: str, rest: list[str], query: Any, body: Any) -> Any:
        if method == "PUT" and len(rest) == 1:
            kept.records[rest[0]] = {"id": rest[0], **body}
            return 200, {}, kept.records[rest[0]]
        return super()._on(kept, method, rest, query, body)


@pytest.mark.parametrize("marks", [{"archived": True}, {"email2": None, "archived": True}])
def test_marks_of_an_api_that_replaces_records_and_their_undo(
    folder: Path, headgate: Headgate, marks: dict[str, Any]
) -> None:
    with Replacing() as api:
        api.add("people", [{**g, "email2": "x"} for g in GONE] + PEOPLE)
        before = held(api)
        read_only = {"update": "PUT /people/{id}", "read_only": ["archived"]}
        defining(folder, api)(resource=read_only, delete={"set": marks})
        said = headgate("run", "people").no_fault()
        assert "2 deleted at the destination" in said.out
        assert held(api)[:2] == [{**g, "email2": "x", **marks} for g in GONE]
        assert "7 unchanged" in headgate("run", "people").out
        assert headgate("undo", 1).no_fault().code == 0
        assert [{k: v for k, v in r.items() if v is not None} for r in held(api)] == before


def test_a_scope_that_the_resource_does_not_know_is_refused(define: Define, headgate: Headgate) -> None:
    define(resource={"fields": {"email": "text", "name": "text"}}, scope={"regoin": "north"})
    said = headgate("check", "people")
    assert said.code == 1
    assert "the resource people has no field 'regoin'" in said.err


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_deletion_without_an_answer_is_looked_for_also_by_a_key_of_another_type(
    api: CrudServer, numbered: list[dict[str, Any]], headgate: Headgate, kind: Any
) -> None:
    api.fault(kind, method="DELETE", path=f"/people/{numbered[3]['id']}", times=1)
    said = headgate("run", "people").no_fault()
    assert "3 deleted at the destination" in said.out
    assert [r["nr"] for r in api.records("people")] == [0, 1, 2, 3]
