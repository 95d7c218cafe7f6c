"""Any database of SQLAlchemy's: ``oracle+oracledb://…``, ``mssql+pyodbc://…``, with the driver installed that its URL names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import exc, types

from headgate.model.errors import ConnectionFailed, SourceError, UsageError
from headgate.model.spec import SourceSpec
from headgate.model.text import text_form
from headgate.model.types import FieldType
from headgate.spi.columns import as_json
from headgate.spi.kept import Page
from headgate.spi.registry import Connected
from headgate.spi.source import BATCH_ROWS
from headgate.sql.parameters import with_parameters
from headgate.sql.source import DatabaseSource, Value, Wanted, bounded, columns_of, given
from headgate.sql.typed import page

_ISOLATION: Final = ("REPEATABLE READ", "SERIALIZABLE", "SNAPSHOT")
"""Levels at which a transaction sees the database as it is at its beginning; the first one that the database knows."""
_ARROW: Final = {
    "bigint": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(), "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC"), "binary": pa.binary(),
}  # fmt: skip


def open_source(spec: SourceSpec, base: Path, connected: Connected | None = None) -> AlchemySource:
    """Tables and queries of whatever SQLAlchemy's URL names; other keys of the connection are arguments of its driver."""
    del base
    return AlchemySource(AlchemySnapshot, spec, given(connected))


class AlchemySource(DatabaseSource):
    """A source that also says whether its connection is good."""

    def reach(self) -> str:
        """What is there (`headgate.spi.source.Reaches`).

        Raises:
            UsageError, ConnectionFailed, SourceError: as of `AlchemySnapshot`.
        """
        with closing(AlchemySnapshot(self._connected.options, Wanted())) as snapshot:
            return f"{len(snapshot.tables())} tables"


