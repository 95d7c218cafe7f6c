"""Imports and runs over HTTP: start, follow, cancel, plan, approve, undo, rejects, retry."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute

from headgate.app import requests as asking
from headgate.app.retry import original_of
from headgate.engine.plans import read_changes, read_plan
from headgate.model.access import Role
from headgate.model.errors import UsageError
from headgate.model.record import State
from headgate.model.run import Kind, Run, Status
from headgate.report import changes_json, rejects_csv, rejects_json, rejects_xlsx, run_json

from .access import Principal, secured
from .access_api import body_of
from .audit import audit
from .context import Context, context_of
from .parameters import choice, number, only_known
from .problems import Problem
from .shown import import_document, run_document, work_json
from .work import Working

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SUFFIXES = {CSV: ".csv", XLSX: ".xlsx"}
_PAGE, _MOST = 100, 1_000


def routes() -> list[BaseRoute]:
    """Routes of imports and runs."""
    see, do = Role.VIEWER, Role.OPERATOR
    return [
        secured("/api/imports", _imports, methods=["GET"], role=see, narrows=True),
        secured("/api/imports/{name}", _import, methods=["GET"], role=see, import_param="name"),
        secured("/api/imports/{name}/runs", _start, methods=["POST"], role=do, import_param="name"),
        secured("/api/imports/{name}/plans", _plan, methods=["POST"], role=do, import_param="name"),
        secured("/api/runs", _runs, methods=["GET"], role=see, narrows=True),
        secured("/api/runs/{id}", _show, methods=["GET"], role=see, narrows=True),
        secured("/api/runs/{id}/rejects", _rejects, methods=["GET"], role=see, narrows=True),
        secured("/api/runs/{id}/changes", _changes, methods=["GET"], role=see, narrows=True),
        secured("/api/runs/{id}/cancel", _cancel, methods=["POST"], role=do, narrows=True),
        secured("/api/runs/{id}/undo", _undo, methods=["POST"], role=do, narrows=True),
        secured("/api/runs/{id}/retry", _retry, methods=["POST"], role=do, narrows=True),
        secured("/api/plans/{id}/run", _approve, methods=["POST"], role=do, narrows=True),
    ]


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request for a run or plan; it may be left out.

    Attributes:
        from_start: begin anew where a run that commits batch by batch was left.
        settings: ``key.path=value`` over the definition. They may say anything, so only administrators of all imports may.
    """

    from_start: bool = False
    settings: list[str] = []


