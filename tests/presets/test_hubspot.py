"""The preset of HubSpot, against a server that behaves as HubSpot's documentation says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headgate.testing.hubspot import HubspotServer
from support.shop import Headgate

Write = Callable[..., None]
PEOPLE = [
    {"email": f"p{i}@example.com", "firstname": f"Person {i}", "city": "Paris" if i % 2 else "Rome"} for i in range(7)
]
SCORES = {"score": {"type": "decimal(8,2)"}, "since": {"type": "date"}, "vip": {"type": "boolean"}}


@pytest.fixture
def api() -> Iterator[HubspotServer]:
    with HubspotServer() as api:
        yield api


def connection(api: HubspotServer, **more: Any) -> dict[str, Any]:
    return {
        "preset": "hubspot",
        "url": api.url,
        "private": True,
        "auth": {"token": api.TOKEN},
        "rate": "1000/s",
        "retries": 1,
        **more,
    }


def held(api: HubspotServer, kind: str = "contacts", by: str = "email") -> list[dict[str, Any]]:
    return sorted(api.records(kind), key=lambda r: str(r[by]))


def asked(api: HubspotServer, what: str) -> list[Any]:
    """The inputs of the requests to one of the batch endpoints."""
    return [c.body["inputs"] for c in api.calls if c.path.endswith(f"/batch/{what}")]


def test_plan_run_again_and_undo(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "contacts", PEOPLE, "email")
    api.add("contacts", [PEOPLE[0], {**PEOPLE[1], "firstname": "Somebody"}, {"email": "z@example.com"}])
    before = held(api)
    assert headgate("check", "data").code == 0
    said = headgate("plan", "data")
    assert said.code == 0, said
    assert "7 read = 5 created + 1 updated + 1 unchanged" in said.out
    assert held(api) == before
    said = headgate("run", "--plan", "1")
    assert said.code == 0, said
    assert held(api) == [*PEOPLE, {"email": "z@example.com"}]
    sent = len(asked(api, "create") + asked(api, "update"))
    assert sent == 2, "a request for all that are created, and one for all that are updated"
    assert "7 read = 7 unchanged" in headgate("run", "data").out
    assert len(asked(api, "create") + asked(api, "update")) == sent
    assert headgate("undo", "2").code == 0
    assert held(api) == before
    assert api.TOKEN not in said.out + said.err


@pytest.mark.parametrize("traces", [True, False], ids=["told", "looked up"])
def test_what_is_refused_is_a_reject_with_its_words_and_field(
    write: Write, headgate: Headgate, *, traces: bool
) -> None:
    bad = [
        {"email": "nobody", "firstname": "N", "city": "Oslo", "lifecyclestage": "lead"},
        {"email": "x@example.com", "firstname": "X", "city": "Oslo", "lifecyclestage": "friend"},
    ]
    with HubspotServer(traces=traces) as api:
        write(connection(api), "contacts", [*PEOPLE, *bad], "email")
        said = headgate("run", "data")
        assert said.code == 3
        assert "9 read = 7 created + 2 rejected" in said.out
        assert held(api) == PEOPLE
        found = {r["raw"]["email"]: r["problems"][0] for r in headgate("rejects", "1", "--json").json}
    assert {p["code"] for p in found.values()} == {"DE06"}
    assert found["nobody"]["field"] == "email"
    assert found["nobody"]["reason"] == "VALIDATION_ERROR: Email address nobody is invalid"
    assert found["x@example.com"]["field"] == "lifecyclestage"
    assert "friend was not one of the allowed options" in found["x@example.com"]["reason"]


@pytest.mark.parametrize("apart", [("create", "update"), ()], ids=["by itself", "with its batch"])
def test_one_bad_record_does_not_keep_its_batch_back(write: Write, headgate: Headgate, apart: tuple[str, ...]) -> None:
    old = [{**p, "lifecyclestage": "lead"} for p in PEOPLE[:5]]
    new = [{**p, "city": "Oslo", "lifecyclestage": "friend" if i in (1, 6) else "other"} for i, p in enumerate(PEOPLE)]
    with HubspotServer(apart=apart) as api:
        api.add("contacts", old)
        write(connection(api), "contacts", new, "email")
        assert "7 read = 1 created + 4 updated + 2 rejected" in headgate("run", "data").out
        assert held(api) == [old[1] if i == 1 else p for i, p in enumerate(new[:6])]
        assert [r["problems"][0]["field"] for r in headgate("rejects", "1", "--json").json] == ["lifecyclestage"] * 2
        assert headgate("undo", "1").code == 0
        assert held(api) == old


def test_somebody_elses_further_address_is_a_conflict(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    api.add("contacts", [{"email": "ann@example.com", "hs_additional_emails": "p3@example.com"}])
    write(connection(api), "contacts", PEOPLE, "email")
    assert "7 read = 6 created + 1 rejected" in headgate("run", "data").out
    (reject,) = headgate("rejects", "1", "--json").json
    assert reject["problems"][0]["reason"] == "CONFLICT: Contact already exists. Existing ID: 1001"


def test_what_was_changed_since_is_not_undone(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    api.add("contacts", [{**p, "city": "Bern"} for p in PEOPLE[:2]])
    write(connection(api), "contacts", PEOPLE[:2], "email")
    assert "2 read = 2 updated" in headgate("run", "data").out
    write(connection(api), "contacts", [{**PEOPLE[0], "city": "Basel"}], "email")
    assert "1 read = 1 updated" in headgate("run", "data").out
    said = headgate("undo", "1")
    assert said.code == 3, said
    assert [p["city"] for p in held(api)] == ["Basel", "Bern"]


def test_numbers_dates_and_truths_are_texts_there(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    api.define("contacts", {"score": "number", "since": "date", "vip": "bool", "seen": "datetime"})
    rows = [
        {
            "email": "a@example.com",
            "score": "12.50",
            "since": "2024-02-29",
            "vip": "true",
            "seen": "2024-05-01 10:00:00",
        },
        {"email": "b@example.com", "score": "", "since": "", "vip": "", "seen": ""},
    ]
    fields = {"email": {}, **SCORES, "seen": {"type": "timestamptz"}}
    write(connection(api), "contacts", rows, "email", fields=fields)
    said = headgate("run", "data")
    assert said.code == 0, said
    assert held(api) == [
        {
            "email": "a@example.com",
            "score": "12.50",
            "since": "2024-02-29",
            "vip": "true",
            "seen": "2024-05-01T10:00:00Z",
        },
        {"email": "b@example.com"},
    ]
    assert "2 read = 2 unchanged" in headgate("run", "data").out
    write(connection(api), "contacts", [{**rows[0], "score": "13"}, {**rows[1], "score": "1"}], "email", fields=fields)
    assert "2 read = 2 updated" in headgate("run", "data").out
    assert [r["properties"] for r in asked(api, "update")[0]] == [{"score": "13.00"}, {"score": "1.00"}]
    assert headgate("undo", "3").code == 0
    assert [r.get("score") for r in held(api)] == ["12.50", None]
    write(connection(api), "contacts", [{**rows[0], "score": ""}], "email", fields=fields)
    assert "1 read = 1 updated" in headgate("run", "data").out
    assert asked(api, "update")[-1][0]["properties"] == {"score": ""}, "an empty text clears a property"
    assert "1 read = 1 unchanged" in headgate("run", "data").out


def test_addresses_are_the_same_in_any_case(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    api.add("contacts", [{"email": "ann@example.com", "firstname": "Ann"}])
    rows = [{"email": "Ann@Example.com", "firstname": "Ann"}, {"email": "Bob@example.com", "firstname": "Bob"}]
    write(connection(api), "contacts", rows, "email")
    assert "2 read = 1 created + 1 unchanged" in headgate("plan", "data").out
    assert "1 created + 1 unchanged" in headgate("run", "--plan", "1").out
    assert [p["email"] for p in held(api)] == ["ann@example.com", "bob@example.com"]
    assert "2 read = 2 unchanged" in headgate("run", "data").out
    twice = [rows[0], {**rows[0], "email": "ANN@example.com"}]
    write(connection(api), "contacts", twice, "email", duplicates="reject")
    assert "2 read = 1 unchanged + 1 invalid" in headgate("run", "data").out


def test_batches_have_a_hundred_records_at_most(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    rows = [{"email": f"n{i:03}@example.com", "city": "Bern"} for i in range(230)]
    write(connection(api), "contacts", rows, "email")
    assert "230 read = 230 created" in headgate("run", "data").out
    assert sorted(map(len, asked(api, "create"))) == [30, 100, 100]
    assert sorted(map(len, asked(api, "read")))[:3] == [30, 100, 100]


def test_own_keys_and_own_objects(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    api.define("p_cars", {"plate": "string", "doors": "number"}, unique=["plate"])
    rows = [{"plate": "BE-1", "doors": "5"}, {"plate": "BE-2", "doors": "3"}]
    write(
        connection(api, resources={"p_cars": {}}),
        "p_cars",
        rows,
        "plate",
        fields={"plate": {}, "doors": {"type": "integer"}},
    )
    api.add("p_cars", [{"plate": "BE-1", "doors": "4"}])
    assert "2 read = 1 created + 1 updated" in headgate("run", "data").out
    assert held(api, "p_cars", "plate") == rows
    api.define("companies", {"erp_id": "string"}, unique=["erp_id"])
    firms = [{"erp_id": "7", "name": "Seven"}]
    write(connection(api), "companies", firms, "erp_id", fields={"erp_id": {"type": "integer"}, "name": {}})
    assert "1 read = 1 created" in headgate("run", "data").out
    assert "1 read = 1 unchanged" in headgate("run", "data").out
    assert held(api, "companies", "erp_id") == firms


@pytest.mark.parametrize("kind", ["companies", "deals", "products", "tickets", "line_items"])
def test_the_other_objects(api: HubspotServer, write: Write, headgate: Headgate, kind: str) -> None:
    api.define(kind, {"ref": "string"}, unique=["ref"])
    named = {
        "companies": {"name": "N"},
        "deals": {"dealname": "N", "dealstage": "won"},
        "products": {"name": "N", "price": "9.5"},
        "tickets": {"subject": "N", "hs_pipeline_stage": "1"},
        "line_items": {"name": "N", "quantity": "2"},
    }[kind]
    rows = [{"ref": "r1", **named}, {"ref": "r2", **named}]
    write(connection(api), kind, rows, "ref")
    assert "2 read = 2 created" in headgate("run", "data").out
    write(connection(api), kind, rows[:1], "ref", operation="delete", fields={"ref": {}})
    assert "1 read = 1 deleted" in headgate("run", "data").out
    assert held(api, kind, "ref") == rows[1:]
    assert headgate("undo", "2").code == 0
    assert held(api, kind, "ref") == rows, "with the properties that the import does not name"
    assert headgate("undo", "1").code == 0
    assert held(api, kind, "ref") == []


def test_a_key_that_is_not_unique_there_is_said(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "companies", [{"domain": "example.com", "name": "N"}], "domain")
    said = headgate("run", "data")
    assert said.code == 1
    assert "Property domain is not a unique property" in said.err


@pytest.mark.parametrize("status", [207, 404])
def test_none_of_the_records_is_there(write: Write, headgate: Headgate, status: int) -> None:
    with HubspotServer(none_found=status) as api:
        write(connection(api), "contacts", PEOPLE, "email")
        assert "7 read = 7 created" in headgate("run", "data").out


def test_the_limit_of_ten_seconds_is_waited_for(write: Write, headgate: Headgate) -> None:
    with HubspotServer(limit=(2, 0.3)) as api:
        rows = [{"email": f"n{i:03}@example.com", "city": "Bern"} for i in range(450)]
        write(connection(api), "contacts", rows, "email")
        said = headgate("run", "data")
        assert "450 read = 450 created" in said.out, said
        assert api.refused > 0
        assert len(api.records("contacts")) == 450


def test_a_lock_is_waited_for(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "contacts", PEOPLE, "email")
    api.fault("status", status=423, path=".*/create", times=2)
    assert "7 read = 7 created" in headgate("run", "data").out
    assert held(api) == PEOPLE


def test_a_page_in_place_of_an_answer_is_no_answer(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "contacts", PEOPLE, "email")
    api.fault("status", status=200, body="<html>Maintenance</html>", path=".*/read")
    said = headgate("run", "data")
    assert said.code == 1
    assert "Maintenance" in said.err
    assert held(api) == []
    api.fault("status", status=200, body="<html>Maintenance</html>", path=".*/create")
    assert "7 read = 7 created" in headgate("run", "data").out
    assert held(api) == PEOPLE


def test_a_long_migration_ends_the_run(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "contacts", PEOPLE, "email")
    api.fault("status", status=477, headers={"Retry-After": "86400"})
    said = headgate("run", "data")
    assert said.code == 1
    assert "it asks to wait for 86,400 s" in said.err
    assert "7 read = 7 created" in headgate("run", "data").out


def test_the_limit_of_the_day_ends_the_run(write: Write, headgate: Headgate) -> None:
    with HubspotServer(daily=1) as api:
        write(connection(api), "contacts", PEOPLE, "email")
        said = headgate("run", "data")
        assert said.code == 1
        assert "You have reached your daily limit" in said.err
        assert api.refused == 1, "it is not asked again and again"
        api.daily = 100
        assert "7 read = 7 created" in headgate("run", "data").out


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "status", "status_after", "hang_after"])
def test_nothing_is_created_twice_when_an_answer_is_lost(
    api: HubspotServer, write: Write, headgate: Headgate, kind: Any
) -> None:
    write(connection(api, timeout=1), "contacts", PEOPLE, "email")
    api.fault(kind, path=".*/create", status=502)
    assert "7 read = 7 created" in headgate("run", "data").out
    assert held(api) == PEOPLE


def test_what_is_gone_meanwhile_is_missing(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    api.add("contacts", [{**p, "city": "Bern"} for p in PEOPLE[:2]])
    write(connection(api, concurrency=1), "contacts", PEOPLE[:2], "email", operation="update")
    gone = {"category": "OBJECT_NOT_FOUND", "message": "not there", "context": {"ids": ["1001"]}}
    result = {"id": "1002", "properties": {"email": PEOPLE[1]["email"]}}
    api.fault("status", path=".*/update", status=207, body={"results": [result], "numErrors": 1, "errors": [gone]})
    said = headgate("run", "data")
    assert "2 read = 1 updated + 1 rejected" in said.out
    (reject,) = headgate("rejects", "1", "--json").json
    assert (reject["raw"]["email"], reject["problems"][0]["code"]) == (PEOPLE[0]["email"], "KY04")


def test_its_own_upsert(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    blind = {"resources": {"contacts": {"find": None, "create": None, "update": None}}}
    api.add("contacts", [PEOPLE[3]])
    write(connection(api, **blind), "contacts", PEOPLE, "email")
    assert "7 read = 6 created + 1 updated" in headgate("run", "data").out
    assert held(api) == PEOPLE


def test_a_wrong_token_is_said(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    write(connection(api, auth={"token": "wrong"}), "contacts", PEOPLE, "email")
    said = headgate("run", "data")
    assert said.code == 1
    assert "401" in said.err


def test_a_list_is_mirrored(api: HubspotServer, write: Write, headgate: Headgate) -> None:
    many = [{"email": f"m{i}@example.com", "firstname": "M", "city": "Oslo"} for i in range(120)]
    gone = [{"email": f"g{i}@example.com", "firstname": "G", "city": city} for i, city in enumerate(("Oslo", "Rome"))]
    api.add("contacts", [*many, *gone])
    write(connection(api), "contacts", many, "email", operation="mirror", scope={"city": "Oslo"})
    said = headgate("run", "data")
    assert said.code == 0, said
    assert "120 read = 120 unchanged" in said.out
    assert "1 deleted at the destination" in said.out
    assert held(api) == sorted([*many, gone[1]], key=lambda r: r["email"])
    assert asked(api, "read") == [], "what was listed is not looked for"