class AlchemySnapshot:
    """One transaction that is rolled back (`headgate.sql.source.Snapshot`).

    Args:
        options: ``url``, and arguments of the driver.
        wanted: what is to be read; neither table nor query to look what is there.

    Raises:
        UsageError: the URL is none, its driver is not installed, or does not know an argument.
        ConnectionFailed: the database cannot be reached.
        SourceError: there is no such table or column, or the query is wrong.
    """

    def __init__(self, options: Mapping[str, Any], wanted: Wanted) -> None:
        self._wanted = wanted
        arguments = {k: v for k, v in options.items() if k not in ("url", "type")}
        try:
            url = sa.make_url(str(options["url"]))
            self._name = f"{url.drivername}://{url.host or ''}/{url.database or ''}"
            self._engine = sa.create_engine(url, connect_args=arguments)
        except exc.NoSuchModuleError:
            scheme = str(options["url"]).partition("://")[0]
            raise UsageError(
                f"no connector knows URLs that begin with {scheme}://",
                hint="Correct it, or install SQLAlchemy's dialect for it.",
            ) from None
        except (exc.ArgumentError, ImportError) as e:
            raise UsageError(
                f"the connection cannot be made: {e}", hint="Install the driver that its URL names."
            ) from None
        self._connection: sa.Connection | None = None
        try:
            self._connection = self._connected()
            self._prepare(self._connection)
        except TypeError as e:  # what drivers raise for arguments they do not know
            self.close()
            if self._connection is not None:
                raise
            raise UsageError(
                f"{self._name}: the driver does not take what the connection says: {e}",
                hint="Keys of the connection beside url are arguments of the driver; correct or remove them.",
            ) from None
        except exc.OperationalError as e:
            self.close()
            if self._connection is None:
                raise ConnectionFailed(f"{self._name} cannot be reached: {_words(e)}", hint="Check the URL.") from None
            raise SourceError(f"{self._name}: {_words(e)}") from None
        except exc.SQLAlchemyError as e:
            self.close()
            raise SourceError(f"{self._name}: {_words(e)}") from None
        except BaseException:
            self.close()
            raise

    def _connected(self) -> sa.Connection:
        for level in _ISOLATION:
            with suppress(exc.ArgumentError, NotImplementedError):
                return self._engine.connect().execution_options(isolation_level=level, stream_results=True)
        return self._engine.connect().execution_options(stream_results=True)

    def _prepare(self, connection: sa.Connection) -> None:
        wanted = self._wanted
        if not wanted.query and not wanted.table:
            return
        self.declared: dict[str, FieldType] = {}
        self._values: dict[str, Any] = dict(wanted.params)
        if wanted.query:
            query = with_parameters(
                wanted.query, wanted.params, lambda name: f":{name}", lambda text: text.replace(":", "\\:")
            )
            self._from: Any = sa.text(f"({query}\n) hg")
            empty = sa.text(f"select * from ({query}\n) hg where 1 = 0")
            with connection.execute(empty, self._values) as found:
                there = list(found.keys())
            what = "the query"
        else:
            there, self._from, what = self._table(connection), self._named, f"{self._name}: {wanted.table}"
        self._columns = columns_of(there, wanted, what)
        self.schema = pa.schema([(c, _arrow(self.declared.get(c))) for c in self._columns])
        self._example: Any = None
        if wanted.query and isinstance(wanted.since, str):
            self._look_at_growing(connection)
        self.newest: Value | None = self._newest(connection)
        self.rows = 0

    def _table(self, connection: sa.Connection) -> list[str]:
        schema, _, name = self._wanted.table.rpartition(".")
        looked = sa.inspect(connection)
        names = [*looked.get_table_names(schema or None), *looked.get_view_names(schema or None)]
        if name not in names:
            raise SourceError(
                f"{self._name}: there is no table {self._wanted.table}",
                hint=f"There are: {', '.join(sorted(names)[:20]) or 'none'}.",
            )
        columns = looked.get_columns(name, schema or None)
        self.declared = {c["name"]: of for c in columns if (of := _field_type(c["type"])) is not None}
        self._named = sa.table(name, schema=schema or None)
        return [c["name"] for c in columns]

    def tables(self) -> list[str]:
        """The names of the tables and views of the schema that is the connection's own."""
        looked = sa.inspect(self._connection)
        assert looked is not None
        return [*looked.get_table_names(), *looked.get_view_names()]

    def _select(self, *columns: Any) -> sa.Select[Any]:
        statement = sa.select(*columns).select_from(self._from)
        if self._wanted.since is not None:
            growing: sa.ColumnElement[Any] = sa.column(self._wanted.growing)
            since = sa.bindparam("hg_since", self._since(), type_=self._growing_type())
            statement = statement.where(growing >= since if self._wanted.ties else growing > since)
        return statement

    def _growing_type(self) -> Any:
        of = self.declared.get(self._wanted.growing)
        kinds = {
            "timestamp": types.DateTime(), "timestamptz": types.DateTime(timezone=True), "date": types.Date(),
            "decimal": types.Numeric(),
        }  # fmt: skip
        return kinds.get(of.kind) if of is not None else None

    def _since(self) -> Any:
        """In Python's type of the column, which is what drivers want."""
        of, since = self.declared.get(self._wanted.growing), self._wanted.since
        if not isinstance(since, str):
            return since
        if of is None:
            return _like(since, self._example)
        if of.kind == "decimal":
            return Decimal(since)
        return pa.array([since], pa.string()).cast(_ARROW[of.kind])[0].as_py() if of.kind in _ARROW else since

    def _look_at_growing(self, connection: sa.Connection) -> None:
        """One value of the growing column: of a query nobody says which type it has."""
        growing: sa.ColumnElement[Any] = sa.column(self._wanted.growing)
        one = sa.select(growing).select_from(self._from).where(growing.is_not(None)).limit(1)
        self._example = connection.execute(one, self._values).scalar()

    def _newest(self, connection: sa.Connection) -> Value | None:
        if not self._wanted.growing:
            return None
        found = connection.execute(self._select(sa.func.max(sa.column(self._wanted.growing))), self._values).scalar()
        bounded(found, self._wanted.growing, self._name)
        return found if found is None or isinstance(found, int | float | str) else text_form(found)

    def pages(self) -> Iterator[Page]:
        """See `Snapshot`."""
        assert self._connection is not None
        # Drivers make of JSON what they like; its text says what it is.
        json = {n for n, of in self.declared.items() if of.kind == "json"}
        columns = [sa.cast(sa.column(c), types.Text()).label(c) if c in json else sa.column(c) for c in self._columns]
        found: sa.CursorResult[Any] | None = None
        try:
            found = self._connection.execute(self._select(*columns), self._values)
            while rows := found.fetchmany(BATCH_ROWS):
                arrays = [_array(v, f.type) for v, f in zip(zip(*rows, strict=True), self.schema, strict=True)]
                yield page(arrays, self.schema)
        except exc.SQLAlchemyError as e:
            raise SourceError(f"{self._name}: {_words(e)}") from None
        finally:
            if found is not None:
                with suppress(exc.SQLAlchemyError):
                    found.close()

    def cancel(self) -> None:
        """Drivers have no common way; the connection is closed under the one that waits."""
        if self._connection is not None:
            with suppress(Exception):
                driver: Any = self._connection.connection.driver_connection
                (getattr(driver, "cancel", None) or getattr(driver, "interrupt", None) or driver.close)()

    def close(self) -> None:
        """See `Snapshot`."""
        if self._connection is not None:
            with suppress(exc.SQLAlchemyError):
                self._connection.close()
        self._engine.dispose()


