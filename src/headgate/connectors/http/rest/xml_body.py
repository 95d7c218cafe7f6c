"""Bodies of requests as XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree

from headgate.model.errors import DestinationError

from .template import text

_NAME: Final = re.compile(r"(?:[^\W\d][\w.-]*:)?[^\W\d][\w.-]*")
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def packed(root: str, body: Any) -> bytes:
    """A body as a document. Lists are elements of the same name, names with ``@`` are attributes, and ``#text`` is the text beside
    them.

    Raises:
        DestinationError: a name is none that XML knows, or the body has what no document has.
    """
    element = ElementTree.Element(_name(root))
    try:
        _fill(element, body)
        document: bytes = ElementTree.tostring(element, encoding="utf-8", xml_declaration=True)
    except (TypeError, ValueError) as e:
        raise DestinationError(f"the body cannot be written as XML: {e}") from None
    return document.replace(b"\r", b"&#13;")  # which readers would take for a line feed


def unfit(value: Any) -> str:
    """Why a value cannot stand in a document; empty where it can."""
    if isinstance(value, str):
        m = _NOT_XML.search(value)
        return f"XML has no character {m[0]!r}" if m else ""
    if isinstance(value, Mapping):
        odd = next((n for n in value if not _NAME.fullmatch(_bare(n))), None)
        return f"XML has no element {odd!r}" if odd is not None else unfit(list(value.values()))
    if isinstance(value, list):
        return next(filter(None, map(unfit, value)), "")
    return ""


def _fill(element: ElementTree.Element, body: Any) -> None:
    if not isinstance(body, Mapping):
        element.text = text(body)
        return
    for name, value in body.items():
        if name == "#text":
            element.text = text(value)
        elif name.startswith("@"):
            element.set(_name(name[1:]), text(value))
        else:
            for one in value if isinstance(value, list) else [value]:
                _fill(ElementTree.SubElement(element, _name(name)), one)


def _bare(name: str) -> str:
    return "text" if name == "#text" else name.removeprefix("@")


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DestinationError(
            f"XML has no element or attribute {name!r}",
            hint="Call the field otherwise in the definition, or say body in the endpoint.",
        )
    return name
