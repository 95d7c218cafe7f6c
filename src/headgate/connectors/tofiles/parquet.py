"""Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from headgate.model.write import WriteField

from .naming import Naming

_GROUP: Final = 64 << 20
"""Bytes of records that are held until they become a group of rows."""


class ParquetFile:
    """A file whose columns have the types of the fields."""

    def __init__(self, path: Path, fields: Sequence[WriteField], naming: Naming) -> None:
        import pyarrow.parquet as pq

        self._names = [f.name for f in fields]
        self._schema = pa.schema([(f.name, f.type.arrow) for f in fields])
        self._writer: Any = pq.ParquetWriter(str(path), self._schema, compression=naming.compression)
        self._held: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Add records."""
        self._held.append(batch.select(self._names))
        if sum(b.nbytes for b in self._held) >= _GROUP:
            self._flush()

    def close(self, *, whole: bool = True) -> None:
        """End the file."""
        try:
            if whole:
                self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        if self._held:
            table = pa.Table.from_batches(self._held, self._schema)
            self._writer.write_table(table, row_group_size=table.num_rows or 1)
            self._held = []
