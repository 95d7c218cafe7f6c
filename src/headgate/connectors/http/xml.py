"""XML answers as JSON, so that records, cursors and errors are found in them by the same paths.

The document is what the root element holds. An element with elements in it is an object, any other a text; elements of one name
are a list. Attributes of an object are its members `@name`; those of a text stand beside it, as `element@name`, so that the
text is found in the same place with and without them. Prefixes of names are left out. Records are objects if they hold anything:
their text is `#text`.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

import msgspec

_NIL = ("true", "1")


class _Element:
    __slots__ = ("attributes", "held", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name, self.attributes = name, attributes
        self.held: dict[str, list[Any]] = {}
        self.text: list[str] = []

    @property
    def members(self) -> dict[str, Any]:
        """What it holds, things of one name together."""
        found: dict[str, Any] = {f"@{k}": v for k, v in self.attributes.items()}
        found |= {k: v[0] if len(v) == 1 else v for k, v in self.held.items()}
        text = "".join(self.text)
        return found | ({"#text": text} if text.strip() else {})


def as_json(data: bytes, encoding: str | None = None, records: str | None = None) -> bytes:
    """An XML document as JSON.

    Args:
        encoding: how it is encoded, whatever it says itself.
        records: the path of the elements that are records.

    Raises:
        ValueError: it is not XML, or has a document type, in which entities may be declared that unfold without end.
    """
    path = [step for step in (records or "").split(".") if step not in ("", "*")]
    stack = [_Element("", {})]
    found: list[_Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        own = {_local(k): v for k, v in attributes.items() if k != "xmlns" and not k.startswith("xmlns:")}
        stack.append(_Element(_local(name), own))

    def end(_: str) -> None:
        element = stack.pop()
        if len(stack) == 1:
            found.append(element)
        else:
            is_record = len(stack) == len(path) + 1 and [*(e.name for e in stack[2:]), element.name] == path
            _put(stack[-1], element, is_object=is_record)

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type (DOCTYPE), which is not read")

    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = lambda text: stack[-1].text.append(text)
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as e:
        raise ValueError(str(e)) from None
    return msgspec.json.encode(found[0].members)


def _put(parent: _Element, element: _Element, *, is_object: bool) -> None:
    attributes = element.attributes
    holds = attributes.get("nil", "") not in _NIL if attributes else bool("".join(element.text).strip())
    if element.held or (is_object and holds):
        parent.held.setdefault(element.name, []).append(element.members)
        return
    nil = attributes.pop("nil", "") in _NIL
    parent.held.setdefault(element.name, []).append(None if nil else "".join(element.text))
    for name, value in attributes.items():
        parent.held.setdefault(f"{element.name}@{name}", []).append(value)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
