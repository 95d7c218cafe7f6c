"""Records of a stream, kept in a file, so that they can be read as often as one likes while they come once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from headgate.model.counting import counted
from headgate.model.errors import SourceError
from headgate.model.record import Batch, Fault, Origin, Problem
from headgate.model.types import FieldType
from headgate.spi.nul import nul_fault, with_nul
from headgate.spi.source import BATCH_ROWS, Partition

Raw = msgspec.Raw
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_STRING = msgspec.json.Decoder(str)
_BATCH_BYTES = 16 << 20


class Received:
    """A stream's records in the order in which they came, each with the number of its message.

    Args:
        folder: where the file is made; removed by whoever gave it.

    Attributes:
        count: how many there are.
    """

    def __init__(self, folder: Path) -> None:
        self.count = self.size = 0
        number, path = tempfile.mkstemp(prefix="records-", dir=folder)
        self._path, self._folder = Path(path), folder
        self._file = os.fdopen(number, "wb")

    def add(self, number: int, record: Raw) -> None:
        """Keep a record.

        Raises:
            SourceError: there is no room.
        """
        try:
            self.size += self._file.write(b"%d\t%b\n" % (number, bytes(record)))
        except OSError as e:
            raise SourceError(
                f"the records cannot be kept in {self._folder}: {e.strerror or e}",
                hint="Make room there, or set TMPDIR to another folder.",
            ) from e
        self.count += 1

    def parts(self) -> Iterator[tuple[list[tuple[int, bytes]], int]]:
        """All records with the numbers of their messages, so many at a time as make a batch; and how far they go."""
        self._file.flush()
        done = 0
        with self._path.open("rb") as file:
            while done < self.size:
                found: list[tuple[int, bytes]] = []
                start = done
                while len(found) < BATCH_ROWS and done - start < _BATCH_BYTES and done < self.size:
                    line = file.readline()
                    done += len(line)
                    number, _, record = line.partition(b"\t")
                    found.append((int(number), record.rstrip(b"\n")))
                yield found, done

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class StreamScan:
    """Records of a stream (`headgate.spi.source.Scan`, and `Declares`); all values as text.

    Args:
        name: of the partition.
        received: closed by whoever made it.
        types: of the columns, in order.
        rest: receives what is not here yet, giving every now and then how many records are.
        findings: asked whenever somebody wants to see them.
        stop: breaks off what `rest` waits for, from another thread.
        names: columns that have another name than in the stream, by that.
    """

    def __init__(
        self,
        name: str,
        received: Received,
        types: Mapping[str, FieldType],
        rest: Callable[[], Iterator[int]] = lambda: iter(()),
        findings: Callable[[], Mapping[str, object]] = dict,
        stop: Callable[[], None] = lambda: None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._name, self._received, self.declared = name, received, dict(types)
        self._rest, self._found, self._stop = rest, findings, stop
        self.schema = pa.schema([(n, pa.string()) for n in types])
        there = {column: name for name, column in (names or {}).items()}
        self._properties = [there.get(n, n) for n in types]
        self._done = 0
        self._left: dict[str, int] = {}

    @property
    def findings(self) -> Mapping[str, object]:
        """For people; ``left_out`` has the properties that records have beside the schema's."""
        words = [
            f"{name!r} is not in the stream's schema: left out of {counted(n, 'record')}"
            for name, n in self._left.items()
        ]
        left = {"left_out": [{"what": "a property", "words": w} for w in words]} if words else {}
        return {**self._found(), **left}

    def fetch(self) -> Iterator[int]:
        """See `headgate.spi.source.Fetches`."""
        yield from self._rest()

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        for _ in self._rest():
            pass
        self._done, self._left = 0, {}
        first = 0
        for part, done in self._received.parts():
            batch = self._batch(first, [record for _, record in part])
            first += len(part)
            self._done = done
            yield batch

    def _batch(self, first: int, lines: list[bytes]) -> Batch:
        known = set(self._properties)
        kept: list[int] = []
        rows: list[dict[str, Raw]] = []
        faults: list[Fault] = []
        for ordinal, line in enumerate(lines, first):
            try:
                record = _OBJECT.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                text = line.decode("utf-8", "replace")
                faults.append(Fault(ordinal, Problem("RD05", "the record is no JSON object", value=text), {"": text}))
                continue
            for name in record.keys() - known:
                self._left[name] = self._left.get(name, 0) + 1
            rows.append(record)
            kept.append(ordinal)
        columns = [pa.array([_text(row.get(n)) for row in rows], pa.string()) for n in self._properties]
        records = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        for row in (bad := with_nul(columns)):
            raw = {n: _text(rows[row].get(p)) for n, p in zip(self.schema.names, self._properties, strict=True)}
            faults.append(Fault(kept[row], *nul_fault(raw)))
        if bad:
            good = [n for n in range(len(rows)) if n not in set(bad)]
            records, kept = records.take(pa.array(good, pa.int64())), [kept[n] for n in good]
        faults.sort(key=lambda f: f.ordinal)
        return Batch(records, kept if faults else range(first, first + len(rows)), tuple(faults))

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`; the row is the number of the message among all that were received."""
        found: list[Origin] = []
        first = 0
        for part, _ in self._received.parts():
            while len(found) < len(ordinals) and ordinals[len(found)] < first + len(part):
                found.append(Origin(self._name, row=part[ordinals[len(found)] - first][0]))
            first += len(part)
        return found

    def progress(self) -> float:
        """See `Scan`."""
        return self._done / self._received.size if self._received.size else 1.0

    def cancel(self) -> None:
        """See `headgate.spi.source.Cancels`."""
        self._stop()

    def close(self) -> None:
        """Nothing of its own."""


def _text(raw: Raw | None) -> str | None:
    """A value as it was written; texts without their quotes, no value for null and for what is not there."""
    if raw is None:
        return None
    value = bytes(raw)
    if value[:1] == b'"':
        return _STRING.decode(value)
    return None if value == b"null" else value.decode()


class StreamSource:
    """A stream that was received whole (`headgate.spi.source.Source`).

    Args:
        stream: its name.
        received: closed by whoever made it.
        types: of the columns, in order.
        names: columns that have another name than in the stream, by that.
    """

    def __init__(
        self, stream: str, received: Received, types: Mapping[str, FieldType], names: Mapping[str, str] | None = None
    ) -> None:
        self._stream, self._received, self._types = stream, received, types
        self._names = names or {}

    def partitions(self) -> list[Partition]:
        """The one there is."""
        return [Partition(self._stream)]

    def open(self, partition: Partition) -> StreamScan:
        """All its records."""
        found = {"stream": self._stream}
        return StreamScan(partition.name, self._received, self._types, findings=lambda: found, names=self._names)

    def close(self) -> None:
        """Nothing of its own."""
