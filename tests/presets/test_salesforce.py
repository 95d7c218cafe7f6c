"""The preset of Salesforce, against a server that behaves as Salesforce's documentation says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headgate.testing.salesforce import SalesforceServer
from support.shop import Headgate

Write = Callable[..., None]
PEOPLE = [{"Email": f"p{i}@example.com", "FirstName": f"P{i}", "LastName": f"O'Person {i}"} for i in range(7)]
BUSY = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentPerOrgLongTxn Limit exceeded."}]


@pytest.fixture
def api() -> Iterator[SalesforceServer]:
    with SalesforceServer() as api:
        yield api


def connection(api: SalesforceServer, **more: Any) -> dict[str, Any]:
    login = {"client_id": api.CLIENT, "client_secret": api.SECRET}
    said = {"preset": "salesforce", "instance": "example", "url": api.root, "private": True, "retries": 2}
    return {**said, "auth": login, **more}


def held(api: SalesforceServer, kind: str = "Contact", by: str = "Email") -> list[dict[str, Any]]:
    return sorted(api.records(kind), key=lambda r: str(r[by]))


def sent(api: SalesforceServer, method: str) -> list[Any]:
    """Requests to the collections."""
    return [c for c in api.calls if c.method == method and "/composite/sobjects" in c.path]


def test_plan_run_again_and_undo(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "Contact", PEOPLE, "Email")
    api.add("Contact", [PEOPLE[0], {**PEOPLE[1], "LastName": "Somebody"}, {"Email": "z@example.com", "LastName": "Z"}])
    before = held(api)
    assert headgate("check", "data").code == 0
    said = headgate("plan", "data")
    assert said.code == 0, said
    assert "7 read = 5 created + 1 updated + 1 unchanged" in said.out
    assert (held(api), sent(api, "POST")) == (before, [])
    said = headgate("run", "--plan", "1")
    assert said.code == 0, said
    assert held(api) == [*PEOPLE, before[-1]]
    (create,), (update,) = sent(api, "POST"), sent(api, "PATCH")
    assert create.body["allOrNone"] is False
    assert create.body["records"][0]["attributes"] == {"type": "Contact"}
    assert set(update.body["records"][0]) == {"attributes", "id", "LastName"}
    assert "7 read = 7 unchanged" in headgate("run", "data").out
    assert len(sent(api, "POST") + sent(api, "PATCH")) == 2, "what is equal is not sent"
    assert headgate("undo", "2").code == 0
    assert held(api) == before
    assert all(secret not in said.out + said.err for secret in (api.SECRET, "s3cret-token"))


def test_what_is_refused_is_a_reject_with_its_words_and_field(
    api: SalesforceServer, write: Write, headgate: Headgate
) -> None:
    bad = [
        {"Email": "x@example.com", "FirstName": "X", "LastName": ""},
        {"Email": "nobody", "FirstName": "N", "LastName": "N"},
    ]
    write(connection(api), "Contact", [*PEOPLE, *bad], "Email")
    said = headgate("run", "data")
    assert said.code == 3
    assert "9 read = 7 created + 2 rejected" in said.out
    found = {r["raw"]["Email"]: r["problems"][0] for r in headgate("rejects", "1", "--json").json}
    assert found["x@example.com"]["reason"] == "REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]"
    assert found["x@example.com"]["field"] == "LastName"
    assert found["nobody"]["reason"] == "INVALID_EMAIL_ADDRESS: Email: invalid email address: nobody"
    assert (found["nobody"]["field"], found["nobody"]["code"]) == ("Email", "DE06")
    assert held(api) == PEOPLE


def test_custom_objects_types_and_keys_of_several_fields(
    api: SalesforceServer, write: Write, headgate: Headgate
) -> None:
    api.define("Invoice__c", {"Code__c": "text", "No__c": "number", "Paid__c": "boolean", "Due__c": "date"})
    rows = [{"Code__c": f"it's \\ {i % 2}", "No__c": i, "Paid__c": "false", "Due__c": "2024-02-29"} for i in range(5)]
    types = {"No__c": {"type": "integer"}, "Paid__c": {"type": "boolean"}, "Due__c": {"type": "date"}}
    fields = {"Code__c": {"type": "text"}, **types}
    for key, done in (
        (["Code__c", "No__c"], "created"),
        (["Code__c", "Due__c", "No__c"], "unchanged"),
        ("No__c", "unchanged"),
    ):
        write(connection(api), "Invoice__c", rows, key, fields=fields)
        said = headgate("run", "data")
        assert f"5 read = 5 {done}" in said.out, said
        assert ("undo cannot tell a date" in said.out) == ("Due__c" in key)
    assert held(api, "Invoice__c", "No__c") == [
        {"Code__c": r["Code__c"], "No__c": r["No__c"], "Paid__c": False, "Due__c": "2024-02-29"} for r in rows
    ]
    assert headgate("undo", "1").code == 0
    assert held(api, "Invoice__c", "No__c") == []
    write(connection(api), "Invoise__c", rows, "Code__c")
    assert "sObject type 'Invoise__c' is not supported." in headgate("run", "data").err


def test_deletions_are_not_undone(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "Contact", [{"Email": p["Email"]} for p in PEOPLE[:3]], "Email", operation="delete")
    api.add("Contact", PEOPLE[1:])
    said = headgate("run", "data")
    assert "3 read = 2 deleted + 1 skipped" in said.out
    assert "would come back in part only" in said.out
    assert held(api) == PEOPLE[3:]
    assert len(sent(api, "DELETE")) == 1
    assert headgate("undo", "1").code != 0


def test_records_are_updated_by_their_ids(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    api.add("Contact", PEOPLE[:2])
    first, second = api.kinds["Contact"].records
    rows = [{"Id": first, "LastName": "New"}, {"Id": second, "LastName": PEOPLE[1]["LastName"]}]
    write(connection(api), "Contact", [*rows, {"Id": first[:-4] + "9AAA", "LastName": "?"}], "Id", operation="update")
    said = headgate("run", "data")
    assert "3 read = 1 updated + 1 unchanged + 1 rejected" in said.out, said
    assert held(api) == [{**PEOPLE[0], "LastName": "New"}, PEOPLE[1]]


def test_an_upsert_by_an_external_id_looks_at_nothing_first(
    api: SalesforceServer, write: Write, headgate: Headgate
) -> None:
    api.define("Contact", {"Erp__c": "text"}, unique=["Erp__c"])
    people = [{**p, "Erp__c": f"E{i}"} for i, p in enumerate(PEOPLE)]
    write(connection(api), "Contact/upsert", people, "Erp__c")
    api.add("Contact", [{**people[2], "LastName": "old"}])
    api.fault("cut_after", path=".*/composite/.*", times=1)
    said = headgate("run", "data")
    assert "cannot be undone" in said.out
    assert "read = " in said.out
    assert held(api) == people
    assert "7 read = 7 updated" in headgate("run", "data").out
    assert not any("/query" in c.path for c in api.calls)


def test_sessions_that_end_are_begun_anew(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    auth = {"client_id": api.CLIENT, "client_secret": api.SECRET, "refresh_token": api.REFRESH}
    write(connection(api, auth=auth), "Contact", PEOPLE, "Email")
    gone = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    api.fault("status", path=".*/composite/.*", status=401, body=gone)
    said = headgate("run", "data")
    assert "7 read = 7 created" in said.out, said
    assert (api.logins, held(api)) == (2, PEOPLE)
    write(connection(api, auth={**auth, "client_secret": "wrong"}), "Contact", PEOPLE, "Email")
    said = headgate("run", "data")
    assert said.code == 1
    assert "invalid client credentials" in said.err


def test_the_days_requests_are_used_up(write: Write, headgate: Headgate) -> None:
    people = [{"Email": f"p{i:03}@example.com", "LastName": f"P{i}"} for i in range(450)]
    with SalesforceServer(daily=7) as api:
        write(connection(api, concurrency=1), "Contact", people, "Email")
        api.used = 1
        said = headgate("run", "data")
        assert said.code == 1
        assert "its quota is used up: 7 of 7 requests" in said.err
        assert 0 < len(held(api)) < 450
        api.calls.clear()
        said = headgate("run", "data")
        assert "its quota is used up: 403 Forbidden" in said.err
        assert "TotalRequests Limit exceeded." in said.err
        api.daily = 1_000
        assert "450 read = 450 created" in headgate("run", "data").out
        assert held(api) == people


def test_some_of_the_days_requests_are_left_to_others(write: Write, headgate: Headgate) -> None:
    with SalesforceServer(daily=100) as api:
        write(connection(api, usage={"stop": 50}), "Contact", PEOPLE, "Email")
        api.used = 60
        said = headgate("run", "data")
        assert "61 of 100 requests" in said.err
        assert api.used == 61


def test_too_many_at_once_and_locked_records_are_sent_again(
    api: SalesforceServer, write: Write, headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.connectors.http.rest.sender.backoff", lambda _: 0.01)
    monkeypatch.setattr("headgate.connectors.http.rest.sending.backoff", lambda _: 0.01)
    write(connection(api), "Contact", PEOPLE, "Email")
    api.fault("status", path=".*/composite/.*", status=403, body=BUSY, times=4)
    api.lock("p3@example.com", 2)
    api.lock("p4@example.com", 9)
    said = headgate("run", "data")
    assert "7 read = 6 created + 1 rejected" in said.out, said
    assert held(api) == [p for p in PEOPLE if p["Email"] != "p4@example.com"]
    (reject,) = headgate("rejects", "1", "--json").json
    assert "UNABLE_TO_LOCK_ROW: unable to obtain exclusive access" in reject["problems"][0]["reason"]


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "status", "status_after", "hang_after"])
def test_nothing_is_created_twice_when_an_answer_is_lost(
    api: SalesforceServer, write: Write, headgate: Headgate, kind: Any
) -> None:
    write(connection(api, timeout=1), "Contact", PEOPLE, "Email")
    api.fault(kind, path=".*/composite/.*", method="POST", times=1)
    said = headgate("run", "data")
    assert "7 read = 7 created" in said.out, said
    assert held(api) == PEOPLE


def test_long_keys_and_many_records_of_a_query(write: Write, headgate: Headgate) -> None:
    people = [{"LastName": f"{i:04}" + "ü" * 76, "FirstName": "F"} for i in range(90)]
    with SalesforceServer(page=20) as api:
        api.add("Contact", people)
        write(connection(api), "Contact", people, "LastName")
        said = headgate("run", "data")
        assert "90 read = 90 unchanged" in said.out, said
        asked = [c for c in api.calls if "/query" in c.path]
        assert any("/query/" in c.path for c in asked)
        assert len(asked) > 5


def test_connections_and_presets_are_shown(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "Contact", PEOPLE, "Email")
    assert "reached, answers with 200 OK" in headgate("connections", "--test").out.replace("\n", " ")
    said = headgate("connections", "presets", "salesforce")
    assert "it has not met" in said.out
    assert "version (62.0)" in said.out


@pytest.mark.parametrize("way", ["upsert", "bulk-upsert"])
def test_a_key_that_is_no_external_id_loses_no_record(
    api: SalesforceServer, write: Write, headgate: Headgate, way: str
) -> None:
    write(connection(api), f"Contact/{way}", PEOPLE[:3], "Email")
    said = headgate("run", "data")
    assert said.code in (1, 3)
    assert "skipped" not in said.out
    assert "Email" in said.err or "3 read = 3 rejected" in said.out


def test_a_list_is_mirrored(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    api.page = 3
    gone = [{"Email": f"g{i}@example.com", "LastName": "G", "FirstName": name} for i, name in enumerate("AB")]
    api.add("Contact", [*PEOPLE[:6], *gone])
    write(
        connection(api),
        "Contact",
        PEOPLE,
        "Email",
        operation="mirror",
        scope={"FirstName": ["P1", "A"]},
        limits={"deletes": 1},
    )
    said = headgate("run", "data")
    assert said.code == 0, said
    assert "7 read = 1 created + 6 unchanged" in said.out
    assert "1 deleted at the destination" in said.out
    assert "a run of it cannot be undone" in said.out + said.err
    assert held(api) == sorted([*PEOPLE, gone[1]], key=lambda r: r["Email"])
