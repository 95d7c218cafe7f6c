"""Tables, views and queries of MariaDB and MySQL as a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pymysql.constants import FIELD_TYPE

from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec
from headgate.model.text import text_form
from headgate.model.types import FieldType
from headgate.spi.kept import Page
from headgate.spi.registry import Connected
from headgate.sql.parameters import with_parameters
from headgate.sql.source import DatabaseSource, Value, Wanted, columns_of, source
from headgate.sql.typed import page

from .catalog import find, missing
from .connection import Access, MysqlSession, identifier, literal
from .lookups import kind_of, text_of

_FLOAT: Final = "float"
_TYPES: Final = {
    "smallint": pa.int64(), "integer": pa.int64(), "bigint": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(),
    "date": pa.date32(), "timestamp": pa.timestamp("us"), "timestamptz": pa.timestamp("us", "UTC"), "binary": pa.binary(),
}  # fmt: skip


def open_source(spec: SourceSpec, base: Path, connected: Connected | None = None) -> DatabaseSource:
    """Tables and queries of ``mysql://user@host/shop`` and ``mariadb://…``."""
    del base
    return source(lambda options, wanted: MysqlSnapshot(Access.read(options), wanted), spec, connected)


class MysqlSnapshot:
    """One read transaction that sees the database as it is at its beginning (`headgate.sql.source.Snapshot`).

    Args:
        access: how the server is reached.
        wanted: what is to be read.

    Raises:
        SourceError, DestinationError: there is no such table or column, or the query is wrong.
    """

    def __init__(self, access: Access, wanted: Wanted) -> None:
        self._name, self._wanted = access.name, wanted
        self._session = MysqlSession(access)
        try:
            self._session.run("set session transaction isolation level repeatable read")
            self._session.run("start transaction with consistent snapshot, read only")
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        wanted = self._wanted
        self.declared: dict[str, FieldType] = {}
        if wanted.query:
            given = {name: "null" if v is None else _literal(v) for name, v in wanted.params.items()}
            self._from = f"({with_parameters(wanted.query, given, lambda n: given.get(n, 'null'), mysql=True)}\n)"
            what = "the query"
        else:
            relation = find(self._session.rows, wanted.table)
            if relation is None:
                raise missing(self._session.rows, wanted.table, self._name, create=False)
            self._from, what = relation.sql, f"{self._name}: {wanted.table}"
            self.declared = {c.name: c.type for c in relation.table.columns}
        types = {name: _type(of) for name, of in self.declared.items()}
        described = {str(d[0]): d for d in self._session.describe(f"select * from {self._from} hg limit 0")}
        self.columns = columns_of(list(described), wanted, what)
        # A datetime that holds moments in UTC is marked so by a comment, which the driver does not know.
        zoned = {n for n, of in self.declared.items() if of.kind == "timestamptz"}
        self._kinds = ["timestamptz" if c in zoned else _kind(described[c]) for c in self.columns]
        self.schema = pa.schema([(c, types.get(c, pa.string())) for c in self.columns])
        self._growing = _kind(described[wanted.growing]) if wanted.growing else ""
        since = "" if wanted.since is None else _literal(wanted.since)
        self._where = wanted.later(f"hg.{identifier(wanted.growing)}", since)
        self.newest, self.rows = self._newest(), self._estimate()

    def _newest(self) -> Value | None:
        if not self._wanted.growing:
            return None
        column = f"hg.{identifier(self._wanted.growing)}"
        if self._growing == _FLOAT:  # as text it would have six digits
            column += " + 0e0"
        found, text = self._session.rows(
            f"select max({column}), cast(max({column}) as char) from {self._from} hg{self._where}"
        )[0]
        if isinstance(found, bytes) and self._growing != "bit":
            raise SourceError(
                f"{self._name}: {self._wanted.growing} holds bytes, of which none is the last",
                hint="Name another column.",
            )
        return None if text is None else str(text)

    def _estimate(self) -> int:
        if self._wanted.query or self._where:
            return 0
        found = self._session.rows(f"explain select count(*) from {self._from}")
        return max((int(v) for row in found for v in row if isinstance(v, int)), default=0)

    def pages(self) -> Iterator[Page]:
        """See `Snapshot`."""
        # As text the server gives a float six digits; as a double it has all of them.
        columns = ", ".join(
            f"hg.{identifier(c)}{' + 0e0' if kind == _FLOAT else ''}"
            for c, kind in zip(self.columns, self._kinds, strict=True)
        )
        for rows in self._session.pages(f"select {columns} from {self._from} hg{self._where}"):
            values = zip(*rows, strict=True)
            arrays = [_array(v, kind, f) for v, kind, f in zip(values, self._kinds, self.schema, strict=True)]
            yield page(arrays, self.schema)

    def cancel(self) -> None:
        """See `Snapshot`."""
        self._session.cancel()

    def close(self) -> None:
        """See `Snapshot`."""
        self._session.close()


def _kind(described: tuple[Any, ...]) -> str:
    return _FLOAT if described[1] == FIELD_TYPE.FLOAT else kind_of(described)


def _type(of: FieldType) -> pa.DataType:
    if of.kind == "decimal" and of.precision is not None:
        return pa.decimal128(of.precision, of.scale or 0)
    return _TYPES.get(of.kind, pa.string())


def _array(values: tuple[Any, ...], kind: str, field: pa.Field) -> pa.Array:
    if kind == _FLOAT:  # the shortest text that is this number among those of four bytes: 0.1
        numbers = pa.array([None if v is None else float(v) for v in values], pa.float32())
        texts = numbers.cast(pa.string()).to_pylist()
        return pa.array([None if t is None else text_form(float(t)) for t in texts], pa.string())
    if pa.types.is_binary(field.type) and all(v is None or isinstance(v, bytes) for v in values):
        return pa.array(values, pa.binary())
    return pa.array([text_of(v, kind) for v in values], pa.string())


def _literal(value: Value | bool) -> str:
    return literal(value) if isinstance(value, str) else str(value).lower()
