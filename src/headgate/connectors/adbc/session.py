"""A driver, found and loaded; and one connection of its own, in a transaction that is rolled back."""

from __future__ import annotations

import importlib
import importlib.util
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import adbc_driver_manager as manager
import pyarrow as pa

from headgate.model.errors import ConnectionFailed, SourceError, UsageError
from headgate.spi.secrets import Secrets, is_secret

from .options import AdbcOptions, as_text
from .values import array_of
from .vendors import Vendor, vendor

_FETCHED: Final = 16_384
_PATIENCE: Final = 0.05
_PACKAGES: Final = {"duckdb": "duckdb"}
_ENTRYPOINTS: Final = {"duckdb": "duckdb_adbc_init"}
_WRONG: Final = (
    manager.AdbcStatusCode.INVALID_ARGUMENT,
    manager.AdbcStatusCode.NOT_IMPLEMENTED,
    manager.AdbcStatusCode.NOT_FOUND,
)
_STATUS: Final = re.compile(r"^[A-Z_]+: ")
_LIBRARY: Final = re.compile(r"[/\\]|\.(?:so|dylib|dll)(?:\.\d+)*$")
_SYSTEM: Final = ("information_schema", "pg_catalog")
_PLAIN_SCHEMAS: Final = ("", "public", "main", None)

Value = str | int | float | bool | None


