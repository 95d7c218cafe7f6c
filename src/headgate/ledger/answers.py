"""Answers to requests that may be asked for again.

A request with a key of its caller's is entered before it is imported, and its answer after; a repeat finds one or the other. Which
of the requests of a dead process had been committed their destination's checkpoint says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from .ledger import Ledger
from .rows import time_text
from .store import Row

_COLUMNS: Final = "import_name, key, fingerprint, run_id, body, answer"
_ONE: Final = f"select {_COLUMNS} from headgate_answer where import_name = ? and key = ?"
_ADD: Final = (
    f"insert into headgate_answer ({_COLUMNS}, at) values (?, ?, ?, ?, ?, null, ?) on conflict (import_name, key) do nothing "
    "returning 1"
)
_TAKE: Final = "update headgate_answer set run_id = ? where import_name = ? and key = ? and run_id = ? and answer is null returning 1"
_CLOSE: Final = "update headgate_answer set answer = ? where import_name = ? and key = ? and answer is null"
_BODY: Final = "update headgate_answer set body = ? where import_name = ? and key = ? and answer is null"
_LET_GO: Final = "update headgate_answer set run_id = 0 where import_name = ? and key = ? and answer is null"
_FORGET: Final = "delete from headgate_answer where import_name = ? and key = ? and run_id = ? and answer is null"
_OPEN: Final = f"select {_COLUMNS} from headgate_answer where answer is null and body <> '' order by at, key"
_PRUNE: Final = "delete from headgate_answer where at < ? and answer is not null"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A request that was entered.

    Attributes:
        fingerprint: of what it asked.
        run: the run that is, or was, at it; 0 when none is.
        body: its records as JSON, where they were kept.
        outcomes: its answer; None while there is none.
    """

    import_name: str
    key: str
    fingerprint: str
    run: int
    body: str
    outcomes: list[dict[str, Any]] | None


class Answers:
    """The part of a ledger that knows requests.

    Args:
        ledger: where they are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._store = ledger.store()

    def enter(self, import_name: str, key: str, fingerprint: str, run: int, body: str = "") -> KeptAnswer | None:
        """Enter a request, if it is not there; the one that is there otherwise."""
        values = [import_name, key, fingerprint, run, body, time_text(datetime.now(UTC))]
        with self._store.transaction() as session:
            if session.query(_ADD, values):
                return None
            rows = session.query(_ONE, [import_name, key])
        return _kept(rows[0])

    def keep_body(self, import_name: str, key: str, body: str) -> None:
        """Keep the records of a request that was entered, so that they outlive the process."""
        with self._store.transaction() as session:
            session.query(_BODY, [body, import_name, key])

    def find(self, import_name: str, key: str) -> KeptAnswer | None:
        """A request that was entered."""
        rows = self._store.query(_ONE, [import_name, key])
        return _kept(rows[0]) if rows else None

    def take_over(self, one: KeptAnswer, run: int) -> bool:
        """Go on with a request that another run has left; whether nobody else did."""
        with self._store.transaction() as session:
            return bool(session.query(_TAKE, [run, one.import_name, one.key, one.run]))

    def answered(self, import_name: str, answers: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Keep answers by their requests' keys; requests that were not entered are passed over."""
        rows = [(json.dumps(list(outcomes), default=str), import_name, key) for key, outcomes in answers.items()]
        if rows:
            with self._store.transaction() as session:
                session.many(_CLOSE, rows)

    def let_go(self, import_name: str, keys: Sequence[str]) -> None:
        """Let requests that could not be done now be done later, by whoever comes to it: their run is 0."""
        with self._store.transaction() as session:
            session.many(_LET_GO, [(import_name, key) for key in keys])

    def forget(self, import_name: str, keys: Sequence[str], run: int) -> None:
        """Forget requests of a run that failed, so that they can be tried again; what another run is at stays."""
        with self._store.transaction() as session:
            session.many(_FORGET, [(import_name, key, run) for key in keys])

    def unanswered(self) -> list[KeptAnswer]:
        """Requests without an answer whose records were kept, oldest first."""
        return [_kept(row) for row in self._store.query(_OPEN)]

    def prune(self, older_than: datetime) -> None:
        """Forget answers that are older."""
        with self._store.transaction() as session:
            session.query(_PRUNE, [time_text(older_than.astimezone(UTC))])


def _kept(row: Row) -> KeptAnswer:
    import_name, key, fingerprint, run, body, answer = row
    return KeptAnswer(import_name, key, fingerprint, int(run), body, None if answer is None else json.loads(answer))
