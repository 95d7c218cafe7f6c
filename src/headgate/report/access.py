"""Tokens, users and the audit log, as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headgate.model.access import Entry, Token, User

from .words import moment

if TYPE_CHECKING:
    from rich.console import Console


def token_json(token: Token) -> dict[str, Any]:
    """A token without its text, which nobody has."""
    return {
        "name": token.name,
        "role": token.role.word,
        "imports": None if token.imports is None else list(token.imports),
        "state": token.state(),
        "created": _iso(token.created),
        "expires": _iso(token.expires),
        "used": _iso(token.used),
        "revoked": _iso(token.revoked),
    }


def user_json(user: User) -> dict[str, Any]:
    """A user."""
    return {"name": user.name, "role": user.role.word, "disabled": user.disabled, "created": _iso(user.created)}


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry of the audit log."""
    return {
        "id": entry.id,
        "at": _iso(entry.at),
        "who": entry.actor.name,
        "address": entry.actor.address,
        "action": entry.action,
        "subject": entry.subject,
        "result": entry.result,
        "detail": dict(entry.detail),
    }


def tokens_text(tokens: Iterable[Token], console: Console) -> None:
    """Tokens for a person, one a line."""
    rows = [
        (
            t.name,
            t.role.word,
            "all" if t.imports is None else ", ".join(t.imports),
            t.state(),
            _day(t.expires) or "never",
            moment(t.used) if t.used else "never",
        )
        for t in tokens
    ]
    _columns(console, [("token", "role", "imports", "state", "expires", "last used (UTC)"), *rows])


def users_text(users: Iterable[User], console: Console) -> None:
    """Users for a person, one a line."""
    rows = [(u.name, u.role.word, "no" if u.disabled else "yes", _day(u.created)) for u in users]
    _columns(console, [("user", "role", "may sign in", "since"), *rows])


def entries_text(entries: Iterable[Entry], console: Console) -> None:
    """Entries of the audit log for a person, one a line."""
    rows = [
        (
            str(e.id),
            moment(e.at) if e.at else "",
            e.actor.name,
            e.actor.address,
            e.action,
            e.subject,
            e.result,
            ", ".join(f"{k}={_short(v)}" for k, v in e.detail.items() if v is not None),
        )
        for e in entries
    ]
    titles = ("no.", "at (UTC)", "who", "from", "action", "subject", "result", "detail")
    _columns(console, [titles, *rows], right=(0,))


def _columns(console: Console, rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()) -> None:
    from .page import Page

    Page(console).columns(rows, right=right, indent=0)


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""
