"""Records as what they are known by, and as what the journal has of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.errors import DestinationError
from headgate.model.types import FieldType
from headgate.model.write import ACTION, NUMBER, OLD, WriteField, WriteSpec

from .folder import Folder
from .lines import joined
from .values import content, texts


class Content:
    """A digest of records in their order, however they come in batches, and their number."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.records = 0

    def add(self, columns: Sequence[pa.Array]) -> None:
        """Add records, as typed values or as the texts of them."""
        values = [pc.fill_null(texts(c), "\0") for c in columns]
        if values and len(values[0]):
            self.records += len(values[0])
            self._hash.update(content(joined([joined(values, "\x1f"), pa.scalar("\x1e")])))

    def digest(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()


def change_batch(
    numbers: pa.Array, action: str, names: Sequence[str], new: Sequence[pa.Array], old: Sequence[pa.Array] | None
) -> pa.RecordBatch:
    """A batch as `Writer.changes` and `Writer.after` give it; `old` None: nothing."""
    actions = pa.array([action] * len(numbers), pa.string())
    if old is None:
        old = [pa.nulls(len(numbers), v.type) for v in new]
    return pa.RecordBatch.from_arrays(
        [numbers, actions, *new, *old], names=[NUMBER, ACTION, *names, *(OLD + n for n in names)]
    )


def remembered(folder: Folder, spec: WriteSpec) -> tuple[WriteField, ...]:
    """The fields of a table that was taken back, for records that come as images.

    Raises:
        DestinationError: it is not known any more.
    """
    wanted = {f.name for f in spec.fields}
    for known in folder.published():
        if known.table == spec.table and wanted <= {n for n, _ in known.fields}:
            return tuple(WriteField(n, FieldType.parse(t)) for n, t in known.fields)
    raise DestinationError(
        f"{folder.path}: what {spec.table} looked like is not known any more", hint="Run the import again."
    )
