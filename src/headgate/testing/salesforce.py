"""Salesforce as its documentation describes it, for tests: logging in, SOQL by keys, sObject Collections and Bulk API 2.0 ingest, with
their validation, limits and errors.

    with SalesforceServer() as api:
        api.define("Invoice__c", {"Code__c": "text"}, unique=["Code__c"])
        api.add("Contact", [{"LastName": "Ann", "Email": "ann@example.com"}])
        ...  # write to api.url

Tokens are given by `/services/oauth2/token` for the client's credentials or a refresh token; `expire()` ends all sessions. Every
answer says in `Sforce-Limit-Info` how many of the day's requests are used; past them it is 403, REQUEST_LIMIT_EXCEEDED. `lock()` has
a record locked by somebody else for so many attempts to write it. Jobs are in `headgate.testing.salesforce_bulk`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlencode

from .salesforce_bulk import Bulk, RefusedError
from .simulated import Answer, SimulatedApi

Record = dict[str, Any]
_MOST: Final = 200
_URI: Final = 16_384
_SUFFIX: Final = "AAA"
_STANDARD: Final[dict[str, dict[str, str]]] = {
    "Account": dict.fromkeys(("Name", "Phone", "Website", "Industry"), "text") | {"AnnualRevenue": "number", "NumberOfEmployees": "number"},
    "Contact": dict.fromkeys(("FirstName", "LastName", "Email", "Phone", "AccountId"), "text") | {"Birthdate": "date", "DoNotCall": "boolean"},
    "Lead": dict.fromkeys(("FirstName", "LastName", "Company", "Email", "Status"), "text"),
    "Opportunity": dict.fromkeys(("Name", "StageName", "AccountId"), "text") | {"CloseDate": "date", "Amount": "number"},
    "Product2": dict.fromkeys(("Name", "ProductCode", "Description"), "text") | {"IsActive": "boolean"},
}  # fmt: skip
_REQUIRED: Final = {
    "Account": ("Name",), "Contact": ("LastName",), "Lead": ("LastName", "Company"),
    "Opportunity": ("Name", "StageName", "CloseDate"), "Product2": ("Name",),
}  # fmt: skip
_QUERY: Final = re.compile(r"SELECT (?P<columns>[\w.,]+) FROM (?P<kind>\w+)(?: WHERE (?P<where>.+))?", re.DOTALL)
_LITERAL: Final = r"(?:'(?:[^'\\]|\\.)*'|[^\s,()']+)"
_IN: Final = re.compile(rf"(\w+) IN \(({_LITERAL}(?:,{_LITERAL})*)\)", re.DOTALL)
_BOTH: Final = re.compile(rf"\((\w+ = {_LITERAL}(?: AND \w+ = {_LITERAL})*)\)", re.DOTALL)
_UNESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass(slots=True)
class Kind:
    """One kind of objects.

    Attributes:
        fields: types by name: ``text``, ``number``, ``boolean``, ``date``.
        required: fields that a new record must have.
        unique: external ids, of which no two records have the same.
        prefix: with which its ids begin.
        records: by id, without their ids.
    """

    fields: dict[str, str]
    required: Sequence[str] = ()
    unique: list[str] = field(default_factory=list)
    prefix: str = "001"
    records: dict[str, Record] = field(default_factory=dict)


class SalesforceServer(SimulatedApi):
    """See the module.

    Args:
        daily: most requests of a day.
        page: most records of an answer to a query.

    Attributes:
        bulk: its jobs.
    """

    CLIENT: ClassVar = "client-id"
    SECRET: ClassVar = "s3cret-of-client"  # noqa: S105
    REFRESH: ClassVar = "s3cret-refresh"
    VERSION: ClassVar = "62.0"

    def __init__(self, *, daily: int = 100_000, page: int = 2_000, port: int = 0) -> None:
        self.daily, self.page = daily, page
        self.used = self.logins = 0
        self._token, self._next = "", 0
        self.bulk = Bulk(self._types, self._write)
        self._locked: dict[str, int] = {}
        self._cursors: dict[str, list[Record]] = {}
        self._pages = 0
        self.kinds = {
            name: Kind(dict(of), _REQUIRED[name], prefix=f"{i:03}") for i, (name, of) in enumerate(_STANDARD.items(), 1)
        }
        super().__init__(port=port)

    @property
    def root(self) -> str:
        """The URL that a connection has."""
        return f"{self.url}/services/data/v{self.VERSION}"

    def define(
        self, kind: str, fields: Mapping[str, str], *, unique: Sequence[str] = (), required: Sequence[str] = ()
    ) -> None:
        """Have more fields, or another kind of objects."""
        known = self.kinds.setdefault(kind, Kind({}, prefix=f"a{len(self.kinds):02}"))
        known.fields.update(fields)
        known.unique += unique
        known.required = [*known.required, *required]

    def add(self, kind: str, records: Sequence[Record]) -> None:
        """Have records."""
        for record in records:
            self.create(kind, record)

    def records(self, kind: str) -> list[Record]:
        """The records of a kind without their ids and what they have no value of, in the order in which they came."""
        with self._lock:
            return [{k: v for k, v in r.items() if v is not None} for r in self.kinds[kind].records.values()]

    def expire(self) -> None:
        """End all sessions."""
        with self._lock:
            self._token = f"ended-{self.logins}"

    def lock(self, value: str, times: int) -> None:
        """Have records with this value locked by somebody else, for so many attempts to write them."""
        self._locked[value] = times

    def failure(self, status: int) -> Any:
        """See `SimulatedApi`."""
        return [{"errorCode": "UNKNOWN_EXCEPTION", "message": f"An unexpected error occurred ({status})."}]

    # Requests

    def respond(
        self, method: str, path: str, query: dict[str, list[str]], headers: Mapping[str, str], body: Any
    ) -> Answer:
        """See `SimulatedApi`."""
        if path == "/services/oauth2/token":
            return self._login(parse_qs(body))
        try:
            self._enter(path, query, headers)
            status, more, answer = self.route(method, path.removeprefix(f"/services/data/v{self.VERSION}"), query, body)
        except RefusedError as e:
            error: Record = {"message": e.message, "errorCode": e.code} | ({"fields": e.fields} if e.fields else {})
            status, more, answer = e.status, {}, [error]
        return status, {"Sforce-Limit-Info": f"api-usage={self.used}/{self.daily}"} | more, answer

    def _login(self, form: dict[str, list[str]]) -> Answer:
        told = {name: values[0] for name, values in form.items()}
        known = (told.get("client_id"), told.get("client_secret")) == (self.CLIENT, self.SECRET)
        refreshes = told.get("grant_type") == "refresh_token" and told.get("refresh_token") == self.REFRESH
        if not known or not (refreshes or told.get("grant_type") == "client_credentials"):
            return 400, {}, {"error": "invalid_client", "error_description": "invalid client credentials"}
        self.logins += 1
        self._token = f"00Dxx!s3cret-token-{self.logins}"
        return 200, {}, {"access_token": self._token, "instance_url": self.url, "token_type": "Bearer"}

    def _enter(self, path: str, query: dict[str, list[str]], headers: Mapping[str, str]) -> None:
        if not self._token or headers.get("authorization") != f"Bearer {self._token}":
            raise RefusedError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        if self.used >= self.daily:
            raise RefusedError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
        self.used += 1
        if len(path) + len(urlencode(query, doseq=True)) > _URI:
            raise RefusedError("URI_TOO_LONG", "The URI is too long.", status=414)

    def route(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Answer:
        """Do what a request of somebody who is logged in asks for."""
        match method, [p for p in path.split("/") if p]:
            case "GET", []:
                return 200, {}, {"sobjects": f"{path}/sobjects", "query": f"{path}/query"}
            case "GET", ["query"]:
                return 200, {}, self._page(self._found(query["q"][0]))
            case "GET", ["query", cursor] if cursor in self._cursors:
                return 200, {}, self._page(self._cursors.pop(cursor))
            case "DELETE", ["composite", "sobjects"]:
                ids = query["ids"][0].split(",")
                return 200, {}, self._several(ids, self.delete)
            case "POST", ["composite", "sobjects"]:
                return 200, {}, self._several(_typed(body), lambda r: self.create(*r))
            case "PATCH", ["composite", "sobjects"]:
                return 200, {}, self._several(_typed(body), lambda r: self.update(*r))
            case "PATCH", ["composite", "sobjects", kind, name]:
                return 200, {}, self._several(_typed(body, kind), lambda r: self.upsert(r[0], r[1], name))
            case _, ["jobs", "ingest", *rest]:
                return self.bulk.answer(method, rest, body)
        raise RefusedError("NOT_FOUND", "The requested resource does not exist", status=404)

    def _types(self, kind: str) -> dict[str, str]:
        return self._kind(kind).fields

    def _write(self, operation: str, kind: str, record: Record, name: str) -> tuple[str, bool]:
        match operation:
            case "insert":
                return self.create(kind, record), True
            case "update":
                return self.update(kind, record), False
            case "upsert":
                return self.upsert(kind, record, name)
        return self.delete(record["Id"]), False

    @staticmethod
    def _several(todo: Sequence[Any], do: Any) -> list[Record]:
        if len(todo) > _MOST:
            raise RefusedError("INVALID_INPUT", f"The request has more than {_MOST} records.")
        results: list[Record] = []
        for one in todo:
            try:
                done = do(one)
                made = {"created": done[1]} if isinstance(done, tuple) else {}
                results.append(
                    {"id": done[0] if isinstance(done, tuple) else done, "success": True, "errors": []} | made
                )
            except RefusedError as e:
                error = {"statusCode": e.code, "message": e.message, "fields": e.fields}
                results.append({"success": False, "errors": [error]})
        return results

    # Records

    def create(self, kind: str, record: Record) -> str:
        """Make a record; its id."""
        known = self._kind(kind)
        if "Id" in record or "id" in record:
            raise RefusedError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id")
        self._check(known, record, "")
        lacking = [n for n in known.required if record.get(n) in (None, "")]
        if lacking:
            names = ", ".join(lacking)
            raise RefusedError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{names}]", *lacking)
        self._next += 1
        id_ = f"{known.prefix}xx{self._next:010}{_SUFFIX}"
        known.records[id_] = dict.fromkeys(known.fields) | _stored(record)
        return id_

    def update(self, kind: str, record: Record) -> str:
        """Change a record; its id."""
        known, record = self._kind(kind), dict(record)
        id_ = str(record.pop("id", "") or record.pop("Id", ""))
        if id_ not in known.records:
            raise RefusedError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        self._check(known, record, id_)
        empty = [n for n in known.required if n in record and record[n] in (None, "")]
        if empty:
            raise RefusedError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(empty)}]", *empty)
        known.records[id_] |= _stored(record)
        return id_

    def upsert(self, kind: str, record: Record, name: str) -> tuple[str, bool]:
        """Change the record with the same external id, or make one; its id, and whether it was made."""
        known = self._kind(kind)
        if name not in known.unique:
            raise RefusedError(
                "NOT_FOUND", "Provided external ID field does not exist or is not accessible", status=404
            )
        if record.get(name) in (None, ""):
            raise RefusedError("MISSING_ARGUMENT", f"{name} not specified", name)
        there = next((i for i, r in known.records.items() if _equal(r.get(name), record[name])), None)
        if there is None:
            return self.create(kind, record), True
        return self.update(kind, {"id": there, **record}), False

    def delete(self, id_: str) -> str:
        """Delete a record; its id."""
        for known in self.kinds.values():
            if id_ in known.records:
                self._unlock(known.records[id_].values())
                del known.records[id_]
                return id_
        raise RefusedError("ENTITY_IS_DELETED", "entity is deleted")

    def _kind(self, name: str) -> Kind:
        if name not in self.kinds:
            raise RefusedError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return self.kinds[name]

    def _check(self, known: Kind, record: Record, own: str) -> None:
        for name, value in record.items():
            if name not in known.fields:
                raise RefusedError("INVALID_FIELD", f"No such column '{name}' on sobject", name)
            if not _fits(value, known.fields[name]):
                raise RefusedError(
                    "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{name}: value not of required type: {value}", name
                )
            if name == "Email" and value and "@" not in value:
                raise RefusedError("INVALID_EMAIL_ADDRESS", f"Email: invalid email address: {value}", name)
        for name in known.unique:
            value = record.get(name)
            if value is not None and any(i != own and _equal(r[name], value) for i, r in known.records.items()):
                raise RefusedError("DUPLICATE_VALUE", f"duplicate value found: {name} duplicates value on record", name)
        self._unlock([*known.records.get(own, {}).values(), *record.values()])

    def _unlock(self, values: Any) -> None:
        for value in values:
            if isinstance(value, str) and self._locked.get(value, 0) > 0:
                self._locked[value] -= 1
                raise RefusedError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")

    # Queries

    def _found(self, soql: str) -> list[Record]:
        m = _QUERY.fullmatch(soql)
        if m is None:
            raise RefusedError("MALFORMED_QUERY", "unexpected token")
        known, columns = self._kind(m["kind"]), m["columns"].split(",")
        if len(set(columns)) < len(columns):
            raise RefusedError("INVALID_FIELD", "duplicate field selected")
        for name in columns:
            if name != "Id" and name not in known.fields:
                raise RefusedError("INVALID_FIELD", f"No such column '{name}' on entity '{m['kind']}'.")
        wanted = [_checked(one, known) for one in _alternatives(m["where"])] if m["where"] else [{}]
        found = [
            {"Id": id_} | record
            for id_, record in known.records.items()
            if any(all(_equal(({"Id": id_} | record).get(n), v) for n, v in one.items()) for one in wanted)
        ]
        about = {"type": m["kind"], "url": f"/services/data/v{self.VERSION}/sobjects/{m['kind']}"}
        return [{"attributes": about} | {n: r.get(n) for n in columns} for r in found]

    def _page(self, records: list[Record]) -> Record:
        answer: Record = {"totalSize": len(records), "done": len(records) <= self.page, "records": records[: self.page]}
        if len(records) > self.page:
            self._pages += 1
            cursor = f"01gxx-{self._pages}-{self.page}"
            self._cursors[cursor] = records[self.page :]
            answer["nextRecordsUrl"] = f"/services/data/v{self.VERSION}/query/{cursor}"
        return answer


def _typed(body: Any, kind: str = "") -> list[tuple[str, Record]]:
    """Records with the kinds that their attributes say."""
    if not isinstance(body, dict) or "records" not in body:
        raise RefusedError("JSON_PARSER_ERROR", "records are missing")
    found = []
    for record in body["records"]:
        of = (record.get("attributes") or {}).get("type", "")
        if not of or (kind and of != kind):
            raise RefusedError("INVALID_FIELD", "type in attributes is missing or another")
        found.append((of, {k: v for k, v in record.items() if k != "attributes"}))
    return found


def _stored(record: Record) -> Record:
    """As it is kept: an empty text is no value."""
    return {k: None if v == "" else v for k, v in record.items()}


def _fits(value: Any, of: str) -> bool:
    if value is None or value == "":
        return True
    if of == "number":
        return isinstance(value, int | Decimal) and not isinstance(value, bool)
    if of == "boolean":
        return isinstance(value, bool)
    if of == "date":
        try:
            return bool(date.fromisoformat(value))
        except (TypeError, ValueError):
            return False
    return isinstance(value, str)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    return bool(left == right)


def _alternatives(where: str) -> list[dict[str, str]]:
    """Literals by field, of each of the alternatives of a condition."""
    if (m := _IN.fullmatch(where)) is not None:
        return [{m[1]: literal} for literal in re.findall(_LITERAL, m[2], re.DOTALL)]
    if not re.fullmatch(rf"{_BOTH.pattern}(?: OR {_BOTH.pattern})*", where, re.DOTALL):
        raise RefusedError("MALFORMED_QUERY", "unexpected token")
    return [dict(re.findall(rf"(\w+) = ({_LITERAL})", m[1], re.DOTALL)) for m in _BOTH.finditer(where)]


def _checked(literals: dict[str, str], known: Kind) -> Record:
    values: Record = {}
    for name, literal in literals.items():
        of = "text" if name == "Id" else known.fields.get(name, "")
        if not of:
            raise RefusedError("INVALID_FIELD", f"No such column '{name}' on entity.")
        if literal.startswith("'") != (of == "text") and literal != "null":
            should = "should be" if of == "text" else "should not be"
            raise RefusedError("INVALID_FIELD", f"filter criterion for field '{name}' {should} enclosed in quotes")
        values[name] = _value(literal, of)
    return values


def _value(literal: str, of: str) -> Any:
    if literal == "null":
        return None
    if of == "number":
        return Decimal(literal)
    if of == "boolean":
        return literal == "true"
    if of == "date":
        return literal
    return re.sub(r"\\(.)", lambda m: _UNESCAPED.get(m[1], m[1]), literal[1:-1], flags=re.DOTALL)
