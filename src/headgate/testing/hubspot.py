"""HubSpot's CRM as its documentation describes it, for tests: the batch endpoints of objects, with their validation, limits and errors.

    with HubspotServer() as api:
        api.define("contacts", {"score": "number", "erp_id": "string"}, unique=["erp_id"])
        api.add("contacts", [{"email": "ann@example.com"}])
        ...  # write to api.url

Properties are texts, in requests and in answers, and cleared by an empty one. An input that names an `objectWriteTraceId` fails by
itself (207), else all fail with the first that does. Results come in an order of their own. A contact is found by its first address
only, and none can be made with another one's further addresses (`hs_additional_emails`). Objects are associated with each other
(`headgate.testing.hubspot_associations`). More requests than the limit allows are 429,
with the policy that they broke.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final

from .hubspot_associations import Associations, Refused
from .simulated import Answer, SimulatedApi

Properties = dict[str, str | None]
_MOST: Final = 100
_NOW: Final = "2024-05-01T08:00:00.123Z"
_AUTOMATIC: Final = ("createdate", "hs_object_id", "lastmodifieddate")
_STANDARD: Final[dict[str, dict[str, str]]] = {
    "contacts": dict.fromkeys(("email", "firstname", "lastname", "phone", "company", "jobtitle", "city", "country"), "string")
    | {"lifecyclestage": "lead;customer;other", "hs_additional_emails": "string"},
    "companies": dict.fromkeys(("name", "domain", "phone", "city", "country"), "string") | {"numberofemployees": "number", "annualrevenue": "number"},
    "deals": dict.fromkeys(("dealname", "dealstage", "pipeline", "description"), "string") | {"amount": "number", "closedate": "datetime"},
    "products": dict.fromkeys(("name", "description", "hs_sku"), "string") | {"price": "number"},
    "tickets": dict.fromkeys(("subject", "content", "hs_pipeline", "hs_pipeline_stage"), "string") | {"hs_ticket_priority": "LOW;MEDIUM;HIGH"},
    "line_items": dict.fromkeys(("name", "hs_product_id", "hs_sku"), "string") | {"quantity": "number", "price": "number"},
}  # fmt: skip
_REQUIRED: Final = {"tickets": ("subject", "hs_pipeline_stage"), "deals": ("dealname", "dealstage")}


@dataclass(slots=True)
class Kind:
    """One kind of objects.

    Attributes:
        properties: by name: ``string``, ``number``, ``date``, ``datetime``, ``bool``, or the values of an enumeration with ``;``
            between them.
        unique: properties of which no two objects have the same value.
        required: properties that a new object must have.
        objects: properties of each by its id.
    """

    properties: dict[str, str]
    unique: list[str]
    required: Sequence[str] = ()
    objects: dict[str, Properties] = field(default_factory=dict)


class _Refused(Exception):
    def __init__(
        self, status: int, category: str, message: str, *, code: str = "", name: str = "", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.status, self.category, self.message = status, category, message
        self.code, self.name, self.detail = code, name, detail or message

    def body(self, context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As the API says it."""
        told: dict[str, Any] = {"status": "error", "message": self.message, "category": self.category}
        if self.name:
            detail = {"message": self.detail, "code": self.code, "context": {"propertyName": [self.name]}}
            told["errors"] = [detail]
        return told | ({"context": context} if context is not None else {"correlationId": "aeb5f871-7f07-4993-9211"})


