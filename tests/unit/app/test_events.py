"""What is found in an event."""

from __future__ import annotations

import pytest

from headgate.app.events import Event, Unreadable, can_be_read

JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


def test_values_are_as_they_are_written():
    body = b'{"id": 7, "price": 1.10, "big": 1E999, "long": 12345678901234567890123, "name": "A\\u00e9\\n", "none": null, "ok": true, "of": {"a": [1.0]}}'
    assert Event(JSON, body).records(None) == [
        {
            "id": 7, "price": "1.10", "big": "1E999", "long": 12345678901234567890123, "name": "A\u00e9\n", "none": None,
            "ok": True, "of": {"a": ["1.0"]},
        }
    ]  # fmt: skip


RECORDS = {
    "one": (b'{"a": 1}', None, [{"a": 1}]),
    "a list": (b'[{"a": 1}, {"b": 2}]', None, [{"a": 1}, {"b": 2}]),
    "one at a path": (b'{"data": {"object": {"a": 1}}}', "data.object", [{"a": 1}]),
    "a list at a path": (b'{"data": {"items": [{"a": 1}]}}', "data.items", [{"a": 1}]),
    "an entry of a list": (b'{"entry": [{"changes": [{"a": 1}]}]}', "entry.0.changes", [{"a": 1}]),
    "an empty list": (b'{"items": []}', "items", []),
    "with a mark": (b'\xef\xbb\xbf{"a": 1}', None, [{"a": 1}]),
    "with blanks": (b' \n {"items" : [ {"a": 1} ] } ', "items", [{"a": 1}]),
}


@pytest.mark.parametrize("what", RECORDS)
def test_records_at_a_path(what):
    body, path, records = RECORDS[what]
    assert Event(JSON, body).records(path) == records


UNREADABLE = {
    "nothing": (JSON, b"", None, "no JSON"),
    "half of it": (JSON, b'{"a": ', None, "no JSON"),
    "more than one": (JSON, b"{} {}", None, "no JSON"),
    "another encoding": (JSON, b'{"a": "\xff"}', None, "not UTF-8 \\(byte 8\\)"),
    "NaN": (JSON, b'{"a": NaN}', None, "no JSON"),
    "half a character": (JSON, b'{"a": "\\ud800"}', None, "no JSON"),
    "too deep": (JSON, b"[" * 100_000 + b"]" * 100_000, None, "too many values within"),
    "no such path": (JSON, b'{"data": {}}', "data.items", "nothing at data.items"),
    "null at the path": (JSON, b'{"data": null}', "data", "nothing at data"),
    "a path into a text": (JSON, b'{"data": "x"}', "data.items", "nothing at data.items"),
    "a number": (JSON, b"7", None, "entry 1 in the body is no object"),
    "a list of numbers": (JSON, b'{"n": [{}, 7]}', "n", "entry 2 at n is no object"),
    "a form with bad bytes": (FORM, b"a=%ff", None, "no form"),
    "a form with a bad payload": (FORM, b"payload=%7B", None, "no JSON"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_said(what):
    kind, body, path, message = UNREADABLE[what]
    with pytest.raises(Unreadable, match=message):
        Event(kind, body).records(path)


def test_forms():
    assert Event(FORM, b"payload=%7B%22a%22%3A+1.10%7D").records(None) == [{"a": "1.10"}]
    assert Event(FORM, b' {"a": 1}').records(None) == [{"a": 1}]
    assert Event(FORM, b"command=%2Fx&text=&n=1&n=2").records(None) == [{"command": "/x", "text": "", "n": ["1", "2"]}]
    assert Event(FORM, b"").records(None) == [{}]


def test_a_value_at_a_path():
    event = Event(JSON, b'{"id": "evt_1", "n": 1.0, "data": {"id": null}}')
    assert [event.value(p) for p in ("id", "n", "data.id", "nothing", "data")] == [
        "evt_1",
        "1.0",
        None,
        None,
        '{"id":null}',
    ]


def test_content_types():
    good = [
        "",
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/cloudevents+json",
        "text/plain",
        FORM,
    ]
    assert all(map(can_be_read, good))
    assert not any(map(can_be_read, ["multipart/form-data; boundary=x", "application/xml", "image/png", "json"]))
