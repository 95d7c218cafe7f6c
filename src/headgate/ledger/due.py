"""What triggers have started and nobody has run yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from . import statements
from .rows import time_text, to_json, to_text
from .store import Session, Store

_ADD: Final = "insert into headgate_due (id, import_name, reason, files, created) values (?, ?, ?, ?, ?)"
_ALL: Final = "select id, import_name, reason, files, created from headgate_due order by id"
_OF: Final = "select count(*) from headgate_due where import_name = ?"
_REMOVE: Final = "delete from headgate_due where id = ?"


@dataclass(frozen=True, slots=True)
class Due:
    """An import that is to be run.

    Attributes:
        reason: why, for people.
        files: the only ones of its source that are read; None for all.
    """

    id: int
    import_name: str
    reason: str
    files: list[str] | None
    created: datetime


class DueLedger:
    """The imports of a ledger that are to be run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, session: Session, name: str, reason: str, files: Sequence[str] | None) -> int:
        """Add one, in a transaction that is going on."""
        session.query(statements.COUNT_UP, ["due"])
        ((number,),) = session.query(statements.COUNTER, ["due"])
        meant = None if files is None else to_json(list(files))
        session.query(_ADD, [number, name, to_text(reason), meant, time_text(datetime.now(UTC))])
        return int(number)

    def entries(self) -> list[Due]:
        """All, in the order in which they are run."""
        return [
            Due(int(n), str(name), str(why), None if files is None else json.loads(files), datetime.fromisoformat(at))
            for n, name, why, files, at in self._store.query(_ALL)
        ]

    def waiting(self, name: str) -> int:
        """How many there are of an import."""
        return int(self._store.query(_OF, [name])[0][0])

    def remove(self, number: int) -> None:
        """It was run."""
        with self._store.transaction() as session:
            session.query(_REMOVE, [number])
