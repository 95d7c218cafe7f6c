"""Whether the server is alive, and whether it can do its work: for whoever restarts it, and for whoever sends it requests."""

from __future__ import annotations

import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from headgate.app.project import Project

from .access import unsecured
from .context import context_of
from .problems import Problem

_log = logging.getLogger("headgate")


def routes() -> list[BaseRoute]:
    """What this part serves."""
    return [
        unsecured("/healthz", healthz, methods=["GET"], why="says only that the process is alive"),
        unsecured("/readyz", readyz, methods=["GET"], why="says only whether the ledger can be reached"),
    ]


async def healthz(_: Request) -> Response:
    """Alive; whether it can do its work is /readyz."""
    return Response('{"status":"ok"}', media_type="application/json")


async def readyz(request: Request) -> Response:
    """Able to do its work: the ledger can be reached and the definitions can be listed."""
    try:
        await run_in_threadpool(_look, context_of(request).project)
    except Exception:  # noqa: BLE001 - whatever it is, work cannot be done
        _log.warning("not ready", exc_info=True)
        raise Problem(
            503,
            "not-ready",
            "the ledger or the project's folder cannot be reached",
            hint="The server's log has the reason.",
            headers={"Retry-After": "5"},
        ) from None
    return Response('{"status":"ready"}', media_type="application/json")


def _look(project: Project) -> None:
    project.ledger.runs(limit=1)
    _ = project.import_files
