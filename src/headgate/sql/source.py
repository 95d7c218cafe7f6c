"""Tables and queries as sources: what all databases share of reading. A connector brings a `Snapshot`: one consistent read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from headgate.model.errors import ConnectionFailed, DestinationError, SourceError, UsageError
from headgate.model.incremental import WATERMARK, before
from headgate.model.spec import SourceSpec
from headgate.model.types import FieldType
from headgate.spi.kept import Keeps, Kept, KeptScan, Page
from headgate.spi.ranges import KeptRanges
from headgate.spi.registry import Connected
from headgate.spi.source import Partition

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read.

    Attributes:
        table, query: one of the two.
        params: values of the query's parameters.
        columns: which, in this order; all where there are none.
        growing: the column of an incremental source.
        since: its value from which records are read; None for all.
        ties: whether records with just that value are among them.
        connections: how many read a table at once.
        by: the column whose ranges they read; empty for the first of the primary key.
    """

    table: str = ""
    query: str = ""
    params: Mapping[str, Value | bool | None] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    growing: str = ""
    since: Value | None = None
    ties: bool = True
    connections: int = 1
    by: str = ""

    def later(self, column: str, value: str) -> str:
        """The condition of an incremental source, with a blank before it; nothing where all records are read.

        Args:
            column: the growing one, as the database spells it.
            value: `since`, likewise.
        """
        return "" if self.since is None else f" where {column} {'>=' if self.ties else '>'} {value}"


class Snapshot(Protocol):
    """One consistent read, on a connection of its own that can write nothing."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    @property
    def declared(self) -> Mapping[str, FieldType]:
        """What the database says of the columns' types, where it says something."""
        ...

    @property
    def rows(self) -> int:
        """About how many records there are; 0 when not known."""
        ...

    @property
    def newest(self) -> Value | None:
        """The highest value of the growing column among the records; None without one. Known once the first page is."""
        ...

    def pages(self) -> Iterator[Page]:
        """All records, once.

        Raises:
            DestinationError: the database does not go on.
        """
        ...

    def cancel(self) -> None:
        """Break off what another thread waits for."""
        ...

    def close(self) -> None:
        """Disconnect. May be called twice."""
        ...


@runtime_checkable
class Ranged(Snapshot, Protocol):
    """What a snapshot may offer beside: several connections that see the same, each with a range of the records."""

    def ranges(self) -> Sequence[Iterator[Page]]:
        """All records, once: those of each range, to be read in a thread of its own. A range gives up its connection at its end.
        One after another they are in an order that depends on nothing but the data.

        Raises (each of the iterators):
            DestinationError: the database does not go on.
        """
        ...


Read = Callable[[Mapping[str, Any], Wanted], Snapshot]


