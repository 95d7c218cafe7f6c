"""HubSpot's associations as its documentation describes them: those that are made with an object, and the batches of API version 4.

An association goes both ways. To make one that is there changes nothing. A list of many is given page by page, with what asks for the
next page of it. Of the inputs of a batch each is done, or is one of the answer's `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from .simulated import Answer

TYPES: Final = {
    ("contacts", "companies"): 279, ("contacts", "deals"): 4, ("contacts", "tickets"): 15,
    ("companies", "contacts"): 280, ("companies", "deals"): 342, ("companies", "tickets"): 340,
    ("deals", "contacts"): 3, ("deals", "companies"): 341, ("deals", "line_items"): 19, ("deals", "tickets"): 27,
    ("tickets", "contacts"): 16, ("tickets", "companies"): 339, ("tickets", "deals"): 28,
    ("line_items", "deals"): 20,
}  # fmt: skip
"""Ids of the associations without a label."""
MOST: Final = {"associate": 2000, "archive": 100, "read": 1000}
"""Most inputs of a batch."""
Exists = Callable[[str, str], bool]
"""Whether there is an object of a kind with an id."""


class Refused(Exception):
    """An input, or a whole request, that is not taken; the message says why."""

    def __init__(self, category: str, message: str) -> None:
        super().__init__(message)
        self.category, self.message = category, message


class Associations:
    """See the module.

    Args:
        exists: looks for objects.
        page: most associations of an object in one answer.
    """

    def __init__(self, exists: Exists, page: int) -> None:
        self._exists, self.page = exists, page
        self._made: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def of(self, kind: str, key: str, to: str) -> list[str]:
        """The ids of the objects of a kind that one is associated with."""
        return [other for of, other in self._made.get((kind, key), ()) if of == to]

    def checked(self, kind: str, given: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """The objects that a new one is to be associated with.

        Raises:
            Refused: one is not there, or the type is none of this kind of objects.
        """
        found = []
        for one in given:
            for of in one["types"]:
                to = next((t for (f, t), n in TYPES.items() if f == kind and n == of["associationTypeId"]), None)
                if to is None or of["associationCategory"] != "HUBSPOT_DEFINED":
                    raise Refused("VALIDATION_ERROR", f"Invalid association type: {of['associationTypeId']}")
                self._check(to, str(one["to"]["id"]))
                found.append((to, str(one["to"]["id"])))
        return found

    def make(self, kind: str, key: str, to: str, other: str) -> None:
        """Associate two objects."""
        for one, two in (((kind, key), (to, other)), ((to, other), (kind, key))):
            if two not in self._made.setdefault(one, []):
                self._made[one].append(two)

    def forget(self, kind: str, key: str, to: str = "", other: str = "") -> None:
        """Take away an association, or all that an object has."""
        for two in [(to, other)] if to else list(self._made.get((kind, key), ())):
            for one, gone in (((kind, key), two), (two, (kind, key))):
                if gone in self._made.get(one, ()):
                    self._made[one].remove(gone)

    def batch(self, kind: str, to: str, what: str, inputs: Sequence[Mapping[str, Any]]) -> Answer:
        """The answer to a batch.

        Raises:
            Refused: it has too many inputs.
        """
        most = MOST[what]
        if len(inputs) > most:
            raise Refused("VALIDATION_ERROR", f"The maximum number of inputs supported in a batch request is {most}")
        if what == "archive":
            for one in inputs:
                for other in one["to"]:
                    self.forget(kind, one["from"]["id"], to, other["id"])
            return 204, {}, None
        results: list[Any] = []
        errors: list[Any] = []
        for one in inputs:
            try:
                results += [self._read(kind, to, one)] if what == "read" else self._associate(kind, to, one)
            except Refused as e:
                errors.append({"status": "error", "category": e.category, "message": e.message})
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if errors:
            return 207, {}, answer | {"numErrors": len(errors), "errors": errors}
        return 200, {}, answer

    def _check(self, kind: str, key: str) -> None:
        if not self._exists(kind, key):
            raise Refused("OBJECT_NOT_FOUND", f"No {kind} with ID {key} exists")

    def _associate(self, kind: str, to: str, one: Mapping[str, Any]) -> list[Any]:
        key, other = one["from"]["id"], one["to"]["id"]
        if (kind, to) not in TYPES:
            raise Refused("VALIDATION_ERROR", f"No association between {kind} and {to}")
        self._check(kind, key)
        self._check(to, other)
        self.make(kind, key, to, other)
        both = ((key, other, TYPES[kind, to]), (other, key, TYPES[to, kind]))
        return [
            {
                "from": {"id": a},
                "to": {"id": b},
                "associationSpec": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": n},
            }
            for a, b, n in both
        ]

    def _read(self, kind: str, to: str, one: Mapping[str, Any]) -> Any:
        key, after = one["id"], one.get("after")
        others = self.of(kind, key, to)
        if not others:
            raise Refused("OBJECT_NOT_FOUND", f"No {to} is associated with {kind} {key}.")
        start = others.index(after) + 1 if after else 0
        shown = others[start : start + self.page]
        types = [{"category": "HUBSPOT_DEFINED", "typeId": TYPES[kind, to], "label": None}]
        found: dict[str, Any] = {"from": {"id": key}}
        found["to"] = [{"toObjectId": int(k), "associationTypes": types} for k in shown]
        if start + self.page < len(others):
            found["paging"] = {"next": {"after": shown[-1], "link": f"?after={shown[-1]}"}}
        return found
