"""Parameters of a request's URL, refused with a problem where they are wrong."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from starlette.requests import Request

from .problems import Problem

E = TypeVar("E", bound=StrEnum)


def only_known(request: Request, *names: str) -> None:
    """Refuse a parameter that nobody looks at: it was meant to do something.

    Raises:
        Problem: 400.
    """
    asked = request.query_params
    if unknown := set(asked) - set(names):
        known = ", ".join(names) or "none"
        raise Problem(400, "unknown-parameter", f"there is no parameter {min(unknown)!r}", hint=f"There are: {known}.")
    if any("\x00" in value for value in asked.values()):
        raise Problem(400, "parameter-wrong", "a parameter has a character that is in no name")


def number(request: Request, name: str, *, least: int = 1) -> int | None:
    """A whole number; None when it is not given.

    Raises:
        Problem: 400.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19) or int(text) < least:
        raise Problem(400, "parameter-wrong", f"{name}={text} is not a number from {least}")
    return int(text)


def choice(request: Request, name: str, kind: type[E]) -> E | None:
    """One of some words; None when it is not given, or ``all``.

    Raises:
        Problem: 400.
    """
    text = request.query_params.get(name)
    if text is None or text == "all":
        return None
    try:
        return kind(text)
    except ValueError:
        words = ", ".join(kind)
        raise Problem(400, "parameter-wrong", f"{name}={text} is none of {words}, all") from None
