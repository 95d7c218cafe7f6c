"""Tokens, users and the audit log, as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headgate.model.access import Entry, Token, User

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
    """A table of tokens."""
    table = _table("token", "role", "imports", "state", "expires", "last used")
    for t in tokens:
        imports = "all" if t.imports is None else ", ".join(t.imports)
        table.add_row(t.name, t.role.word, imports, t.state(), _day(t.expires) or "never", _minute(t.used) or "never")
    console.print(table)


def users_text(users: Iterable[User], console: Console) -> None:
    """A table of users."""
    table = _table("user", "role", "may sign in", "since")
    for u in users:
        table.add_row(u.name, u.role.word, "no" if u.disabled else "yes", _day(u.created))
    console.print(table)


def entries_text(entries: Iterable[Entry], console: Console) -> None:
    """A table of entries."""
    table = _table("no.", "when (UTC)", "who", "from", "action", "subject", "result", "detail")
    for e in entries:
        detail = ", ".join(f"{k}={_short(v)}" for k, v in e.detail.items() if v is not None)
        who, where = e.actor.name, e.actor.address
        table.add_row(str(e.id), _second(e.at), who, where, e.action, e.subject, e.result, detail)
    console.print(table)


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else ""


def _second(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""
