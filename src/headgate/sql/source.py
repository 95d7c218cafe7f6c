"""Tables and queries as sources: what all databases share of reading.

A connector brings a `Snapshot`: one consistent read. What it gives is kept in a temporary file while it is read for the
first time, and read from there afterwards, because a query that is asked twice may answer otherwise, and planning, running
and looking up refused records need the same records each time.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import IO, Any, Protocol

import pyarrow as pa

from headgate.model.errors import ConnectionFailed, DestinationError, SourceError
from headgate.model.incremental import WATERMARK, before
from headgate.model.record import Batch, Fault, Origin, Problem
from headgate.model.spec import SourceSpec
from headgate.model.types import FieldType
from headgate.spi.registry import Connected
from headgate.spi.source import Partition

Value = str | int | float
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


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
    """

    table: str = ""
    query: str = ""
    params: Mapping[str, Value | bool | None] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    growing: str = ""
    since: Value | None = None
    ties: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, at most `headgate.spi.source.BATCH_ROWS`.

    Attributes:
        records: those that could be read as the schema says.
        kept: their positions on the page; None when there are no others.
        faults: position, problem and raw values of the others.
    """

    records: pa.RecordBatch
    kept: Sequence[int] | None = None
    faults: Sequence[tuple[int, Problem, dict[str, str | None]]] = ()

    def batch(self, first: int) -> Batch:
        """The page as a batch whose first record has the ordinal `first`."""
        ordinals = range(first, first + self.records.num_rows)
        numbers = ordinals if self.kept is None else [first + k for k in self.kept]
        return Batch(self.records, numbers, tuple(Fault(first + at, p, raw) for at, p, raw in self.faults))


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

    def close(self) -> None:
        """Disconnect. May be called twice."""
        ...


class DatabaseSource:
    """A table or a query of a database (`headgate.spi.source.Source`): one partition.

    Args:
        read: begins a snapshot.
        options: the definition's source.
        connected: the connection, and where an incremental source begins.
    """

    def __init__(self, read: Callable[[Wanted], Snapshot], options: SourceSpec, connected: Connected) -> None:
        self._read = read
        self._options = options
        self._connected = connected
        self._kept: _Kept | None = None

    def partitions(self) -> list[Partition]:
        """The one there is, by the name of the table."""
        return [Partition(self._options.table or "query")]

    def open(self, partition: Partition) -> DatabaseScan:
        """Begin the snapshot, or show it again: all scans of a source are of one.

        Raises:
            SourceError: there is no such table or column, or the query is wrong.
            ConnectionFailed: the database cannot be reached.
        """
        if self._kept is None:
            with _as_source():
                self._kept = _Kept(self._read(self._wanted()))
        return DatabaseScan(partition.name, self._kept, self._findings)

    def _wanted(self) -> Wanted:
        o, since = self._options, self._connected.since
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
        )  # fmt: skip

    def _findings(self, newest: Value | None) -> dict[str, object]:
        found: dict[str, object] = {"table": self._options.table} if self._options.table else {"source": "query"}
        if self._options.incremental is not None:
            since = self._connected.since.value if self._connected.since is not None else None
            found["growing"] = self._options.incremental.column
            found[WATERMARK] = since if newest is None else newest
        return found

    def close(self) -> None:
        """Disconnect, and remove what was kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class _as_source:  # noqa: N801
    """A destination's errors as a source's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DestinationError) and not isinstance(error, ConnectionFailed):
            raise SourceError(error.message, hint=error.hint) from error


class _Kept:
    """What a snapshot gave so far, in a temporary file, and the rest of it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.schema, self.rows = snapshot.schema, snapshot.rows
        self.newest: Value | None = None
        self.declared = {
            name: replace(of, native="") for name, of in snapshot.declared.items() if of.kind not in ("other", "image")
        }
        self._snapshot: Snapshot | None = snapshot
        self._pages = snapshot.pages()
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="headgate-")  # noqa: SIM115 - closed by `close`
        self._places: list[tuple[int, int, int]] = []
        self._count = 0
        self._lock = threading.Lock()

    def batch(self, number: int) -> Batch | None:
        """A batch by its number; None beyond the last. From any thread.

        Raises:
            SourceError: the database does not go on, or there is no room.
        """
        with self._lock:
            if number < len(self._places):
                return self._again(*self._places[number])
            if self._snapshot is None:
                return None
            with _as_source():
                page = next(self._pages, None)
            self.newest = self._snapshot.newest
            if page is None:
                self._disconnect()
                return None
            batch = page.batch(self._count)
            self._keep(batch)
            self._count += len(batch)
            self.rows = max(self.rows, self._count)
            return batch

    def _keep(self, batch: Batch) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.records.schema, options=_OPTIONS) as writer:
            writer.write_batch(batch.records)
        some = None if isinstance(batch.ordinals, range) else list(batch.ordinals)
        faults = [(f.ordinal, asdict(f.problem), f.raw) for f in batch.faults]
        rest = json.dumps([self._count, some, faults]).encode()
        try:
            place = self._file.seek(0, 2)
            size = self._file.write(sink.getvalue())
            self._places.append((place, size, self._file.write(rest)))
            self._file.flush()
        except OSError as e:
            raise SourceError(
                f"what is read cannot be kept in {tempfile.gettempdir()}: {e.strerror or e}",
                hint="Make room there, or set TMPDIR to another folder.",
            ) from e

    def _again(self, place: int, size: int, more: int) -> Batch:
        self._file.seek(place)
        with pa.ipc.open_stream(self._file.read(size)) as reader:
            records = reader.read_next_batch()
        first, some, faults = json.loads(self._file.read(more))
        ordinals = range(first, first + records.num_rows) if some is None else some
        return Batch(records, ordinals, tuple(Fault(n, Problem(**problem), raw) for n, problem, raw in faults))

    def _disconnect(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            with suppress(ValueError):  # the generator is running in a thread that is given up
                self._pages.close()  # type: ignore[attr-defined]
            snapshot.close()
            self.rows = self._count

    def close(self) -> None:
        self._disconnect()
        self._file.close()


class DatabaseScan:
    """A look at what a snapshot gives (`headgate.spi.source.Scan`)."""

    def __init__(self, name: str, kept: _Kept, findings: Callable[[Value | None], dict[str, object]]) -> None:
        self._name = name
        self._kept = kept
        self._findings = findings
        self._done = 0

    @property
    def schema(self) -> pa.Schema:
        """The columns with the types of the database."""
        return self._kept.schema

    @property
    def declared(self) -> Mapping[str, FieldType]:
        """See `headgate.spi.source.Declares`."""
        return self._kept.declared

    @property
    def findings(self) -> Mapping[str, object]:
        """The table; of an incremental source where it began and how far it came."""
        return self._findings(self._kept.newest)

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        self._done = 0
        number = 0
        while (batch := self._kept.batch(number)) is not None:
            number += 1
            self._done += len(batch)
            yield batch

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`; the row is the record's number in the order in which the database gave it."""
        return [Origin(self._name, row=n + 1) for n in ordinals]

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._done / max(1, self._kept.rows))

    def close(self) -> None:
        """Nothing of its own: the source keeps the snapshot."""


def columns_of(there: Sequence[str], wanted: Wanted, what: str) -> list[str]:
    """The columns to be read, in order.

    Raises:
        SourceError: one that is wanted is not there.
    """
    for name in (*wanted.columns, *([wanted.growing] if wanted.growing else [])):
        if name not in there:
            raise SourceError(f"{what} has no column {name!r}", hint=f"Its columns are: {', '.join(there)}.")
    if len(set(there)) < len(there):
        raise SourceError(
            f"{what} has several columns of one name: {', '.join(there)}", hint="Give them names of their own (AS)."
        )
    return list(wanted.columns or there)


def source(read: Callable[[Wanted], Snapshot], options: Any, connected: Connected | None) -> DatabaseSource:
    """The source of a connector, which is made for a connection only."""
    if connected is None:
        raise SourceError("a database is read through a connection", hint="Write source: { connection: …, table: … }.")
    return DatabaseSource(read, options, connected)