class HubspotServer(SimulatedApi):
    """See the module.

    Args:
        limit: most requests, and in how many seconds.
        daily: most requests of a day.
        traces: whether results repeat the `objectWriteTraceId` of their input.
        apart: of which batches single inputs may fail; the others are done as a whole, or not at all.
        none_found: status of an answer to a read that finds none of the objects.
        page: most associations of an object in one answer.

    Attributes:
        associations: of its objects.
    """

    TOKEN: ClassVar = "pat-s3cret-hubspot"  # noqa: S105

    def __init__(
        self,
        *,
        limit: tuple[int, float] = (100, 10.0),
        daily: int = 250_000,
        traces: bool = True,
        apart: Sequence[str] = ("create", "update", "upsert"),
        none_found: int = 207,
        page: int = 500,
        port: int = 0,
    ) -> None:
        self.limit, self.daily, self.traces, self.none_found = limit, daily, traces, none_found
        self.apart = apart
        self.refused = 0
        self._asked: deque[float] = deque()
        self._day = self._next = 0
        self._kinds = {
            name: Kind(dict(of), ["email"] if name == "contacts" else [], _REQUIRED.get(name, ()))
            for name, of in _STANDARD.items()
        }
        self.associations = Associations(lambda k, key: k in self._kinds and key in self._kinds[k].objects, page)
        super().__init__(port=port)

    def define(self, kind: str, properties: Mapping[str, str], unique: Sequence[str] = ()) -> None:
        """Have more properties, or another kind of objects."""
        known = self._kinds.setdefault(kind, Kind({}, []))
        known.properties.update(properties)
        known.unique += unique

    def add(self, kind: str, objects: Sequence[Mapping[str, str]]) -> None:
        """Have objects."""
        for one in objects:
            self._create(self._kinds[kind], dict(one))

    def records(self, kind: str) -> list[Properties]:
        """The properties of the objects that there are, without those that HubSpot sets itself."""
        with self._lock:
            found = list(self._kinds[kind].objects.values())
        return [{k: v for k, v in one.items() if k not in _AUTOMATIC and v is not None} for one in found]

    def associated(self, kind: str, to: str, by: str, their: str) -> list[tuple[str | None, str | None]]:
        """The associations of two kinds of objects, by a property of the one and one of the other."""
        with self._lock:
            ours, theirs = self._kinds[kind].objects, self._kinds[to].objects
            return [
                (one[by], theirs[other][their])
                for key, one in ours.items()
                for other in self.associations.of(kind, key, to)
                if other in theirs
            ]

    def id(self, kind: str, by: str, value: str) -> str:
        """The id of the object that has a value."""
        with self._lock:
            return next(key for key, one in self._kinds[kind].objects.items() if one.get(by) == value)

    def failure(self, status: int) -> Any:
        """See `SimulatedApi`."""
        return {"status": "error", "message": f"internal error {status}", "correlationId": "c033cdaa-2c40-4a64"}

    def respond(
        self, method: str, path: str, query: dict[str, list[str]], headers: Mapping[str, str], body: Any
    ) -> Answer:
        """See `SimulatedApi`."""
        try:
            return self._done(method, path, query, headers, body)
        except _Refused as e:
            return e.status, {}, e.body()
        except Refused as e:
            return 400, {}, _Refused(400, e.category, e.message).body()

    def _done(
        self, method: str, path: str, query: dict[str, list[str]], headers: Mapping[str, str], body: Any
    ) -> Answer:
        if headers.get("authorization") != f"Bearer {self.TOKEN}":
            raise _Refused(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        if (policy := self._over()) is not None:
            return 429, {}, policy
        match method, path.strip("/").split("/"):
            case "POST", ["crm", "v3", "objects", kind, "batch", what] if kind in self._kinds:
                return self._batch(kind, what, body)
            case "POST", ["crm", "v4", "associations", of, to, "batch", what, *_] if {of, to} <= self._kinds.keys():
                return self.associations.batch(of, to, what, body["inputs"])
            case "GET", ["crm", "v3", "objects", kind] if kind in self._kinds:
                return self._listed(self._kinds[kind], query)
            case _, ["crm", "v3", "objects", kind, *_] if kind not in self._kinds:
                raise _Refused(400, "VALIDATION_ERROR", f"Unable to infer object type from: {kind}")
        raise _Refused(404, "OBJECT_NOT_FOUND", "resource not found")

    def _over(self) -> dict[str, str] | None:
        """What a request is told that is one too many."""
        most, seconds = self.limit
        now = time.monotonic()
        while self._asked and self._asked[0] <= now - seconds:
            self._asked.popleft()
        name = "DAILY" if self._day >= self.daily else "TEN_SECONDLY_ROLLING" if len(self._asked) >= most else ""
        if not name:
            self._asked.append(now)
            self._day += 1
            return None
        self.refused += 1
        message = f"You have reached your {name.lower()} limit."
        return {"status": "error", "message": message, "errorType": "RATE_LIMIT", "policyName": name}

    def _listed(self, kind: Kind, query: dict[str, list[str]]) -> Answer:
        """A page of all objects, in the order of their ids."""
        names = [n for n in query.get("properties", [""])[0].split(",") if n in kind.properties]
        size = int(query.get("limit", ["10"])[0])
        if size > _MOST:
            raise _Refused(400, "VALIDATION_ERROR", f"The limit must not be larger than {_MOST}")
        ids = sorted((k for k in kind.objects if int(k) > int(query.get("after", ["0"])[0])), key=int)
        answer: dict[str, Any] = {"results": [self._told(k, kind.objects[k], names) for k in ids[:size]]}
        if len(ids) > size:
            answer["paging"] = {"next": {"after": ids[size - 1], "link": "?after=" + ids[size - 1]}}
        return 200, {}, answer

    # Batches

    def _batch(self, name: str, what: str, body: Any) -> Answer:
        kind = self._kinds[name]
        inputs = body.get("inputs") if isinstance(body, dict) else None
        if not isinstance(inputs, list) or not inputs:
            raise _Refused(400, "VALIDATION_ERROR", "Invalid input JSON: inputs must not be empty")
        if len(inputs) > _MOST:
            raise _Refused(
                400, "VALIDATION_ERROR", f"The maximum number of inputs supported in a batch request is {_MOST}"
            )
        match what:
            case "read":
                return self._read(kind, body, inputs)
            case "create":
                return self._each(what, inputs, 201, lambda i: self._create_associated(name, i))
            case "update":
                return self._each(what, inputs, 200, lambda i: self._update(kind, i))
            case "upsert":
                return self._each(what, inputs, 200, lambda i: self._upsert(kind, i))
            case "archive":
                for one in inputs:
                    kind.objects.pop(str(one["id"]), None)
                    self.associations.forget(name, str(one["id"]))
                return 204, {}, None
        raise _Refused(404, "OBJECT_NOT_FOUND", "resource not found")

    def _read(self, kind: Kind, body: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]) -> Answer:
        by = body.get("idProperty")
        if by is not None and by not in kind.unique:
            raise _Refused(400, "VALIDATION_ERROR", f"Property {by} is not a unique property")
        known = {one.get(by) if by else key: key for key, one in kind.objects.items()}
        wanted = [_text(i["id"], "id") for i in inputs]
        lower = [w.lower() if by == "email" else w for w in wanted]
        found = [known[w] for w in lower if w in known]
        lost = [w for w, low in zip(wanted, lower, strict=True) if low not in known]
        names = [n for n in body.get("properties", ()) if n in kind.properties]
        results = [self._told(key, kind.objects[key], names) for key in reversed(found)]
        if not lost:
            return 200, {}, {"status": "COMPLETE", "results": results}
        message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
        error = _Refused(404, "OBJECT_NOT_FOUND", message).body({"ids": lost})
        status = 207 if found else self.none_found
        if status == 404:
            return status, {}, error
        return status, {}, {"status": "COMPLETE", "results": results, "numErrors": 1, "errors": [error]}

    def _each(self, what: str, inputs: Sequence[Mapping[str, Any]], status: int, one: Any) -> Answer:
        """Every input by itself if it says what it is called, otherwise all or none."""
        traces = [i.get("objectWriteTraceId") for i in inputs]
        apart = what in self.apart and None not in traces and len(set(traces)) == len(traces)
        before = {name: dict(kind.objects) for name, kind in self._kinds.items()}
        results: list[dict[str, Any]] = []
        errors = []
        for given, trace in zip(inputs, traces, strict=True):
            try:
                told = one(given)
            except _Refused as e:
                if not apart:
                    for name, objects in before.items():
                        self._kinds[name].objects = objects
                    raise
                ids = {"ids": [given["id"]]} if e.category == "OBJECT_NOT_FOUND" else {"objectWriteTraceId": [trace]}
                errors.append(e.body(ids))
            else:
                results.insert(0, told | ({"objectWriteTraceId": trace} if trace and self.traces else {}))
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": _NOW, "completedAt": _NOW}
        if errors:
            return 207, {}, answer | {"numErrors": len(errors), "errors": errors}
        return status, {}, answer

    # Objects

    def _create_associated(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            wanted = self.associations.checked(name, given.get("associations") or ())
        except Refused as e:
            raise _Refused(
                400, e.category if e.category == "VALIDATION_ERROR" else "INVALID_INPUT", e.message
            ) from None
        told = self._create(self._kinds[name], given["properties"])
        for to, other in wanted:
            self.associations.make(name, told["id"], to, other)
        return told

    def _create(self, kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
        values = self._checked(kind, given, "")
        for name in kind.required:
            if not values.get(name):
                raise _Refused(
                    400, "VALIDATION_ERROR", f"Error creating object. Some required properties were not set: {name}",
                    code="REQUIRED_FIELD", name=name,
                )  # fmt: skip
        self._next += 1
        key = str(1000 + self._next)
        kind.objects[key] = values | {"hs_object_id": key, "createdate": _NOW, "lastmodifieddate": _NOW}
        return self._told(key, kind.objects[key], list(values))

    def _update(self, kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
        key = str(given["id"])
        if key not in kind.objects:
            raise _Refused(404, "OBJECT_NOT_FOUND", f"Object not found. objectId are usually numeric: {key}")
        values = self._checked(kind, given["properties"], key)
        kind.objects[key] = kind.objects[key] | values
        return self._told(key, kind.objects[key], list(values))

    def _upsert(self, kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
        by, value = given.get("idProperty"), _text(given["id"], "id")
        if by not in kind.unique:
            raise _Refused(400, "VALIDATION_ERROR", f"Property {by} is not a unique property")
        key = next((k for k, one in kind.objects.items() if one.get(by) == value), None)
        if key is None:
            return self._create(kind, {by: value, **given["properties"]}) | {"new": True}
        return self._update(kind, {"id": key, "properties": given["properties"]}) | {"new": False}

    def _told(self, key: str, values: Properties, names: Sequence[str]) -> dict[str, Any]:
        shown = {name: values.get(name) for name in (*names, *_AUTOMATIC)}
        return {"id": key, "properties": shown, "createdAt": _NOW, "updatedAt": _NOW, "archived": False}

    def _checked(self, kind: Kind, given: Mapping[str, Any], own: str) -> Properties:
        """The values as they are kept."""
        values: Properties = {}
        for name, raw in given.items():
            text = _text(raw, name)
            if name not in kind.properties:
                raise _invalid(name, f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST")
            values[name] = _kept(name, kind.properties[name], text) if text else None
            taken = values[name] is not None and name in kind.unique
            other = next(
                (k for k, o in kind.objects.items() if taken and k != own and values[name] in _has(o, name)), ""
            )
            if other and name == "email":
                raise _Refused(409, "CONFLICT", f"Contact already exists. Existing ID: {other}")
            if other:
                raise _invalid(name, f"{other} already has that value.", "CONFLICTING_UNIQUE_VALUE")
        return values


def _has(one: Properties, name: str) -> list[str | None]:
    """What an object has in a property whose values are unique."""
    more = (one.get("hs_additional_emails") or "").split(";") if name == "email" else []
    return [one.get(name), *filter(None, more)]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _Refused(
            400, "VALIDATION_ERROR", f"Invalid input JSON: Cannot deserialize value of type `java.lang.String` ({name})"
        )
    return value


def _invalid(name: str, message: str, code: str) -> _Refused:
    detail = [{"isValid": False, "message": message, "error": code, "name": name}]
    said = f"Property values were not valid: {json.dumps(detail)}"
    return _Refused(400, "VALIDATION_ERROR", said, code=code, name=name, detail=message)


def _kept(name: str, of: str, text: str) -> str:
    """A value as the API keeps it."""
    try:
        match of:
            case "number":
                return format(Decimal(text), "f")
            case "date":
                return date.fromisoformat(text).isoformat()
            case "datetime":
                at = datetime.fromisoformat(text)
                return text if at.tzinfo else f"{text}Z"
    except (ValueError, InvalidOperation):
        raise _invalid(name, f"{text} was not a valid {of}.", f"INVALID_{of.upper()}") from None
    if of == "bool" or ";" in of:
        known = {"true", "false"} if of == "bool" else set(of.split(";"))
        if not set(text.split(";")) <= known:
            options = ", ".join(sorted(known))
            raise _invalid(name, f"{text} was not one of the allowed options: [{options}]", "INVALID_OPTION")
    if name == "email":
        if text.count("@") != 1:
            raise _invalid(name, f"Email address {text} is invalid", "INVALID_EMAIL")
        return text.lower()
    return text
