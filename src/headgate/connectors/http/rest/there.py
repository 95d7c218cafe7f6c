"""What an API has: its records as they were read, each once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headgate.spi.deciding import Row

from .paths import at
from .shape import Shape
from .template import text
from .values import Foreign


class There:
    """The records of one match.

    Attributes:
        rows: what columns have, by a number of the record's own.
        records: as the API gave them, by the same numbers.
        found: the same by their keys.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape, self._id = shape, shape.resource.id
        self.rows: dict[int, Row] = {}
        self.records: dict[int, Any] = {}
        self.found: dict[tuple[object, ...], list[Any]] = {}
        self._numbers: dict[str, int] = {}

    def take(self, records: Iterable[Any]) -> None:
        """Know these too. One that moves from page to page while they are read comes twice; and one that is found by its key
        was perhaps listed before, with less of it: what was read last counts."""
        for record in records:
            id_ = at(record, self._id)
            number = len(self.rows) if id_ is None else self._numbers.setdefault(text(id_), len(self.rows))
            if (old := self.records.get(number)) is not None:
                key = self._shape.key(old)
                self.found[key] = [one for one in self.found[key] if one is not old]
                if not self.found[key]:
                    del self.found[key]
            self.rows[number], self.records[number] = self._shape.row(record), record
            self.found.setdefault(self._shape.key(record), []).append(record)

    def ids(self) -> dict[str, int]:
        """The records' numbers by the API's own ids, as texts."""
        return self._numbers

    def has_keys(self) -> bool:
        """Whether one at least has a key that a record of a source could have."""
        return any(not any(v is None or isinstance(v, Foreign) for v in key) for key in self.found)
