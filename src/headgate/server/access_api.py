"""Tokens, users and the audit log over HTTP, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from headgate.app.access import EXPIRES, Access
from headgate.ledger.access import AccessLedger
from headgate.model.access import Actor, Role
from headgate.report.access import entry_json, token_json, user_json

from .access import secured
from .context import context_of
from .guard import LedgerGuard
from .problems import Problem

T = TypeVar("T")
_MOST_BYTES = 64 << 10
_MOST_ENTRIES = 1_000


def routes() -> list[BaseRoute]:
    """Administrators' routes."""
    role = Role.ADMIN
    return [
        secured("/api/tokens", _tokens, methods=["GET"], role=role),
        secured("/api/tokens", _new_token, methods=["POST"], role=role),
        secured("/api/tokens/{token}", _revoke, methods=["DELETE"], role=role),
        secured("/api/users", _users, methods=["GET"], role=role),
        secured("/api/users", _add_user, methods=["POST"], role=role),
        secured("/api/users/{user}", _change_user, methods=["PATCH"], role=role),
        secured("/api/users/{user}", _remove_user, methods=["DELETE"], role=role),
        secured("/api/audit", _entries, methods=["GET"], role=role),
    ]


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request for a token."""

    name: str
    role: str
    imports: list[str] | None = None
    expires: str = EXPIRES


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request for a user."""

    name: str
    role: str
    password: str


class ChangedUser(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request that changes a user: what is there is changed."""

    role: str | None = None
    password: str | None = None
    disabled: bool | None = None


async def _tokens(request: Request) -> Response:
    return JSONResponse([token_json(t) for t in await run_in_threadpool(access_of(request).ledger.tokens)])


async def _new_token(request: Request) -> Response:
    asked = await body_of(request, NewToken)

    def make() -> dict[str, Any]:
        token, text = access_of(request).new_token(
            asked.name, asked.role, _by(request), imports=asked.imports, expires=asked.expires
        )
        return token_json(token) | {"token": text}

    return JSONResponse(await run_in_threadpool(make), 201)


async def _revoke(request: Request) -> Response:
    name, by = request.path_params["token"], _by(request)

    def revoke(access: Access) -> None:
        _find(name, "token", (t.name for t in access.ledger.tokens()))
        access.revoke(name, by)

    return await _changed(request, revoke)


async def _users(request: Request) -> Response:
    return JSONResponse([user_json(u) for u in await run_in_threadpool(access_of(request).ledger.users)])


async def _add_user(request: Request) -> Response:
    asked = await body_of(request, NewUser)
    access = access_of(request)
    user = await run_in_threadpool(access.add_user, asked.name, asked.role, asked.password, _by(request))
    return JSONResponse(user_json(user), 201)


async def _change_user(request: Request) -> Response:
    name, asked, by = request.path_params["user"], await body_of(request, ChangedUser), _by(request)

    def change(access: Access) -> None:
        _find(name, "user", (u.name for u in access.ledger.users()))
        access.change_user(name, by, role=asked.role, password=asked.password, disabled=asked.disabled)

    return await _changed(request, change)


async def _remove_user(request: Request) -> Response:
    name, by = request.path_params["user"], _by(request)

    def remove(access: Access) -> None:
        _find(name, "user", (u.name for u in access.ledger.users()))
        access.remove_user(name, by)

    return await _changed(request, remove)


async def _entries(request: Request) -> Response:
    asked = request.query_params
    unknown = set(asked) - {"who", "action", "subject", "since", "until", "before", "limit"}
    if unknown:
        raise Problem(400, "unknown-parameter", f"there is no parameter {min(unknown)!r}")
    limit = min(_number(asked.get("limit"), "limit") or 100, _MOST_ENTRIES)

    def find() -> list[dict[str, Any]]:
        found = access_of(request).ledger.entries(
            who=asked.get("who", ""),
            action=asked.get("action", ""),
            subject=asked.get("subject", ""),
            since=_time(asked.get("since"), "since"),
            until=_time(asked.get("until"), "until"),
            before=_number(asked.get("before"), "before"),
            limit=limit,
        )
        return [entry_json(entry) for entry in found]

    return JSONResponse(await run_in_threadpool(find))


async def _changed(request: Request, change: Callable[[Access], None]) -> Response:
    """Change something; from then on nobody is let in for what they were before."""
    await run_in_threadpool(change, access_of(request))
    guard = context_of(request).guard
    if isinstance(guard, LedgerGuard):
        guard.forget()
    return Response(status_code=204)


def access_of(request: Request) -> Access:
    """Tokens and users of the project."""
    project = context_of(request).project
    return Access(AccessLedger(project.ledger.store()), project.import_files)


async def body_of(request: Request, kind: type[T]) -> T:
    """A small JSON body.

    Raises:
        Problem: it is too large, no JSON, or not what is asked for.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem(415, "not-json", "the body must be JSON", hint="Send Content-Type: application/json.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            raise Problem(413, "too-large", f"the body is larger than {_MOST_BYTES:,} bytes")
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except msgspec.ValidationError as e:
        raise Problem(422, "body-wrong", f"the body is not what is asked for: {e}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise Problem(400, "not-json", f"the body is not JSON: {e}") from None


def _find(name: str, kind: str, names: Iterable[str]) -> None:
    if name not in names:
        raise Problem(404, "not-found", f"there is no {kind} {name!r}", hint=f"GET /api/{kind}s lists them.")


def _by(request: Request) -> Actor:
    actor = request.state.principal.actor
    assert isinstance(actor, Actor)
    return actor


def _number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) == 0:
        raise Problem(400, "parameter-wrong", f"{name}={text} is not a number from 1")
    return int(text)


def _time(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Problem(400, "parameter-wrong", f"{name}={text} is not a time such as 2026-03-01T12:00:00Z") from None
