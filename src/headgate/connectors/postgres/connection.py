"""Connecting, and one transaction as the method of `headgate.sql` needs it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import conninfo

from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, UsageError
from headgate.sql import swallowed

from .errors import explain, refusal

_OPTIONS = ("type", "url", "password", "connect_timeout", "lock_timeout")

# What every transaction relies on: text that looks the same on every server, and room for its hash tables and temporary
# tables. A source may be slow, so the server must not lose patience with an idle transaction.
_SETTINGS = """
set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local bytea_output = 'hex';
set local extra_float_digits = 1; set local standard_conforming_strings = on; set local client_min_messages = warning;
set local idle_in_transaction_session_timeout = 0; set local synchronize_seqscans = off; set local jit = off;
set temp_buffers = '128MB';
select set_config(name, '128MB', true) from pg_settings
 where name in ('work_mem', 'maintenance_work_mem') and setting::bigint < 131072
"""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one database.

    Attributes:
        params: what libpq is told.
        lock_timeout: seconds to wait for other sessions.
    """

    params: Mapping[str, Any]
    lock_timeout: float

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Access:
        """Read a connection of the project: ``url``, and ``password``, ``connect_timeout`` (seconds, 10) and
        ``lock_timeout`` (seconds, 30) where given.

        Raises:
            UsageError: an option is not known, or the URL is none.
        """
        for name in options:
            if name not in _OPTIONS:
                near = difflib.get_close_matches(name, _OPTIONS, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(_OPTIONS)}."
                raise UsageError(f"a PostgreSQL connection has no option {name!r}", hint=hint)
        try:
            params: dict[str, Any] = dict(conninfo.conninfo_to_dict(str(options["url"])))
        except psycopg.Error:
            # libpq's message would show the URL, and with it the password.
            raise UsageError(
                "the URL of the PostgreSQL connection cannot be read",
                hint="It looks like postgresql://user:password@host:5432/database; special characters in the password as %40.",
            ) from None
        if "password" in options:
            params["password"] = str(options["password"])
        params.setdefault("connect_timeout", _seconds(options, "connect_timeout", 10))
        return cls(params, _seconds(options, "lock_timeout", 30))

    @property
    def name(self) -> str:
        """The database and its server, without secrets."""
        p = self.params
        host = p.get("host") or p.get("hostaddr") or "this machine"
        port = f":{p['port']}" if p.get("port") and not str(host).startswith("/") else ""
        return f"PostgreSQL {p.get('dbname') or p.get('user') or ''} on {host}{port}"

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect.

        Raises:
            ConnectionFailed: the server cannot be reached, or refuses the login.
        """
        always = {
            "application_name": "headgate", "client_encoding": "utf8",
            "keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
        }  # fmt: skip
        try:
            return psycopg.connect(**{**always, **self.params}, autocommit=autocommit)
        except psycopg.Error as e:
            raise self._failed(e) from None

    def _failed(self, e: psycopg.Error) -> ConnectionFailed:
        text = str(e).strip()
        if password := self.params.get("password"):
            text = text.replace(str(password), "***")
        for sign, message, hint in _NO_LOGIN:
            if sign in text:
                return ConnectionFailed(f"{self.name}: {message}", hint=hint)
        reason = text.split("\n")[0]
        return ConnectionFailed(
            f"{self.name} cannot be reached: {reason}", hint="Check host and port, and that the server runs."
        )


# libpq gives no SQLSTATE for a connection that failed, only text; these parts of it come from the server's message
# catalogue and are the same in every version (in English, which a server may not speak: then its own words are shown).
_NO_LOGIN = (
    ("password authentication failed", "the server refuses the login: wrong password or user", "Check user and password of the connection."),
    ("no password supplied", "the server wants a password and none was given", "Give one in the URL, or as password: ${env:NAME}."),
    ("no pg_hba.conf entry", "the server does not let this user in from here", "Ask for an entry in its pg_hba.conf."),
    ("does not exist", "there is no such database or user", "Check the URL; its last part names the database."),
    ("too many clients", "the server has no connection free", "Close others, or raise max_connections."),
)  # fmt: skip


def _seconds(options: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return int(options.get(name, default))
    except (TypeError, ValueError):
        raise UsageError(f"{name} is a number of seconds, not {options[name]!r}") from None


class PostgresSession:
    """One connection with one transaction at a time; every error leaves as one of Headgate's.

    Args:
        access: what to connect to.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self.connection = access.connect()
        self._cancelled = False

    @property
    def name(self) -> str:
        """The server and database, for messages."""
        return self._access.name

    def begin(self) -> None:
        """Begin a transaction."""
        self.run(f"{_SETTINGS}; set local lock_timeout = '{self._access.lock_timeout}s'")

    def run(self, sql: str) -> int:
        """Execute and return the number of rows."""
        try:
            return self._execute(sql).rowcount
        except psycopg.Error as e:
            raise self.failure(e) from None

    def attempt(self, sql: str, expected: int | None = None) -> None:
        """Execute under a savepoint; see `headgate.sql.Session.attempt`."""
        try:
            self._execute("savepoint hg")
            done = self._execute(sql).rowcount
        except psycopg.Error as e:
            refused = refusal(e)
            if refused is None or self._cancelled:
                raise self.failure(e) from None
            self.run("rollback to savepoint hg; release savepoint hg")
            raise refused from None
        if expected is not None and done != expected:
            self.run("rollback to savepoint hg; release savepoint hg")
            raise swallowed()
        self.run("release savepoint hg")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute and return everything."""
        try:
            return self._execute(sql).fetchall()
        except psycopg.Error as e:
            raise self.failure(e) from None

    def _execute(self, sql: str) -> psycopg.Cursor[tuple[Any, ...]]:
        if self._cancelled:
            raise Cancelled("cancelled; nothing that was not committed is kept")
        return self.connection.execute(sql.encode())

    def failure(self, e: psycopg.Error) -> Exception:
        """What to raise for an error of the driver."""
        return explain(e, self._access.name, cancelled=self._cancelled)

    def lock(self, table: str, mode: str) -> None:
        """Keep other writers away from a table until the transaction ends; readers are not disturbed.

        Raises:
            DestinationError: another session does not let go of it in time; the message names it.
        """
        try:
            self._execute("savepoint hg_lock")
            self._execute(f"lock table {table} in {mode} mode")
            self._execute("release savepoint hg_lock")
        except psycopg.errors.LockNotAvailable:
            self.run("rollback to savepoint hg_lock")
            raise DestinationError(
                f"{self._access.name}: {table} is in use: {self._holders(table)}",
                hint="Wait until it is done, or end it; the connection's lock_timeout says how long to wait.",
            ) from None
        except psycopg.Error as e:
            raise self.failure(e) from None

    def _holders(self, table: str) -> str:
        found = self.rows(
            "select distinct a.pid, a.usename, a.application_name, a.state, date_trunc('second', now() - a.xact_start)::text "
            "from pg_locks l join pg_stat_activity a on a.pid = l.pid "
            f"where l.relation = {literal(table)}::regclass and l.granted and l.pid <> pg_backend_pid() and l.mode in "
            "('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', "
            "'AccessExclusiveLock') limit 3"
        )
        said = [
            f"session {pid} ({user}, {app or 'no name'}, {state}) has written to it for {age}"
            for pid, user, app, state, age in found
        ]
        return "; ".join(said) or "another session has written to it and not finished"

    def cancel(self) -> None:
        """Break off what another thread waits for."""
        self._cancelled = True
        with suppress(psycopg.Error):
            self.connection.cancel_safe(timeout=5)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def commit(self) -> None:
        """Make everything visible."""
        if self._cancelled:
            raise Cancelled("cancelled; nothing that was not committed is kept")
        try:
            self.connection.commit()
        except psycopg.Error as e:
            raise self.failure(e) from None

    def rollback(self) -> None:
        """End the transaction without a trace; a lost connection needs none."""
        with suppress(psycopg.Error):
            self.connection.rollback()

    def close(self) -> None:
        """Roll back and disconnect; may be called twice."""
        self.connection.close()


def literal(text: str) -> str:
    """A text as an SQL literal (standard_conforming_strings is on)."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