def _like(since: str, example: object) -> Any:
    """A value in the type of another one of its column; as it is where that is none it could be of."""
    with suppress(ValueError, InvalidOperation):
        match example:
            case datetime():
                moment = datetime.fromisoformat(since)
                zone = UTC if example.tzinfo else None
                return moment.astimezone(UTC) if moment.tzinfo and zone else moment.replace(tzinfo=zone)
            case date():
                return date.fromisoformat(since[:10])
            case Decimal():
                return Decimal(since)
    return since


def _field_type(of: types.TypeEngine[Any]) -> FieldType | None:
    match of:
        case types.Boolean():
            return FieldType("boolean")
        case types.Integer():
            return FieldType("bigint")
        case types.Float():
            return FieldType("double")
        case types.Numeric() if of.precision is not None and of.precision <= 38:
            return FieldType("decimal", precision=of.precision, scale=of.scale or 0)
        case types.DateTime():
            return FieldType("timestamptz" if of.timezone else "timestamp")
        case types.Date():
            return FieldType("date")
        case types.Time():
            return FieldType("time")
        case types.LargeBinary():
            return FieldType("binary")
        case types.JSON():
            return FieldType("json")
        case types.Uuid():
            return FieldType("uuid")
        case types.String():
            return FieldType("text", length=of.length)
    return None


def _arrow(of: FieldType | None) -> pa.DataType:
    if of is None:
        return pa.string()
    if of.kind == "decimal":
        return pa.decimal128(of.precision or 38, of.scale or 0)
    return _ARROW.get(of.kind, pa.string())


def _array(values: tuple[Any, ...], wanted: pa.DataType) -> pa.Array:
    """Values in the type of the column; as text where not all of them are of it."""
    with suppress(pa.ArrowException, OverflowError, TypeError, ValueError):
        found = pa.array(values)
        if found.type == wanted or pa.types.is_null(found.type):
            return found.cast(wanted)
        kinds = (pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_time)
        if any(of(found.type) and of(wanted) for of in kinds):
            return found.cast(wanted)
    return pa.array([as_json(v) if isinstance(v, dict | list) else text_form(v) for v in values], pa.string())


def _words(e: exc.SQLAlchemyError) -> str:
    """The driver's own words, without the statement and the background that SQLAlchemy adds."""
    return str(getattr(e, "orig", None) or e).split("\n")[0]