class Session:
    """A connection to a database.

    Args:
        options: what the connection says.
        base: folder that the path of a driver's library starts from.
        secrets: texts that are not shown.

    Attributes:
        name: the driver and the database, for people.
        vendor: how statements are written.

    Raises:
        UsageError: there is no such driver, or it does not know an option.
        ConnectionFailed: the database cannot be reached.
    """

    def __init__(self, options: AdbcOptions, base: Path, secrets: Sequence[str] = ()) -> None:
        self.name = f"adbc {options.driver}"
        self._statement = as_text(options.statement)
        self._secrets = Secrets()
        self._secrets.add(*secrets, *_hidden(options))
        self._lock = threading.Lock()
        self._database: Any = None
        self._connection: Any = None
        self._open: list[Any] = []
        self._cursors = 0
        given = as_text(options.options) | ({} if options.uri is None else {"uri": options.uri})
        try:
            self._database = manager.AdbcDatabase(**given | _driver(options, base))
            self._connection = manager.AdbcConnection(self._database, **as_text(options.session))
            self.product = self._product()
            self.vendor: Vendor = vendor(self.product, options)
            self._begin()
        except manager.Error as e:
            self.close()
            raise self._failed(e, options.driver) from None
        except BaseException:
            self.close()
            raise

    def _failed(self, e: manager.Error, driver: str) -> Exception:
        if "[Driver Manager]" in str(e) and e.status_code == manager.AdbcStatusCode.NOT_FOUND:
            package = _PACKAGES.get(driver, f"adbc-driver-{driver.replace('_', '-')}")
            where = "Give the path of a library that can be loaded, or the name of a driver's package."
            return UsageError(
                f"there is no ADBC driver {driver!r}",
                hint=where
                if _LIBRARY.search(driver)
                else f"Install it: pip install {package}; or give its library's path.",
            )
        if e.status_code in _WRONG:
            return UsageError(
                f"{self.name}: {self.words(e)}", hint="Correct the connection's uri, options and session."
            )
        return ConnectionFailed(f"{self.name} cannot be reached: {self.words(e)}", hint="Check the connection's uri.")

    def _product(self) -> str:
        """The database's own name and version, as far as the driver tells them."""
        with suppress(manager.Error, pa.ArrowException, OSError):
            codes: list[Any] = [manager.AdbcInfoCode.VENDOR_NAME, manager.AdbcInfoCode.VENDOR_VERSION]
            found = pa.RecordBatchReader.from_stream(self._connection.get_info(codes)).read_all().to_pylist()
            return " ".join(str(row["info_value"]) for row in found)
        return ""

    def _begin(self) -> None:
        """Not every driver knows transactions, or that nothing is to be written; every one says so."""
        with suppress(manager.NotSupportedError):
            self._connection.set_autocommit(False)
        with suppress(manager.NotSupportedError):
            self._connection.set_options(**{"adbc.connection.readonly": "true"})
        for sql in self.vendor.begin:
            with self._made(sql) as statement:
                statement.execute_update()

    # ---------------------------------------------------------------- asking

    @contextmanager
    def _made(self, sql: str, **more: str) -> Iterator[Any]:
        statement = manager.AdbcStatement(self._connection)
        try:
            statement.set_options(**self._statement | more)
            statement.set_sql_query(sql)
            yield statement
        finally:
            statement.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Nobody closes the connection under a driver that is busy with it; its errors are the source's."""
        with self._lock:
            if self._connection is None:
                raise SourceError(f"{self.name}: the connection was closed")
            try:
                yield
            except (manager.Error, pa.ArrowException, OSError) as e:
                raise SourceError(f"{self.name}: {self.words(e)}") from None

    def records(self, sql: str, values: Sequence[Value] = ()) -> Records:
        """Ask a question.

        Args:
            values: of its parameters, in order.

        Raises:
            SourceError: the database has no answer.
        """
        with self._asking():
            if values and self.vendor.cursor:
                self._cursors += 1
                cursor = f"hg{self._cursors}"
                with self._made(f"declare {cursor} no scroll cursor for {sql}") as statement:
                    self._bind(statement, values)
                    statement.execute_update()
                fetch = f"fetch {_FETCHED} from {cursor}"
                reader = self._opened(fetch, (), **{"adbc.postgresql.use_copy": "false"})
                return Records(self, reader.schema, self._fetched(fetch, reader))
            reader = self._opened(sql, values)
            return Records(self, reader.schema, iter(reader))

    def _opened(self, sql: str, values: Sequence[Value], **more: str) -> pa.RecordBatchReader:
        for one in self._open:
            one.close()
        self._open.clear()
        statement = manager.AdbcStatement(self._connection)
        self._open.append(statement)
        statement.set_options(**self._statement | more)
        statement.set_sql_query(sql)
        if values:
            self._bind(statement, values)
        reader = pa.RecordBatchReader.from_stream(statement.execute_query()[0])
        self._open.insert(0, reader)
        return reader

    def _bind(self, statement: Any, values: Sequence[Value]) -> None:
        statement.prepare()
        kinds: list[pa.DataType | None] = [None] * len(values)
        with suppress(manager.NotSupportedError):
            kinds = list(pa.schema(statement.get_parameter_schema()).types)
        arrays = [array_of(v, kind) for v, kind in zip(values, kinds, strict=True)]
        statement.bind(pa.record_batch(arrays, names=[str(n) for n in range(1, len(arrays) + 1)]))

    def _fetched(self, fetch: str, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        while True:
            rows = 0
            for batch in reader:
                rows += batch.num_rows
                yield batch
            if rows < _FETCHED:
                return
            reader = self._opened(fetch, (), **{"adbc.postgresql.use_copy": "false"})

    def next_of(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        """The next records of an answer; None behind the last.

        Raises:
            SourceError: the database does not go on.
        """
        with self._asking():
            return next(batches, None)

    def tables(self) -> list[str]:
        """The names of tables and views, those of other schemas with them; none where the driver does not tell."""
        with suppress(SourceError), self._asking():
            self._release()
            with suppress(manager.NotSupportedError):
                self._connection.rollback()
            found = pa.RecordBatchReader.from_stream(self._connection.get_objects(manager.GetObjectsDepth.TABLES))
            return sorted(_names(found.read_all().to_pylist()))
        return []

    def words(self, e: BaseException) -> str:
        """The driver's own words, without its status, the statement and secrets."""
        first = str(e).strip().split("\n")[0]
        return self._secrets.hide(_STATUS.sub("", first)).rstrip() or type(e).__name__

    def cancel(self) -> None:
        """Break off what the driver is busy with, where it knows how; from any thread."""
        connection = self._connection
        if connection is not None:
            with suppress(manager.Error):
                connection.cancel()

    def _release(self) -> None:
        for one in self._open:
            with suppress(manager.Error, pa.ArrowException, OSError):
                one.close()
        self._open.clear()

    def close(self) -> None:
        """Disconnect. May be called twice; it waits for a driver that cannot be broken off."""
        while not self._lock.acquire(timeout=_PATIENCE):  # what was asked may not have begun when it was cancelled
            self.cancel()
        try:
            self._release()
            for one in (self._connection, self._database):
                if one is not None:
                    with suppress(manager.Error):
                        one.close()
            self._connection = self._database = None
        finally:
            self._lock.release()


@dataclass(frozen=True, slots=True)
class Records:
    """An answer, of which nothing is read before it is asked for. The next question ends it.

    Attributes:
        schema: as the driver gives it.
    """

    _session: Session
    schema: pa.Schema
    _batches: Iterator[pa.RecordBatch]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._session.next_of(self._batches)) is not None:
            yield batch


def _driver(options: AdbcOptions, base: Path) -> dict[str, str]:
    """The driver's library, from its package where there is one; any other name is left to the driver manager."""
    name = options.driver
    entry = {} if options.entrypoint is None else {"entrypoint": options.entrypoint}
    if _LIBRARY.search(name):
        return {"driver": str(base / name)} | entry
    short = name.removeprefix("adbc_driver_").removeprefix("adbc-driver-").replace("-", "_")
    module = f"adbc_driver_{short}"
    if short.isidentifier() and importlib.util.find_spec(module) is not None:
        package = importlib.import_module(module)
        find = getattr(package, "_driver_path", None) or getattr(package, "driver_path", None)
        if find is not None:
            usual = {"entrypoint": _ENTRYPOINTS[short]} if short in _ENTRYPOINTS else {}
            return {"driver": str(find())} | usual | entry
    return {"driver": name} | entry


def _hidden(options: AdbcOptions) -> list[str]:
    """What is a secret by its name, or stands in the URL where passwords do."""
    named = {**options.options, **options.session, **options.statement}
    found = [str(v) for k, v in named.items() if is_secret(k)]
    with suppress(ValueError):
        if password := urlsplit(options.uri or "").password:
            found += [password, unquote(password)]
    return found


def _names(catalogs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for catalog in catalogs:
        for schema in catalog["catalog_db_schemas"] or ():
            where = schema["db_schema_name"]
            for table in (schema["db_schema_tables"] or ()) if where not in _SYSTEM else ():
                yield table["table_name"] if where in _PLAIN_SCHEMAS else f"{where}.{table['table_name']}"
