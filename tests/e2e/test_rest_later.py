"""APIs that do later what they were asked: nothing is asked twice, whatever becomes of the one who waits."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from headgate.testing.crud import CrudServer
from support.people import PEOPLE, PLAIN, held, write_people
from support.shop import Define, Headgate, Start, finish


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


def test_an_answer_that_is_there_at_once_is_not_asked_for(api: CrudServer, define: Define, headgate: Headgate) -> None:
    people = [{**p, "state": "done"} for p in PEOPLE]
    define({**PLAIN, "create": {"path": "/people", "poll": {"done": {"state": "done"}}}}, people)
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == people


@pytest.mark.parametrize("find", [True, False], ids=["found", "not found"])
def test_killed_while_an_answer_is_still_to_come_it_is_asked_for_and_nothing_sent_again(
    api: CrudServer, define: Define, headgate: Headgate, start: Start, find: bool
) -> None:
    later = {"path": "/people/later", "poll": {"done": {"state": "done"}, "every": 0.05}}
    how = {"operation": "upsert"} if find else {"operation": "append", "key": []}
    define({**PLAIN, "create": later} if find else {"create": later}, concurrency=7, **how)
    api.fault("status", method="GET", path="/jobs/.*", status=503, headers={"Retry-After": "1"}, times=100)
    process = start("run", "people")
    while sum(c.path.startswith("/jobs/") for c in api.calls) < 7:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    api.mend()
    assert held(api) == []
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE
    assert sum(c.path == "/people/later" for c in api.calls) == 7


def test_a_lost_answer_to_what_is_done_later_is_unknown(api: CrudServer, define: Define, headgate: Headgate) -> None:
    later = {"path": "/people/later", "poll": {"done": {"state": "done"}, "every": 0.01}}
    define({**PLAIN, "create": later})
    api.fault("cut_after", method="POST", path="/people/later", skip=2)
    assert "7 read = 6 created + 1 unknown" in headgate("run", "people").out
    assert sum(c.path == "/people/later" for c in api.calls) == 7


def test_whoever_waits_for_a_turn_is_stopped_at_once(
    api: CrudServer, define: Define, headgate: Headgate, start: Start
) -> None:
    define({"create": "POST /people"}, operation="append", key=[], rate="20/h")
    process = start("run", "people")
    while not api.calls:
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(1)  # until the others wait
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    assert len(api.records("people")) == 1
    define({"create": "POST /people"}, operation="append", key=[])
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE
