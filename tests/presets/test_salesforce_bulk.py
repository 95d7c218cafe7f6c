"""The preset of Salesforce with files for many records (Bulk API 2.0)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headgate.testing.salesforce import SalesforceServer
from support import forked
from support.shop import Headgate

Write = Callable[..., None]
PEOPLE = [{"Email": f"p{i:03}@example.com", "FirstName": f"P{i % 3}", "LastName": f"O'Person, {i}"} for i in range(60)]
QUOTED = [p | {"LastName": f'"{p["LastName"]}"'} for p in PEOPLE]
"""The same, as a file with commas has them."""


@pytest.fixture
def api() -> Iterator[SalesforceServer]:
    with SalesforceServer() as api:
        yield api


def connection(api: SalesforceServer, table: str = "*/bulk", **more: Any) -> dict[str, Any]:
    login = {"client_id": api.CLIENT, "client_secret": api.SECRET}
    said = {"preset": "salesforce", "instance": "example", "url": api.root, "private": True, "retries": 1}
    quick = {"job": {"every": 0.01, **more.pop("job", {})}}
    names = ("upsert",) if table.endswith("upsert") else ("create", "update", "delete")
    return {**said, "auth": login, "resources": {table: dict.fromkeys(names, quick)}, **more}


def held(api: SalesforceServer) -> list[dict[str, Any]]:
    return sorted(api.records("Contact"), key=lambda r: str(r["Email"]))


def test_plan_run_again_and_undo(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "Contact/bulk", QUOTED, "Email")
    api.add("Contact", [PEOPLE[0], {**PEOPLE[1], "LastName": "Somebody"}, {"Email": "z@example.com", "LastName": "Z"}])
    before = held(api)
    assert "60 read = 58 created + 1 updated + 1 unchanged" in headgate("plan", "data").out
    said = headgate("run", "--plan", "1")
    assert said.code == 0, said
    assert held(api) == [*PEOPLE, before[-1]]
    assert [j.told["operation"] for j in api.bulk.jobs] in (["update", "insert"], ["insert", "update"])
    assert "60 read = 60 unchanged" in headgate("run", "data").out
    assert len(api.bulk.jobs) == 2
    assert headgate("undo", "2").code == 0
    assert held(api) == before
    assert len(api.bulk.jobs) == 4


def test_results_are_those_of_their_records(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    bad = [{"Email": "x@example.com", "FirstName": "X"}, {"Email": "nobody", "FirstName": "N", "LastName": "N"}]
    odd = [{"Email": "odd@example.com", "FirstName": "#N/A", "LastName": "L"}]
    write(connection(api), "Contact/bulk", [*bad, *QUOTED, *odd], "Email")
    api.lock("p003@example.com", 1)
    said = headgate("run", "data")
    assert "63 read = 60 created + 3 rejected" in said.out, said
    found = {r["raw"]["Email"]: r["problems"][0] for r in headgate("rejects", "1", "--json").json}
    assert found["x@example.com"]["reason"] == "REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]"
    assert found["x@example.com"]["field"] == "LastName"
    assert (found["nobody"]["field"], found["nobody"]["code"]) == ("Email", "DE06")
    assert "stands for no value" in found["odd@example.com"]["reason"]
    assert held(api) == PEOPLE


def test_values_are_cleared_and_records_deleted(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    api.add("Contact", PEOPLE)
    people = [
        {"Email": p["Email"], "FirstName": "", "LastName": q["LastName"]} for p, q in zip(PEOPLE, QUOTED, strict=True)
    ]
    write(connection(api), "Contact/bulk", people, "Email")
    assert "60 read = 60 updated" in headgate("run", "data").out
    assert held(api) == [{k: v for k, v in p.items() if k != "FirstName"} for p in PEOPLE]
    write(connection(api), "Contact/bulk", [{"Email": p["Email"]} for p in PEOPLE], "Email", operation="delete")
    assert "60 read = 60 deleted" in headgate("run", "data").out
    assert held(api) == []
    assert api.bulk.jobs[-1].columns == ["Id"]


def test_upsert_says_what_was_created(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    api.define("Contact", {"Erp__c": "text"}, unique=["Erp__c"])
    api.add("Contact", [{**PEOPLE[5], "Erp__c": "E5", "LastName": "old"}])
    write(
        connection(api, "*/bulk-upsert"),
        "Contact/bulk-upsert",
        [p | {"Erp__c": f"E{i}"} for i, p in enumerate(QUOTED)],
        "Erp__c",
    )
    said = headgate("run", "data")
    assert "60 read = 59 created + 1 updated" in said.out, said
    assert held(api) == [p | {"Erp__c": f"E{i}"} for i, p in enumerate(PEOPLE)]


def test_equal_records_without_a_key_are_all_appended(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "Lead/bulk", [{"LastName": "A", "Company": "C"}] * 3, None, operation="append")
    assert "3 read = 3 created" in headgate("run", "data").out
    assert api.records("Lead") == [{"LastName": "A", "Company": "C"}] * 3


def test_files_are_no_larger_than_they_may_be(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    api.bulk.most_bytes = 1_000
    write(connection(api, job={"most_bytes": 1_000}), "Contact/bulk", QUOTED, "Email")
    assert "60 read = 60 created" in headgate("run", "data").out
    assert held(api) == PEOPLE
    assert len(api.bulk.jobs) > 3


def test_a_job_that_fails_says_why(api: SalesforceServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "Lead/bulk", [{"LastName": "A", "Company": "C", "Shoe": 43}], None, operation="append")
    said = headgate("run", "data")
    assert "1 read = 1 rejected" in said.out, said
    (reject,) = headgate("rejects", "1", "--json").json
    assert "Field name not found : Shoe" in reject["problems"][0]["reason"]
    api.bulk.fails_after = 20
    write(connection(api), "Contact/bulk", QUOTED, "Email")
    assert "60 read = 20 created + 40 rejected" in headgate("run", "data").out
    assert held(api) == PEOPLE[:20]
    write(connection(api), "Contract/bulk", QUOTED, None, operation="append")
    assert "no job can be made" in headgate("run", "data").err


@pytest.mark.parametrize("step", ["", "/[^/]*/batches", "/[^/]*"])
@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "status_after"])
def test_lost_answers_make_nothing_twice(
    api: SalesforceServer, write: Write, headgate: Headgate, kind: Any, step: str
) -> None:
    write(connection(api), "Contact/bulk", QUOTED, "Email")
    api.fault(kind, path=f".*/jobs/ingest{step}", times=1)
    said = headgate("run", "data")
    assert "60 read = 60 created" in said.out, said
    assert held(api) == PEOPLE


def kill(api: SalesforceServer, when: Callable[[], bool]) -> None:
    """Run the import in a process of its own, which is killed at some time."""
    pipe = subprocess.PIPE
    process = forked.start("run", "data", stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    deadline = time.monotonic() + 60
    while not when():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("operation", "key"), [("upsert", "Email"), ("append", None)])
def test_a_job_under_way_is_asked_about_after_a_kill(
    api: SalesforceServer, write: Write, headgate: Headgate, operation: str, key: str | None
) -> None:
    write(connection(api), "Contact/bulk", QUOTED, key, operation=operation)
    api.bulk.held = True
    kill(api, lambda: bool(api.bulk.jobs) and api.bulk.jobs[0].at > 0)
    assert 0 < len(held(api)) < 60
    api.bulk.held = False
    said = headgate("run", "data")
    assert "60 read = 60 created" in said.out, said
    assert held(api) == PEOPLE
    assert len(api.bulk.jobs) == 1, "no second job was made"
    if key is not None:
        assert "60 read = 60 unchanged" in headgate("run", "data").out


@pytest.mark.parametrize(("operation", "key"), [("upsert", "Email"), ("append", None)])
def test_a_job_that_was_not_closed_is_given_up_after_a_kill(
    api: SalesforceServer, write: Write, headgate: Headgate, operation: str, key: str | None
) -> None:
    write(connection(api), "Contact/bulk", QUOTED, key, operation=operation)
    api.fault("hang_after", path=".*/batches", times=1)
    kill(api, lambda: bool(api.bulk.jobs) and api.bulk.jobs[0].rows is not None)
    said = headgate("run", "data")
    assert "60 read = 60 created" in said.out, said
    assert held(api) == PEOPLE
    assert [j.state for j in api.bulk.jobs] == ["Aborted", "JobComplete"]
