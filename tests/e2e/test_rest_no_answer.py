"""Answers with a good status that are none, and failures in a row: nothing counts as done, or as not there, that nobody has said."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.crud import CrudServer
from support.people import PEOPLE, PLAIN, changes, held, write_people
from support.shop import Define, Headgate

BY_EMAIL = {"path": "/people", "query": {"email": "{email}"}, "records": "items"}
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}
CUT = gzip.compress(json.dumps({"email": "p0@example.com", "notes": list(range(200))}).encode())[:-20]


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer(token=CrudServer.TOKEN) as api:
        api.add("people", required=["name"])
        yield api


@pytest.fixture
def define(folder: Path, api: CrudServer, monkeypatch: pytest.MonkeyPatch) -> Define:
    """A project that sends people.csv to the API."""
    monkeypatch.setenv("API_TOKEN", api.TOKEN)
    return partial(write_people, folder, api)


@pytest.mark.parametrize(
    ("kind", "headers", "body"),
    [
        ("status", HTML, PAGE),
        ("status_after", HTML, PAGE),
        ("status", {}, b'{"email": "p0@exa'),
        ("status_after", {"Content-Encoding": "gzip"}, CUT),
    ],
    ids=["page", "page, done", "cut", "cut, packed, done"],
)
def test_a_page_or_half_an_answer_is_no_answer(
    api: CrudServer, define: Define, headgate: Headgate, kind: Any, headers: Any, body: Any
) -> None:
    define(concurrency=1)
    api.fault(kind, path="/people", method="POST", status=200, headers=headers, body=body, skip=2, times=2)
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_pages_in_a_row_end_the_run(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({**PLAIN, "find": BY_EMAIL}, concurrency=1)
    api.fault("status", path="/people", method="POST", status=200, headers=HTML, body=PAGE, times=1_000)
    said = headgate("run", "people")
    assert said.code == 1
    assert "5 requests in a row have failed" in said.err
    assert "Please log in" in said.err


def test_without_find_a_page_leaves_it_unknown(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({"create": "POST /people"}, operation="append", key=[], concurrency=1)
    api.fault("status", path="/people", method="POST", status=200, headers=HTML, body=PAGE, times=1)
    assert "7 read = 6 created + 1 unknown" in headgate("run", "people").out


def test_a_form_may_be_answered_with_a_page(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({"create": {"path": "/people", "format": "form"}}, operation="append", key=[])
    api.fault("status", path="/people", method="POST", status=200, headers=HTML, body=PAGE, times=1_000)
    assert "7 read = 7 created" in headgate("run", "people").out


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ({"failed": {"error": True}}, {"items": [], "error": "the index is being built"}),
        ({"failed": {"error": True}}, {"error": "the index is being built"}),
        ({}, b""),
        ({}, b"null"),
    ],
    ids=["beside", "in its place", "empty", "null"],
)
def test_a_search_that_fails_with_a_good_status_has_found_nothing_out(
    api: CrudServer, define: Define, headgate: Headgate, answer: Any, body: Any
) -> None:
    api.add("people", PEOPLE)
    define({**PLAIN, "find": BY_EMAIL, "answer": answer})
    api.fault("status", method="GET", path="/people", status=200, body=body, times=1_000)
    said = headgate("run", "people")
    assert said.code == 1
    assert "records cannot be found" in said.err
    assert changes(api) == 0


def test_what_find_says_must_be_so_is_looked_at(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define({**PLAIN, "find": {**BY_EMAIL, "answer": {"ok": {"more": False}}}})
    assert "7 read = 7 created" in headgate("run", "people").out
    api.fault("status", method="GET", path="/people", status=200, body={"items": []}, times=1_000)
    assert headgate("run", "people").code == 1
    assert held(api) == PEOPLE


def test_that_records_are_found_says_nothing_of_whether_they_can_be_created(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define({**PLAIN, "find": BY_EMAIL}, concurrency=1, retries=0)
    api.fault("status", path="/people", method="POST", times=5)
    said = headgate("run", "people")
    assert said.code == 1
    assert "5 requests in a row have failed" in said.err
    assert "7 read = 7 created" in headgate("run", "people").out
    assert held(api) == PEOPLE


def test_records_that_an_api_fails_for_do_not_end_every_run(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    people = [
        {**PEOPLE[0], "email": f"p{i:02}@example.com", "city": "BAD" if i % 10 > 2 else "Rome"} for i in range(20)
    ]
    define({**PLAIN, "find": BY_EMAIL}, people, concurrency=1, retries=0)
    api.fault("status", path="/people", method="POST", has="BAD", times=1_000)
    codes = [headgate("run", "people").code]
    while codes[-1] == 1 and len(codes) < 5:
        codes.append(headgate("run", "people").code)
    assert codes[0] == 1
    assert codes[-1] == 3
    assert [p["email"] for p in held(api)] == [p["email"] for p in people if p["city"] != "BAD"]
    assert "20 read = 6 created + 14 rejected" in headgate("show", "1").out
