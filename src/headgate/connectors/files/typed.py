"""What formats whose columns have types share: their own types where a destination knows such, text for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Fault, Origin
from headgate.spi.columns import plain, scan_column, scan_type
from headgate.spi.unreadable import unreadable

from .base import Input
from .gather import without

WRITE_AGAIN = "Copy it again, or have it written again."


class TypedColumns:
    """The columns of a file that are read, and how its arrays become theirs.

    Raises:
        SourceError: two columns have one name, or one that `source.columns` names is not there.
    """

    def __init__(self, given: Input, whole: pa.Schema) -> None:
        self._given = given
        names = given.options.columns or whole.names
        if lost := [n for n in names if n not in whole.names]:
            raise SourceError(
                f"{given.name} has no column {lost[0]!r}", hint=f"Its columns are: {', '.join(whole.names)}."
            )
        if len(set(whole.names)) < len(whole.names):
            raise SourceError(
                f"{given.name} has several columns of one name: {', '.join(whole.names)}", hint=WRITE_AGAIN
            )
        self.names = list(names)
        self.schema = pa.schema([pa.field(n, scan_type(whole.field(n).type)) for n in names])
        nested = [n for n in names if pa.types.is_nested(plain(whole.field(n).type))]
        self.notes = [f"lists and structs become JSON text: {', '.join(nested)}"] if nested else []

    def batch(self, records: pa.RecordBatch, first: int) -> Batch:
        """Records of the file, the first of which has the number `first`; those with a value that no record may have are
        faults (`headgate.spi.unreadable`)."""
        columns = [self._column(records.column(n), self.schema.field(n).type) for n in self.names]
        whole = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        bad = unreadable(whole)
        if not bad:
            return Batch(whole, range(first, first + whole.num_rows))
        faults = tuple(Fault(first + n, *bad[n]) for n in bad)
        kept = [n for n in range(whole.num_rows) if n not in bad]
        return Batch(whole.take(pa.array(kept, pa.int64())), [first + n for n in kept], faults)

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """Where records are: the row is the record's number."""
        return [Origin(self._given.name, row=n + 1) for n in ordinals]

    def _column(self, array: pa.Array, wanted: pa.DataType) -> pa.Array:
        made = scan_column(array, wanted)
        return without(made, self._given.options.nulls) if wanted == pa.string() else made


def first_line(e: BaseException) -> str:
    """The first line of a library's message, which may go on with addresses and advice of its own."""
    return str(e).partition("\n")[0].rstrip(". ") or type(e).__name__
