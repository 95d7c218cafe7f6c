"""The files of a run while they are written, each to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pyarrow as pa

from headgate.model.write import WriteField

from . import formats
from .folder import Folder
from .naming import Naming
from .options import FileOptions

Values = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """A file of a run.

    Attributes:
        name: where it will be.
        place: where it is written.
        after: digest of the file that is there, which comes first; None where nothing does.
        records: that it gets.
    """

    name: str
    place: str
    after: str | None
    records: int


class _Row:
    """The files for one set of values, of which one is open."""

    def __init__(self, files: Sequence[Planned]) -> None:
        self.files = list(files)
        self.room = files[0].records
        self.open: formats.Writing | None = None


class OpenFiles:
    """Leaving it closes whatever is open; what was not ended is of no use then."""

    def __init__(
        self, folder: Folder, token: str, fields: Sequence[WriteField], naming: Naming, options: FileOptions
    ) -> None:
        self._folder, self._place = folder, folder.place(token)
        self._fields, self._naming, self._options = fields, naming, options
        self._rows: dict[Values, _Row] = {}

    def take(self, values: Values, files: Sequence[Planned]) -> None:
        """Say which files take the records with these values, in their order."""
        self._rows[values] = _Row(files)

    def write(self, values: Values, records: pa.RecordBatch) -> None:
        """Write records, to the next file where one is full."""
        row = self._rows[values]
        while records.num_rows:
            if not row.room:
                self._end(row)
                row.room = row.files[0].records
            piece = records.slice(0, row.room)
            self._opened(row).write(piece)
            row.room -= piece.num_rows
            records = records.slice(piece.num_rows)

    def end(self) -> None:
        """End every file; one without records is made all the same."""
        for row in self._rows.values():
            self._end(row)

    def _opened(self, row: _Row) -> formats.Writing:
        if row.open is None:
            file = row.files[0]
            after = self._folder.path / file.name if file.after else None
            row.open = formats.begin(self._place / file.place, self._fields, self._naming, self._options, after)
        return row.open

    def _end(self, row: _Row) -> None:
        opened, row.open = self._opened(row), None
        row.files.pop(0)
        opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for row in self._rows.values():
            if row.open is not None:
                opened, row.open = row.open, None
                try:
                    opened.close(whole=False)
                except OSError:
                    if error is None:
                        raise
