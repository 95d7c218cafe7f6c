"""Which file, how it is opened, and one transaction as the method of `headgate.sql` needs it.

DuckDB has no savepoints, and an error of a constraint ends the transaction. So everything that is staged and decided is
committed, in temporary tables; the transaction holds nothing but what is written to the destination's tables, and its
statements are remembered. Where one is refused, the transaction is rolled back, and the others are carried out again before
the next.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import duckdb
import pyarrow as pa

from headgate.model.errors import Cancelled, ConnectionFailed, UsageError
from headgate.spi.options import check_options, seconds
from headgate.sql import swallowed

from .errors import STOPPED, explain, refusal, words

_OPTIONS: Final = ("type", "url", "memory_limit", "threads", "temp_directory", "timeout")
_PAGE: Final = 65_536
_WAIT_SECONDS: Final = 10.0
_MEMORY: Final = "1GB"

_locks: dict[str, threading.Lock] = {}
_guard: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one database file.

    Attributes:
        path: the file.
        config: what DuckDB is told; the same for all connections to the file in a process.
        timeout: seconds to wait for another run of this process.
    """

    path: Path
    config: Mapping[str, Any]
    timeout: float

    @classmethod
    def read(cls, options: Mapping[str, Any], base: Path) -> Access:
        """Read a connection of the project: ``url``, and ``memory_limit`` (``1GB``), ``threads``, ``temp_directory`` and
        ``timeout`` (seconds, 10) where given.

        Raises:
            UsageError: an option is unknown or wrong, or the URL names no file.
        """
        check_options(options, _OPTIONS, "a DuckDB connection")
        path = _path_of(str(options["url"]), base)
        threads = options.get("threads", min(4, os.cpu_count() or 1))
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise UsageError(f"threads is {threads!r}, not a number of threads")
        temp = base / str(options.get("temp_directory", f"{path}.tmp"))
        config = {"memory_limit": str(options.get("memory_limit", _MEMORY)), "threads": threads}
        return cls(path, {**config, "temp_directory": str(temp)}, seconds(options, "timeout", _WAIT_SECONDS))

    @property
    def is_there(self) -> bool:
        """Whether there is a file; where not even its folder is there, opening it says so."""
        return self.path.exists() or not self.path.parent.is_dir()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open the file; it is made if it is not there.

        Raises:
            ConnectionFailed, DestinationError: it cannot be opened, is in use, or is no database.
        """
        if not self.path.parent.is_dir():
            raise ConnectionFailed(
                f"{self.path}: there is no folder {self.path.parent}",
                hint="Make the folder, or correct the connection's url.",
            )
        if self.path.is_dir():
            raise ConnectionFailed(
                f"{self.path} is a folder, not a database file", hint="Correct the connection's url."
            )
        try:
            connection = duckdb.connect(str(self.path), config=dict(self.config))
        except duckdb.ParserException as e:
            raise UsageError(
                f"memory_limit is {self.config['memory_limit']!r}: {words(e)}", hint="Write it like 1GB or 512MiB."
            ) from None
        except duckdb.Error as e:
            raise explain(e, self.path) from None
        connection.execute("set TimeZone = 'UTC'")
        return connection

    def lock(self) -> threading.Lock:
        """The lock of the file in this process; between processes DuckDB has one of its own."""
        with _guard:
            return _locks.setdefault(str(self.path.resolve()), threading.Lock())


def _path_of(url: str, base: Path) -> Path:
    scheme, _, rest = url.partition("://")
    name = unquote(rest.removeprefix("/"))
    if scheme != "duckdb" or not rest.startswith("/") or name in ("", "/", ":memory:") or "?" in rest:
        raise UsageError(
            f"{url!r} names no DuckDB file",
            hint="Write duckdb:///shop.duckdb (relative to the project) or duckdb:////data/shop.duckdb; for tables in "
            "memory, memory://NAME.",
        )
    return base / name


class DuckdbSession:
    """One connection, which writes alone from `hold` on.

    Statements commit at once until `begin`; from then on they are one transaction.

    Args:
        access: what to open.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._held: threading.Lock | None = None
        self._first: list[str] = []
        self._done: list[str] | None = None
        self._stale = False
        self._cancelled = False
        self.connection = access.connect()

    def hold(self) -> None:
        """Keep other runs of this process from writing to the file.

        Raises:
            ConnectionFailed: one of them did not end in time.
        """
        if self._held is not None:
            return
        lock = self._access.lock()
        if not lock.acquire(timeout=self._access.timeout):
            raise ConnectionFailed(
                f"{self._access.path}: another run of this process is writing to the database",
                hint="Run again when it is done; the connection's timeout says how long to wait.",
            )
        self._held = lock

    def first(self, table: str, columns: Sequence[str], rows: pa.Table) -> None:
        """Have rows added to a table at the beginning of the transaction, which has not begun.

        Args:
            table: its name for statements.
            columns: quoted, in the order of `rows`.
        """
        kept = f"temp._hg_first_{len(self._first)}"
        with self.registered("_hg_rows", rows):
            self._query(f"create temp table {kept.removeprefix('temp.')} as select * from _hg_rows")
        self._first.append(f"insert into {table} ({', '.join(columns)}) select * from {kept}")

    def begin(self) -> None:
        """Begin the transaction."""
        self._done, self._first = self._first, []
        self._query("begin")
        for sql in self._done:
            self._query(sql)

    def run(self, sql: str) -> int:
        """Execute and return the number of rows."""
        affected = _affected(self._query(sql))
        self._remember(sql)
        return affected

    def attempt(self, sql: str, expected: int | None = None) -> None:
        """Execute; a refusal leaves everything as it was before. See `headgate.sql.Session.attempt`."""
        self._restore()
        self._stale = self._done is not None
        self._try(sql, expected)
        self._stale = False
        self._remember(sql)

    def probe(self, sql: str, expected: int) -> None:
        """As `attempt`, but what is written is forgotten. Only within the transaction.

        Raises:
            Refused, HeadgateError: as for `attempt`.
        """
        self._restore()
        self._stale = True
        self._try(sql, expected)

    def tried(self, sql: str) -> pa.Table:
        """Execute after what was given to `first`, in a transaction that is rolled back, and return what it gives.

        Raises:
            Refused, HeadgateError: as for `attempt`.
        """
        self._query("begin")
        try:
            for done in self._first:
                self._query(done)
            self._go_on()
            return self.connection.sql(sql).to_arrow_table()
        except duckdb.Error as e:
            raise self._refused(e) from None
        finally:
            self._query("rollback")

    def _try(self, sql: str, expected: int | None) -> None:
        try:
            affected = _affected(self._execute(sql))
        except duckdb.Error as e:
            raise self._refused(e) from None
        if expected is not None and affected != expected:
            raise swallowed()

    def _refused(self, e: duckdb.Error) -> Exception:
        refused = None if self._cancelled else refusal(e)
        return self._failure(e) if refused is None else refused

    def _restore(self) -> None:
        """Do once more what was done in the transaction. Nobody else has written meanwhile, so it does the same."""
        if not self._stale:
            return
        self._stale = False
        for sql in ("rollback", "begin", *(self._done or ())):
            self._query(sql)

    def _remember(self, sql: str) -> None:
        if self._done is not None:
            self._done.append(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute and return everything."""
        return list(self._query(sql).fetchall())

    def pages(self, sql: str, schema: pa.Schema | None = None, rows: int = _PAGE) -> Iterator[pa.RecordBatch]:
        """Execute, a part at a time, as batches (of a schema). The connection can do nothing else before the last."""
        self._go_on()
        self._restore()
        try:
            for batch in self.connection.sql(sql).to_arrow_reader(rows):
                if schema is None:
                    yield batch
                    continue
                columns = [c.cast(of) for c, of in zip(batch.columns, schema.types, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
        except duckdb.Error as e:
            raise self._failure(e) from None

    def load(self, table: str, columns: str, batch: pa.RecordBatch) -> None:
        """Append a batch to a table; `columns` are expressions over the batch's."""
        with self.registered("_hg_batch", batch):
            self._query(f"insert into {table} select {columns} from _hg_batch")

    @contextmanager
    def registered(self, name: str, rows: pa.RecordBatch | pa.Table) -> Iterator[None]:
        """Let statements read rows by a name meanwhile."""
        self.connection.register(name, rows)
        try:
            yield
        finally:
            self.connection.unregister(name)

    def _go_on(self) -> None:
        if self._cancelled:
            raise Cancelled(STOPPED)

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        self._go_on()
        return self.connection.execute(sql)

    def _query(self, sql: str) -> duckdb.DuckDBPyConnection:
        self._restore()
        try:
            return self._execute(sql)
        except duckdb.Error as e:
            raise self._failure(e) from None

    def _failure(self, e: duckdb.Error) -> Exception:
        return Cancelled(STOPPED) if self._cancelled else explain(e, self._access.path)

    def cancel(self) -> None:
        """Break off the statement that runs, and refuse further ones. From any thread."""
        self._cancelled = True
        with suppress(duckdb.Error):  # it is closed
            self.connection.interrupt()

    def commit(self) -> None:
        """Make everything visible, and let others write."""
        self._query("commit")
        self._done = None
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def close(self) -> None:
        """Disconnect, which rolls back; may be called twice."""
        with suppress(duckdb.Error):
            self.connection.close()
        self._let_go()


def _affected(result: duckdb.DuckDBPyConnection) -> int:
    """How many rows a statement wrote; -1 for one that writes none."""
    said = result.description
    if not said or said[0][0] != "Count":
        return -1
    return int((result.fetchone() or (0,))[0])


def literal(text: str) -> str:
    """A text as an SQL literal."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
