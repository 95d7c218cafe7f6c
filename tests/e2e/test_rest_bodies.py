"""Bodies that are not JSON: as the records are, or no body at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from headgate.testing.crud import CrudServer
from support.people import PEOPLE, write_people
from support.shop import Define, Headgate


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer() as api:
        api.add("people")
        yield api


@pytest.fixture
def send(folder: Path, api: CrudServer, headgate: Headgate, monkeypatch: pytest.MonkeyPatch) -> Define:
    """Append people by an endpoint, and give what the command said."""
    monkeypatch.setenv("API_TOKEN", api.TOKEN)

    def run(people: list[dict[str, Any]], create: dict[str, Any], **more: Any) -> Any:
        api.fault("status", method="POST", status=201, body={}, times=1_000)
        write_people(folder, api, {"create": {"path": "/people", **create}}, people, operation="append", key=[], **more)
        return headgate("run", "people")

    return run


def test_what_xml_cannot_hold_is_a_reject(api: CrudServer, send: Define, headgate: Headgate) -> None:
    people = [PEOPLE[0], {**PEOPLE[1], "name": "Per\x0bson"}, {**PEOPLE[2], "name": "P\ufffe"}, PEOPLE[3]]
    assert "4 read = 2 created + 2 rejected" in send(people, {"format": "xml"}).out
    said = headgate("rejects", "1").out
    assert "people.csv, line 3, column name: XML has no character '\\x0b' [DE05]" in said
    names = [ElementTree.fromstring(c.body).findtext("name") for c in api.calls]
    assert sorted(map(str, names)) == ["Person 0", "Person 3"]


def test_a_line_end_in_xml_stays_what_it_is(api: CrudServer, send: Define) -> None:
    person = {**PEOPLE[0], "name": '"one\rtwo\r\nthree"'}
    assert send([person], {"format": "xml"}).code == 0
    (call,) = api.calls
    assert ElementTree.fromstring(call.body).findtext("name") == "one\rtwo\r\nthree"


@pytest.mark.parametrize(
    ("fields", "create"),
    [
        ({"email": "email", "full name": "name"}, {"format": "xml"}),
        ({"email": "email", "1st": "name"}, {"format": "xml"}),
        ({"email": "email"}, {"format": "xml", "root": "a person"}),
        ({"email": "email"}, {"format": "xml", "body": {"@full name": "{email}"}}),
    ],
    ids=["blank", "digit", "root", "attribute"],
)
def test_names_that_xml_does_not_have_are_said(api: CrudServer, send: Define, fields: Any, create: Any) -> None:
    said = send(PEOPLE, create, fields=fields)
    assert said.code == 1
    assert "XML has no element or attribute" in said.err
    assert not api.calls


def test_a_list_in_a_form_is_a_part_for_each(api: CrudServer, send: Define) -> None:
    fields = {"email": "email", "tags": {"value": '["a", "b,c"]', "type": "json"}}
    assert send(PEOPLE[:1], {"format": "multipart"}, fields=fields).code == 0
    (call,) = api.calls
    assert call.body.count('name="tags"') == 2
    assert "\r\n\r\na\r\n" in call.body
    assert "\r\n\r\nb,c\r\n" in call.body
