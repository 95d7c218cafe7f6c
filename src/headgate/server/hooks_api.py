"""Looking after hooks: what came, what became of it, and delivering it again."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from headgate.app.hooks import hooks_of
from headgate.ledger.inbox import Inbox
from headgate.model.event import Entry, Stage
from headgate.report import event_json, hooks_json

from .access import Principal, Role, secured
from .audit import audit
from .context import context_of
from .hooks import Hooks
from .problems import Problem

MOST = 1_000


def routes() -> list[BaseRoute]:
    """What people and their programs call, with a token."""
    viewer, operator, name = Role.VIEWER, Role.OPERATOR, "name"
    event = "/api/hooks/{name}/events/{number:int}"
    return [
        secured("/api/hooks", _hooks, methods=["GET"], role=viewer, narrows=True),
        secured("/api/hooks/{name}/events", _events, methods=["GET"], role=viewer, import_param=name),
        secured(event, _event, methods=["GET"], role=viewer, import_param=name),
        secured(f"{event}/retry", _retry, methods=["POST"], role=operator, import_param=name),
        secured(f"{event}/discard", _discard, methods=["POST"], role=operator, import_param=name),
    ]


async def _hooks(request: Request) -> Response:
    """All hooks that may be seen, with how many events each has."""
    context = context_of(request)
    principal: Principal = request.state.principal

    def found() -> list[dict[str, object]]:
        hooks = {n: spec for n, spec in hooks_of(context.project).items() if principal.reaches(n)}
        return hooks_json(hooks, context.part(Hooks).inbox.counts())

    return JSONResponse({"hooks": await run_in_threadpool(found)})


async def _events(request: Request) -> Response:
    """The events of one, newest first: `?state=rejected&limit=50&before=17`."""
    name: str = request.path_params["name"]
    asked = request.query_params
    state = asked.get("state", "")
    if state and state not in list(Stage):
        raise Problem(422, "cannot-be-done", f"there is no state {state!r}", hint=f"There are: {', '.join(Stage)}.")
    limit, before = _number(asked.get("limit", "50"), "limit"), _number(asked.get("before", "0"), "before")
    inbox = context_of(request).part(Hooks).inbox
    if name not in context_of(request).project.import_files:
        raise Problem(404, "not-found", f"there is no import {name!r}", hint="GET /api/hooks lists those with a hook.")

    def found() -> list[Entry]:
        return list(inbox.entries(name, Stage(state) if state else None, limit=min(limit, MOST), before=before))

    return JSONResponse({"events": [event_json(e) for e in await run_in_threadpool(found)]})


async def _event(request: Request) -> Response:
    """One event with its body."""
    name: str = request.path_params["name"]
    inbox = context_of(request).part(Hooks).inbox

    def found() -> dict[str, Any]:
        entry = _of(inbox, name, request)
        return event_json(entry, inbox.body(entry.id).decode("utf-8", "backslashreplace"))

    return JSONResponse(await run_in_threadpool(found))


async def _retry(request: Request) -> Response:
    """Deliver one again."""
    name: str = request.path_params["name"]
    hooks = context_of(request).part(Hooks)

    def retried() -> dict[str, Any]:
        entry = _of(hooks.inbox, name, request)
        hooks.inbox.retry([entry.id])
        audit(context_of(request), request.state.principal, "event.retry", f"{name} {entry.id}")
        hooks.deliveries.wake()
        return event_json(hooks.inbox.entry(entry.id))

    return JSONResponse(await run_in_threadpool(retried), 202)


async def _discard(request: Request) -> Response:
    """Set one aside."""
    name: str = request.path_params["name"]
    inbox = context_of(request).part(Hooks).inbox

    def discarded() -> dict[str, Any]:
        entry = _of(inbox, name, request)
        inbox.discard([entry.id])
        audit(context_of(request), request.state.principal, "event.discard", f"{name} {entry.id}")
        return event_json(inbox.entry(entry.id))

    return JSONResponse(await run_in_threadpool(discarded))


def _of(inbox: Inbox, name: str, request: Request) -> Entry:
    """The event a path names, if it is one of the import: who may see that must not see others."""
    number: int = request.path_params["number"]
    found = inbox.find(number)
    if found is None or found.import_name != name:
        raise Problem(404, "not-found", f"the hook {name} has no event {number}")
    return found


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem(422, "cannot-be-done", f"{name} is {text!r}, not a number")
    return int(text)
