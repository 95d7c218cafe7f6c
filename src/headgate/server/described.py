"""What each route is for: the source of the OpenAPI document, of the page in the server and of the reference.

A test holds this table to the routes there are: none is missing, and none is more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Schema = dict[str, Any]
JSON: Final = "application/json"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        summary: what it does, for a person.
        tag: the group it is shown in.
        answer: name of the schema of a good answer's JSON; empty for none. ``[Name]`` is a list.
        status: of a good answer.
        query: parameters by name: (type, meaning).
        headers: likewise.
        body: name of the schema of a JSON body; empty for none.
        optional: the body may be left out.
        bodies: further media types of a body.
        answers: media types of a good answer beside or instead of JSON.
        more: further answers by status: (meaning, schema).
        problems: statuses of problems beside those that follow from the route itself.
    """

    summary: str
    tag: str
    answer: str = ""
    status: int = 200
    query: dict[str, tuple[str, str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    optional: bool = False
    bodies: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    more: dict[int, tuple[str, str]] = field(default_factory=dict)
    problems: tuple[int, ...] = ()


_PAGE: Final = {"limit": ("integer", "At most so many, up to 1,000; 100 by default.")}
_FILES: Final = ("application/x-ndjson", "text/csv", XLSX)

OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    # Records
    ("POST", "/api/imports/{name}/records"): Operation(
        "Import the records of the body while the caller waits; answered after the commit with an outcome for each.", "records",
        "Answer", query={"dry_run": ("boolean", "Say what would become of the records, and write nothing.")},
        headers={"Idempotency-Key": "A repeat with the same key is answered with the first answer.", "Prefer": "`return=representation` gives the fields as they were written."},
        body="Records", bodies=_FILES, more={202: ("It takes longer than the deadline; the answer will be at `Location`.", "Waiting")},
        problems=(400, 404, 409, 413, 415, 422, 429, 503),
    ),
    ("GET", "/api/imports/{name}/requests/{id}"): Operation(
        "The answer to a request that was put off, or had a key.", "records", "Answer",
        more={202: ("It is not done yet.", "Waiting")}, problems=(404, 409, 422, 500, 503),
    ),
    # Imports and runs
    ("GET", "/api/imports"): Operation("All imports, with the last run of each.", "runs", "[Import]"),
    ("GET", "/api/imports/{name}"): Operation("One import.", "runs", "Import", problems=(404,)),
    ("POST", "/api/imports/{name}/runs"): Operation("Ask for a run; `Location` is where it can be followed.", "runs", "Run", 202, body="Start", optional=True, problems=(400, 404, 409, 413, 415, 422)),
    ("POST", "/api/imports/{name}/plans"): Operation("Ask for a plan of a run: nothing is written at the destination.", "runs", "Run", 202, body="Start", optional=True, problems=(400, 404, 409, 413, 415, 422)),
    ("GET", "/api/runs"): Operation(
        "Runs and plans, newest first.", "runs", "Runs",
        query={"import": ("string", "Only of this import."), "kind": ("string", "run, plan, undo, retry or requests."), "status": ("string", "Only with this status."), "before": ("integer", "Only with lower numbers."), **_PAGE},
        problems=(400,),
    ),
    ("GET", "/api/runs/{id}"): Operation("One run or plan, with its account.", "runs", "Run", problems=(404,)),
    ("GET", "/api/runs/{id}/rejects"): Operation(
        "The refused records of a run: JSON in pages, or all of them as CSV or a workbook to be corrected.", "runs", "Rejects",
        query={"format": ("string", "json, csv or xlsx; by default what Accept says."), "state": ("string", "open (by default), fixed, ignored or all."), "after": ("integer", "Only with higher numbers."), **_PAGE},
        answers=("text/csv", XLSX), problems=(400, 404, 409, 422),
    ),
    ("GET", "/api/runs/{id}/changes"): Operation("What a plan would change, field by field.", "runs", "Changes", query={"after": ("integer", "Leave so many out."), **_PAGE}, problems=(400, 404, 409)),
    ("POST", "/api/runs/{id}/cancel"): Operation("Stop a run that waits or goes on.", "runs", "Object", 202, body="Nothing", optional=True, problems=(400, 404, 409, 413, 415)),
    ("POST", "/api/runs/{id}/undo"): Operation("Take a run back.", "runs", "Run", 202, body="Undo", optional=True, problems=(400, 404, 409, 413, 415, 422)),
    ("POST", "/api/runs/{id}/retry"): Operation("Try the refused records of a run again, as they were or from a corrected file.", "runs", "Run", 202, body="Nothing", optional=True, bodies=("text/csv", XLSX), problems=(400, 404, 409, 413, 415, 422)),
    ("POST", "/api/plans/{id}/run"): Operation("Approve a plan: write exactly what it says.", "runs", "Run", 202, body="Nothing", optional=True, problems=(400, 404, 409, 413, 415, 422)),
    ("GET", "/api/events"): Operation("What goes on, as server-sent events; each is a run as it is at that moment.", "runs", answers=("text/event-stream",), headers={"Last-Event-ID": "Be told again what changed since that event."}, problems=(400, 503)),
    ("GET", "/api/runs/{id}/events"): Operation("The same of one run, until it is over.", "runs", answers=("text/event-stream",), headers={"Last-Event-ID": "Be told again what changed since that event."}, more={204: ("It is over, and all of it was told.", "")}, problems=(400, 404, 503)),
    # Webhooks
    ("POST", "/hooks/{name}"): Operation("An event of another system, signed as the import's definition says.", "webhooks", "Object", 202, body="Object", bodies=("application/x-www-form-urlencoded",), more={200: ("It was there already, is of no interest, or was imported.", "Object")}, problems=(400, 401, 404, 413, 415, 422, 429, 503)),
    ("GET", "/hooks/{name}"): Operation("The handshake by which some senders ask whether somebody is there.", "webhooks", answers=("text/plain",), problems=(400, 401, 404, 429)),
    ("GET", "/api/hooks"): Operation("All hooks, with how many events each has.", "webhooks", "Object"),
    ("GET", "/api/hooks/{name}/events"): Operation("The events of one, newest first.", "webhooks", "Object", query={"state": ("string", "Only in this state."), "before": ("integer", "Only with lower numbers."), **_PAGE}, problems=(400, 404, 422)),
    ("GET", "/api/hooks/{name}/events/{number}"): Operation("One event with its body.", "webhooks", "Object", problems=(404,)),
    ("POST", "/api/hooks/{name}/events/{number}/retry"): Operation("Deliver a rejected event again.", "webhooks", "Object", 202, problems=(404, 409, 422)),
    ("POST", "/api/hooks/{name}/events/{number}/discard"): Operation("Set an event aside.", "webhooks", "Object", problems=(404, 409, 422)),
    # Triggers
    ("GET", "/api/triggers"): Operation("What starts imports by itself, and when next.", "triggers", "[Object]"),
    ("POST", "/api/triggers/{import_name}/pause"): Operation("Start an import by itself no longer.", "triggers", "Object", problems=(404, 422)),
    ("POST", "/api/triggers/{import_name}/resume"): Operation("Start it by itself again.", "triggers", "Object", problems=(404, 422)),
    ("POST", "/api/triggers/{import_name}/run"): Operation("Start it now.", "triggers", "Object", 202, problems=(404, 409, 422)),
    # Access
    ("GET", "/api/me"): Operation("Who one is.", "access", "Object"),
    ("POST", "/api/session"): Operation("Sign in with name and password: gives a cookie.", "access", "Object", 201, body="SignIn", problems=(400, 401, 403, 413, 415, 422, 429)),
    ("DELETE", "/api/session"): Operation("Sign out.", "access", status=204, problems=(409,)),
    ("GET", "/api/tokens"): Operation("All tokens; none is shown in clear.", "access", "[Object]"),
    ("POST", "/api/tokens"): Operation("Make a token; it is in this answer only.", "access", "Object", 201, body="NewToken", problems=(400, 409, 413, 415, 422)),
    ("DELETE", "/api/tokens/{token}"): Operation("Revoke a token.", "access", status=204, problems=(404, 422)),
    ("GET", "/api/users"): Operation("All users.", "access", "[Object]"),
    ("POST", "/api/users"): Operation("Add a user.", "access", "Object", 201, body="NewUser", problems=(400, 409, 413, 415, 422)),
    ("PATCH", "/api/users/{user}"): Operation("Change a user's role or password, or let them in no longer.", "access", status=204, body="ChangedUser", problems=(400, 404, 409, 413, 415, 422)),
    ("DELETE", "/api/users/{user}"): Operation("Remove a user.", "access", status=204, problems=(404, 422)),
    ("GET", "/api/audit"): Operation(
        "Who did what, when and from where, newest first.", "access", "[Object]",
        query={"who": ("string", "Only by this one."), "action": ("string", "Only this action."), "subject": ("string", "Only about this."), "since": ("string", "From this time on (ISO 8601)."), "until": ("string", "Before this time."), "before": ("integer", "Only with lower numbers."), **_PAGE},
        problems=(400, 422),
    ),
    # The server
    ("GET", "/healthz"): Operation("Whether the server is alive.", "server", "Object"),
    ("GET", "/readyz"): Operation("Whether it can do its work.", "server", "Object", problems=(503,)),
    ("GET", "/metrics"): Operation("Figures for Prometheus.", "server", answers=("text/plain", "application/openmetrics-text")),
    ("GET", "/api/openapi.json"): Operation("This document.", "server", "Object"),
    ("GET", "/api/docs"): Operation("The same as a page.", "server", answers=("text/html",)),
}  # fmt: skip


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties}


