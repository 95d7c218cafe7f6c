"""Synchronous imports: ``POST /api/imports/{name}/records`` is answered after the commit, with one outcome a record."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from headgate.app.synchronous import Overloaded, Synchronous
from headgate.app.uploads import KINDS, read_upload
from headgate.engine.mapped import Request
from headgate.engine.received import read_json, records_at
from headgate.model.answer import Answer
from headgate.model.errors import HeadgateError
from headgate.model.outcome import REJECTS

from .access import Role, secured
from .context import Context, context_of
from .express import Express
from .headers import with_headers
from .metrics import Metrics
from .problems import Problem, fault, problem_of

_log = logging.getLogger("headgate")
_BEFORE, _AFTER = "/api/imports/", "/records"
_encode = msgspec.json.Encoder().encode
_JSON, _JSON_BYTES = "application/json", b"application/json"
_LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines")
_TAKE_UP = 5.0
"""Seconds between looks for requests that were put off and that nobody is at."""
_FORM = "application/x-www-form-urlencoded"


class Desk:
    """Where requests of this process are awaited (`headgate.app.synchronous.Home`); a component of the server."""

    def __init__(self, context: Context) -> None:
        self.imports = Synchronous(context.project, max_waiting=context.options.max_waiting)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._most = context.options.max_waiting
        self._ways: dict[str, Express] = {}

    def offer(self, name: str, request: Request) -> None:
        """Let a request wait for its turn; `Request.waiter` is woken when it is done.

        Raises:
            UsageError: there is no such import.
            Overloaded: too many wait.
        """
        way = self._ways.get(name)
        if way is None:
            assert self._loop is not None
            lane, thread = self.imports.lane(name), functools.partial(self._to_thread, name)
            way = self._ways[name] = Express(self._loop, lane, thread, _wake, self._most)
        way.offer(request)

    def _to_thread(self, name: str, request: Request) -> None:
        self.imports.offer(name, request, self)

    async def start(self) -> None:
        """Take up what an earlier process put off, and from now on what nobody is at any more."""
        self._loop = asyncio.get_running_loop()
        self._taking_up = self._loop.create_task(self._take_up())

    async def stop(self) -> None:
        """Finish what waits."""
        self._taking_up.cancel()
        await run_in_threadpool(self.imports.close)

    async def _take_up(self) -> None:
        while True:
            try:
                await run_in_threadpool(self.imports.take_up)
            except HeadgateError as e:
                _log.warning("requests that were put off wait: %s", e.message)
            await asyncio.sleep(_TAKE_UP)

    def deliver(self, requests: Sequence[Request]) -> None:
        """Wake those who await them; called from an import's thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_wake, requests)


def _wake(requests: Sequence[Request]) -> None:
    for request in requests:
        waiter = request.waiter
        if not waiter.done():
            waiter.set_result(True)


def routes() -> list[BaseRoute]:
    """What this part serves beside `Front`."""
    asked = secured(
        "/api/imports/{name}/requests/{id}", later, methods=["GET"], role=Role.OPERATOR, import_param="name"
    )
    return [asked]


class Front:
    """Stands before the application and takes ``POST /api/imports/{name}/records`` itself, which is called thousands of times a
    second: on its way through routing and middleware such a request would spend longer than in all of the rest.

    Args:
        app: everything else.
        context: what the application's requests have.

    Attributes:
        routes, state: the application's.
    """

    def __init__(self, app: Starlette, context: Context) -> None:
        self._app = app
        self.routes = app.routes
        self.state = app.state
        self._context = context
        self._metrics = context.part(Metrics)
        self._numbers = itertools.count(1)
        self._process = uuid.uuid4().hex[:16]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        name = path[len(_BEFORE) : -len(_AFTER)] if path.startswith(_BEFORE) and path.endswith(_AFTER) else ""
        if not name or "/" in name:
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST":
            problem = Problem(405, "method-not-allowed", "records are sent with POST", headers={"Allow": "POST"})
            await problem.response()(scope, receive, with_headers(scope, send))
            return
        send, began = with_headers(scope, send), time.perf_counter()
        try:
            response: ASGIApp = await self._send(name, scope, receive)
            status = 200
        except Problem as e:
            response, status = e.response(), e.status
        except HeadgateError as e:
            problem = problem_of(e)
            response, status = problem.response(), problem.status
        except ClientDisconnect:
            return
        except Exception:  # noqa: BLE001 - the one exit of this path, as Starlette's is of all others
            _log.exception("a fault of Headgate's own")
            response, status = fault().response(), 500
        await response(scope, receive, send)
        if status != 404:  # names of imports that there are none of would be without number
            self._metrics.wait_of(name, status).observe(time.perf_counter() - began)

    async def _send(self, name: str, scope: Scope, receive: Receive) -> ASGIApp:
        """Import the records of the body while the caller waits."""
        context, http = self._context, HTTPConnection(scope)
        await context.guard.meet(http)
        context.guard.admit(http, Role.OPERATOR, name)
        if not context.part(Desk).imports.has(name):
            raise Problem(404, "not-found", f"there is no import {name!r}", hint="GET /api/imports lists them.")
        headers: dict[bytes, bytes] = dict(scope["headers"])
        records = await _records(context, name, headers, receive)
        if len(records) > context.options.max_records:
            raise Problem(
                413,
                "too-many-records",
                f"a request has at most {context.options.max_records:,} records",
                hint=f"Send them in several requests, or start a run: POST /api/imports/{name}/runs.",
            )
        key = headers.get(b"idempotency-key", b"").decode("latin-1")
        if len(key) > 255:
            raise Problem(400, "key-too-long", "an Idempotency-Key has at most 255 characters")
        request = Request(records, key or f"{self._process}-{next(self._numbers)}", keyed=bool(key))
        if scope["query_string"]:
            request.dry = http.query_params.get("dry_run", "false").lower() in ("true", "1", "yes")
        request.show = b"return=representation" in headers.get(b"prefer", b"")
        if await _done(context, name, request):
            return _response(request)
        return Response(
            _encode({"id": request.id, "status": "waiting"}),
            202,
            {"location": f"/api/imports/{name}/requests/{request.id}", "retry-after": "2"},
            media_type=_JSON,
        )


