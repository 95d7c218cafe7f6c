"""Getting records into the stage, quickly and in bounded memory.

The stage is a table of a working database of its own, so that loading locks nobody out of the destination. A few records
are bound one by one by the standard library. Many go through ADBC's driver, which binds whole Arrow batches in C: into a
file of its own, closed before the destination's connection attaches it, because that driver brings its own copy of SQLite,
and two copies must never have one file open in one process (closing it in one drops the other's locks).

Records for a table the run makes, as long as they come in the order of their key, are loaded into a **likeness** of that
table instead: SQLite copies a table into its like record by record without taking records apart.
"""

from __future__ import annotations

import sqlite3
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.sql import STAGE

FEW: Final = 20_000
"""Records up to which importing and opening the other driver takes longer than doing without it."""
_FEW_BYTES: Final = 32 << 20
"""What they may have in them: they wait in memory."""

WORK: Final = "_hg"
"""Schema name of the working database on each writer's connection, where everything temporary lives."""

_NUMBERS: Final = "_hg_numbers"
_CACHE_KIB: Final = 8_192


@dataclass(frozen=True, slots=True)
class Likeness:
    """How to make a table like the one the run makes.

    Attributes:
        name: quoted, in the working database.
        create: the statement that makes it.
        rowid: what finds its rows in the order they came in.
    """

    name: str
    create: str
    rowid: str


class Stage:
    """The records written since the last commit.

    Args:
        create: the statement that makes the stage.
        likeness: of the table the run makes, if its records may be copied as they are; the stage then has the column
            ``_n`` and after it the likeness' columns.
    """

    def __init__(self, create: str, likeness: Likeness | None = None) -> None:
        self.rows = 0
        self._bytes = 0
        self._create = create
        self._likeness = likeness
        self._few: list[pa.RecordBatch] = []
        self._many: _Loader | None = None

    @property
    def likeness(self) -> Likeness | None:
        """The table the records are in instead of the stage, if they are."""
        return self._likeness if self._many is not None else None

    def add(self, batch: pa.RecordBatch, *, rising: bool) -> None:
        """Take encoded records: columns in the order of the stage's, of types int64, double, text and binary.

        Args:
            batch: the records.
            rising: whether all keys so far, these records' included, have only risen.
        """
        self.rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._likeness and not rising:
            statements = self.resettle()
            if self._many is not None:
                self._many.execute(*statements)
        self._few.append(batch)
        if self._many is None and (self.rows > FEW or self._bytes > _FEW_BYTES):
            self._many = _Loader()
            self._many.execute(*self._creations(), "begin")
        if self._many is not None:
            for waiting in self._few:
                self._load(self._many, waiting)
            self._few.clear()

    def _creations(self) -> list[str]:
        if self._likeness is None:
            return [self._create]
        return [self._likeness.create, f"create table {WORK}.{_NUMBERS} (_n)"]

    def _load(self, loader: _Loader, batch: pa.RecordBatch) -> None:
        if self._likeness is None:
            loader.load(f"{WORK}.{STAGE}", batch)
        else:
            loader.load(f"{WORK}.{_NUMBERS}", batch.select([0]))
            loader.load(self._likeness.name, batch.select(range(1, batch.num_columns)))

    def resettle(self) -> list[str]:
        """Statements that move the records from the likeness into the stage."""
        like, self._likeness = self.likeness, None
        if like is None:
            return []
        return [
            self._create,
            f"insert into {WORK}.{STAGE} select n._n, t.* from {like.name} t join "
            f"(select {like.rowid} as r, row_number() over (order by {like.rowid}) as i from {like.name}) o on o.r = t.{like.rowid} "
            f"join {WORK}.{_NUMBERS} n on n.rowid = o.i order by o.i",
            f"drop table {like.name}",
            f"drop table {WORK}.{_NUMBERS}",
        ]

    def attach(self, con: sqlite3.Connection) -> None:
        """Make the records part of a connection; a transaction that is open stays so.

        Raises:
            sqlite3.Error: there is no space for them.
        """
        con.execute(f"attach ? as {WORK}", (str(self._many.finish()) if self._many else "",))
        if not con.in_transaction:  # inside of one it cannot be set
            con.execute(f"pragma {WORK}.synchronous = off")
        con.execute(f"pragma {WORK}.cache_size = -{_CACHE_KIB}")
        if self._many is None:
            con.execute(self._create)
            con.execute("savepoint _hg_stage")
            for batch in self._few:
                rows = zip(*(c.to_pylist() for c in batch.columns), strict=True)
                con.executemany(f"insert into {WORK}.{STAGE} values ({_marks(batch)})", rows)
            con.execute("release _hg_stage")

    def close(self) -> None:
        """Remove everything. The connection it was attached to must be closed. May be called twice."""
        self._few.clear()
        if self._many is not None:
            self._many.close()


def _marks(batch: pa.RecordBatch) -> str:
    return ", ".join("?" * batch.num_columns)


class _Loader:
    """Loads tables of a working database in a file of its own, in a thread of its own, one batch behind."""

    def __init__(self) -> None:
        from adbc_driver_sqlite import dbapi

        self._folder = tempfile.TemporaryDirectory(prefix="headgate-", ignore_cleanup_errors=True)
        self._path = Path(self._folder.name) / "stage.db"
        self._errors: type[Exception] = dbapi.Error
        self._thread = ThreadPoolExecutor(1, "headgate-stage")
        self._loading: Future[None] | None = None
        self._con: Any = dbapi.connect(":memory:", autocommit=True)
        self._cursor: Any = self._con.cursor()
        quoted = str(self._path).replace("'", "''")
        settings = ("page_size = 16384", "journal_mode = off", "synchronous = off", f"cache_size = -{_CACHE_KIB}")
        self.execute(f"attach '{quoted}' as {WORK}", *(f"pragma {WORK}.{s}" for s in settings))

    def execute(self, *statements: str) -> None:
        """Execute statements, after everything that is being loaded."""
        self._wait()
        for sql in statements:
            self._run(self._cursor.execute, sql)

    def load(self, table: str, batch: pa.RecordBatch) -> None:
        """Append records to a table; an error may show only at the next call."""
        self._wait()
        sql = f"insert into {table} values ({_marks(batch)})"
        self._loading = self._thread.submit(self._run, self._cursor.executemany, sql, batch)

    def _wait(self) -> None:
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.result()

    def _run(self, what: Any, *args: object) -> None:
        try:
            what(*args)
        except self._errors as e:
            raise DestinationError(
                f"the records cannot be kept aside in {self._folder.name}: {e}",
                hint="Make space there, or set TMPDIR to a folder that has some.",
            ) from e

    def finish(self) -> Path:
        """Close the file; nothing can be added any more."""
        self.execute("commit")
        self._release()
        return self._path

    def _release(self) -> None:
        self._thread.shutdown()
        if self._con is not None:
            self._cursor.close()
            self._con.close()
            self._con = None

    def close(self) -> None:
        """Remove the file. May be called twice."""
        self._release()
        self._folder.cleanup()
