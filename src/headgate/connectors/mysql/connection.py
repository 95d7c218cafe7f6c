"""Connecting, and one transaction as the method of `headgate.sql` needs it."""

from __future__ import annotations

import difflib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT, FIELD_TYPE
from pymysql.converters import encoders
from pymysql.cursors import SSCursor

from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, HeadgateError, UsageError
from headgate.sql import swallowed

from .errors import STOPPED, explain, is_login, number, refusal, words

_TLS: Final = ("ssl_ca", "ssl_cert", "ssl_key")
_OPTIONS: Final = ("type", "url", "password", "connect_timeout", "lock_timeout", "local_infile", *_TLS)
_IN_URL: Final = ("unix_socket", *_TLS)
_PAGE: Final = 10_000
_LOCK_WAIT: Final = 1205

# Strict, so that a value which does not fit is an error and not cut; backslashes mean what the loader takes them to mean.
_MODE: Final = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
# Numbers that statements count with; everything else stays the text the server sends, which has every digit.
_DECODED: Final[dict[Any, Any]] = {
    **encoders,
    **dict.fromkeys((FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.INT24, FIELD_TYPE.LONGLONG), int),
}


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one database.

    Attributes:
        params: what the driver is told.
        lock_timeout: seconds to wait for other sessions.
        local_infile: whether records may be loaded by LOAD DATA LOCAL.
    """

    params: Mapping[str, Any]
    lock_timeout: int
    local_infile: bool

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Access:
        """Read a connection of the project: ``url``, and ``password``, ``connect_timeout`` (seconds, 10), ``lock_timeout``
        (seconds, 30), ``local_infile`` (true), ``ssl_ca``, ``ssl_cert`` and ``ssl_key`` (files) where given.

        Raises:
            UsageError: an option is not known, or the URL is none.
        """
        for name in options:
            if name not in _OPTIONS:
                near = difflib.get_close_matches(name, _OPTIONS, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(_OPTIONS)}."
                raise UsageError(f"a MySQL connection has no option {name!r}", hint=hint)
        params = _of_url(str(options["url"]))
        if "password" in options:
            params["password"] = str(options["password"])
        params |= {name: str(options[name]) for name in _TLS if name in options}
        params["connect_timeout"] = _seconds(options, "connect_timeout", 10)
        local = options.get("local_infile", True)
        if not isinstance(local, bool):
            raise UsageError(f"local_infile is {local!r}, not true or false")
        return cls(params, _seconds(options, "lock_timeout", 30), local)

    @property
    def name(self) -> str:
        """The database and its server, without secrets."""
        p = self.params
        where = p.get("unix_socket") or f"{p['host']}:{p['port']}"
        return f"MySQL {p['database']} on {where}"

    def connect(self) -> pymysql.Connection[Any]:
        """Connect.

        Raises:
            ConnectionFailed: the server cannot be reached, or refuses the login.
        """
        try:
            return _Connection(
                **self.params,
                charset="utf8mb4",
                conv=_DECODED,
                client_flag=CLIENT.FOUND_ROWS,
                local_infile=self.local_infile,
            )
        except (pymysql.Error, OSError) as e:
            raise self._failed(e) from None
        except RuntimeError as e:  # MySQL wants the password enciphered, and the driver lacks what it takes
            raise ConnectionFailed(
                f"{self.name}: {e}", hint="pip install 'headgate[mysql]', or let the server offer TLS."
            ) from None

    def _failed(self, e: Exception) -> HeadgateError:
        if isinstance(e, pymysql.Error) and is_login(e):
            return explain(e, self.name)
        reason = words(e) if isinstance(e, pymysql.Error) else str(e)
        if password := self.params.get("password"):
            reason = reason.replace(str(password), "***")
        return ConnectionFailed(
            f"{self.name} cannot be reached: {reason}", hint="Check host and port, and that the server runs."
        )


class _Connection(pymysql.Connection):
    """Where nothing is said of certificates the driver checks none, and yet reads all that the machine trusts: 20 ms each time."""

    def _create_ssl_ctx(self, sslp: Mapping[str, Any]) -> ssl.SSLContext:
        if sslp:
            return super()._create_ssl_ctx(sslp)  # type: ignore[misc, no-any-return]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def _of_url(url: str) -> dict[str, Any]:
    # No message shows the URL: it may hold a password.
    hint = "It looks like mysql://user:password@host:3306/database; special characters in the password as %40."
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
    except ValueError:
        raise UsageError("the URL of the MySQL connection cannot be read", hint=hint) from None
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database:
        raise UsageError("the URL of the MySQL connection names no database", hint=hint)
    more = dict(parse_qsl(parts.query))
    if unknown := next((name for name in more if name not in _IN_URL), None):
        raise UsageError(
            f"the URL of the MySQL connection has no parameter {unknown!r}", hint=f"There are: {', '.join(_IN_URL)}."
        )
    return {
        "host": parts.hostname or "localhost",
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": database,
        **more,
    }


def _seconds(options: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return int(options.get(name, default))
    except (TypeError, ValueError):
        raise UsageError(f"{name} is a number of seconds, not {options[name]!r}") from None


class MysqlSession:
    """One connection with one transaction at a time; every error leaves as one of Headgate's.

    Transactions are at REPEATABLE READ: there, a temporary table that is made from a query locks the rows it read and the
    gaps between them, so that what was decided is still so when it is carried out. READ COMMITTED would lock nothing.

    Args:
        access: what to connect to.
        isolation: of its transactions.
    """

    def __init__(self, access: Access, isolation: str = "repeatable read") -> None:
        self._access = access
        self.connection = access.connect()
        self._cancelled = False
        for setting in (
            f"set session sql_mode = '{_MODE}', time_zone = '+00:00', autocommit = 0",
            f"set session innodb_lock_wait_timeout = {max(1, access.lock_timeout)}, lock_wait_timeout = {max(1, access.lock_timeout)}",
            f"set session transaction isolation level {isolation}",
            # A source may be slow, so the server must not lose patience.
            "set session wait_timeout = 86400, net_read_timeout = 600, net_write_timeout = 600",
        ):
            self.run(setting)
        self.version = str(self.rows("select version()")[0][0])
        self.mariadb = "mariadb" in self.version.lower()

    def run(self, sql: str) -> int:
        """Execute and return the number of rows."""
        try:
            return self._execute(sql)
        except pymysql.Error as e:
            raise self.failure(e) from None

    def attempt(self, sql: str, expected: int | None = None) -> None:
        """Execute under a savepoint; see `headgate.sql.Session.attempt`."""
        self.run("savepoint hg")
        try:
            done = self._execute(sql)
        except pymysql.Error as e:
            refused = refusal(e)
            if refused is None or self._cancelled:
                raise self.failure(e) from None
            self.run("rollback to savepoint hg")
            raise refused from None
        if expected is not None and done != expected:
            self.run("rollback to savepoint hg")
            raise swallowed()
        self.run("release savepoint hg")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute and return everything; text stays as the server sends it, whole numbers are int."""
        try:
            with self._cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.Error as e:
            raise self.failure(e) from None

    def describe(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        """The columns a query gives, as the driver describes them."""
        try:
            with self._cursor() as cursor:
                cursor.execute(sql)
                described: Any = cursor.description  # its type says less than there is
                return tuple(described)
        except pymysql.Error as e:
            raise self.failure(e) from None

    def pages(self, sql: str) -> Iterator[list[tuple[Any, ...]]]:
        """As `rows`, a part at a time. The connection can do nothing else before the last."""
        cursor = SSCursor(self.connection)
        try:
            cursor.execute(sql)
            while page := list(cursor.fetchmany(_PAGE)):
                yield page
        except pymysql.Error as e:
            raise self.failure(e) from None
        finally:
            _close(cursor)

    def _cursor(self) -> pymysql.cursors.Cursor:
        if self._cancelled:
            raise Cancelled(STOPPED)
        cursor: pymysql.cursors.Cursor = self.connection.cursor()
        return cursor

    def _execute(self, sql: str) -> int:
        with self._cursor() as cursor:
            return cursor.execute(sql)

    def failure(self, e: pymysql.Error) -> Exception:
        """What to raise for an error of the driver."""
        if number(e) == _LOCK_WAIT and not self._cancelled:
            hint = "Wait until it is done, or end it; the connection's lock_timeout says how long to wait."
            return DestinationError(f"{self._access.name}: records are in use: {self._holders()}", hint=hint)
        return explain(e, self._access.name, cancelled=self._cancelled)

    def _holders(self) -> str:
        """Who has open transactions that wrote something, where the login may see it."""
        unknown = "another session has written to them and not finished"
        try:
            with self._cursor() as cursor:
                cursor.execute(
                    "select p.id, p.user, timestampdiff(second, t.trx_started, now()) from information_schema.innodb_trx t "
                    "join information_schema.processlist p on p.id = t.trx_mysql_thread_id "
                    "where p.id <> connection_id() and t.trx_rows_locked > 0 order by t.trx_started limit 3"
                )
                found = cursor.fetchall()
        except pymysql.Error:
            return unknown
        said = [f"session {who} ({user}) has had a transaction open for {age} s" for who, user, age in found]
        return "; ".join(said) or unknown

    def cancel(self) -> None:
        """Break off what another thread waits for, from a connection of its own."""
        if self._cancelled or not self.connection.open:
            self._cancelled = True
            return
        self._cancelled = True
        with suppress(pymysql.Error, DestinationError, OSError):
            other = self._access.connect()
            with suppress(pymysql.Error), other.cursor() as cursor:
                cursor.execute(f"kill query {self.connection.thread_id()}")  # type: ignore[no-untyped-call]
            other.close()

    def commit(self) -> None:
        """Make everything visible."""
        self.run("commit")

    def rollback(self) -> None:
        """End the transaction without a trace; a lost connection needs none."""
        with suppress(pymysql.Error, OSError):
            self.connection.rollback()

    def close(self) -> None:
        """Disconnect, which rolls back; may be called twice."""
        if self.connection.open:
            with suppress(pymysql.Error, OSError):
                self.connection.close()


def literal(text: str) -> str:
    """A text as an SQL literal (the session's sql_mode has no NO_BACKSLASH_ESCAPES)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return "`" + name.replace("`", "``") + "`"


def _close(cursor: Any) -> None:
    """Close a cursor, reading what is left of it; of a connection that is lost the driver would try the same, and fail."""
    connection = cursor.connection
    if connection is not None and not connection.open and cursor._result is not None:
        cursor._result.unbuffered_active = False
    cursor.close()
