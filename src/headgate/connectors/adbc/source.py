"""Any database there is an ADBC driver for: its answers come as Arrow, and are passed on as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec
from headgate.model.types import FieldType
from headgate.spi.kept import Page
from headgate.spi.registry import Connected
from headgate.spi.source import BATCH_ROWS
from headgate.sql.parameters import with_parameters
from headgate.sql.source import DatabaseSource, Value, Wanted, bounded, columns_of
from headgate.sql.typed import page

from . import options as said
from .session import Records, Session
from .values import column, highest


class AdbcSource(DatabaseSource):
    """A table or query of a database, read through its ADBC driver (`headgate.spi.source.Source`).

    Args:
        options: the definition's source.
        base: folder that the path of a driver's library starts from.
        connected: the connection, and where an incremental source begins.

    Raises:
        SourceError: there is no connection.
        UsageError: the connection has options that are none.
    """

    schemes = ("adbc",)

    def __init__(self, options: SourceSpec, base: Path, connected: Connected | None = None) -> None:
        if connected is None:
            raise SourceError(
                "a database is read through a connection", hint="Write source: { connection: …, table: … }."
            )
        self._connection, self._base, self._secrets = said.read(connected.options), base, connected.secrets
        super().__init__(lambda _, wanted: AdbcSnapshot(self._session(), wanted), options, connected)

    def _session(self) -> Session:
        return Session(self._connection, self._base, self._secrets)

    def reach(self) -> str:
        """What answers (`headgate.spi.source.Reaches`).

        Raises:
            UsageError: there is no such driver, or it does not know an option.
            ConnectionFailed: the database cannot be reached.
        """
        with closing(self._session()) as session:
            return session.product or session.name


class AdbcSnapshot:
    """One transaction that is rolled back (`headgate.sql.source.Snapshot`), as far as the driver knows any.

    Args:
        session: a connection of its own, which it closes.
        wanted: what is to be read.

    Raises:
        SourceError: there is no such table or column, or the query is wrong.
    """

    def __init__(self, session: Session, wanted: Wanted) -> None:
        self._session, self._wanted, self._vendor = session, wanted, session.vendor
        self._values: list[Value | bool | None] = []
        self.rows = 0
        try:
            self._from = self._query() if wanted.query else self._named()
            shown = self._there = self._shown()
            what = "the query" if wanted.query else f"{session.name}: {wanted.table}"
            names = columns_of(shown.names, wanted, what)
            self.newest: Value | None = self._newest(shown)
            # Where the types are known, nothing waits for the first record but whoever reads it.
            self._begun = self._asked(names, shown) if self._vendor.guesses else None
            fields = shown if self._begun is None else self._begun.schema
            self._columns = [column(fields.field(name)) for name in names]
        except BaseException:
            self.close()
            raise
        self.schema = pa.schema([(c.name, c.type) for c in self._columns])
        self.declared: Mapping[str, FieldType] = {c.name: c.declared for c in self._columns if c.declared is not None}

    def _query(self) -> str:
        wanted, numbers = self._wanted, dict[str, int]()

        def spell(name: str) -> str:
            if self._vendor.mark == "?" or name not in numbers:
                self._values.append(wanted.params[name])
                numbers[name] = len(self._values)
            return self._vendor.parameter(numbers[name])

        given = set(wanted.params)
        mysql = self._vendor.quote == "`"
        return f"({with_parameters(wanted.query, given, lambda n: spell(n) if n in given else n, mysql=mysql)}\n) hg"

    def _named(self) -> str:
        return ".".join(self._vendor.name(part) for part in self._wanted.table.split("."))

    def _shown(self) -> pa.Schema:
        """The columns there are, in the types they have without a record."""
        try:
            return self._session.records(f"select * from {self._from} where 1 = 0", self._values).schema
        except SourceError:
            there = self._session.tables() if self._wanted.table else []
            if not there or self._wanted.table.rpartition(".")[2] in {t.rpartition(".")[2] for t in there}:
                raise
            raise SourceError(
                f"{self._session.name}: there is no table {self._wanted.table}",
                hint=f"There are: {', '.join(there[:20])}.",
            ) from None

    def _where(self) -> tuple[str, Sequence[Value | bool | None]]:
        values: list[Value | bool | None] = list(self._values)
        if self._wanted.since is None:
            return "", values
        values.append(self._wanted.since)
        growing = self._vendor.name(self._wanted.growing)
        return self._wanted.later(growing, self._vendor.parameter(len(values))), values

    def _newest(self, shown: pa.Schema) -> Value | None:
        """Asked before the records: where there are no transactions, what comes in between is read once more next time."""
        if not self._wanted.growing:
            return None
        where, values = self._where()
        name = self._vendor.name(self._wanted.growing)
        found = self._session.records(f"select max({name}) as hg from {self._from}{where}", values)
        values_of = [batch.column(0) for batch in found]
        of = column(found.schema.field(0) if self._vendor.guesses else shown.field(self._wanted.growing))
        value: Value | None = next((highest(v, of) for v in values_of if len(v)), None)
        bounded(value, self._wanted.growing, self._wanted.table or "the query")
        return value

    def _asked(self, names: Sequence[str], shown: pa.Schema) -> Records:
        """The records, with columns as text that can only be read so."""
        where, values = self._where()
        selected = []
        for name in names:
            quoted = self._vendor.name(name)
            as_text = column(shown.field(name)).as_text
            selected.append(f"cast({quoted} as {self._vendor.text}) as {quoted}" if as_text else quoted)
        return self._session.records(f"select {', '.join(selected)} from {self._from}{where}", values)

    def pages(self) -> Iterator[Page]:
        """See `Snapshot`."""
        for batch in self._begun or self._asked(self.schema.names, self._there):
            for start in range(0, batch.num_rows, BATCH_ROWS):
                part = batch.slice(start, BATCH_ROWS)
                arrays = [c.array(a) for c, a in zip(self._columns, part.columns, strict=True)]
                yield page(arrays, self.schema)

    def cancel(self) -> None:
        """See `Snapshot`. A driver that cannot break off goes on until its next records."""
        self._session.cancel()

    def close(self) -> None:
        """See `Snapshot`."""
        self._session.close()
