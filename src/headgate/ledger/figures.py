"""Figures over many runs, for those who watch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate.model.outcome import Outcome

from .ledger import Ledger
from .rows import time_text as time_text
from .store import Row

_COLUMNS: Final = "id, import_name, kind, status, account, started, coalesce(finished, '')"
_CLOSED: Final = (
    f"select {_COLUMNS} from headgate_run where finished >= ? and status not in ('queued', 'running') order by finished"
)
_RUNNING: Final = f"select {_COLUMNS} from headgate_run where status = 'running'"
_WAITING: Final = "select count(*), min(started) from headgate_run where status = 'queued'"
_REJECTS: Final = """
select r.import_name, c.code, sum(c.records) from headgate_reject_count c join headgate_run r on r.id = c.run_id
where r.status in ('succeeded', 'partial') group by r.import_name, c.code"""


@dataclass(frozen=True, slots=True)
class RunFigure:
    """One run, as far as figures need it.

    Attributes:
        outcomes: how many records had each outcome that occurred.
        seconds: that it took; 0 while it is going on.
        finished: as the ledger has it, so that texts compare as times do; empty while it is going on.
    """

    id: int
    import_name: str
    kind: str
    status: str
    outcomes: dict[str, int]
    seconds: float
    finished: str


class Figures:
    """Reads them from a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._store = ledger.store()

    def closed(self, since: str = "") -> list[RunFigure]:
        """Runs and plans that were over at this time or later, in that order."""
        return [_figure(row) for row in self._store.query(_CLOSED, [since])]

    def running(self) -> list[RunFigure]:
        """Those that are going on, with what is known of them so far."""
        return [_figure(row) for row in self._store.query(_RUNNING)]

    def waiting(self) -> tuple[int, str]:
        """How many wait to be begun, and since when the first of them does; empty where none does."""
        ((count, since),) = self._store.query(_WAITING)
        return int(count), since or ""

    def open_rejects(self) -> list[tuple[str, str, int]]:
        """Open rejects by import and code."""
        return [(str(name), str(code), int(count)) for name, code, count in self._store.query(_REJECTS)]


def _figure(row: Row) -> RunFigure:
    number, name, kind, status, account, started, finished = row
    counts = json.loads(account)
    outcomes = {o.value: int(counts.get(o.value, 0)) for o in Outcome if counts.get(o.value)}
    seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds() if finished else 0.0
    return RunFigure(int(number), name, kind, status, outcomes, seconds, finished)
