"""XML as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.connectors.http.xml import as_json

DOCUMENTS: dict[str, tuple[str, Any]] = {
    "texts": ("<a><b>1.10</b><c> x </c><d/></a>", {"b": "1.10", "c": " x ", "d": ""}),
    "lists": ("<a><b>1</b><c>2</c><b>3</b></a>", {"b": ["1", "3"], "c": "2"}),
    "objects": ("<a>\n <b>\n  <c>1</c>\n </b>\n</a>", {"b": {"c": "1"}}),
    "attributes": ('<a x="1"><b y="2"><c>3</c></b></a>', {"@x": "1", "b": {"@y": "2", "c": "3"}}),
    "attributes of texts": ('<a><b cur="EUR">10</b></a>', {"b": "10", "b@cur": "EUR"}),
    "a root without elements": ('<a x="1">text</a>', {"@x": "1", "#text": "text"}),
    "text between elements": ("<a>one <b>2</b> three</a>", {"b": "2", "#text": "one  three"}),
    "namespaces": ('<p:a xmlns:p="urn:x" xmlns="urn:y"><p:b p:c="1">2</p:b></p:a>', {"b": "2", "b@c": "1"}),
    "no value": ('<a xmlns:xsi="urn:i"><b xsi:nil="true"/></a>', {"b": None}),
    "entities": ("<a><b>&lt;&#233;&amp;</b><c><![CDATA[<x>]]></c></a>", {"b": "<é&", "c": "<x>"}),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_xml_becomes_json(name: str) -> None:
    xml, expected = DOCUMENTS[name]
    assert json.loads(as_json(xml.encode())) == expected


@pytest.mark.parametrize(
    ("xml", "path", "expected"),
    [
        ('<a><b x="1"/><b x="2" y="3"/></a>', "b", {"b": [{"@x": "1"}, {"@x": "2", "@y": "3"}]}),
        ('<a><l><b x="1">t</b></l></a>', "l.b", {"l": {"b": {"@x": "1", "#text": "t"}}}),
        ("<a><l><b>1</b></l><l><b>2</b></l></a>", "l.*.b", {"l": [{"b": {"#text": "1"}}, {"b": {"#text": "2"}}]}),
        ('<a><b><b x="1"/></b></a>', "b", {"b": {"b": "", "b@x": "1"}}),
        ("<a><b> </b><b/></a>", "b", {"b": [" ", ""]}),
        ('<a><b nil="true"/></a>', "b", {"b": None}),
    ],
)
def test_records_are_objects_whatever_they_hold(xml: str, path: str, expected: Any) -> None:
    assert json.loads(as_json(xml.encode(), None, path)) == expected


def test_its_encoding_is_what_it_says_unless_it_is_told() -> None:
    text = '<?xml version="1.0" encoding="iso-8859-1"?><a><b>é</b></a>'
    assert json.loads(as_json(text.encode("latin-1"))) == {"b": "é"}
    assert json.loads(as_json(text.encode(), "utf-8")) == {"b": "é"}


@pytest.mark.parametrize("xml", ["", "text", "<a>", "<a></b>", "<a/><b/>", "<a>&none;</a>", "<a\0/>"])
def test_what_is_no_xml_is_an_error(xml: str) -> None:
    with pytest.raises(ValueError, match="line|element|document"):
        as_json(xml.encode())


@pytest.mark.parametrize(
    "declared",
    [
        "<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;&a;'>",
        "<!ENTITY a SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY % a SYSTEM 'http://169.254.169.254/'> %a;",
    ],
)
def test_entities_are_not_declared(declared: str) -> None:
    with pytest.raises(ValueError, match="DOCTYPE"):
        as_json(f"<!DOCTYPE a [{declared}]><a>&b;</a>".encode())
