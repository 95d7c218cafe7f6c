"""Tables, views and queries of a database file as a source."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.errors import Cancelled, SourceError
from headgate.model.spec import SourceSpec
from headgate.model.text import text_form
from headgate.model.types import INTEGERS, FieldType
from headgate.spi.kept import Page
from headgate.spi.registry import Connected
from headgate.spi.source import BATCH_ROWS
from headgate.sql.parameters import with_parameters
from headgate.sql.source import DatabaseSource, Value, Wanted, columns_of, source
from headgate.sql.typed import page

from .apart import Apart, Asked, Broken, as_bytes, real_texts
from .connect import STOPPED, connect, failure, failure_said, path_of
from .stage import FEW
from .tables import Found, find, quoted
from .types import affinity

_TYPES: Final = {
    **dict.fromkeys(INTEGERS, pa.int64()),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
}
"""What a column declared so is read as. All others are text, just as it is stored: SQLite itself knows no other types."""

_NUMBERS: Final = (*INTEGERS, "double")


def open_source(spec: SourceSpec, base: Path, connected: Connected | None = None) -> DatabaseSource:
    """Tables and queries of ``sqlite:///shop.db``."""
    return source(lambda options, wanted: SqliteSnapshot(path_of(str(options["url"]), base), wanted), spec, connected)