class Undo(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request to take a run back; it may be left out.

    Attributes:
        force: also records that were edited since.
        only: take back only what the run did so.
    """

    force: bool = False
    only: Literal["created", "updated", "deleted"] | None = None


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A body that says nothing."""


# ---- imports -----------------------------------------------------------------------------------------------------------


async def _imports(request: Request) -> Response:
    project, principal = context_of(request).project, _principal(request)

    def shown() -> list[dict[str, Any]]:
        return [import_document(project, name) for name in project.import_files if principal.reaches(name)]

    return _json(await run_in_threadpool(shown))


async def _import(request: Request) -> Response:
    name = await run_in_threadpool(_import_named, request)
    return _json(await run_in_threadpool(import_document, context_of(request).project, name))


async def _start(request: Request) -> Response:
    name, asked = await run_in_threadpool(_import_named, request), await _body(request, Start)
    _check_settings(request, asked)
    return await _ask(
        request,
        "run.start",
        name,
        lambda project, cause: asking.request_run(
            project, name, cause=cause, settings=asked.settings, from_start=asked.from_start
        ),
    )


async def _plan(request: Request) -> Response:
    name, asked = await run_in_threadpool(_import_named, request), await _body(request, Start)
    _check_settings(request, asked)
    return await _ask(
        request,
        "plan.start",
        name,
        lambda project, cause: asking.request_plan(project, name, cause=cause, settings=asked.settings),
    )


def _check_settings(request: Request, asked: Start) -> None:
    principal = _principal(request)
    if asked.settings and (principal.role < Role.ADMIN or principal.imports is not None):
        raise Problem(
            403, "forbidden", "settings may say anything, so only administrators of all imports may give them"
        )


# ---- runs --------------------------------------------------------------------------------------------------------------


async def _runs(request: Request) -> Response:
    only_known(request, "import", "kind", "status", "before", "limit")
    asked, principal, ledger = request.query_params, _principal(request), context_of(request).project.ledger
    kind, status = choice(request, "kind", Kind), choice(request, "status", Status)
    limit, before = min(number(request, "limit") or _PAGE, _MOST), number(request, "before") or 0

    def page() -> list[Run]:
        found: list[Run] = []
        last = before
        while len(found) < limit:
            some = ledger.runs(limit, asked.get("import"), kind, status=status, before=last)
            found += [run for run in some if principal.reaches(run.import_name)]
            if len(some) < limit:
                break
            last = some[-1].id
        return found[:limit]

    found = await run_in_threadpool(page)
    return _json({"runs": [run_json(run) for run in found], "before": found[-1].id if len(found) == limit else None})


async def _show(request: Request) -> Response:
    run = await find_run(request)
    return _json(await run_in_threadpool(run_document, context_of(request).project, run))


async def _rejects(request: Request) -> Response:
    only_known(request, "format", "state", "after", "limit")
    run, ledger = await find_run(request), context_of(request).project.ledger
    wanted = choice(request, "state", State)
    states = tuple(State) if request.query_params.get("state") == "all" else (wanted or State.OPEN,)
    form = _form(request)
    if form != "json":
        return await run_in_threadpool(_file, request, run, states, form)
    limit, after = min(number(request, "limit") or _PAGE, _MOST), number(request, "after", least=0)

    def page() -> dict[str, Any]:
        first = -1 if after is None else after
        found = list(rejects_json(ledger.rejects(run.id, limit=limit, after=first, in_states=states)))
        return {"rejects": found, "after": found[-1]["number"] if len(found) == limit else None}

    return _json(await run_in_threadpool(page))


def _form(request: Request) -> str:
    asked = request.query_params.get("format")
    if asked is None:
        accept = request.headers.get("accept", "")
        return next((form for form, kind in (("xlsx", XLSX), ("csv", CSV)) if kind in accept), "json")
    if asked not in ("json", "csv", "xlsx"):
        raise Problem(400, "parameter-wrong", f"format={asked} is none of json, csv, xlsx")
    return asked


def _file(request: Request, run: Run, states: tuple[State, ...], form: str) -> Response:
    ledger = context_of(request).project.ledger
    folder = tempfile.TemporaryDirectory()
    try:
        path = Path(folder.name) / f"rejects-{run.id}.{form}"
        write = rejects_csv if form == "csv" else rejects_xlsx
        write(original_of(ledger, run.id), ledger.rejects(run.id, in_states=states), path)
    except BaseException:
        folder.cleanup()
        raise
    kind = f"{CSV}; charset=utf-8" if form == "csv" else XLSX
    return FileResponse(path, media_type=kind, filename=path.name, background=BackgroundTask(folder.cleanup))


async def _changes(request: Request) -> Response:
    only_known(request, "after", "limit")
    run, ledger = await find_run(request), context_of(request).project.ledger
    if run.kind is not Kind.PLAN:
        raise Problem(409, "no-plan", f"{run.id} is a run; only plans show changes", hint=f"GET /api/runs/{run.id}")
    after, limit = number(request, "after", least=0) or 0, min(number(request, "limit") or _PAGE, _MOST)

    def page() -> dict[str, Any]:
        path = ledger.fetch(ledger.changes_path(run.id))
        if not path.exists():
            raise Problem(409, "no-changes", f"plan {run.id} is {run.status}, and has no changes to show")
        found = changes_json(read_changes(path), read_plan(path).write.key, after, limit)
        return {"changes": found, "after": after + limit if len(found) == limit else None}

    return _json(await run_in_threadpool(page))


async def _cancel(request: Request) -> Response:
    await _body(request, Nothing)
    run = await find_run(request)
    context, principal = context_of(request), _principal(request)

    def cancel() -> dict[str, Any]:
        try:
            work = asking.queue_of(context.project).cancel(run.id)
        except UsageError as e:
            raise Problem(409, "cannot-be-cancelled", e.message, hint=e.hint) from None
        audit(context, principal, "run.cancel", run.id, {"import": run.import_name})
        return {"id": run.id, "work": work_json(work)}

    answer = await run_in_threadpool(cancel)
    context.part(Working).wake()
    return _json(answer, 202)


async def _undo(request: Request) -> Response:
    run, asked = await find_run(request), await _body(request, Undo)
    return await _ask(
        request,
        "run.undo",
        run.id,
        lambda project, cause: asking.request_undo(project, run.id, cause=cause, forced=asked.force, only=asked.only),
    )


async def _approve(request: Request) -> Response:
    await _body(request, Nothing)
    plan = await find_run(request)
    return await _ask(
        request,
        "plan.run",
        plan.id,
        lambda project, cause: asking.request_plan_run(project, plan.id, cause=cause),
    )


async def _retry(request: Request) -> Response:
    run = await find_run(request)
    suffix = _SUFFIXES.get(_content_type(request))
    if suffix is None:
        await _body(request, Nothing)
        return await _ask(
            request, "run.retry", run.id, lambda project, cause: asking.request_retry(project, run.id, cause=cause)
        )
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / f"corrected{suffix}"
        await _receive(request, content)

        def retry(project: Any, cause: str) -> int:
            return asking.request_retry(project, run.id, cause=cause, file=content)

        return await _ask(request, "run.retry", run.id, retry)


async def _receive(request: Request, path: Path) -> None:
    """A body into a file, no more of it than is allowed."""
    most, size = context_of(request).options.max_body, 0
    with path.open("wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise Problem(413, "too-large", f"the body is larger than {most:,} bytes", hint="Split the file.")
            file.write(piece)


# ---- shared ------------------------------------------------------------------------------------------------------------


async def find_run(request: Request) -> Run:
    """The run that the path names, if the caller may touch its import.

    Raises:
        Problem: 404 or 403.
    """
    text = request.path_params["id"]
    ledger = context_of(request).project.ledger
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Problem(404, "not-found", f"{text!r} is not the number of a run", hint="GET /api/runs lists them.")
    try:
        run = await run_in_threadpool(ledger.run, int(text))
    except UsageError as e:
        raise Problem(404, "not-found", e.message, hint="GET /api/runs lists them.") from None
    if not _principal(request).reaches(run.import_name):
        raise Problem(403, "forbidden", f"{_principal(request).name} may not touch {run.import_name}")
    return run


async def _ask(request: Request, action: str, subject: object, ask: Callable[[Any, str], int]) -> Response:
    """Put work into the queue, and say where it can be followed."""
    context, principal = context_of(request), _principal(request)

    def put() -> dict[str, Any]:
        number = ask(context.project, f"request by {principal.name}")
        audit(context, principal, action, subject, {"run": number})
        return _asked(context, number)

    answer = await run_in_threadpool(put)
    context.part(Working).wake()
    return _json(answer, 202, {"Location": f"/api/runs/{answer['id']}"})


def _asked(context: Context, number: int) -> dict[str, Any]:
    shown = run_json(context.project.ledger.run(number))
    return {**shown, "work": work_json(asking.queue_of(context.project).work(number))}


def _import_named(request: Request) -> str:
    name, known = str(request.path_params["name"]), context_of(request).project.import_files
    if name not in known:
        raise Problem(404, "not-found", f"there is no import {name!r}", hint="GET /api/imports lists them.")
    return name


async def _body(request: Request, kind: type[Any]) -> Any:
    """A JSON body, which may be left out."""
    headers = request.headers
    sent = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if not sent and not _content_type(request):
        return kind()
    return await body_of(request, kind)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _principal(request: Request) -> Principal:
    found = request.state.principal
    assert isinstance(found, Principal)
    return found


def _json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(data, enc_hook=str), status, headers, media_type="application/json")
