"""Records that can be read only once, kept in a temporary file so that they can be read again.

A query that is asked twice may answer otherwise, and a generator answers once; planning, running and looking up refused
records need the same records each time.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO, Protocol

import pyarrow as pa

from headgate.model.errors import Cancelled, SourceError
from headgate.model.record import Batch, Fault, Origin, Problem
from headgate.model.types import FieldType

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


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


class Keeps(Protocol):
    """Records by the number of their batch, again and again; see `Kept`."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    @property
    def rows(self) -> int:
        """About how many records there are; 0 when not known."""
        ...

    def batch(self, number: int) -> Batch | None:
        """A batch by its number; None beyond the last. From any thread.

        Raises:
            SourceError: it cannot be had.
        """
        ...

    def cancel(self) -> None:
        """Break off what a thread waits for that reads."""
        ...

    def close(self) -> None:
        """Stop reading, and forget the records."""
        ...


class Kept:
    """What was read so far, in a temporary file, and the rest of it.

    Args:
        schema: names and types of the columns.
        pages: gives the records, once; it is closed when there are no more.
        rows: about how many records there are; 0 when not known.
        stop: breaks off what `pages` waits for, from another thread.

    Attributes:
        rows: the same, corrected by what was read.
        count: how many records were read.
        failed: why reading did not go on; None while it can.
    """

    def __init__(
        self, schema: pa.Schema, pages: Iterator[Page], rows: int = 0, stop: Callable[[], None] | None = None
    ) -> None:
        self.schema, self.rows, self._stop = schema, rows, stop
        self.count = 0
        self.failed: Exception | None = None
        self._pages: Iterator[Page] | None = pages
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="headgate-")  # noqa: SIM115 - closed by `close`
        self._places: list[tuple[int, int, int]] = []
        self._reading = False
        self._changed = threading.Condition()

    def batch(self, number: int) -> Batch | None:
        """A batch by its number; None beyond the last. From any thread: one reads what is not here yet, the others wait for it.

        Raises:
            SourceError: there is no room; and what the pages raise, each time somebody asks for what was not read.
        """
        with self._changed:
            while number >= len(self._places):
                if self.failed is not None:
                    raise self.failed
                if self._reading:
                    self._changed.wait()
                elif self._pages is None:
                    return None
                else:
                    batch = self._next(self._pages)
                    if number == len(self._places) - 1:
                        return batch
            return self._again(*self._places[number])

    @property
    def batches(self) -> int:
        """How many batches are here."""
        return len(self._places)

    def fill(self) -> None:
        """Read all that is not here yet.

        Raises:
            SourceError: see `batch`.
        """
        while self.batch(self.batches) is not None:
            pass

    def _next(self, pages: Iterator[Page]) -> Batch | None:
        """Read and keep a page. The lock is let go meanwhile, so that others get what is here already."""
        self._reading = True
        try:
            self._changed.release()
            try:
                page = next(pages, None)
                batch = None if page is None else page.batch(self.count)
                packed = b"" if batch is None else _packed(batch.records)
            finally:
                self._changed.acquire()
            if batch is None:
                self._end()
                return None
            self._keep(batch, packed)
        except BaseException as e:
            self.failed = e if isinstance(e, Exception) else Cancelled("reading was broken off")
            self._end()
            raise
        finally:
            self._reading = False
            self._changed.notify_all()
        self.count += len(batch)
        self.rows = max(self.rows, self.count)
        return batch

    def _keep(self, batch: Batch, packed: pa.Buffer | bytes) -> None:
        some = None if isinstance(batch.ordinals, range) else list(batch.ordinals)
        faults = [(f.ordinal, asdict(f.problem), f.raw) for f in batch.faults]
        rest = json.dumps([self.count, some, faults]).encode()
        try:
            place = self._file.seek(0, 2)
            size = self._file.write(packed)
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

    def _end(self) -> None:
        pages, self._pages = self._pages, None
        if pages is not None:
            self.rows = self.count
            with suppress(ValueError):  # it is running in a thread that is given up
                if close := getattr(pages, "close", None):
                    close()

    def cancel(self) -> None:
        """Break off what a thread waits for that reads."""
        if self._stop is not None and self._pages is not None:
            self._stop()

    def close(self) -> None:
        """Stop reading, and remove the file."""
        self._end()
        self._file.close()


def _packed(records: pa.RecordBatch) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, records.schema, options=_OPTIONS) as writer:
        writer.write_batch(records)
    return sink.getvalue()


class KeptScan:
    """A look at what is kept (`headgate.spi.source.Scan`, and `Declares`).

    Args:
        name: of the partition.
        kept: closed by whoever made it.
        findings: asked whenever somebody wants to see them.
        declared: types of columns that are known.
    """

    def __init__(
        self, name: str, kept: Keeps, findings: Callable[[], Mapping[str, object]], declared: Mapping[str, FieldType]
    ) -> None:
        self._name = name
        self._kept = kept
        self._findings = findings
        self._done = 0
        self.declared = declared

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._kept.schema

    @property
    def findings(self) -> Mapping[str, object]:
        """For people."""
        return self._findings()

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        self._done = 0
        number = 0
        while (batch := self._kept.batch(number)) is not None:
            number += 1
            self._done += len(batch)
            yield batch

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`; the row is the record's number in the order in which it came."""
        return [Origin(self._name, row=n + 1) for n in ordinals]

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._done / max(1, self._kept.rows))

    def cancel(self) -> None:
        """See `headgate.spi.source.Cancels`."""
        self._kept.cancel()

    def close(self) -> None:
        """Nothing of its own."""