class DatabaseSource:
    """A table or a query of a database (`headgate.spi.source.Source`): one partition.

    Args:
        read: begins a snapshot, by the connection's options and what is wanted.
        options: the definition's source.
        connected: the connection, and where an incremental source begins.
        parallel: whether the snapshots are `Ranged`.

    Raises:
        UsageError: several connections are wanted, and they are not.
    """

    def __init__(self, read: Read, options: SourceSpec, connected: Connected, *, parallel: bool = False) -> None:
        if options.parallel is not None and not parallel:
            raise UsageError(
                "source.parallel: this database is read by one connection only",
                hint="Leave it out; only PostgreSQL's own connector has it.",
            )
        self._read = read
        self._options = options
        self._connected = connected
        self._snapshot: Snapshot | None = None
        self._kept: Keeps | None = None
        self._ranges = 0

    def partitions(self) -> list[Partition]:
        """The one there is, by the name of the table."""
        return [Partition(self._options.table or "query")]

    def open(self, partition: Partition) -> KeptScan:
        """Begin the snapshot, or show it again: all scans of a source are of one.

        Raises:
            SourceError: there is no such table or column, or the query is wrong.
            ConnectionFailed: the database cannot be reached.
        """
        if self._snapshot is None or self._kept is None:
            with _as_source():
                self._snapshot = self._read(self._connected.options, self._wanted())
            self._kept = self._reading(self._snapshot)
        declared = {
            name: replace(of, native="")
            for name, of in self._snapshot.declared.items()
            if of.kind not in ("other", "image")
        }
        return KeptScan(partition.name, self._kept, self._findings, declared)

    def _reading(self, snapshot: Snapshot) -> Keeps:
        if self._options.parallel is None:
            return Kept(snapshot.schema, _pages(snapshot), snapshot.rows, snapshot.cancel)
        assert isinstance(snapshot, Ranged)
        ranges = snapshot.ranges()
        self._ranges = len(ranges)
        return KeptRanges(snapshot.schema, [_told(r) for r in ranges], snapshot.rows, snapshot.cancel)

    def _wanted(self) -> Wanted:
        o, since = self._options, self._connected.since
        parallel = o.parallel
        begin = None
        if o.incremental is not None:
            begin = o.incremental.start
            if since is not None:
                try:
                    begin = before(since.value, o.incremental.overlap)
                except ValueError as e:
                    raise SourceError(
                        f"{o.incremental.column}: {e}", hint="Correct source.incremental.overlap."
                    ) from None
        return Wanted(
            o.table or "", o.query or "", o.params, tuple(o.columns or ()),
            o.incremental.column if o.incremental else "", begin, since is None or since.ties,
            parallel.connections if parallel else 1, (parallel.by if parallel else None) or "",
        )  # fmt: skip

    def _findings(self) -> dict[str, object]:
        found: dict[str, object] = {"table": self._options.table} if self._options.table else {"source": "query"}
        if self._ranges:
            found["ranges"] = self._ranges
        if self._options.incremental is not None:
            since = self._connected.since.value if self._connected.since is not None else None
            newest = self._snapshot.newest if self._snapshot is not None else None
            found["growing"] = self._options.incremental.column
            found[WATERMARK] = since if newest is None else newest
        return found

    def close(self) -> None:
        """Disconnect, and remove what was kept."""
        if self._kept is not None:
            self._kept.close()
        if self._snapshot is not None:
            self._snapshot.close()
        self._snapshot = self._kept = None


def _pages(snapshot: Snapshot) -> Iterator[Page]:
    """All pages; then the connection is given up, so that others may write."""
    try:
        yield from _told(snapshot.pages())
    finally:
        snapshot.close()


def _told(pages: Iterator[Page]) -> Iterator[Page]:
    with _as_source():
        yield from pages


class _as_source:  # noqa: N801
    """A destination's errors as a source's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DestinationError) and not isinstance(error, ConnectionFailed):
            raise SourceError(error.message, hint=error.hint) from error


def columns_of(there: Sequence[str], wanted: Wanted, what: str) -> list[str]:
    """The columns to be read, in order.

    Raises:
        SourceError: one that is wanted is not there.
    """
    if not there:
        raise SourceError(f"{what} has no columns")
    for name in (*wanted.columns, *filter(None, (wanted.growing, wanted.by))):
        if name not in there:
            raise SourceError(f"{what} has no column {name!r}", hint=f"Its columns are: {', '.join(there)}.")
    if len(set(there)) < len(there):
        raise SourceError(
            f"{what} has several columns of one name: {', '.join(there)}", hint="Give them names of their own (AS)."
        )
    return list(wanted.columns or there)


def bounded(newest: Value | Decimal | None, column: str, what: str) -> None:
    """See that something can be newer than the newest: above infinity and NaN nothing is.

    Raises:
        SourceError: nothing can.
    """
    if isinstance(newest, float | Decimal) and not math.isfinite(newest):
        raise SourceError(
            f"{what}: {column} holds {newest}, above which nothing is new",
            hint="Leave such records out by a query, or name another column: source.incremental.column.",
        )


def source(read: Read, options: Any, connected: Connected | None, *, parallel: bool = False) -> DatabaseSource:
    """The source of a connector, which is made for a connection only."""
    return DatabaseSource(read, options, given(connected), parallel=parallel)


def given(connected: Connected | None) -> Connected:
    """The connection.

    Raises:
        SourceError: there is none.
    """
    if connected is None:
        raise SourceError("a database is read through a connection", hint="Write source: { connection: …, table: … }.")
    return connected