async def _done(context: Context, name: str, request: Request) -> bool:
    """Have a request imported; whether it was before its deadline."""
    desk, loop = context.part(Desk), asyncio.get_running_loop()
    request.waiter = waiter = loop.create_future()
    try:
        desk.offer(name, request)
    except Overloaded as e:
        raise Problem(429, "overloaded", e.message, hint=e.hint, headers={"Retry-After": "1"}) from None
    timer = loop.call_later(context.options.deadline, _expire, waiter)
    in_time = await waiter
    timer.cancel()
    while not in_time:
        if request.answer is not None or request.error is not None:
            return True
        if await run_in_threadpool(desk.imports.put_off, name, request):
            return request.answer is not None or request.error is not None
        request.waiter = waiter = loop.create_future()
        loop.call_later(0.2, _expire, waiter)
        in_time = await waiter
    return True


def _expire(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)


async def later(http: HttpRequest) -> Response:
    """The answer to a request that took longer than its caller waited, or had a key."""
    context, name, number = context_of(http), http.path_params["name"], http.path_params["id"]
    found = await run_in_threadpool(context.part(Desk).imports.later, name, number)
    if found is None:
        raise Problem(404, "not-found", f"there is no request {number!r} of {name}")
    if found.answer is None and found.error is None:
        return Response(_encode({"id": number, "status": "waiting"}), 202, {"retry-after": "2"}, media_type=_JSON)
    return _response(found)


def _response(request: Request) -> _Reply:
    if isinstance(request.error, Overloaded):
        raise Problem(429, "overloaded", request.error.message, hint=request.error.hint, headers={"Retry-After": "1"})
    if request.error is not None:
        raise problem_of(request.error)
    assert request.answer is not None
    answer = request.answer
    outcomes = [o.as_dict() for o in answer.outcomes]
    if answer.outcomes and all(o.outcome in REJECTS for o in answer.outcomes):
        what = "the record was" if len(outcomes) == 1 else f"all {len(outcomes):,} records were"
        raise Problem(422, "nothing-imported", f"{what} refused", **_summary(request.id, answer), outcomes=outcomes)
    return _Reply(_encode({**_summary(request.id, answer), "outcomes": outcomes}))


class _Reply(Response):
    """A JSON answer to a request that went well, made with less ado than Starlette's."""

    def __init__(self, body: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]


def _summary(number: str, answer: Answer) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for one in answer.outcomes:
        counts[one.outcome.value] = counts.get(one.outcome.value, 0) + 1
    found: dict[str, Any] = {"request": number, "read": len(answer.outcomes), "counts": counts}
    if answer.run is not None:
        found["run"] = answer.run
    if answer.dry:
        found["dry_run"] = True
    if answer.repeated:
        found["repeated"] = True
    return found


# ---- the body -----------------------------------------------------------------------------------------------------


async def _records(context: Context, name: str, headers: dict[bytes, bytes], receive: Receive) -> list[Any]:
    body = await _body(headers, receive, context.options.max_body)
    kind = headers.get(b"content-type", _JSON_BYTES).decode("latin-1").partition(";")[0].strip().lower()
    if kind == _FORM and body.lstrip()[:1] in (b"{", b"["):  # what curl says of every body
        kind = _JSON
    if kind in KINDS:
        return await run_in_threadpool(_upload, context, name, body, KINDS[kind])
    if not body.strip():
        raise Problem(400, "empty", "the request has no records", hint="Send a JSON object, or an array of them.")
    if kind in _LINES:
        return _lines(body)
    if kind != _JSON and not kind.endswith("+json"):
        raise Problem(
            415,
            "unknown-content-type",
            f"a body of the type {kind} cannot be read",
            hint=f"Send {_JSON}, application/x-ndjson, {', '.join(KINDS)}.",
        )
    try:
        document = read_json(body)
        return records_at(document, None)
    except (msgspec.DecodeError, RecursionError) as e:
        raise Problem(400, "not-json", f"the body is not JSON: {e}") from None


def _upload(context: Context, name: str, body: bytes, ending: str) -> list[Any]:
    source = context.project.load(name).spec.source
    try:
        return list(read_upload(context.project, source, body, ending, context.options.max_records))
    except HeadgateError as e:
        raise problem_of(e) from None


def _lines(body: bytes) -> list[Any]:
    records = []
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(read_json(line))
        except (msgspec.DecodeError, RecursionError) as e:
            raise Problem(400, "not-json", f"line {number} of the body is not JSON: {e}", line=number) from None
    return records


async def _body(headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
    """The body, as long as it is no longer than it may be."""
    told = headers.get(b"content-length", b"")
    if told.isdigit() and int(told) > most:
        raise _too_large(most)
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            raise _too_large(most)
    return body


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        "too-large",
        f"the body is larger than {most >> 20} MiB",
        hint="Send fewer records at once, or raise --max-body.",
    )
