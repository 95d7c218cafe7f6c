"""Refused records as a source, so that a retry maps and writes them as any run would."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Final

import msgspec
import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Fault, Origin, Problem, split_number
from headgate.spi.source import Partition, Scan

_ROWS: Final = 8_192


@dataclass(frozen=True, slots=True)
class Carried:
    """A refused record to be tried again.

    Attributes:
        number: its number in the run that refused it, which it keeps.
        raw: its values, source column to text.
        fault: what makes it no record at all, where that was not mended.
    """

    number: int
    raw: dict[str, str | None]
    origin: Origin
    fault: Problem | None = None


@dataclass(slots=True)
class _Piece:
    """The records of one partition: where in the file they begin, how many, and their columns in order."""

    start: int
    count: int = 0
    columns: dict[str, None] = field(default_factory=dict)


class CarriedSource:
    """Refused records as a source (`headgate.spi.source.Source`): one partition for each that the run had, in its order,
    empty where none of it is carried, so that every record keeps its number. They lie in a temporary file, not in memory.

    Args:
        names: of the run's partitions.
        kind: what the records are, for people.
        records: in order of their numbers.
    """

    def __init__(self, names: Sequence[str], kind: str, records: Iterable[Carried]) -> None:
        self._kind = kind
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._lock = threading.Lock()  # one partition is read while places of the one before are looked up
        self._pieces: dict[int, _Piece] = {}
        encoder = msgspec.json.Encoder()
        try:
            for record in records:
                piece = self._pieces.setdefault(split_number(record.number)[0], _Piece(self._file.tell()))
                piece.count += 1
                if record.fault is None:
                    piece.columns.update(dict.fromkeys(record.raw))
                self._file.write(encoder.encode(record) + b"\n")
        except BaseException:
            self._file.close()
            raise
        self._names = [*names, *(f"part {i + 1}" for i in range(len(names), max(self._pieces, default=0) + 1))]

    @property
    def count(self) -> int:
        """How many records there are."""
        return sum(p.count for p in self._pieces.values())

    def numbers(self) -> Iterator[int]:
        """Their numbers, increasing."""
        for index in sorted(self._pieces):
            yield from (c.number for c in self.records(index))

    def records(self, index: int) -> Iterator[Carried]:
        """The records of one partition. Several may be read from in turn."""
        piece = self._pieces.get(index)
        if piece is None:
            return
        decoder, at = msgspec.json.Decoder(Carried), piece.start
        for _ in range(piece.count):
            with self._lock:
                self._file.seek(at)
                line = self._file.readline()
            at += len(line)
            yield decoder.decode(line)

    def columns(self, index: int) -> list[str]:
        """The columns of one partition; of an empty one those of the first that is not."""
        piece = self._pieces.get(index) or self._pieces[min(self._pieces)]
        if not piece.columns:
            # Nothing but what could not be read as records: what those have in common is the header's.
            whole = next((p for p in self._pieces.values() if p.columns), None)
            if whole is not None:
                return list(whole.columns)
            common = [c.raw for i in sorted(self._pieces) for c in islice(self.records(i), 100)]
            return [name for name in common[0] if all(name in raw for raw in common)]
        return list(piece.columns)

    def partitions(self) -> list[Partition]:
        """See `Source`."""
        if not self._pieces:
            raise SourceError("there are no records to try again")
        return [Partition(name, 0, {"index": i}) for i, name in enumerate(self._names)]

    def open(self, partition: Partition) -> Scan:
        """See `Source`."""
        return _CarriedScan(self, int(str(partition.options["index"])), self._kind)

    def close(self) -> None:
        """See `Source`."""
        self._file.close()


class _CarriedScan:
    """A scan of one partition."""

    def __init__(self, source: CarriedSource, index: int, kind: str) -> None:
        self._source, self._index = source, index
        self._columns = source.columns(index)
        self.findings: Mapping[str, object] = {"format": kind}

    @property
    def schema(self) -> pa.Schema:
        """See `Scan`; all text."""
        return pa.schema([(name, pa.string()) for name in self._columns])

    def batches(self) -> Iterator[Batch]:
        """See `Scan`. What is no record yet is a fault again."""
        records = self._source.records(self._index)
        while some := list(islice(records, _ROWS)):
            good = [c for c in some if c.fault is None]
            arrays = [pa.array([c.raw.get(name) for c in good], pa.string()) for name in self._columns]
            faults = tuple(Fault(_ordinal(c), c.fault, c.raw) for c in some if c.fault is not None)
            batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
            yield Batch(batch, [_ordinal(c) for c in good], faults)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`: where they came from first, and where they were corrected."""
        return [c.origin for c in self._found(ordinals)]

    def reread(self, ordinals: Sequence[int]) -> list[dict[str, str | None]]:
        """See `headgate.spi.source.Rereads`."""
        return [c.raw for c in self._found(ordinals)]

    def _found(self, ordinals: Sequence[int]) -> Iterator[Carried]:
        wanted = set(ordinals)
        return (c for c in self._source.records(self._index) if _ordinal(c) in wanted)

    def progress(self) -> float:
        """See `Scan`; there are few."""
        return 1.0

    def close(self) -> None:
        """Nothing of its own is open."""


def _ordinal(record: Carried) -> int:
    return split_number(record.number)[1]
