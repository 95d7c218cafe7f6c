"""A ledger in one SQLite file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from headgate.model.errors import HeadgateError

from .store import BUSY_SECONDS, Row, Session

# Rejects are long rows written in bulk: larger pages than the default 4096 save a tenth of the time.
_PAGE_BYTES: Final = 16_384
_HINTS: Final = {
    sqlite3.SQLITE_FULL: "Free some space, or remove old runs, and try again.",
    sqlite3.SQLITE_IOERR: "Look whether the disk is full or failing, and try again.",
    sqlite3.SQLITE_READONLY: "Allow writing to the file and its folder, or keep the ledger elsewhere.",
    sqlite3.SQLITE_CANTOPEN: "Allow writing to the file and its folder, or keep the ledger elsewhere.",
    sqlite3.SQLITE_PERM: "Allow writing to the file and its folder, or keep the ledger elsewhere.",
    sqlite3.SQLITE_BUSY: "Another program keeps it locked; try again when that is done.",
    sqlite3.SQLITE_NOTADB: "It is another kind of file; name another place for the ledger.",
    sqlite3.SQLITE_CORRUPT: "Restore it from a backup, or move it away: the next run makes a new one.",
}


class _SqliteSession:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        return self._connection.execute(statement, tuple(values)).fetchall()

    def many(self, statement: str, rows: Sequence[Sequence[object]]) -> int:
        return self._connection.executemany(statement, rows).rowcount


class SqliteStore:
    """A ledger in one SQLite file, in write-ahead mode, so that readers and a writer do not wait for each other.

    Every commit is synced to the disk: what the ledger says has happened must outlive a power cut.
    """

    shared = False

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.place = str(path)
        self.folder = self.path.parent
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def has_table(self, name: str) -> bool:
        """Whether the file is there and has the table."""
        try:
            if not self.path.exists():
                return False
        except OSError as e:
            raise HeadgateError(f"cannot look at the ledger {self.place}: {e.strerror}") from e
        return bool(self.query("select 1 from sqlite_master where type = 'table' and name = ?", [name]))

    def create(self) -> None:
        """Make the folder and the file, and set what a file keeps for good (page size, write-ahead mode)."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise HeadgateError(
                f"cannot make the folder of the ledger, {self.folder}: {e.strerror}",
                hint="Allow writing there, or keep the ledger elsewhere.",
            ) from e
        with self._lock, self._understood():
            connection = self._connect("rwc")
            connection.execute(f"pragma page_size = {_PAGE_BYTES}")
            try:
                connection.execute("pragma journal_mode = wal").fetchall()
            except sqlite3.OperationalError as e:
                # Another process is switching the file over at this moment; the mode belongs to the file, not to us.
                if e.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Rows of a statement that only reads."""
        with self._lock, self._understood():
            return self._connect("rw").execute(statement, tuple(values)).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See `Store.transaction`. Only one process writes at a time; the others wait up to `BUSY_SECONDS`."""
        with self._lock, self._understood():
            connection = self._connect("rw")
            connection.execute("begin immediate")
            try:
                yield _SqliteSession(connection)
                connection.execute("commit")
            finally:
                if connection.in_transaction:
                    connection.rollback()

    def migration(self) -> AbstractContextManager[Session]:
        """Only one process writes at a time, whatever it writes."""
        return self.transaction()

    def keep(self, name: str, path: Path) -> None:  # noqa: ARG002 - it lies where it is kept
        """See to it that a file that lies beside the ledger outlives a power cut."""
        try:
            _sync(path)
            if os.name != "nt":  # folders cannot be opened there
                _sync(path.parent)
        except OSError as e:
            raise HeadgateError(f"{path} cannot be kept: {e.strerror}", hint="Look whether the disk is full.") from e

    def kept(self, folder: str) -> list[str]:  # noqa: ARG002
        """Files are nowhere but here."""
        return []

    def fetch(self, name: str, path: Path) -> None:
        """Files are nowhere but here."""

    def forget(self, name: str) -> None:
        """Files are nowhere but here."""

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connect(self, mode: str) -> sqlite3.Connection:
        if self._connection is None:
            # In write-ahead mode even a reader makes files beside the ledger; on a read-only medium nobody writes,
            # and the file can be read as it stands.
            fixed = mode == "rw" and not os.access(self.folder, os.W_OK) and not Path(f"{self.path}-wal").exists()
            self._connection = sqlite3.connect(
                f"{self.path.as_uri()}?{'immutable=1' if fixed else f'mode={mode}'}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.execute("pragma foreign_keys = on")
            self._connection.execute("pragma synchronous = full")
        return self._connection

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Say a failure of SQLite in a person's words."""
        try:
            yield
        except sqlite3.Error as e:
            # The low byte is the kind of failure, the rest a finer distinction.
            code = (getattr(e, "sqlite_errorcode", None) or 0) & 0xFF
            if code not in _HINTS:
                raise
            raise HeadgateError(f"the ledger {self.place} cannot be used: {e}", hint=_HINTS[code]) from e


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
