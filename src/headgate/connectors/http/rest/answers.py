"""What answers say became of each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from headgate.connectors.http.resource import AnswerSpec, ResourceSpec

from .paths import at
from .requests import Item, Parcel
from .sender import Reply
from .template import ENCODER, text
from .values import matches

DONE, REFUSED, MISSING, UNKNOWN, AGAIN = "done", "refused", "missing", "unknown", "again"
_MESSAGES: Final = (
    "message", "error.message", "error_description", "errors.0.message", "errors.0.detail", "error", "detail", "title", "errors", "0.message",
)  # fmt: skip
NEEDS: Final = ("update", "delete")
"""Endpoints of records that are there. Whatever others say is not there, a record that this one names, or the endpoint itself, is why
they refuse it."""
_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class Verdict(msgspec.Struct, frozen=True):
    """What became of one record.

    Attributes:
        what: ``done``; ``refused``; ``missing``: there is no such record; ``unknown``; ``again``: it was not done and is to be sent
            again.
        id: the API's own id of it, where it says so.
        record: as it is now, where the API says so.
        created: whether it was created, where the API says so.
        reason: of a refusal, in the API's words.
        field: that a refusal is about.
    """

    what: str
    id: Any = None
    record: Any = None
    created: bool | None = None
    reason: str = ""
    field: str = ""

    def as_json(self) -> list[Any]:
        """As it is kept."""
        return [self.what, self.id, self.record, self.created, self.reason, self.field]


def verdicts(reply: Reply, parcel: Parcel, resource: ResourceSpec) -> list[Verdict]:
    """What a good answer says of each record of the request, in their order. Unknown is what it says nothing of.

    An answer that refuses the request as a whole gives the same refusal for every record.
    """
    spec = parcel.endpoint.answer or AnswerSpec()
    items, body = parcel.items, reply.body
    graphql = parcel.endpoint.graphql is not None
    if graphql and not is_graphql(body):
        return [Verdict(UNKNOWN, reason=reply.said) for _ in items]
    if graphql and not _has_data(body) and not body.get("errors"):
        return [Verdict(UNKNOWN, reason=reply.said) for _ in items]
    if (words := _failed_whole(spec, body, graphql=graphql)) is not None:
        return [Verdict(REFUSED, reason=words or reply.said, field=_field(spec, body)) for _ in items]
    if spec.records is None and parcel.endpoint.batch > 1 and isinstance(body, list) and len(body) == len(items):
        spec = spec.model_copy(update={"records": ""})  # a list with an entry for each, whatever else would it be
    if spec.records is None:
        if len(items) == 1:
            return [_verdict(spec, resource, body, reply, parcel.name)]
        # Of several records that an answer says nothing of it holds what it holds for all of them.
        one = _verdict(spec, resource, body, reply, parcel.name)
        return [Verdict(one.what, reason=one.reason, created=one.created)] * len(items)
    return _of_entries(spec, reply, parcel, resource)


def _of_entries(spec: AnswerSpec, reply: Reply, parcel: Parcel, resource: ResourceSpec) -> list[Verdict]:
    """What the entries of the lists say that an answer has."""
    items, body = parcel.items, reply.body
    entries = at(body, spec.records or "")
    if isinstance(entries, Mapping):
        entries = [entries]
    found: list[Verdict | None] = [None] * len(items)
    places = _Places(spec, items)
    if spec.errors is not None:
        for place, entry in places.of(at(body, spec.errors) or []):
            if entry is not None:  # where there is none
                found[place] = _refused(spec, entry, body, parcel.name)
    free = [i for i, one in enumerate(found) if one is None]
    null_says = "" in spec.ok or "" in spec.failed
    for place, entry in places.of(entries if isinstance(entries, list) else [], free):
        if entry is not None or null_says:  # otherwise null says nothing
            found[place] = _verdict(spec, resource, entry, reply, parcel.name)
    return [one or Verdict(UNKNOWN, reason="the answer says nothing of it") for one in found]


class _Places:
    """Which record an entry is about."""

    def __init__(self, spec: AnswerSpec, items: Sequence[Item]) -> None:
        self._by = spec.by
        self._count = len(items)
        self._known: dict[str, dict[str, list[int]]] = {name: {} for name in spec.by.values() if name != "$index"}
        self._taken: set[int] = set()
        for name, known in self._known.items():
            for i, item in enumerate(items):
                value = item.values.id if name == "$id" else at(item.values.record, name)
                said = text(item.values.fields.get(name) if value is None else value)
                for form in {said, _loose(said)}:
                    known.setdefault(form, []).append(i)

    def of(self, entries: Sequence[Any], free: Sequence[int] | None = None) -> list[tuple[int, Any]]:
        """Entries with the places of their records; those of no record are left out.

        Args:
            free: places of the records that entries in order are about; all by default.
        """
        if not self._by:
            # Entries in order say something only if there is one for each.
            places = list(range(self._count) if free is None else free)
            whole = range(self._count) if len(entries) == self._count else places
            return list(zip(whole, entries, strict=False)) if len(entries) in (self._count, len(places)) else []
        return [(place, entry) for entry in entries for place in self._places(entry)]

    def _places(self, entry: Any) -> list[int]:
        for path, name in self._by.items():
            value = at(entry, path)
            if value is None:
                continue
            values = value if isinstance(value, list) else [value]
            found = self._index(value) if name == "$index" else [self._named(name, text(v)) for v in values]
            if places := [place for place in found if place is not None]:
                return places
        return []

    def _named(self, name: str, value: str) -> int | None:
        """The record that has a value; of several the one that no entry was about yet, as each has one of its own."""
        places = [*self._known[name].get(value, ()), *self._known[name].get(_loose(value), ())]
        place = next((p for p in places if p not in self._taken), places[-1] if places else None)
        if place is not None:
            self._taken.add(place)
        return place

    def _index(self, value: Any) -> list[int | None]:
        last = value[-1] if isinstance(value, list) and value else value
        number = int(last) if str(last).isdigit() else -1
        return [number] if 0 <= number < self._count else []


def _loose(value: str) -> str:
    """A value as it can be told from values that are really others, also by who writes in lower case."""
    return f"\0{value.lower()}"


def is_graphql(body: Any) -> bool:
    """Whether an answer is one of GraphQL's, and not a page that somebody on the way has put in its place."""
    return isinstance(body, Mapping) and ("data" in body or bool(body.get("errors")))


