"""Arrow files (Feather, too) and Arrow streams as scans. Columns keep their own types; nested ones become JSON text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin
from headgate.spi.source import BATCH_ROWS, Scan

from .base import Input
from .typed import WRITE_AGAIN, TypedColumns, first_line

_FILE = b"ARROW1"
_END = b"\xff\xff\xff\xff\0\0\0\0"


def open_arrow(given: Input, sheet: str | None = None) -> Scan:
    """Open an Arrow file or an Arrow stream.

    Raises:
        SourceError: it is neither, is cut short, or lacks a column named in `source.columns`.
    """
    del sheet
    return ArrowScan(given)


class ArrowScan:
    """A scan of one Arrow file, mapped into memory and read batch by batch."""

    def __init__(self, given: Input) -> None:
        self._given = given
        with given.path.open("rb") as file:
            self._stream = file.read(len(_FILE)) != _FILE
            self._size = file.seek(0, 2)
            file.seek(max(0, self._size - len(_END)))
            end = file.read()
        try:
            with closing(self._mapped()) as mapped:
                schema = self._reader(mapped).schema
        except (pa.ArrowException, OSError) as e:
            what = "is empty" if not self._size else f"is not a whole Arrow file: {first_line(e)}"
            raise SourceError(f"{given.name} {what}", hint=WRITE_AGAIN) from None
        # A stream may end anywhere between two batches; only its end mark tells that this was the last.
        if self._stream and end != _END:
            raise SourceError(
                f"{given.name} is an Arrow stream without its end mark: it was cut short", hint=WRITE_AGAIN
            )
        self._columns = TypedColumns(given, schema)
        self._share = 0.0

    def _mapped(self) -> pa.MemoryMappedFile:
        return pa.memory_map(str(self._given.path))

    def _reader(self, mapped: pa.MemoryMappedFile) -> pa.RecordBatchReader | pa.RecordBatchFileReader:
        return pa.ipc.open_stream(mapped) if self._stream else pa.ipc.open_file(mapped)

    @property
    def schema(self) -> pa.Schema:
        """The file's columns with its own types; nested ones as text."""
        return self._columns.schema

    @property
    def findings(self) -> Mapping[str, object]:
        """Format, whether it is a file or a stream, and which columns become JSON text."""
        found: dict[str, object] = {"format": "arrow", "kind": "stream" if self._stream else "file"}
        return found | ({"notes": self._columns.notes} if self._columns.notes else {})

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        self._share = 0.0
        done = 0
        with closing(self._mapped()) as mapped:
            whole = self._whole(mapped)
            while True:
                try:
                    batch = next(whole, None)
                    # What the file says of its own buffers is believed by everything that reads them.
                    if batch is not None:
                        batch.validate(full=True)
                except (pa.ArrowException, OSError) as e:
                    raise SourceError(
                        f"{self._given.name} is damaged after record {done:,}: {first_line(e)}", hint=WRITE_AGAIN
                    ) from None
                if batch is None:
                    break
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    part = batch.slice(start, BATCH_ROWS)
                    yield self._columns.batch(part, done)
                    done += part.num_rows
        self._share = 1.0

    def _whole(self, mapped: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
        """The batches as they were written."""
        reader = self._reader(mapped)
        if self._stream:
            for batch in reader:
                self._share = mapped.tell() / self._size
                yield batch
            return
        for n in range(reader.num_record_batches):
            self._share = n / reader.num_record_batches
            yield reader.get_batch(n)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`; the row is the record's number."""
        return self._columns.locate(ordinals)

    def progress(self) -> float:
        """See `Scan`."""
        return self._share

    def close(self) -> None:
        """Nothing is held."""
