"""Connections to a database file, and what SQLite's errors mean for a person."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, HeadgateError, UsageError

BUSY_SECONDS: Final = 10.0
CACHE_KIB: Final = 32_768
STOPPED: Final = "stopped; nothing was written"


def path_of(url: str, base: Path) -> Path:
    """The file a URL names: ``sqlite:///relative/to/base.db`` or ``sqlite:////absolute.db``.

    Raises:
        UsageError: it names none.
    """
    scheme, _, rest = url.partition("://")
    name = unquote(rest.removeprefix("/"))
    if scheme != "sqlite" or not rest.startswith("/") or name in ("", "/", ":memory:") or "?" in rest:
        raise UsageError(
            f"{url!r} names no SQLite file",
            hint="Write sqlite:///shop.db (relative to the project) or sqlite:////data/shop.db; for tables in memory, memory://NAME.",
        )
    return base / name


def connect(
    path: Path, *, create: bool = False, foreign_keys: bool = True, timeout: float = BUSY_SECONDS
) -> sqlite3.Connection:
    """Open a database file in autocommit mode, for use from any one thread at a time.

    Args:
        create: make the file if there is none.
        foreign_keys: whether SQLite enforces them on this connection.
        timeout: seconds to wait for another process' lock.

    Raises:
        ConnectionFailed, DestinationError: it cannot be opened, or is no database.
    """
    if not path.parent.is_dir():
        raise ConnectionFailed(
            f"{path}: there is no folder {path.parent}", hint="Make the folder, or correct the connection's url."
        )
    if path.is_dir():
        raise ConnectionFailed(f"{path} is a folder, not a database file", hint="Correct the connection's url.")
    uri = f"file:{quote(str(path.absolute()))}?mode={'rwc' if create else 'rw'}"
    try:
        con = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as e:
        raise failure(e, path) from e
    try:
        con.execute("select count(*) from sqlite_master").fetchall()
        _configure(con, foreign_keys=foreign_keys)
    except sqlite3.Error as e:
        con.close()
        raise failure(e, path) from e
    return con


def in_memory(*, foreign_keys: bool = True) -> sqlite3.Connection:
    """A connection to no file."""
    con = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _configure(con, foreign_keys=foreign_keys)
    return con


def _configure(con: sqlite3.Connection, *, foreign_keys: bool) -> None:
    """Settings of every connection. Journal and synchronous stay as the database has them, so that a commit lasts."""
    con.execute(f"pragma cache_size = -{CACHE_KIB}")
    con.execute(f"pragma foreign_keys = {'on' if foreign_keys else 'off'}")


def failure(error: sqlite3.Error, path: Path) -> HeadgateError:
    """What an error that is not a single record's fault means."""
    primary = getattr(error, "sqlite_errorcode", 1) & 0xFF
    if primary == sqlite3.SQLITE_INTERRUPT:
        return Cancelled(STOPPED)
    known = _FAILURES.get(primary)
    if known is None:
        return DestinationError(f"{path}: SQLite says: {error}")
    kind, what, hint = known
    return kind(f"{path}: {what} ({error})", hint=hint)


def failure_said(said: str, path: Path) -> HeadgateError:
    """As `failure`, of an error that another copy of SQLite tells in words only."""
    error = sqlite3.OperationalError(said)
    error.sqlite_errorcode = next((code for words, code in _SAID.items() if words in said), 1)
    return failure(error, path)


_SAID: Final = {
    "is locked": sqlite3.SQLITE_BUSY, "malformed": sqlite3.SQLITE_CORRUPT, "disk I/O error": sqlite3.SQLITE_IOERR,
    "not a database": sqlite3.SQLITE_NOTADB, "unable to open": sqlite3.SQLITE_CANTOPEN, "is full": sqlite3.SQLITE_FULL,
}  # fmt: skip
_FAILURES: Final[dict[int, tuple[type[DestinationError], str, str]]] = {
    sqlite3.SQLITE_BUSY: (
        ConnectionFailed,
        "another program has locked the database",
        "Close the program that is writing to it, or try again later.",
    ),
    sqlite3.SQLITE_LOCKED: (ConnectionFailed, "the table is locked", "Try again later."),
    sqlite3.SQLITE_FULL: (DestinationError, "there is no space left for the database", "Make space; nothing uncommitted was kept."),
    sqlite3.SQLITE_READONLY: (DestinationError, "the database cannot be written to", "Check the permissions of the file and of its folder."),
    sqlite3.SQLITE_PERM: (DestinationError, "no permission", "Check the permissions of the file and of its folder."),
    sqlite3.SQLITE_CANTOPEN: (ConnectionFailed, "the file cannot be opened", "Check the path, and the permissions of the file and of its folder."),
    sqlite3.SQLITE_NOTADB: (DestinationError, "this is not an SQLite database", "Correct the connection's url; encrypted databases are not supported."),
    sqlite3.SQLITE_CORRUPT: (DestinationError, "the database is damaged", "Run PRAGMA integrity_check, and restore a backup or use the sqlite3 command .recover."),
    sqlite3.SQLITE_CONSTRAINT: (DestinationError, "a constraint that is checked at the end stands against the run", "Import what the records refer to first; nothing uncommitted was kept."),
    sqlite3.SQLITE_IOERR: (DestinationError, "the file cannot be read or written", "Check the disk."),
}  # fmt: skip
