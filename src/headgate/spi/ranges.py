"""Records that come by several ways at once, kept range by range."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa

from headgate.model.record import Batch

from .kept import Kept, Page


class KeptRanges:
    """Ranges of records, each read and kept by a thread of its own, and given one after another (`headgate.spi.kept.Keeps`): a
    record's number does not depend on which range was the quicker. Memory is that of a page for each range; those that are ahead
    lie in their files.

    Args:
        schema: names and types of the columns.
        ranges: gives the records of each range, once, in a thread.
        rows: about how many records there are in all; 0 when not known.
        stop: breaks off what any of `ranges` waits for, from another thread.
    """

    def __init__(
        self, schema: pa.Schema, ranges: Sequence[Iterator[Page]], rows: int, stop: Callable[[], None]
    ) -> None:
        self.schema, self._rows, self._stop = schema, rows, stop
        self._ranges = [Kept(schema, pages) for pages in ranges]
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        """About how many records there are; those that were read, where they are more."""
        return max(self._rows, sum(r.count for r in self._ranges))

    def batch(self, number: int) -> Batch | None:
        """A batch by its number; None beyond the last. Reading begins with the first call.

        Raises:
            SourceError: one of the ranges cannot be read on, be it this one or another.
        """
        self._begin()
        before = 0
        for kept in self._ranges:
            if failed := next((r.failed for r in self._ranges if r.failed is not None), None):
                raise failed
            if (batch := kept.batch(number)) is not None:
                return _moved(batch, before)
            number -= kept.batches
            before += kept.count
        self._rows = before
        return None

    def _begin(self) -> None:
        with self._lock:
            if self._threads:
                return
            self._threads = [threading.Thread(target=_fill, args=(kept,), daemon=True) for kept in self._ranges]
            for thread in self._threads:
                thread.start()

    def cancel(self) -> None:
        """Break off what threads wait for that read."""
        if any(thread.is_alive() for thread in self._threads):
            self._stop()

    def close(self) -> None:
        """Stop reading, and remove the files."""
        self.cancel()
        for thread in self._threads:
            thread.join()
        for kept in self._ranges:
            kept.close()


def _fill(kept: Kept) -> None:
    with suppress(Exception):  # told to whoever asks for the records
        kept.fill()


def _moved(batch: Batch, by: int) -> Batch:
    """The batch with numbers that are higher by so much."""
    o = batch.ordinals
    ordinals = range(o.start + by, o.stop + by) if isinstance(o, range) else [n + by for n in o]
    return Batch(batch.records, ordinals, tuple(replace(f, ordinal=f.ordinal + by) for f in batch.faults))
