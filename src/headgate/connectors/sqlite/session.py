"""Running statements on one connection, and telling a record's fault from everybody's."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from headgate.model.errors import Cancelled, DestinationError
from headgate.sql import Refused
from headgate.sql.session import swallowed

from .connect import STOPPED, failure

_CODES: Final = {
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "DE01",
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "DE02",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "DE02",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "DE02",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "DE03",
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "DE04",
    3091: "DE05",  # SQLITE_CONSTRAINT_DATATYPE, which the module has no name for: STRICT tables
}
_PRIMARY: Final = {sqlite3.SQLITE_CONSTRAINT: "DE06", sqlite3.SQLITE_MISMATCH: "DE05", sqlite3.SQLITE_TOOBIG: "DE05"}
BLOB: Final = "headgate_blob"
"""The function that makes a blob of hexadecimal digits, which SQLite has only from 3.41 on."""

_NAMED: Final = re.compile(r"(?:UNIQUE|NOT NULL) constraint failed: [^,]*\.([^,.]+)$|into \S+ column [^,]*\.([^,.]+)$")

# What SQLite says of a column that something refers to, when it is to be dropped.
_NEEDED = ("error in ", "cannot drop column")


class SqliteSession:
    """One transaction on one connection.

    Args:
        con: in autocommit mode, with a transaction begun by hand.
        path: the database file, for messages.
        references: the column of the table's only foreign key, which SQLite does not name when it stands against a record.
    """

    def __init__(self, con: sqlite3.Connection, path: Path, references: str = "") -> None:
        self._con = con
        self._path = path
        self._references = references
        self._cancelled = False
        con.create_function(BLOB, 1, bytes.fromhex, deterministic=True)

    def cancel(self) -> None:
        """Break off the statement that runs, and refuse further ones. From any thread."""
        self._cancelled = True
        self._con.interrupt()

    def _execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        if self._cancelled:
            raise Cancelled(STOPPED)
        return self._con.execute(sql, values)

    def attach(self, path: Path, schema: str) -> None:
        """Attach a database file."""
        try:
            self._con.execute(f"attach ? as {schema}", (str(path),))
        except sqlite3.Error as e:
            raise failure(e, self._path) from e

    def run(self, sql: str) -> int:
        """Execute one statement; rows affected, -1 where that has no meaning."""
        try:
            return self._execute(sql).rowcount
        except sqlite3.Error as e:
            raise failure(e, self._path) from e

    def attempt(self, sql: str, expected: int | None = None) -> None:
        """Execute one statement under a savepoint; `Refused` leaves everything as it was."""
        # A table's own ON CONFLICT IGNORE or REPLACE would lose records without a word.
        sql = re.sub(r"^insert into ", "insert or abort into ", sql)
        affected = self._attempt(sql, ()).rowcount
        if expected is not None and affected != expected:
            self._undo()
            raise swallowed()
        self.run("release _hg_attempt")

    def attempt_rows(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """As `attempt`, with values bound; what the statement returns."""
        rows = self._attempt(sql, values).fetchall()
        self.run("release _hg_attempt")
        return rows

    def _attempt(self, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
        """Execute under a savepoint, which is left open unless it was refused."""
        self.run("savepoint _hg_attempt")
        try:
            return self._execute(sql, values)
        except sqlite3.Error as e:
            refused = self._refusal(e)
            if refused is None:
                raise failure(e, self._path) from e
            if not self._con.in_transaction:
                raise DestinationError(
                    f"{self._path}: the table undid the whole transaction: {e}",
                    hint="One of its constraints or triggers says ROLLBACK; with ABORT a single record can be refused.",
                ) from e
            self._undo()
            raise refused from None

    def _undo(self) -> None:
        self.run("rollback to _hg_attempt")
        self.run("release _hg_attempt")

    def _refusal(self, e: sqlite3.Error) -> Refused | None:
        code = getattr(e, "sqlite_errorcode", 1)
        found = _CODES.get(code, _PRIMARY.get(code & 0xFF))
        if found is None and str(e).startswith(_NEEDED):
            return Refused("DE01", str(e), "")
        if found is None:
            return None
        if found == "DE01":
            return Refused(found, str(e), self._references)
        m = _NAMED.search(str(e))
        return Refused(found, str(e), (m[1] or m[2]) if m else "")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute one query; everything it gives."""
        try:
            return self._execute(sql).fetchall()
        except sqlite3.Error as e:
            raise failure(e, self._path) from e

    def pages(self, sql: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Execute one query; its rows, `size` at a time."""
        try:
            cursor = self._execute(sql)
            while page := cursor.fetchmany(size):
                yield page
        except sqlite3.Error as e:
            raise failure(e, self._path) from e
