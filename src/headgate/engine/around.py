"""What sources that are made of another one have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headgate.model.record import Batch
from headgate.spi.source import BATCH_ROWS, Cancels, Digests, Fetches, Finishes, Partition, Scan, Source


class Around:
    """A source around another: the same pieces, of which `open` gives other records."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def partitions(self) -> list[Partition]:
        """Those of the source."""
        return self._source.partitions()

    def digest(self, partition: Partition) -> str:
        """The source's."""
        return self._source.digest(partition) if isinstance(self._source, Digests) else ""

    def finish(self, partitions: Sequence[Partition]) -> list[str]:
        """As the source does."""
        return self._source.finish(partitions) if isinstance(self._source, Finishes) else []

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class AroundScan:
    """A scan around another."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan

    def fetch(self) -> Iterator[int]:
        """See `headgate.spi.source.Fetches`."""
        if isinstance(self._scan, Fetches):
            yield from self._scan.fetch()

    def cancel(self) -> None:
        """See `headgate.spi.source.Cancels`."""
        if isinstance(self._scan, Cancels):
            self._scan.cancel()

    def progress(self) -> float:
        """See `Scan`."""
        return self._scan.progress()

    def close(self) -> None:
        """See `Scan`."""
        self._scan.close()


def noted(findings: dict[str, object], said: str) -> dict[str, object]:
    """Findings with one more note."""
    notes = findings.get("notes")
    return findings | {"notes": [*(notes if isinstance(notes, list) else []), said]}


def parts(batch: Batch, first: int) -> Iterator[Batch]:
    """A batch in pieces of at most `BATCH_ROWS` records and faults; `first` is its first number. Nothing of an empty one."""
    if len(batch) <= BATCH_ROWS:
        yield from [batch] if len(batch) else []
        return
    for low in range(first, first + len(batch), BATCH_ROWS):
        high = low + BATCH_ROWS
        rows = [i for i, o in enumerate(batch.ordinals) if low <= o < high]
        records = batch.records.slice(rows[0], len(rows)) if rows else batch.records.slice(0, 0)
        faults = tuple(f for f in batch.faults if low <= f.ordinal < high)
        yield Batch(records, [batch.ordinals[i] for i in rows], faults)
