"""Lists of values as PostgreSQL writes arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from headgate.model.types import INTEGERS, FieldType

Literals = Callable[[Iterable[Any]], str]


def literals(of: FieldType) -> Literals:
    """What makes a list of values of a field's type into an array."""
    if of.kind in INTEGERS or of.kind in ("decimal", "uuid"):
        return _plain
    if of.kind == "boolean":
        return _booleans
    if of.kind in ("date", "time", "timestamp", "timestamptz"):
        return _moments
    return _doubles if of.kind == "double" else _texts


def _plain(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if v is None else str(v) for v in values]) + "}"


def _booleans(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if v is None else "t" if v else "f" for v in values]) + "}"


def _doubles(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if v is None else repr(v) for v in values]) + "}"


def _moments(values: Iterable[Any]) -> str:
    """Years have four digits, as ISO 8601 wants them."""
    return "{" + ",".join(["NULL" if v is None else f'"{v.isoformat()}"' for v in values]) + "}"


def _texts(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if v is None else _quoted(v) for v in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