class SqliteSnapshot:
    """One read transaction (`headgate.sql.source.Snapshot`). It begins with the first record, because nobody can commit to the
    file while it goes on, not even the run that reads.

    Args:
        path: the file.
        wanted: what is to be read.

    Raises:
        SourceError, DestinationError: there is no such file, table or column, or the query is wrong.
    """

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path, self._wanted = path, wanted
        self._apart: Apart | None = None
        self._cancelled = False
        if path.parent.is_dir() and not path.exists():
            raise SourceError(f"{path}: there is no such file", hint="Correct the connection's url.")
        self._con = connect(path)
        try:
            self._con.execute("pragma query_only = on")
            self._prepare()
        except sqlite3.Error as e:
            self.close()
            raise failure(e, path) from e
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        wanted = self._wanted
        types: dict[str, FieldType | None] = {}
        self._found: Found | None = None
        if wanted.query:
            source = with_parameters(wanted.query, wanted.params, lambda name: f":{name}")
            there = [
                d[0] for d in self._con.execute(f"select * from ({source}\n) limit 0", dict(wanted.params)).description
            ]
            self._from, self._values, what = f"({source}\n)", dict(wanted.params), "the query"
        else:
            types = self._types(wanted.table)
            there, self._from, self._values = list(types), quoted(wanted.table.removeprefix("main.")), {}
            what = f"{self._path}: {wanted.table}"
        self.columns = columns_of(there, wanted, what)
        self.declared = {name: of for name, of in types.items() if of is not None}
        read_as = {name: _TYPES.get(of.kind, pa.string()) for name, of in self.declared.items()}
        self.schema = pa.schema([(c, read_as.get(c, pa.string())) for c in self.columns])
        self._where = self._since()
        self.newest: Value | None = None
        self.rows = self._estimate()

    def _types(self, table: str) -> dict[str, FieldType | None]:
        """Columns of a table with their declared types, of a view or a virtual table without any."""
        name = table.removeprefix("main.")
        listed = "select name, iif(sql like 'create virtual%', 'virtual', type) from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name"
        kinds = {n.lower(): kind for n, kind in self._con.execute(listed)}
        if name.lower() not in kinds:
            there = [n for n, _ in self._con.execute(listed) if not n.startswith("_headgate_")]
            near = get_close_matches(name, there, 3, 0.5)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(there[:20]) or 'none'}."
            raise SourceError(f"{self._path}: there is no table {table}", hint=hint)
        if kinds[name.lower()] == "table" and (found := find(self._con, table)) is not None:
            self._found = found
            return {c.name: c.type for c in found.schema.columns}
        return {d[0]: None for d in self._con.execute(f"select * from {quoted(name)} limit 0").description}

    def _since(self) -> str:
        if self._wanted.since is not None:
            self._values["hg_since"] = self._wanted.since
        return self._wanted.later(f"hg.{quoted(self._wanted.growing)}", ":hg_since")

    def _newest(self) -> Value | None:
        if not self._wanted.growing:
            return None
        column = quoted(self._wanted.growing)
        where = self._where
        declared = self.declared.get(self._wanted.growing)
        if declared is not None and declared.kind in _NUMBERS:
            # A text among them would be above them all, as infinity is.
            numbers = f"typeof(hg.{column}) in ('integer', 'real') and hg.{column} < 9e999"
            where += f" {'and' if where else 'where'} {numbers}"
        found: Value | bytes | None = self._con.execute(
            f"select max(hg.{column}) from {self._from} hg{where}", self._values
        ).fetchone()[0]
        if isinstance(found, bytes):
            raise SourceError(
                f"{self._path}: {self._wanted.growing} holds bytes, of which none is the last",
                hint="Name another column.",
            )
        return found

    def _estimate(self) -> int:
        """The highest number of a row is found at once; counting would read the table."""
        if self._wanted.query or self._where:
            return 0
        try:
            return int(self._con.execute(f"select max(rowid) from {self._from}").fetchone()[0] or 0)
        except (sqlite3.Error, TypeError, ValueError):  # a view, or a table without numbers
            return 0

    def pages(self) -> Iterator[Page]:
        """See `Snapshot`."""
        try:
            for arrays in self._columns():
                yield page(arrays, self.schema)
        except UnicodeDecodeError as e:
            raise self._no_text(e.reason) from e
        except sqlite3.Error as e:
            if "Could not decode to UTF-8" in str(e):
                raise self._no_text(str(e)) from e
            raise failure(e, self._path) from e

    def _no_text(self, said: str) -> SourceError:
        return SourceError(f"{self._path}: {said}", hint="Read the column as bytes: a query with CAST(… AS BLOB).")

    def _columns(self) -> Iterator[list[pa.Array]]:
        """Columns of each page, by a process of its own where that is worth it and possible."""
        read = False
        if self._is_large():
            self._apart = Apart(self._path, self._asked(), self._from)
            if self._cancelled:
                self._apart.stop()
            try:
                for arrays in self._apart.pages():
                    read = True
                    yield arrays
            except Broken as e:
                if self._cancelled:
                    raise Cancelled(STOPPED) from None
                if read:
                    raise failure_said(str(e), self._path) from e
            else:
                return
        yield from self._here()

    def _is_large(self) -> bool:
        """Whether the other process pays; it knows tables only, of which alone the classes of values are known."""
        plain = self._found is not None and not self._wanted.growing
        return (
            plain
            and self.rows > FEW
            and Apart.possible()
            and self._con.execute("pragma encoding").fetchone()[0] == "UTF-8"
        )

    def _asked(self) -> list[Asked]:
        declared = self._found.declared if self._found is not None else {}
        return [Asked(f.name, f.type, affinity(declared[f.name])) for f in self.schema]

    def _here(self) -> Iterator[list[pa.Array]]:
        columns = ", ".join(f"hg.{quoted(c)}" for c in self.columns)
        self._con.execute("begin")
        self.newest = self._newest()
        cursor = self._con.execute(f"select {columns} from {self._from} hg{self._where}", self._values)
        cursor.arraysize = BATCH_ROWS
        # A cursor that is not at its end keeps the file locked, even once the connection is closed.
        with closing(cursor):
            while rows := cursor.fetchmany():
                yield [_array(v, f.type) for v, f in zip(zip(*rows, strict=True), self.schema, strict=True)]

    def cancel(self) -> None:
        """See `Snapshot`."""
        self._cancelled = True
        if self._apart is not None:
            self._apart.stop()
        with suppress(sqlite3.Error):  # it is closed
            self._con.interrupt()

    def close(self) -> None:
        """See `Snapshot`."""
        if self._apart is not None:
            self._apart.stop()
        self._con.close()


def _array(values: tuple[Any, ...], wanted: pa.DataType) -> pa.Array:
    """Values in the type of the column; as text where not all of them are of it."""
    if pa.types.is_binary(wanted):
        return pa.array([as_bytes(v) for v in values], wanted)
    try:
        found = pa.array(values)
    except (pa.ArrowException, OverflowError):
        found = None
    if found is not None:
        if found.type == wanted or pa.types.is_null(found.type):
            return found.cast(wanted)
        if pa.types.is_boolean(wanted) and pa.types.is_int64(found.type) and _are_flags(found):
            return found.cast(wanted)
        if pa.types.is_string(wanted) and pa.types.is_floating(found.type):
            return real_texts(found)
    return pa.array([text_form(v) for v in values], pa.string())


def _are_flags(values: pa.Array) -> bool:
    return bool(pc.all(pc.is_in(values, pa.array([0, 1, None], pa.int64()))).as_py())
