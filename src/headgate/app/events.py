"""What an event that came to a hook has in it: JSON, or a form as GitHub and Slack send it."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from headgate.engine.received import read_json

_FORM = "application/x-www-form-urlencoded"


class Unreadable(Exception):
    """An event has not what is looked for; the text says why, for people."""


def can_be_read(content_type: str) -> bool:
    """Whether events of a content type can be looked into: JSON, a form, or text, as which some send JSON."""
    kind = _kind(content_type)
    return kind in ("", _FORM, "application/json", "text/json", "text/plain") or kind.endswith("+json")


class Event:
    """An event.

    Args:
        content_type: of the request it came with.
        body: of the request.
    """

    def __init__(self, content_type: str, body: bytes) -> None:
        self._content_type, self._body = content_type, body

    @property
    def readable(self) -> bool:
        """Whether it can be looked into."""
        try:
            _ = self.document
        except Unreadable:
            return False
        return True

    @cached_property
    def document(self) -> Any:
        """What it says; fractions keep the digits they were written with.

        Raises:
            Unreadable: it is neither JSON nor a form.
        """
        try:
            text = self._body.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise Unreadable(f"the body is not UTF-8 (byte {e.start + 1})") from None
        # A form never begins like that, and some tools say of every body that it is one.
        if _kind(self._content_type) == _FORM and text.lstrip()[:1] not in ("{", "["):
            return _of_form(text)
        return _read(text)

    def value(self, path: str) -> str | None:
        """What is at a path, as text; None where nothing is.

        Raises:
            Unreadable: it cannot be looked into.
        """
        found = _at(self.document, path)
        if found is None or isinstance(found, str):
            return found
        return msgspec.json.encode(found).decode()

    def records(self, path: str | None) -> list[dict[str, Any]]:
        """The records at a path: the entries of a list, or the one object that is there.

        Raises:
            Unreadable: it cannot be looked into, nothing is at the path, or what is there is no record.
        """
        found = _at(self.document, path or "")
        where = f"at {path}" if path else "in the body"
        if found is None:
            raise Unreadable(f"there is nothing {where}")
        if not isinstance(found, list):
            found = [found]
        for number, entry in enumerate(found, 1):
            if not isinstance(entry, dict):
                raise Unreadable(f"entry {number} {where} is no object with columns")
        return found


def _at(document: Any, path: str) -> Any:
    """What is at keys, or numbers of entries, joined by dots; None where nothing is."""
    found = document
    for part in path.split(".") if path else ():
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal():
            found = found[int(part)] if int(part) < len(found) else None
        else:
            return None
    return found


def _of_form(text: str) -> Any:
    """Where there is a `payload`, that; otherwise the fields, of which one that comes several times is a list."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=10_000
        )
    except ValueError:  # a byte that is no UTF-8 is one, too
        raise Unreadable("the body is no form") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    if len(payload := fields.get("payload", [])) == 1:
        return _read(payload[0])
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def _read(text: str) -> Any:
    try:
        return read_json(text.encode())
    except msgspec.DecodeError as e:
        raise Unreadable(f"the body is no JSON: {e}") from None
    except RecursionError:
        raise Unreadable("the body is JSON with too many values within values") from None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
