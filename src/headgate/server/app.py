"""Putting the server together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from headgate.app.project import Project
from headgate.model.errors import HeadgateError

from . import access_api, events, health, hooks, hooks_api, metrics, openapi, records, runs, session_api, triggers_api
from .access import Guard, check_secured
from .context import Component, Context, ServeOptions
from .events import Events
from .guard import LedgerGuard
from .headers import with_headers
from .presence import Presence
from .problems import Problem, on_error, on_fault, on_http, on_problem
from .work import Working


class Application(Starlette):
    """Starlette, with headers on every answer, also on that to a fault."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Starlette`."""
        await super().__call__(scope, receive, with_headers(scope, send))


def create_app(project: Project, options: ServeOptions, guard: Guard) -> records.Front:
    """The ASGI application of a project.

    Args:
        guard: who decides who may do what.
    """
    context = Context(project, options, guard)
    routes = _routes()
    check_secured(routes)
    app = Application(
        routes=routes,
        lifespan=_lifespan,
        exception_handlers={
            Problem: on_problem,
            HeadgateError: on_error,
            HTTPException: on_http,
            Exception: on_fault,
        },
    )
    app.state.context = context
    app.state.components = _components(context)
    return records.Front(app, context)


def _routes() -> list[BaseRoute]:
    return [
        *health.routes(),
        *access_api.routes(),
        *session_api.routes(),
        *records.routes(),
        *hooks.routes(),
        *hooks_api.routes(),
        *runs.routes(),
        *events.routes(),
        *metrics.routes(),
        *openapi.routes(),
        *triggers_api.routes(),
    ]


def _components(context: Context) -> list[Component]:
    """What goes on beside requests, in the order in which it begins."""
    guard = context.guard
    presence: list[Component] = [Presence(guard)] if isinstance(guard, LedgerGuard) else []
    context.parts[metrics.Metrics] = metrics.Metrics(context.project)
    desk = context.parts[records.Desk] = records.Desk(context)
    deliveries = hooks.add(context, desk.imports)
    working, told = Working(context, context.options.concurrency), Events(context.project)
    context.parts |= {Working: working, Events: told}
    return [*presence, desk, deliveries, working, triggers_api.TriggersComponent(context), told]


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with AsyncExitStack() as going:
        for component in app.state.components:
            await component.start()
            going.push_async_callback(component.stop)
        yield
