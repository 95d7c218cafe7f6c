"""Records kept in a temporary file until it is known what becomes of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from headgate.model.errors import DestinationError

_ROWS = 16_384


class Spool:
    """Batches of one schema, in the order in which they came."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._sink: Any = None
        self._writer: Any = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep a batch.

        Raises:
            DestinationError: there is no room.
        """
        try:
            if self._writer is None:
                handle, name = tempfile.mkstemp(prefix="headgate-", suffix=".arrow")
                os.close(handle)
                self._path = Path(name)
                self._sink = pa.OSFile(name, "wb")
                options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
                self._writer = pa.ipc.new_stream(self._sink, batch.schema, options=options)
            self._writer.write_table(pa.Table.from_batches([batch]), max_chunksize=_ROWS)
        except OSError as e:
            raise _failed(e) from e

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All of them; nothing can be added afterwards."""
        if self._writer is None or self._path is None:
            return
        try:
            if self._sink is not None:
                self._writer.close()
                self._sink.close()
                self._sink = None
        except OSError as e:
            raise _failed(e) from e
        with pa.OSFile(str(self._path), "rb") as source, pa.ipc.open_stream(source) as reader:
            yield from reader

    def close(self) -> None:
        """Remove the file. May be called twice."""
        if self._sink is not None:
            self._sink.close()
        self._sink = self._writer = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


def _failed(e: OSError) -> DestinationError:
    return DestinationError(
        f"the records cannot be kept in {tempfile.gettempdir()} until they are written: {e.strerror or e}",
        hint="Make room there, or set TMPDIR to another folder.",
    )
