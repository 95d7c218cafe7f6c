"""A ledger in a schema of a PostgreSQL database, 14 to 18, that several machines share."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from headgate.model.errors import HeadgateError, UsageError

from . import statements
from .store import BUSY_SECONDS, Row, Session

if TYPE_CHECKING:
    import psycopg

_SCHEMA: Final = "headgate"
_PIECE_BYTES: Final = 1 << 20
# What the name of a file ends with of which not all pieces are there yet.
_PART: Final = ".part"
# Whoever makes or changes a ledger's tables holds this advisory lock; any number does that nobody else uses.
_MIGRATING: Final = 0x6865_6164_6761_7465
_CONNECT_SECONDS: Final = 10
# What the ledger says has happened must outlive a power cut, and writers wait for each other by locks on rows.
_SETTINGS: Final = {"synchronous_commit": "on", "lock_timeout": f"{BUSY_SECONDS:g}s", "client_min_messages": "warning"}
_BEGIN: Final = "begin isolation level read committed read write"

_AGAIN: Final = "Try again when the server is back."
_HINTS: Final = {
    "25006": "The server is a read-only replica, or the login may only read; name the one that can be written.",
    "28000": "Check user and password of the ledger's URL, and the server's pg_hba.conf.",
    "28P01": "Check user and password of the ledger's URL.",
    "3D000": "Check the ledger's URL; its last part names the database.",
    "42501": "Grant the login the right it lacks; to make the ledger it needs CREATE on the database.",
    "53100": "Free some space on the server, or remove old runs, and try again.",
    "53300": "Close other connections, or raise max_connections.",
    "55P03": "Another program keeps it locked; try again when that is done.",
}
# Kinds of failure that are the server's state, not a mistake in a statement: connection, login, name of the database,
# conflict, resources, limits, locks, an operator, the system, damage.
_STATES: Final = ("08", "25", "28", "3D", "40", "53", "54", "55", "57", "58", "XX")


@cache
def _translated(statement: str) -> str:
    """A statement of `statements.py` as psycopg wants it."""
    return statement.replace("%", "%%").replace("?", "%s")


class _PostgresSession:
    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        return _rows(self._connection, statement, values)

    def many(self, statement: str, rows: Sequence[Sequence[object]]) -> int:
        if not rows:
            return 0
        with self._connection.cursor() as cursor:
            cursor.executemany(_translated(statement).encode(), rows)
            return cursor.rowcount


def _rows(connection: psycopg.Connection[Row], statement: str, values: Sequence[object]) -> list[Row]:
    # Without values nothing stands for one: a statement goes to the server as it is written.
    text = _translated(statement).encode() if values else statement.encode()
    cursor = connection.execute(text, tuple(values) if values else None)
    return cursor.fetchall() if cursor.description else []


class PostgresStore:
    """A ledger in a schema of its own, `headgate` or what `?schema=` in the URL says.

    Args:
        url: as libpq takes it, references resolved.
        folder: the local folder for files of runs.

    Raises:
        UsageError: the URL cannot be read.
    """

    shared = True

    def __init__(self, url: str, folder: Path) -> None:
        from psycopg import Error, conninfo

        plain, self.schema = _without_schema(url)
        try:
            self._params: dict[str, Any] = dict(conninfo.conninfo_to_dict(plain))
        except Error:
            # libpq's message would show the URL, and with it the password.
            raise UsageError(
                "the URL of the ledger cannot be read",
                hint="It looks like postgresql://user:password@host:5432/database?schema=headgate.",
            ) from None
        self._params.setdefault("connect_timeout", _CONNECT_SECONDS)
        p = self._params
        host = p.get("host") or p.get("hostaddr") or "this machine"
        self.place = f"in PostgreSQL, database {p.get('dbname') or p.get('user') or ''} on {host}"
        self.folder = folder.absolute()
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Row] | None = None

    def has_table(self, name: str) -> bool:
        """Whether the schema is there and has the table."""
        found = "select 1 from pg_catalog.pg_tables where schemaname = ? and tablename = ?"
        return bool(self.query(found, [self.schema, name]))

    def create(self) -> None:
        """Nothing: the schema is made in the transaction that fills it, see `migration`."""

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Rows of a statement that only reads."""
        with self._lock, self._understood():
            connection = self._connected()
            try:
                return _rows(connection, statement, values)
            except self._driver.OperationalError:
                if not connection.closed:
                    raise
                return _rows(self._connected(), statement, values)  # it was lost while nobody used it

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See `Store.transaction`. Others wait up to `BUSY_SECONDS` for a row that this one has changed."""
        with self._lock, self._understood():
            connection = self._begun()
            try:
                yield _PostgresSession(connection)
                self._commit(connection)
            except BaseException:
                with suppress(self._driver.Error):
                    connection.execute("rollback")
                raise

    @contextmanager
    def migration(self) -> Iterator[Session]:
        """See `Store.migration`. The schema is made where there is none."""
        with self.transaction() as session:
            session.query("select pg_advisory_xact_lock(?)", [_MIGRATING])
            # Asked first, as `if not exists` wants the right to make one also where there is one.
            if not session.query("select 1 from pg_catalog.pg_namespace where nspname = ?", [self.schema]):
                session.query(f"create schema {_identifier(self.schema)}")
            yield session

    def keep(self, name: str, path: Path) -> None:
        """Store a file in pieces. Each is a transaction of its own, so that signs of life get through in between; the
        last gives them the file's name.
        """
        part = f"{name}{_PART}"
        self.forget(part)
        try:
            with path.open("rb") as file:
                number = 0
                while piece := file.read(_PIECE_BYTES):
                    with self.transaction() as session:
                        session.query(statements.ADD_PIECE, [part, number, piece])
                    number += 1
        except OSError as e:
            raise HeadgateError(f"{path} cannot be read: {e.strerror}", hint="Allow reading it.") from e
        with self.transaction() as session:
            session.query(statements.FORGET_PIECES, [name, "", len(name) + 1, f"{name}/"])
            session.query(statements.NAME_PIECES, [name, part])

    def kept(self, folder: str) -> list[str]:
        """Names of files of which all pieces are there, sorted."""
        names = [str(n) for (n,) in self.query(statements.NAMES, [len(folder) + 1, f"{folder}/"])]
        return sorted(n for n in names if not n.endswith(_PART))

    def fetch(self, name: str, path: Path) -> None:
        """Fetch a file piece by piece; it appears whole or not at all."""
        ((pieces,),) = self.query(statements.PIECES, [name])
        if not pieces:
            return
        part = path.with_name(f"{path.name}.{threading.get_ident()}.fetched")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                for number in range(pieces):
                    file.write(self._piece(name, number))
            part.replace(path)
        except OSError as e:
            raise HeadgateError(f"{path} cannot be written: {e.strerror}", hint="Allow writing there.") from e
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _piece(self, name: str, number: int) -> bytes:
        rows = self.query(statements.PIECE, [name, number])
        if not rows:
            raise HeadgateError(f"the ledger {self.place} has {name} no longer: it was removed just now")
        return bytes(rows[0][0])

    def forget(self, name: str) -> None:
        """Remove the pieces of files."""
        with self.transaction() as session:
            session.query(statements.FORGET_PIECES, [name, f"{name}{_PART}", len(name) + 1, f"{name}/"])

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def _driver(self) -> Any:
        import psycopg

        return psycopg

    def _connected(self) -> psycopg.Connection[Row]:
        """The connection; a new one when it was lost."""
        if self._connection is None or self._connection.closed:
            always = {
                "application_name": "headgate ledger", "client_encoding": "utf8",
                "keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
            }  # fmt: skip
            connection: psycopg.Connection[Row] = self._driver.connect(**{**always, **self._params}, autocommit=True)
            self._connection = connection
            weakref.finalize(self, connection.close)  # a command ends without saying that it needs the ledger no more
            for setting, value in {**_SETTINGS, "search_path": _identifier(self.schema)}.items():
                connection.execute("select set_config(%s, %s, false)", (setting, value))
        return self._connection

    def _begun(self) -> psycopg.Connection[Row]:
        """The connection with a transaction begun."""
        connection = self._connected()
        try:
            connection.execute(_BEGIN)
        except self._driver.OperationalError:
            if not connection.closed:
                raise
            connection = self._connected()  # it was lost while nobody used it
            connection.execute(_BEGIN)
        return connection

    def _commit(self, connection: psycopg.Connection[Row]) -> None:
        try:
            connection.execute("commit")
        except self._driver.OperationalError as e:
            if not connection.closed:
                raise
            raise HeadgateError(
                f"the connection to the ledger {self.place} was lost while it was told what happened: whether that was"
                f" written is not known ({self._words(e)})",
                hint="Look when the server is back: headgate runs.",
            ) from None

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Say a failure of PostgreSQL in a person's words."""
        try:
            yield
        except self._driver.Error as e:
            state = e.sqlstate or ""
            lost = isinstance(e, self._driver.OperationalError) and not state
            if not lost and state != "42501" and state[:2] not in _STATES:
                raise
            raise HeadgateError(
                f"the ledger {self.place} cannot be used: {self._words(e)}", hint=self._hint(e, state)
            ) from None

    def _words(self, e: psycopg.Error) -> str:
        """The server's own message without secrets."""
        text = e.diag.message_primary or str(e).strip().split("\n")[0]
        password = self._params.get("password")
        return text.replace(str(password), "***") if password else text

    @staticmethod
    def _hint(e: psycopg.Error, state: str) -> str:
        # A connection that failed has no SQLSTATE, only the server's text.
        if not state and ("password" in str(e) or "pg_hba.conf" in str(e)):
            return _HINTS["28P01"]
        if not state and "does not exist" in str(e):
            return _HINTS["3D000"]
        return _HINTS.get(state, "Check host and port, and that the server runs." if not state else _AGAIN)


def _without_schema(url: str) -> tuple[str, str]:
    """A URL as libpq knows it, and the schema it names beside."""
    plain, mark, query = url.rpartition("?")
    if not mark or "@" in query:
        return url, _SCHEMA
    pairs = parse_qsl(query, keep_blank_values=True)
    rest = urlencode([(k, v) for k, v in pairs if k != "schema"], safe="/:,")
    return f"{plain}?{rest}" if rest else plain, dict(pairs).get("schema") or _SCHEMA


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
