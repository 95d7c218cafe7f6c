"""What starts imports by itself: looked after beside requests, and seen and controlled over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from headgate.model.access import Role
from headgate.triggers.hand import by_hand
from headgate.triggers.keeper import Keeper
from headgate.triggers.shown import triggers_json

from .access import Principal, secured
from .context import Context, context_of
from .problems import Problem


class TriggersComponent:
    """Looks after the triggers while the server runs."""

    def __init__(self, context: Context) -> None:
        self._project = context.project
        self._keeper: Keeper | None = None

    async def start(self) -> None:
        """Begin."""
        if self._project.is_project:
            self._keeper = await asyncio.to_thread(Keeper, self._project)
            self._keeper.start()

    async def stop(self) -> None:
        """End, or let another server go on."""
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.stop)


def routes() -> list[BaseRoute]:
    """What callers may do with triggers."""
    of_one = "/api/triggers/{import_name}/"
    do, name = Role.OPERATOR, "import_name"
    return [
        secured("/api/triggers", _list, methods=["GET"], role=Role.VIEWER, narrows=True),
        secured(of_one + "pause", _pause, methods=["POST"], role=do, import_param=name),
        secured(of_one + "resume", _resume, methods=["POST"], role=do, import_param=name),
        secured(of_one + "run", _run, methods=["POST"], role=do, import_param=name),
    ]


async def _list(request: Request) -> Response:
    principal: Principal = request.state.principal
    found = await run_in_threadpool(triggers_json, context_of(request).project, datetime.now(UTC))
    return JSONResponse([one for one in found if principal.reaches(one["import"])])


async def _pause(request: Request) -> Response:
    """Start an import by itself no longer."""
    return await _do(request, "pause")


async def _resume(request: Request) -> Response:
    """Take that back."""
    return await _do(request, "resume")


async def _run(request: Request) -> Response:
    """Start an import now."""
    return await _do(request, "run", 202)


async def _do(request: Request, what: str, status: int = 200) -> Response:
    project, name = context_of(request).project, request.path_params["import_name"]
    if name not in project.import_files:
        raise Problem(404, "not-found", f"there is no import {name!r}")
    _, told = await run_in_threadpool(by_hand, project, what, name, request.state.principal.actor)
    return JSONResponse(told, status)
