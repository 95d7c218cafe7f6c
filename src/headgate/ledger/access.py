"""What the ledger knows of tokens, users and sessions, and the audit log. Each change is in the log with it, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from headgate.model.access import Actor, Entry, Role, Token, User
from headgate.model.errors import UsageError

from . import access_statements as sql
from . import statements
from .rows import time_text, to_json
from .store import Row, Session, Store

_FIRST: Final = "0"  # before every time as text
_NEVER: Final = "9"  # after
_HIGHEST: Final = 1 << 62


class AccessLedger:
    """Verbs over the store of a ledger (`Ledger.store`). Each raises what those of `Ledger` raise."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # ---- tokens ------------------------------------------------------------------------------------------------------

    def tokens(self) -> list[Token]:
        """All tokens, also those of no use any more, oldest first."""
        return [_token(row) for row in self._store.query(sql.TOKENS)]

    def has_tokens(self) -> bool:
        """Whether there has ever been one."""
        return bool(self._store.query(sql.ANY_TOKEN))

    def token_of(self, digest: str) -> Token | None:
        """The token with this digest, whether it is valid or not."""
        rows = self._store.query(sql.TOKEN_OF, [digest])
        return _token(rows[0]) if rows else None

    def add_token(self, token: Token, digest: str, by: Actor, *, first: bool = False) -> bool:
        """Let a token in from now on.

        Args:
            first: only if there has never been one.

        Returns:
            Whether it was added.

        Raises:
            UsageError: a valid token has this name.
        """
        created = time_text(token.created)
        imports = None if token.imports is None else to_json(list(token.imports))
        values = [token.name, digest, int(token.role), imports, created, _text(token.expires)]
        detail = {"role": token.role.word, "imports": token.imports, "expires": _text(token.expires)}
        with self._store.transaction() as session:
            session.query(statements.LOCK_COUNTER, ["audit"])  # two servers may start at one moment
            if first and session.query(sql.ANY_TOKEN):
                return False
            session.query(sql.REPLACE_TOKEN, [token.name, created])
            if not session.many(sql.ADD_TOKEN, [values]):
                raise UsageError(
                    f"there is a valid token {token.name!r}", hint="Take another name, or revoke that one first."
                )
            _enter(session, Entry(by, "token.new", token.name, detail=detail))
        return True

    def revoke(self, name: str, by: Actor) -> None:
        """Let a token in no more.

        Raises:
            UsageError: there is none of that name, or it is revoked.
        """
        with self._store.transaction() as session:
            if not session.many(sql.REVOKE, [(_now(), name)]):
                found = session.query(sql.TOKEN_NAMED, [name])
                raise UsageError(
                    f"the token {name!r} is revoked" if found else f"there is no token {name!r}",
                    hint="headgate tokens list shows them.",
                )
            _enter(session, Entry(by, "token.revoke", name))

    def note_used(self, tokens: Mapping[str, datetime], sessions: Mapping[str, datetime]) -> None:
        """Write down when tokens were last used, and until when sessions go on; both by digest."""
        with self._store.transaction() as session:
            session.many(sql.USED, [(time_text(at), digest) for digest, at in sorted(tokens.items())])
            session.many(sql.EXTEND, [(time_text(at), digest) for digest, at in sorted(sessions.items())])

    # ---- users -------------------------------------------------------------------------------------------------------

    def users(self) -> list[User]:
        """All users, by name."""
        return [_user(row) for row in self._store.query(sql.USERS)]

    def password(self, name: str) -> str | None:
        """The hash of the password of a user who may sign in."""
        rows = self._store.query(sql.PASSWORD, [name])
        return None if not rows or rows[0][1] else str(rows[0][0])

    def add_user(self, user: User, password: str, by: Actor) -> None:
        """Add a user.

        Args:
            password: its hash.

        Raises:
            UsageError: there is one of that name.
        """
        with self._store.transaction() as session:
            values = (user.name, password, int(user.role), time_text(user.created))
            if not session.many(sql.ADD_USER, [values]):
                raise UsageError(f"there is a user {user.name!r}", hint="Take another name.")
            _enter(session, Entry(by, "user.add", user.name, detail={"role": user.role.word}))

    def set_password(self, name: str, password: str, by: Actor) -> None:
        """Change the hash of a user's password; whoever is signed in with the old one is not any more."""
        self._change(sql.SET_PASSWORD, password, name, Entry(by, "user.password", name))

    def set_role(self, name: str, role: Role, by: Actor) -> None:
        """Change what a user may do."""
        self._change(sql.SET_ROLE, int(role), name, Entry(by, "user.role", name, detail={"role": role.word}))

    def set_disabled(self, name: str, disabled: bool, by: Actor) -> None:
        """Let a user in no more, or again."""
        action = "user.disable" if disabled else "user.enable"
        self._change(sql.SET_DISABLED, int(disabled), name, Entry(by, action, name))

    def _change(self, statement: str, value: object, name: str, entry: Entry) -> None:
        with self._store.transaction() as session:
            if not session.many(statement, [(value, name)]):
                raise _no_user(name)
            session.query(sql.END_SESSIONS, [name])
            _enter(session, entry)

    def remove_user(self, name: str, by: Actor) -> None:
        """Remove a user; what they did stays in the log."""
        with self._store.transaction() as session:
            if not session.many(sql.REMOVE_USER, [(name,)]):
                raise _no_user(name)
            _enter(session, Entry(by, "user.remove", name))

    # ---- sessions ----------------------------------------------------------------------------------------------------

    def begin_session(self, digest: str, by: Actor, expires: datetime) -> None:
        """Sign a user in. Sessions that have expired are forgotten on the way."""
        with self._store.transaction() as session:
            if not session.query(sql.USER, [by.name]):
                raise _no_user(by.name)  # removed while the password was looked at
            session.query(sql.FORGET_SESSIONS, [_now()])
            session.query(sql.ADD_SESSION, [digest, by.name, _now(), time_text(expires)])
            _enter(session, Entry(by, "session.begin", by.name))

    def session_user(self, digest: str, longest: timedelta) -> User | None:
        """Who is signed in with this digest.

        Args:
            longest: after which a session ends however much it is used.
        """
        now = datetime.now(UTC)
        rows = self._store.query(sql.SESSION, [digest, time_text(now), time_text(now - longest)])
        return _user(rows[0]) if rows else None

    def end_session(self, digest: str, by: Actor) -> None:
        """Sign a user out."""
        with self._store.transaction() as session:
            session.query(sql.END_SESSION, [digest])
            _enter(session, Entry(by, "session.end", by.name))

    # ---- the log -----------------------------------------------------------------------------------------------------

    def enter(self, entry: Entry) -> None:
        """Write down what was done."""
        with self._store.transaction() as session:
            _enter(session, entry)

    def entries(
        self,
        *,
        who: str = "",
        action: str = "",
        subject: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """What was done, newest first.

        Args:
            action: of this name, or of this kind (``token`` for ``token.new``).
            since, until: from the one to before the other.
            before: only entries with a smaller number.
        """
        kind = f"{action}."
        rows = self._store.query(
            sql.ENTRIES,
            [who, who, action, action, len(kind), kind, subject, subject, _text(since) or _FIRST, _text(until) or _NEVER,
             before or _HIGHEST, limit],
        )  # fmt: skip
        return [_entry(row) for row in rows]


def _enter(session: Session, entry: Entry) -> None:
    session.query(statements.COUNT_UP, ["audit"])
    ((number,),) = session.query(statements.COUNTER, ["audit"])
    session.query(
        sql.ADD_ENTRY,
        [number, _now(), entry.actor.name, entry.actor.address, entry.action, entry.subject, entry.result,
         to_json(dict(entry.detail))],
    )  # fmt: skip


def _token(row: Row) -> Token:
    name, role, imports, created, expires, used, revoked = row
    named = None if imports is None else tuple(json.loads(imports))
    return Token(name, Role(role), named, datetime.fromisoformat(created), _time(expires), _time(used), _time(revoked))


def _user(row: Row) -> User:
    name, role, disabled, created = row
    return User(name, Role(role), bool(disabled), datetime.fromisoformat(created))


def _entry(row: Sequence[Any]) -> Entry:
    number, at, who, address, action, subject, result, detail = row
    actor = Actor(who, address)
    return Entry(actor, action, subject, result, json.loads(detail), number, datetime.fromisoformat(at))


def _no_user(name: str) -> UsageError:
    return UsageError(f"there is no user {name!r}", hint="headgate users list shows them.")


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(at: datetime | None) -> str | None:
    return time_text(at.astimezone(UTC)) if at else None


def _now() -> str:
    return time_text(datetime.now(UTC))
