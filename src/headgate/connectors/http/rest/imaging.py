"""What undo keeps of the records that a run changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from headgate.model.outcome import Outcome
from headgate.model.write import ACTION, NUMBER, OLD, Images
from headgate.spi.deciding import LISTED_ROWS, Change, Row

from .shape import Shape
from .values import Foreign, image

Kept = Mapping[str, str | None]
"""Values of a record as undo keeps them, by column."""


class Imaging:
    """Makes the journal's rows of changes.

    Args:
        shape: of the records.
        marks: what mirror sets instead of deleting.
    """

    def __init__(self, shape: Shape, marks: Row) -> None:
        self._shape, self._marks = shape, marks

    def does(self, change: Change) -> Outcome:
        """What a change comes to at the API: where mirror marks, a deletion is an update."""
        marks = change.action is Outcome.DELETED and change.number is None and bool(self._marks)
        return Outcome.UPDATED if marks else change.action

    def images(self) -> Images:
        """Which columns undo knows."""
        spec, resource = self._shape.spec, self._shape.resource
        own = tuple(n for n in self._shape.columns if n not in (*resource.read_only, *resource.write_only))
        updated = tuple(f.name for f in spec.fields if f.name in own and f.name not in spec.key and f.when != "created")
        return Images(self._shape.images, own, updated, tuple(self._marks))

    def of(self, row: Row) -> dict[str, str | None]:
        """The values of a row."""
        return {n: image(self._shape.wire(n, v)) for n, v in row.items() if not isinstance(v, Foreign)}

    def written(self, change: Change) -> dict[str, str | None]:
        """What an update writes, or a mark."""
        if self.does(change) is not change.action:
            return self.of(self._marks)
        if change.action is not Outcome.UPDATED:
            return {}
        return self.of({n: change.values[n] for n in self.images().updated})

    def row(self, change: Change, new: Kept, old: Kept) -> Row:
        """The journal's row of a change."""
        action = change.action.value if self.does(change) is change.action else "marked"
        return {NUMBER: change.number, ACTION: action, **new, **{OLD + n: v for n, v in old.items()}}

    def batches(self, rows: Sequence[Row]) -> Iterator[pa.RecordBatch]:
        """Rows as the journal takes them."""
        columns = self._shape.images
        texts = [(n, pa.string()) for n in (*columns, *(OLD + n for n in columns))]
        schema = pa.schema([(NUMBER, pa.int64()), (ACTION, pa.string()), *texts])
        for start in range(0, len(rows), LISTED_ROWS):
            yield pa.RecordBatch.from_pylist(list(rows[start : start + LISTED_ROWS]), schema=schema)
