"""Sending records to an API by the command line."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.crud import CrudServer
from support.people import BATCHED, FIND, PEOPLE, PLAIN, changes, held, write_people
from support.shop import Define, Headgate, Start, finish, freeze


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer(token=CrudServer.TOKEN) as api:
        api.add("people", unique=[("email",)])
        yield api


@pytest.fixture
def define(folder: Path, api: CrudServer, monkeypatch: pytest.MonkeyPatch) -> Define:
    """A project that sends people.csv to the API."""
    monkeypatch.setenv("API_TOKEN", api.TOKEN)
    return partial(write_people, folder, api)


@pytest.mark.parametrize("resource", [PLAIN, BATCHED], ids=["single", "batched"])
def test_plan_run_again_and_undo(api: CrudServer, define: Define, headgate: Headgate, resource: dict[str, Any]) -> None:
    define(resource)
    api.add("people", [PEOPLE[0], {**PEOPLE[1], "name": "Somebody"}, {"email": "z@example.com"}], unique=[("email",)])
    before = held(api)
    assert headgate("check", "people").code == 0
    said = headgate("plan", "people")
    assert said.code == 0
    assert "7 read = 5 created + 1 updated + 1 unchanged" in said.out
    assert "Somebody" in said.out
    assert (held(api), changes(api)) == (before, 0)
    said = headgate("run", "--plan", "1")
    assert said.code == 0, said
    assert held(api) == [*PEOPLE, {"email": "z@example.com"}]
    asked = changes(api)
    said = headgate("run", "people")
    assert "7 read = 7 unchanged" in said.out
    assert changes(api) == asked, "what is equal is not sent"
    assert headgate("undo", "2").code == 0
    assert held(api) == before
    assert all(api.TOKEN not in s for s in (said.out, said.err))


def test_deleted_records_come_back_with_all_they_had(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(people=[{"email": p["email"]} for p in PEOPLE[:3]], operation="delete")
    api.add("people", [{**p, "tags": ["a", {"b": 1}], "seen": None} for p in PEOPLE], unique=[("email",)])
    before = held(api)
    assert "3 read = 3 deleted" in headgate("run", "people").out
    assert len(held(api)) == 4
    assert headgate("undo", "1").code == 0
    back = [{k: v for k, v in r.items() if v is not None} for r in held(api)]
    assert back == [{k: v for k, v in r.items() if v is not None} for r in before]


def test_what_the_api_refuses_is_a_reject_with_its_words(
    api: CrudServer, define: Define, headgate: Headgate, folder: Path
) -> None:
    define(BATCHED, [*PEOPLE, {"email": "x@example.com", "name": "", "city": "Oslo"}], operation="insert")
    api.add("people", [PEOPLE[2]], unique=[("email",), ("name",)], required=["name"])
    said = headgate("run", "people")
    assert said.code == 3
    assert "8 read = 6 created + 2 rejected" in said.out
    rejects = headgate("rejects", "1", "--json").json
    found = {r["raw"]["email"]: r["problems"][0] for r in rejects}
    assert {e: p["code"] for e, p in found.items()} == {"p2@example.com": "KY03", "x@example.com": "DE06"}
    assert "422: name is required" in found["x@example.com"]["reason"]
    assert found["x@example.com"]["field"] == "name"


def test_one_bad_record_does_not_keep_its_batch_back(api: CrudServer, define: Define, headgate: Headgate) -> None:
    all_or_nothing = {**BATCHED, "create": {"path": "/people/batch", "query": {"mode": "all"}, "batch": 7}}
    define(all_or_nothing, [*PEOPLE, {"email": "x@example.com", "name": "", "city": "Oslo"}])
    api.add("people", unique=[("email",)], required=["name"])
    assert "8 read = 7 created + 1 rejected" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_a_record_that_breaks_the_api_is_found(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({**BATCHED, "create": {**BATCHED["create"], "batch": 7}}, retries=0)
    api.fault("status", path="/people/batch", has="p4@example.com", times=1_000)
    assert "7 read = 6 created + 1 rejected" in headgate("run", "people").out
    assert held(api) == [p for p in PEOPLE if p["email"] != "p4@example.com"]


def test_several_records_that_break_the_api_are_found(api: CrudServer, define: Define, headgate: Headgate) -> None:
    people = [{**PEOPLE[0], "email": f"q{i:02}@example.com"} for i in range(64)]
    bad = {p["email"] for p in people[:32:8]}
    batched = {**BATCHED, "create": {**BATCHED["create"], "batch": 32}}
    for email in bad:
        api.fault("status", path="/people/batch", has=email, times=1_000)
    define(batched, people, retries=0)
    assert "64 read = 60 created + 4 rejected" in headgate("run", "people").out
    assert held(api) == [p for p in people if p["email"] not in bad]


def test_updates_and_deletions_of_what_is_not_there(api: CrudServer, define: Define, headgate: Headgate) -> None:
    blind = {"update": "PATCH /people/{email}", "delete": "DELETE /people/{email}"}
    define(blind, operation="update")
    api.add("people", [{**PEOPLE[0], "id": PEOPLE[0]["email"], "name": "old"}])
    said = headgate("run", "people")
    assert "7 read = 1 updated + 6 rejected" in said.out
    assert "cannot be undone" in said.out
    assert held(api)[0]["name"] == "Person 0"
    assert "run 1 cannot be undone: the resource people does not say how records are found" in headgate("undo", "1").err
    define(blind, operation="delete")
    assert "7 read = 1 deleted + 6 skipped" in headgate("run", "people").out


def test_an_upsert_of_the_apis_own_says_what_it_was(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({"upsert": "PUT /people/by/email/{email}"})
    api.add("people", [{**PEOPLE[3], "name": "old"}])
    said = headgate("plan", "people")
    assert "what is there already is not known" in said.out
    assert "7 read = 6 created + 1 updated" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_nested_fields_and_types(api: CrudServer, define: Define, headgate: Headgate) -> None:
    people = [{"email": "a@example.com", "city": "Rome", "zip": "00184", "owed": "12.10", "since": "2024-02-29"}]
    fields = {
        "email": "email",
        "address.city": "city",
        "address.zip": {"from": "zip", "type": "text"},
        "owed": {"type": "decimal(8,2)"},
        "since": {"type": "date"},
        "tags": {"value": '["new", 1]', "type": "json"},
    }
    define(people=people, fields=fields)
    assert headgate("run", "people").code == 0
    (sent,) = [c.body for c in api.calls if c.path == "/people"]
    assert str(sent["owed"]) == "12.10"
    assert {k: v for k, v in sent.items() if k != "owed"} == {
        "email": "a@example.com",
        "address": {"city": "Rome", "zip": "00184"},
        "since": "2024-02-29",
        "tags": ["new", 1],
    }
    assert "1 read = 1 unchanged" in headgate("run", "people").out


def test_only_what_differs_is_sent(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    api.add("people", [{**PEOPLE[0], "name": "old"}])
    headgate("run", "people")
    (sent,) = [c.body for c in api.calls if c.method == "PATCH"]
    assert sent == {"name": "Person 0"}


def test_an_answer_that_comes_later_is_waited_for(api: CrudServer, define: Define, headgate: Headgate) -> None:
    later = {"path": "/people/later", "poll": {"done": {"state": "done"}, "every": 0.01}}
    define({**PLAIN, "create": later})
    assert "7 read = 7 created" in headgate("run", "people").out
    assert sum(c.path.startswith("/jobs/") for c in api.calls) == 14


def test_too_many_requests_are_waited_for(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    api.fault("status", path="/people", method="POST", status=429, headers={"Retry-After": "0"}, times=5, skip=2)
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "status", "status_after", "hang_after", "hang_before"])
def test_nothing_is_created_twice_when_an_answer_is_lost(
    api: CrudServer, define: Define, headgate: Headgate, kind: Any
) -> None:
    define(timeout=1)
    api.fault(kind, path="/people", method="POST", skip=3, times=2)
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_what_cannot_be_looked_up_is_unknown_and_said(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({"create": "POST /people"}, operation="append", key=[])
    api.fault("cut_after", path="/people", method="POST", skip=3, times=1)
    said = headgate("run", "people")
    assert said.code == 3
    assert "7 read = 6 created + 1 unknown" in said.out
    (reject,) = headgate("rejects", "1", "--json").json
    assert reject["problems"][0]["code"] == "UN01"
    assert held(api) == PEOPLE


def test_a_key_for_repeats_is_sent_and_used(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({"create": {"path": "/people", "idempotency": "Idempotency-Key"}}, operation="append", key=[])
    api.fault("cut_after", path="/people", method="POST", skip=3, times=1)
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE
    keys = [c.headers["idempotency-key"] for c in api.calls]
    assert (len(keys), len(set(keys))) == (8, 7)


def test_an_api_that_fails_ends_the_run_and_the_next_goes_on(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(concurrency=1, retries=0)
    api.fault("status", path="/people", method="POST", skip=3, times=8)
    said = headgate("run", "people")
    assert said.code == 1
    assert "requests in a row have failed" in said.err
    assert 3 <= len(held(api)) < 7
    said = headgate("run", "people")
    assert said.code == 0, said
    assert "7 read = 7 created" in said.out, "those of the first attempt are in the account of the run that went on"
    assert held(api) == PEOPLE
    assert headgate("undo", "1").code == 0
    assert held(api) == []


def test_mistakes_are_said(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({"create": "POST /people"})
    said = headgate("run", "people")
    assert said.code != 0
    assert "does not say how to" in said.err
    define({"create": {"path": "/people", "batches": 3}})
    said = headgate("check", "people")
    assert said.code != 0
    assert "batches" in said.err
    assert "Did you mean 'batch'?" in said.err
    define({**PLAIN, "update": "PATCH /people/{ident}"})
    said = headgate("check", "people")
    said = headgate("run", "people")
    assert "{ident}" in said.err
    define(destination={"connection": "crm", "table": "peple"})
    said = headgate("run", "people")
    assert "Did you mean 'people'" in said.err
    define(auth={"type": "bearer", "token": "wrong"})
    said = headgate("run", "people")
    assert said.code != 0
    assert "401" in said.err
    define({**PLAIN, "create": "POST /peple"})
    said = headgate("run", "people")
    assert "there is nothing that creates records" in said.err
    define(expect={"rows": 7})
    assert "expect must see the whole source" in headgate("run", "people").err


def _bare(api: CrudServer) -> dict[str, Any]:
    """An append that cannot be looked up."""
    api.add("people")
    return {"resource": {"create": "POST /people"}, "operation": "append", "key": []}


def test_what_was_never_sent_is_sent_by_the_next_run(api: CrudServer, define: Define, headgate: Headgate) -> None:
    with CrudServer() as away:
        url = away.url
    define(**_bare(api), url=url, retries=0)
    assert "cannot be reached" in headgate("run", "people").err
    define(**_bare(api), auth={"type": "bearer", "token": "wrong"})
    assert "401" in headgate("run", "people").err
    define(**_bare(api))
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_a_deletion_whose_answer_was_lost_is_one_and_comes_back(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(people=[{"email": p["email"]} for p in PEOPLE[:3]], operation="delete")
    api.add("people", PEOPLE)
    api.fault("cut_after", method="DELETE", skip=1)
    assert "3 read = 3 deleted" in headgate("run", "people").out
    assert headgate("undo", "1").code == 0
    assert held(api) == PEOPLE


def test_an_upsert_whose_answer_was_lost_has_created_and_is_taken_back(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define(
        {
            "find": FIND,
            "upsert": "PUT /people/by/email/{email}",
            "delete": "DELETE /people/{id}",
            "update": PLAIN["update"],
        }
    )
    api.fault("cut_after", method="PUT", skip=3)
    assert "7 read = 7 created" in headgate("run", "people").out
    assert headgate("undo", "1").code == 0
    assert held(api) == []


def test_a_refusal_of_the_second_attempt_is_no_word_on_the_first(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define({**PLAIN, "create": {"path": "/people", "repeatable": True}})
    api.fault("cut_after", path="/people", method="POST", skip=3)
    assert "7 read = 7 created" in headgate("run", "people").out
    define({"create": {"path": "/people", "repeatable": True}}, PEOPLE[::-1], operation="append", key=[])
    api.add("people", unique=[("email",)])
    api.fault("cut_after", path="/people", method="POST", skip=3)
    assert "7 read = 6 created + 1 unknown" in headgate("run", "people").out
    assert held(api) == PEOPLE


@pytest.mark.parametrize("status", [500, 507, 524, 599])
def test_any_status_of_a_server_that_failed_leaves_open_whether_it_was_done(
    api: CrudServer, define: Define, headgate: Headgate, status: int
) -> None:
    define(**_bare(api))
    api.fault("status_after", method="POST", status=status, skip=3)
    assert "7 read = 6 created + 1 unknown" in headgate("run", "people").out
    define({**BATCHED, "create": {**BATCHED["create"], "batch": 7}}, retries=0)
    api.add("people")
    api.fault("status_after", path="/people/batch", method="POST", status=status)
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


@pytest.mark.parametrize("resource", [PLAIN, BATCHED], ids=["single", "batched"])
def test_a_secret_that_the_api_repeats_is_not_shown(
    api: CrudServer, define: Define, headgate: Headgate, resource: dict[str, Any]
) -> None:
    define(resource, people=[{**PEOPLE[0], "name": ""}])
    api.add("people", required=[f"{'x' * 485}{api.TOKEN}", "name"])
    assert "1 read = 1 rejected" in headgate("run", "people").out
    said = headgate("rejects", "1", "--json")
    assert api.TOKEN[:6] not in said.out + said.err
    assert "is required" not in said.out, "it is cut"


def test_a_run_that_goes_on_has_the_moment_of_its_start(api: CrudServer, define: Define, headgate: Headgate) -> None:
    fields = {"email": "email", "seen": {"expr": "now()", "type": "timestamptz"}}
    define(fields=fields, concurrency=1, retries=0)
    api.fault("status", path="/people", method="POST", skip=3, times=8)
    assert headgate("run", "people").code == 1
    assert "7 read = 7 created" in headgate("run", "people").out
    assert len({r["seen"] for r in api.records("people")}) == 1
    assert headgate("undo", "1").code == 0
    assert held(api) == []


def test_a_key_for_repeats_serves_the_next_run_too(api: CrudServer, define: Define, headgate: Headgate) -> None:
    keyed = {"create": {"path": "/people", "idempotency": "Idempotency-Key"}}
    define(keyed, operation="append", key=[], concurrency=1, retries=0)
    api.add("people")
    api.fault("cut_after", path="/people", method="POST", skip=2, times=5)
    assert headgate("run", "people").code == 1
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_what_deleted_records_had_comes_back_from_every_commit(
    api: CrudServer, define: Define, headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.connectors.files.csv_fast.BATCH_ROWS", 2)
    monkeypatch.setattr("headgate.connectors.files.csv_tolerant.BATCH_ROWS", 2)
    define(people=[{"email": p["email"]} for p in PEOPLE], operation="delete")
    people = [{**p, ("tags", "notes")[i > 3]: [i]} if i > 1 else p for i, p in enumerate(PEOPLE)]
    api.add("people", people)
    assert "7 read = 7 deleted" in headgate("run", "people").out
    assert headgate("undo", "1").code == 0
    assert held(api) == people


def test_a_job_that_is_not_done_in_time_is_not_begun_again(api: CrudServer, define: Define, headgate: Headgate) -> None:
    later = {"path": "/people/later", "poll": {"done": {"state": "done"}, "every": 0.2, "wait": 0.1}}
    define({**PLAIN, "create": later})
    assert "7 read = 7 unknown" in headgate("run", "people").out
    assert sum(c.path == "/people/later" for c in api.calls) == 7


def test_who_was_overtaken_sends_nothing_that_was_waiting(
    api: CrudServer, define: Define, headgate: Headgate, start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEADGATE_LEASE", "0.5")
    define(concurrency=1)
    api.add("people")
    api.delay = 0.7
    process = start("run", "people")
    while not any(c.path == "/people" for c in api.calls):
        assert process.poll() is None
        time.sleep(0.01)
    freeze(process, tmp_path / "state" / "ledger.db")
    time.sleep(1.5)  # as long as it takes until it is given up for dead
    api.delay = 0.0
    assert "7 read = 7 created" in headgate("run", "people").out
    process.send_signal(signal.SIGCONT)
    assert finish(process).code == 1
    assert held(api) == PEOPLE


def test_a_plan_and_an_undo_that_end_early_say_that_what_was_sent_stays(
    api: CrudServer, define: Define, headgate: Headgate, start: Start
) -> None:
    define(concurrency=1)
    assert headgate("plan", "people").code == 0
    api.delay = 0.3
    process = start("run", "--plan", "1")
    while not any(c.path == "/people" for c in api.calls):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert said.code == 130
    assert "what was sent before is kept" in said.err
    api.delay = 0.0
    assert "7 read = 7 created" in headgate("run", "--plan", "1").out
    assert held(api) == PEOPLE


def test_what_was_sent_of_another_source_is_not_sent_again(api: CrudServer, define: Define, headgate: Headgate) -> None:
    single = {"create": "POST /people"}
    define(single, operation="append", key=[], concurrency=1, retries=0)
    api.fault("status", path="/people", method="POST", skip=3, times=8, status=401)
    assert headgate("run", "people").code == 1
    assert len(held(api)) == 3
    said = headgate("undo", "1")
    assert "was broken off while it was sending" in said.err
    define(single, PEOPLE[1:], operation="append", key=[], concurrency=1)
    api.mend()
    said = headgate("run", "people")
    assert "the source has changed since" in said.err
    assert len(held(api)) == 3
    said = headgate("run", "people", "--from-start")
    assert "are in no account" in said.out
    assert "6 read = 4 created + 2 rejected" in said.out, "the API knows them"
    assert len(held(api)) == 7


def test_a_run_that_sent_nothing_begins_anew_with_another_source(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define({"create": "POST /people"}, operation="append", key=[], auth={"type": "bearer", "token": "wrong"})
    assert headgate("run", "people").code == 1
    define({"create": "POST /people"}, PEOPLE[1:], operation="append", key=[])
    assert "6 read = 6 created" in headgate("run", "people").out


def test_many_records_are_committed_a_part_at_a_time(
    api: CrudServer, define: Define, headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headgate.engine.runner._AT_ONCE", 3)
    define(BATCHED, concurrency=1, retries=0)
    api.fault("status", path="/people/batch", has="p5@example.com", status=401)
    said = headgate("run", "people")
    assert said.code == 1
    assert held(api) == PEOPLE[:3], "the first part is done, and the second was not taken"
    said = headgate("run", "people")
    assert "7 read = 7 created" in said.out
    assert held(api) == PEOPLE
    assert headgate("undo", "1").code == 0
    assert held(api) == []
