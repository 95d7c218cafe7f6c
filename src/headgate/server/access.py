"""Who may do what: the interface every route asks; everything but health is closed by default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headgate.model.access import Actor, Role, reaches

from .problems import Problem

__all__ = ["Guard", "OpenGuard", "Principal", "Role", "secured", "unsecured"]

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: of the token or user, for the audit log.
        imports: names and patterns (``orders-*``) of the only imports that may be touched; None for all.
        address: of the client.
    """

    name: str
    role: Role
    imports: frozenset[str] | None = None
    address: str = ""

    def reaches(self, import_name: str) -> bool:
        """Whether this import may be touched."""
        return reaches(self.imports, import_name)

    @property
    def actor(self) -> Actor:
        """As the audit log names them."""
        return Actor(self.name, self.address)


class Guard(Protocol):
    """Knows callers."""

    async def meet(self, request: HTTPConnection) -> None:
        """Look a caller up who is not known yet, without holding others up; `admit` then has nothing to wait for.

        Raises:
            Problem: see `admit`.
        """
        ...

    def admit(self, request: HTTPConnection, role: Role, import_name: str | None = None) -> Principal:
        """Who asks, if they may. Quick enough for every request: it does not wait for the ledger as a rule.

        Args:
            role: the least that is needed.
            import_name: the import concerned, if one is.

        Raises:
            Problem: 401 without a valid token or session, 403 where the role or the token's imports do not reach,
                429 after too many failures.
        """
        ...


class OpenGuard:
    """Lets everybody do everything: for tests, and for a server that only this machine can reach (``--no-auth``)."""

    async def meet(self, request: HTTPConnection) -> None:
        """See `Guard`."""

    def admit(self, request: HTTPConnection, role: Role, import_name: str | None = None) -> Principal:
        """See `Guard`."""
        del request, role, import_name
        return Principal("anybody", Role.ADMIN)


class SecuredRoute(Route):
    """A route that says what it needs; made by `secured`."""

    role: Role


class OpenRoute(Route):
    """A route that asks nobody who they are; made by `unsecured`."""

    why: str


def secured(
    path: str,
    endpoint: Endpoint,
    *,
    methods: Sequence[str],
    role: Role,
    import_param: str | None = None,
    narrows: bool = False,
) -> SecuredRoute:
    """A route for those who may; who it is then stands in ``request.state.principal``.

    Args:
        role: the least that is needed.
        import_param: the parameter of the path that names the import concerned.
        narrows: the endpoint itself sees to it that a caller who may touch only some imports (`Principal.reaches`) gets
            and does no more than that. A route without this and without `import_param` refuses such callers.
    """
    assert role, "a route for everybody is made by unsecured"

    async def guarded(request: Request) -> Response:
        guard: Guard = request.app.state.context.guard
        await guard.meet(request)
        principal = guard.admit(request, role, request.path_params[import_param] if import_param else None)
        if principal.imports is not None and not import_param and not narrows:
            raise Problem(403, "forbidden", f"{principal.name} may touch only some imports, and this concerns all")
        request.state.principal = principal
        return await endpoint(request)

    route = SecuredRoute(path, guarded, methods=methods, name=_name_of(endpoint))
    route.role = role
    return route


def unsecured(path: str, endpoint: Endpoint, *, methods: Sequence[str], why: str) -> OpenRoute:
    """A route that asks nobody who they are.

    Args:
        why: what lets it be open, or how the endpoint itself knows its callers.
    """
    assert why
    route = OpenRoute(path, endpoint, methods=methods)
    route.why = why
    return route


def check_secured(routes: Iterable[BaseRoute]) -> None:
    """Let nothing into the application that does not say whom it is for.

    Raises:
        TypeError: a route was not made by `secured` or `unsecured`.
    """
    for route in routes:
        if not isinstance(route, SecuredRoute | OpenRoute):
            raise TypeError(f"{route!r} does not say whom it is for: make it with secured or unsecured")


def _name_of(endpoint: Any) -> str:
    return str(getattr(endpoint, "__name__", type(endpoint).__name__))
