"""Errors as problem details (RFC 9457): a status, a permanent code, what happened, and the way out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from headgate.model.errors import (
    Busy,
    ConnectionFailed,
    DefinitionError,
    HeadgateError,
    LimitExceeded,
    SourceError,
    UsageError,
)

TYPE = "https://headgate.dev/problems/"
"""What the code of a problem follows in its ``type``: a name, not an address that has to answer."""


class Problem(Exception):
    """A request that cannot be fulfilled.

    Args:
        status: of HTTP.
        code: permanent, in words joined by hyphens (``not-found``).
        detail: what happened, for a person.
        hint: what to do about it; empty when there is nothing to say.
        headers: of the answer (``Retry-After``, ``WWW-Authenticate``).
        more: further members of the problem's document.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.hint = status, code, detail, hint
        self.headers, self.more = dict(headers or {}), more

    def response(self) -> Response:
        """The answer."""
        body: dict[str, Any] = {
            "type": TYPE + self.code,
            "title": self.code.replace("-", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.hint:
            body["hint"] = self.hint
        content = json.dumps(body | self.more, ensure_ascii=False, default=str).encode()
        return Response(content, self.status, self.headers, media_type="application/problem+json")


def problem_of(error: HeadgateError) -> Problem:
    """How an error of the lower layers is told over HTTP."""
    for kind, status, code in _KINDS:
        if isinstance(error, kind):
            headers = {"Retry-After": "5"} if error.retryable else {}
            return Problem(status, code, error.message, hint=error.hint, headers=headers)
    return Problem(500, "failed", error.message, hint=error.hint)


_KINDS: tuple[tuple[type[HeadgateError], int, str], ...] = (
    (
        DefinitionError,
        409,
        "definition-wrong",
    ),  # the caller's request is right; the import it names cannot be carried out
    (UsageError, 422, "cannot-be-done"),
    (SourceError, 422, "source-unreadable"),
    (Busy, 409, "busy"),
    (LimitExceeded, 422, "limit-exceeded"),
    (ConnectionFailed, 503, "destination-unreachable"),
)


async def on_problem(_: Request, error: Exception) -> Response:
    """Starlette's handler of `Problem`."""
    assert isinstance(error, Problem)
    return error.response()


async def on_error(_: Request, error: Exception) -> Response:
    """Starlette's handler of `HeadgateError`."""
    assert isinstance(error, HeadgateError)
    return problem_of(error).response()


async def on_http(_: Request, error: Exception) -> Response:
    """Starlette's handler of its own errors: no such page, no such method."""
    assert isinstance(error, HTTPException)
    code = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(error.status_code, "http-error")
    return Problem(error.status_code, code, error.detail, headers=error.headers).response()


async def on_fault(_: Request, error: Exception) -> Response:
    """Starlette's handler of everything else: a fault of Headgate's own. What it was is in the log, not in the answer."""
    del error
    return fault().response()


def fault() -> Problem:
    """A fault of Headgate's own."""
    return Problem(500, "fault", "this is a fault of Headgate's own; the server's log has the details")
