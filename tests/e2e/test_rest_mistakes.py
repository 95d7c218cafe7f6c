"""Records, and descriptions of an API, that are not what they should be: one record is refused, and nothing is created twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.crud import CrudServer
from support.people import FIND, PEOPLE, PLAIN, changes, held, write_people
from support.shop import Define, Headgate

BY_EMAIL = {"path": "/people", "query": {"email": "{email}"}, "records": "items"}


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


@pytest.mark.parametrize(
    ("resource", "wrong", "field"),
    [
        ({"upsert": "PUT /people/by/email/{email}"}, {"email": ".."}, "email"),
        ({**PLAIN, "find": {"path": "/people/{email}"}}, {"email": ".."}, "email"),
        ({**PLAIN, "create": {"path": "/people", "headers": {"X-City": "{city}"}}}, {"city": "\u0141\u00f3d\u017a"}, "city"),
    ],
    ids=["path", "path of find", "header"],
)  # fmt: skip
def test_a_value_that_cannot_stand_in_a_request_is_a_reject(
    api: CrudServer, define: Define, headgate: Headgate, resource: Any, wrong: Any, field: str
) -> None:
    define(resource, [*PEOPLE[:3], {**PEOPLE[3], **wrong}, *PEOPLE[4:]])
    assert "7 read = 6 created + 1 rejected" in headgate("run", "people").out
    assert held(api) == [*PEOPLE[:3], *PEOPLE[4:]]
    said = headgate("rejects", "1").out
    assert f"people.csv, line 5, column {field}: " in said
    assert "[DE05]" in said


@pytest.mark.parametrize(
    ("find", "said"),
    [
        ({**BY_EMAIL, "path": "/peeple"}, "404 Not Found"),
        ({**BY_EMAIL, "records": "data"}, "the records stand at 'items' of the answer"),
        ({**BY_EMAIL, "records": None}, "the records stand at 'items' of the answer"),
        ({**FIND, "records": "data.items"}, "Say records: items in find."),
    ],
    ids=["path", "records", "no records", "many"],
)
def test_records_that_are_looked_for_in_a_wrong_place_are_not_created_once_more(
    api: CrudServer, define: Define, headgate: Headgate, find: Any, said: str
) -> None:
    api.add("people", PEOPLE)
    define({**PLAIN, "find": {k: v for k, v in find.items() if v is not None}})
    run = headgate("run", "people")
    assert run.code == 1
    assert said in run.err
    assert changes(api) == 0


def test_no_such_record_may_be_said_by_a_status(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({**PLAIN, "find": {**BY_EMAIL, "missing": [404]}})
    api.fault("status", method="GET", status=404, times=100)
    assert "7 read = 7 created" in headgate("run", "people").out


def test_an_answer_without_the_apis_own_id_is_said(api: CrudServer, define: Define, headgate: Headgate) -> None:
    api.add("people", [{**p, "name": "old"} for p in PEOPLE])
    define({**PLAIN, "id": "uid"})
    run = headgate("run", "people")
    assert run.code == 1
    assert "nothing at 'uid'" in run.err
    assert changes(api) == 0


def test_find_may_name_the_key_only(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({**PLAIN, "find": {"path": "/people/{city}"}})
    assert "find of the resource people names {city}, which is no field of the key" in headgate("plan", "people").err


@pytest.mark.parametrize("mistake", ["address", "login", "moved", "header"])
def test_what_was_never_done_for_a_mistake_is_sent_when_that_is_mended(
    api: CrudServer, define: Define, headgate: Headgate, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = {"create": "POST /people"}
    wrong: dict[str, Any] = {"retries": 0}
    if mistake == "address":
        wrong["private"] = False
    elif mistake == "login":
        wrong["auth"] = {"type": "oauth2", "token_url": "/token", "client_id": "me", "client_secret": "wrong"}
    elif mistake == "moved":
        api.fault("status", status=308, headers={"Location": "https://api.example.com/people"}, times=100)
    else:
        monkeypatch.setenv("API_TOKEN", "two\nlines")
    define(resource, operation="append", key=[], **wrong)
    run = headgate("run", "people")
    assert run.code == 1
    assert api.records("people") == []
    monkeypatch.setenv("API_TOKEN", api.TOKEN)
    api.mend()
    define(resource, operation="append", key=[])
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_what_another_address_says_may_be_the_answer(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({"create": "POST /people"}, operation="append", key=[], concurrency=1)
    api.fault("status_after", status=303, headers={"Location": "https://api.example.com/people/1"}, skip=3)
    run = headgate("run", "people")
    assert run.code == 1
    assert "303, which leads to https://api.example.com/people/1" in run.err
    assert "7 read = 6 created + 1 unknown" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_a_record_that_went_before_its_update_came_is_a_reject(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    api.add("people", [{**PEOPLE[0], "name": "old"}])
    define()
    api.fault("status", method="PATCH", status=404, body={"error": "it is in the bin"})
    assert "7 read = 6 created + 1 rejected" in headgate("run", "people").out
    assert "it is in the bin) [KY04]" in headgate("rejects", "1").out


@pytest.mark.parametrize("there", ["2024-01-02T00:00:00Z", "2024-01-02 00:00:00.000+02:00", "2024-01-02"])
def test_a_date_may_be_the_moment_at_which_it_begins(
    api: CrudServer, define: Define, headgate: Headgate, there: str
) -> None:
    people = [{"email": "ann@example.com", "day": "2024-01-02"}]
    api.add("people", [{**people[0], "day": there}])
    find = {"path": "/people", "query": {"email": "{email}"}, "records": "items"}
    fields = {"email": "email", "day": {"from": "day", "type": "date"}}
    define({**PLAIN, "find": find}, people, key=["email", "day"], fields=fields)
    assert "1 read = 1 unchanged" in headgate("run", "people").out


def test_keys_that_the_api_writes_in_another_way_are_not_taken_for_others(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    api.add("people", [{"email": "ann@example.com", "day": "2 January 2024"}, {"email": "bob@example.com"}])
    find = {"path": "/people", "query": {"email": "{email}"}, "records": "items"}
    fields = {"email": "email", "day": {"from": "day", "type": "date"}}
    people = [{"email": "ann@example.com", "day": "2024-01-02"}]
    define({**PLAIN, "find": find}, people, key=["email", "day"], fields=fields)
    run = headgate("run", "people")
    assert run.code == 1
    assert "a record of the answer has '2 January 2024' as day, which is no date" in run.err
    assert changes(api) == 0


def test_new_proposes_all_columns_for_an_api_that_does_not_say_what_it_has(
    api: CrudServer, define: Define, headgate: Headgate, folder: Path
) -> None:
    define()
    (folder / "staff.csv").write_text("email,First Name,address.city\nann@example.com,Ann,Bern\n")
    said = headgate("new", "staff.csv", "--into", "crm#people", "--key", "email")
    assert said.code == 0, said
    assert "No column" not in said.out
    assert "1 read = 1 created" in headgate("run", "staff").out
    assert held(api) == [{"email": "ann@example.com", "First Name": "Ann", "address": {"city": "Bern"}}]