def _has_data(body: Any) -> bool:
    """Whether an answer of GraphQL's has any data. A field that came to an error is null, and the others are there."""
    data = body.get("data")
    return any(v is not None for v in data.values()) if isinstance(data, Mapping) else bool(data)


def _failed_whole(spec: AnswerSpec, body: Any, *, graphql: bool) -> str | None:
    """Why the whole request failed, where the answer says so."""
    if graphql and isinstance(body, Mapping) and body.get("errors") and not _has_data(body):
        return message(spec, body, body) or text(at(body, "errors.0.message"))
    if spec.records is not None and not isinstance(at(body, spec.records), list | dict) and has_failed(spec, body):
        return message(spec, body, body)
    return None


def _verdict(spec: AnswerSpec, resource: ResourceSpec, entry: Any, reply: Reply, name: str) -> Verdict:
    body = reply.body
    if has_failed(spec, entry) or not matches(entry, spec.ok):
        return _refused(spec, entry, body, name)
    record = at(entry, spec.record)
    record = record if isinstance(record, Mapping) else None
    if record is None and spec.record and isinstance(body, Mapping) and "data" in body and body.get("errors"):
        return Verdict(UNKNOWN, reason=message(spec, body, body) or reply.said)  # GraphQL's, of a part of it
    id_ = at(entry, spec.id) if spec.id is not None else at(record, resource.id)
    created = None
    if name == "upsert":  # it may have turned out either way
        status = at(entry, spec.status) if spec.status else reply.status
        created = matches(entry, spec.created) if spec.created else status == HTTPStatus.CREATED
    return Verdict(DONE, id_, record, created)


def _refused(spec: AnswerSpec, entry: Any, body: Any, name: str) -> Verdict:
    status = at(entry, spec.status) if spec.status else None
    reason = ": ".join(filter(None, (text(status), message(spec, entry, body)))) or "the API says that it failed"
    if name in NEEDS and (status in _GONE or (spec.missing and matches(entry, spec.missing))):
        return Verdict(MISSING, reason=reason)
    again = bool(spec.again) and matches(entry, spec.again)
    return Verdict(AGAIN if again else REFUSED, reason=reason, field=_field(spec, entry))


def has_failed(spec: AnswerSpec, entry: Any) -> bool:
    """Whether one of the signs of failure is there."""
    return any(
        bool(at(entry, p)) if wanted is True else matches(entry, {p: wanted}) for p, wanted in spec.failed.items()
    )


def message(spec: AnswerSpec, entry: Any, body: Any) -> str:
    """The reason that an answer gives, in one line."""
    for where in (entry, body):
        for path in spec.message or _MESSAGES:
            if found := at(where, path):
                return _line(found)
    return ""


def _line(found: Any) -> str:
    if isinstance(found, list) and found and all(isinstance(one, Mapping) and "message" in one for one in found):
        found = "; ".join(text(one["message"]) for one in found)
    words = found if isinstance(found, str) else ENCODER.encode(found).decode()
    return " ".join(words.split())


def _field(spec: AnswerSpec, entry: Any) -> str:
    for path in spec.field:
        found = at(entry, path)
        found = found[-1] if isinstance(found, list) and found else found
        if isinstance(found, str) and found:
            return found
    return ""


def refusal(spec: AnswerSpec, reply: Reply) -> Verdict:
    """What an answer says that refuses the request of one record by its status."""
    reason = message(spec, reply.body, reply.body)
    said = f"{reply.status}: {reason}" if reason else reply.said
    return Verdict(REFUSED, reason=said, field=_field(spec, reply.body))