_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "integer"}
_MAYBE: Final[Schema] = {"type": ["integer", "null"]}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_ANY: Final[Schema] = {"type": "object"}

SCHEMAS: Final[dict[str, Schema]] = {
    "Object": {"type": "object", "description": "Described in the reference of JSON output."},
    "Problem": _object(["type", "title", "status", "code", "detail"], type=_TEXT, title=_TEXT, status=_NUMBER, code=_TEXT, detail=_TEXT, hint=_TEXT) | {"description": "RFC 9457. `code` is permanent, `detail` for a person, `hint` the way out."},
    "Records": {"description": "A record, or an array of them.", "oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
    "Waiting": _object(["id", "status"], id=_TEXT, status={"const": "waiting"}),
    "RecordProblem": _object(["code", "reason"], code=_TEXT, reason=_TEXT, field=_TEXT, column=_TEXT, value=_TEXT),
    "Outcome": _object(
        ["outcome"],
        outcome={"enum": ["created", "updated", "unchanged", "deleted", "skipped", "invalid", "rejected", "held", "unknown"]},
        key=_ANY, id={"description": "The destination's own key of the record."}, reason=_TEXT,
        problems={"type": "array", "items": {"$ref": "#/components/schemas/RecordProblem"}}, record=_ANY,
    ),
    "Answer": _object(
        ["request", "read", "counts", "outcomes"],
        request=_TEXT, read=_NUMBER, counts={"type": "object", "additionalProperties": _NUMBER}, run=_NUMBER,
        dry_run={"type": "boolean"}, repeated={"type": "boolean"},
        outcomes={"type": "array", "items": {"$ref": "#/components/schemas/Outcome"}},
    ),
    "Import": _object(["name", "operation", "source", "destination", "key", "last", "error"], name=_TEXT, operation=_TEXT, source=_TEXT, destination=_TEXT, key=_TEXTS, last={"type": ["object", "null"]}, error=_TEXT),
    "Run": _object(["id", "import", "kind", "status", "account"], id=_NUMBER, **{"import": _TEXT}, kind=_TEXT, status=_TEXT, account=_ANY, work={"type": ["object", "null"]}),
    "Runs": _object(["runs", "before"], runs={"type": "array", "items": {"$ref": "#/components/schemas/Run"}}, before=_MAYBE),
    "Rejects": _object(["rejects", "after"], rejects={"type": "array", "items": _ANY}, after=_MAYBE),
    "Changes": _object(["changes", "after"], changes={"type": "array", "items": _ANY}, after=_MAYBE),
    "Nothing": {"type": "object", "additionalProperties": False},
    "Start": {"type": "object", "additionalProperties": False, "properties": {"from_start": {"type": "boolean"}, "settings": _TEXTS}},
    "Undo": {"type": "object", "additionalProperties": False, "properties": {"force": {"type": "boolean"}, "only": {"enum": ["created", "updated", "deleted", None]}}},
    "SignIn": _object(["name", "password"], name=_TEXT, password=_TEXT) | {"additionalProperties": False},
    "NewToken": _object(["name", "role"], name=_TEXT, role={"enum": ["viewer", "operator", "admin"]}, imports={"type": ["array", "null"], "items": _TEXT}, expires=_TEXT) | {"additionalProperties": False},
    "NewUser": _object(["name", "role", "password"], name=_TEXT, role={"enum": ["viewer", "operator", "admin"]}, password=_TEXT) | {"additionalProperties": False},
    "ChangedUser": {"type": "object", "additionalProperties": False, "properties": {"role": {"type": ["string", "null"]}, "password": {"type": ["string", "null"]}, "disabled": {"type": ["boolean", "null"]}}},
}  # fmt: skip
