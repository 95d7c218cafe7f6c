"""Importing from an API by the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.app.project import open_project
from headgate.app.service import make_plan
from headgate.engine.runner import Progress
from headgate.testing.server import ApiServer
from support.shop import Ask, Headgate, Start, finish
from support.trouble import begun

RECORDS = [
    f'{{"id": {i}, "name": "customer {i}", "owed": {i}.10, "since": "2024-01-{i % 28 + 1:02}"}}' for i in range(35)
]
FIELDS = {
    "id": {"type": "bigint"},
    "name": {"type": "text"},
    "owed": {"type": "decimal(10,2)"},
    "since": {"type": "date"},
}


@pytest.fixture
def api(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """A server with a login, and a project that reads it."""
    with ApiServer(RECORDS, login="bearer") as api:
        monkeypatch.setenv("API_URL", api.url)
        monkeypatch.setenv("API_TOKEN", api.TOKEN)
        auth = {"type": "bearer", "token": "${env:API_TOKEN}"}
        connections = {"crm": {"url": "${env:API_URL}", "private": True, "auth": auth}, "shop": "sqlite:///shop.db"}
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": connections}))
        (folder / "imports").mkdir()
        define(folder)
        yield api


def define(folder: Path, source: dict[str, Any] | None = None, **definition: Any) -> None:
    request = {"path": "/cursor", "records": "items", "pagination": {"type": "cursor", "path": "meta.next_cursor"}}
    whole = {
        "source": {"connection": "crm", "request": request} | (source or {}),
        "fields": FIELDS,
        "key": "id",
        "destination": {"connection": "shop", "table": "customer", "create": True},
    } | definition
    (folder / "imports" / "customers.yaml").write_text(
        yaml.safe_dump({k: v for k, v in whole.items() if v is not None})
    )


def test_plan_run_and_run_again(api: ApiServer, headgate: Headgate, rows: Ask) -> None:
    said = [headgate("check", "customers")]
    assert said[-1].code == 0
    assert "found: format json, records items, pagination cursor" in said[-1].out
    said.append(headgate("plan", "customers"))
    assert "35 read = 35 created" in said[-1].out
    said.append(headgate("run", "--plan", "1"))
    assert said[-1].code == 0
    assert rows("select count(*), min(owed), max(owed) from customer") == [(35, 0.1, 34.1)]
    api.records[3] = api.records[3].replace("customer 3", "Customer 3")
    said.append(headgate("run", "customers"))
    assert "35 read = 1 updated + 34 unchanged" in said[-1].out
    assert headgate("undo", "3").code == 0
    assert rows("select name from customer where id = 3") == [("customer 3",)]
    assert all(api.TOKEN not in s.out + s.err for s in said)


def test_bad_records_are_rejects_with_the_number_of_the_record(
    api: ApiServer, headgate: Headgate, rows: Ask, folder: Path
) -> None:
    api.records[12] = api.records[12].replace("12.10", '"a lot"')
    api.records[20] = "20"
    said = headgate("run", "customers")
    assert "35 read = 33 created + 2 invalid" in said.out
    found = [(r["row"], r["file"], r["problems"][0]["code"]) for r in headgate("rejects", "1", "--json").json]
    assert found == [(13, f"{api.url}/cursor", "TY02"), (21, f"{api.url}/cursor", "RD05")]


def test_a_run_that_breaks_off_keeps_nothing(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    api.fault("404", page=3)
    said = headgate("run", "customers")
    assert said.code == 1
    assert "cursor?cursor=c20 (page 3): 404 Not Found" in said.err
    assert headgate("show", "1", "--json").json["status"] == "failed"
    assert "35 read = 35 created" in headgate("run", "customers").out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_api_is_waited_for_stops_the_run(
    number: signal.Signals, api: ApiServer, headgate: Headgate, start: Start
) -> None:
    api.fault("429", page=3, Retry_After="300")
    process = start("run", "customers")
    assert api.wait_for(3)
    process.send_signal(number)
    said = finish(process)
    assert said.code == 130
    assert "run 1 was cancelled; nothing was kept" in said.err
    assert "35 read = 35 created" in headgate("run", "customers").out


def test_a_run_that_was_left_goes_on_if_the_answers_are_the_same(
    api: ApiServer, headgate: Headgate, start: Start, folder: Path, rows: Ask
) -> None:
    api.records = [f'{{"id": {n}, "name": "n", "owed": 1, "since": null}}' for n in range(140_000)]
    api.size = 70_000
    define(folder, operation="append", key=None, commit="batch")
    process = begun(start, "checkpoint.after", "run", "customers")
    process.kill()
    process.communicate()
    ((committed,),) = rows("select count(*) from customer")
    assert 0 < committed < 140_000
    api.records[0] = api.records[0].replace('"n"', '"m"')
    said = headgate("run", "customers")
    assert (said.code, "the source has changed since" in said.err) == (1, True)
    api.records[0] = api.records[0].replace('"m"', '"n"')
    assert headgate("run", "customers").code == 0
    assert rows("select count(*), count(distinct id) from customer") == [(140_000, 140_000)]


def test_all_pages_are_here_before_anything_waits_for_them(api: ApiServer, folder: Path) -> None:
    api.records = [f'{{"id": {n}, "name": "{"x" * 100_000}", "owed": 1, "since": null}}' for n in range(100)]
    project = open_project(folder)
    seen: list[Progress] = []
    make_plan(project, project.load("customers"), seen.append)
    assert [phase for phase, _ in groupby(seen, lambda p: p.phase)][:2] == ["fetching", "reading"]
    fetched = [p.read for p in seen if p.phase == "fetching"]
    assert fetched == [60, 70, 80, 90, 100, 100]


def test_a_missing_connection_is_told_with_its_place(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    define(folder, {"connection": "cmr"})
    said = headgate("check", "customers")
    assert said.code == 2
    assert "there is no connection 'cmr'" in said.out + said.err
    assert "Did you mean 'crm'?" in said.out + said.err


def test_what_was_appended_is_not_appended_again(api: ApiServer, headgate: Headgate, folder: Path, rows: Ask) -> None:
    define(folder, operation="append", key=None)
    assert headgate("run", "customers").code == 0
    again = headgate("run", "customers")
    assert "was imported already, by run 1" in again.out + again.err
    api.records.append('{"id": 99, "name": "new", "owed": 1, "since": null}')
    assert headgate("run", "customers").code == 0
    assert rows("select count(*) from customer") == [(71,)]


def test_a_mirror_deletes_what_the_api_has_no_more_but_not_when_it_fails(
    api: ApiServer, headgate: Headgate, folder: Path, rows: Ask
) -> None:
    define(folder, operation="mirror")
    assert headgate("run", "customers").code == 0
    del api.records[-2:]
    api.fault("404", page=4)
    assert headgate("run", "customers").code == 1
    assert rows("select count(*) from customer") == [(35,)]
    assert headgate("run", "customers").code == 0
    assert rows("select count(*) from customer") == [(33,)]


def test_the_list_of_imports_says_what_is_asked(api: ApiServer, headgate: Headgate) -> None:
    assert "crm GET /cursor" in headgate("imports").out


def test_connections_say_whether_the_api_is_there(api: ApiServer, headgate: Headgate) -> None:
    said = headgate("connections", "--test")
    assert said.code == 0
    assert "reached" in said.out
    api.close()
    assert headgate("connections", "--test").code == 1
