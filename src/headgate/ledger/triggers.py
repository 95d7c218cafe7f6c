"""What the ledger keeps of triggers: when they came last, which files a watch has seen, who is to be told what.

Of several processes at one ledger each may look at any time; what one decides to start it notes in the transaction that puts
it in the queue, with the import's row locked, so that no other decides the same.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from .rows import time_text, to_json, to_text
from .store import Row, Session, Store

_ADD: Final = "insert into headgate_trigger (import_name, state) values (?, '{}') on conflict (import_name) do nothing"
_LOCK: Final = "update headgate_trigger set state = state where import_name = ?"
_ONE: Final = "select state, paused_by, paused_at from headgate_trigger where import_name = ?"
_ALL: Final = "select import_name, state, paused_by, paused_at from headgate_trigger"
_SET: Final = "update headgate_trigger set state = ?, paused_by = ?, paused_at = ? where import_name = ?"
_WATCHED: Final = "select path, stamp, since, done, state from headgate_watched where import_name = ?"
_FORGET: Final = "delete from headgate_watched where import_name = ? and path = ?"
_SEE: Final = """
insert into headgate_watched (import_name, path, stamp, since, done, state) values (?, ?, ?, ?, ?, ?)
on conflict (import_name, path) do update set
  stamp = excluded.stamp, since = excluded.since, done = excluded.done, state = excluded.state"""
_ADD_SIGNAL: Final = "insert into headgate_signal (name, came) values (?, 0) on conflict (name) do nothing"
_SIGNAL: Final = "update headgate_signal set came = came + 1 where name = ?"
_SIGNALS: Final = "select name, came from headgate_signal"
_ENDS: Final = """
select id, status, finished, account from headgate_run where import_name = ? and kind = 'run' order by id desc limit ?"""
_GOING: Final = """
select id, status from headgate_run where import_name = ? and kind = 'run' and status in ('queued', 'running')
order by id limit 1"""
_KEEPER: Final = "select holder, until from headgate_keeper where name = ?"
_ADD_KEEPER: Final = (
    "insert into headgate_keeper (name, holder, until) values (?, '', '') on conflict (name) do nothing"
)
_KEEP: Final = "update headgate_keeper set holder = ?, until = ? where name = ? and (holder = ? or until < ?)"
_RELEASE: Final = "update headgate_keeper set holder = '', until = '' where name = ? and holder = ?"
_NOTICE: Final = "id, import_name, event, target, body, state, attempts, due, error, created"
_ADD_NOTICE: Final = f"insert into headgate_notice ({_NOTICE}) values (?, ?, ?, ?, ?, 'waiting', 0, ?, '', ?)"
_DUE: Final = (
    f"select {_NOTICE} from headgate_notice where state = 'waiting' and due <= ? order by due, created limit ?"
)
_TAKE: Final = """
update headgate_notice set due = ?, attempts = attempts + 1 where id = ? and state = 'waiting' and due = ? and attempts = ?"""
_CLOSE: Final = "update headgate_notice set state = ?, due = ?, error = ? where id = ? and attempts = ?"
_NEXT: Final = "select min(due) from headgate_notice where state = 'waiting'"
_NOTICES: Final = f"select {_NOTICE} from headgate_notice order by created desc, id limit ?"
_PRUNE: Final = "delete from headgate_notice where state <> 'waiting' and created < ?"

_KEPT: Final = timedelta(days=30)
_LOOKED_BACK: Final = 20


@dataclass(slots=True)
class Memory:
    """What is remembered of an import.

    Attributes:
        state: by kind of trigger; JSON.
        paused_by: who paused it; empty when it is not paused.
    """

    state: dict[str, Any] = field(default_factory=dict)
    paused_by: str = ""
    paused_at: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """A file that a watch has seen.

    Attributes:
        stamp: tells one content from the next.
        since: when it was first seen with this stamp.
        done: the stamp of the done-file it was started with.
        started: whether a run was started for it.
    """

    path: str
    stamp: str
    since: datetime
    done: str = ""
    started: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """A run, as far as triggers look at it; `finished` is empty while it is going on."""

    run: int
    status: str
    finished: str
    account: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is to be told to somebody."""

    id: str
    import_name: str
    event: str
    target: str
    body: Mapping[str, Any]
    state: str
    attempts: int
    due: datetime
    error: str
    created: datetime


class Turn:
    """An import's row, with nobody else at it until its transaction has ended."""

    def __init__(self, session: Session, name: str, memory: Memory) -> None:
        self.session, self._name, self.memory = session, name, memory

    def keep(self) -> None:
        """Remember what `memory` says."""
        memory = self.memory
        values = [to_json(memory.state), to_text(memory.paused_by), memory.paused_at, self._name]
        self.session.query(_SET, values)

    def watched(self) -> dict[str, Watched]:
        """The files seen, by their paths."""
        return _watched(self.session.query(_WATCHED, [self._name]))

    def see(self, before: Mapping[str, Watched], now: Mapping[str, Watched]) -> None:
        """Remember files as they are seen now."""
        gone = [(self._name, path) for path in before.keys() - now.keys()]
        new = [
            (self._name, w.path, w.stamp, time_text(w.since), w.done, "started" if w.started else "waiting")
            for w in now.values()
            if before.get(w.path) != w
        ]
        if gone:
            self.session.many(_FORGET, gone)
        if new:
            self.session.many(_SEE, new)

    def tell(self, event: str, targets: Iterable[str], body: Mapping[str, Any], now: datetime) -> None:
        """Have something told to some."""
        at = time_text(now)
        rows = [(f"msg_{uuid.uuid4().hex}", self._name, event, t, to_json(body), at, at) for t in targets]
        if rows:
            self.session.query(_PRUNE, [time_text(now - _KEPT)])
            self.session.many(_ADD_NOTICE, rows)


class Triggers:
    """The triggers of a ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # ---- imports -------------------------------------------------------------------------------------------------

    def memories(self) -> dict[str, Memory]:
        """What is remembered of each import."""
        return {str(name): _memory(rest) for name, *rest in self._store.query(_ALL)}

    def memory(self, name: str) -> Memory:
        """What is remembered of an import."""
        rows = self._store.query(_ONE, [name])
        return _memory(rows[0]) if rows else Memory()

    def watched(self, name: str) -> dict[str, Watched]:
        """The files that an import's watch has seen, by their paths."""
        return _watched(self._store.query(_WATCHED, [name]))

    @contextmanager
    def turn(self, name: str) -> Iterator[Turn]:
        """A transaction with an import's row in it that nobody else is at."""
        with self._store.transaction() as session:
            session.query(_ADD, [name])
            session.query(_LOCK, [name])
            (row,) = session.query(_ONE, [name])
            yield Turn(session, name, _memory(row))

    def ends(self, name: str) -> list[End]:
        """The newest runs of an import, newest first."""
        rows = self._store.query(_ENDS, [name, _LOOKED_BACK])
        return [End(int(n), str(s), str(f or ""), json.loads(a)) for n, s, f, a in rows]

    def going(self, name: str) -> tuple[int, bool] | None:
        """The run of an import that waits or is going on, and whether it is going on."""
        rows = self._store.query(_GOING, [name])
        return (int(rows[0][0]), rows[0][1] == "running") if rows else None

    # ---- webhooks ------------------------------------------------------------------------------------------------

    def signal(self, name: str) -> None:
        """A webhook came: imports that are run `on` it are due. Committed when this returns."""
        with self._store.transaction() as session:
            session.query(_ADD_SIGNAL, [name])
            session.query(_SIGNAL, [name])

    def signals(self) -> dict[str, int]:
        """How often each webhook has come."""
        return {str(name): int(came) for name, came in self._store.query(_SIGNALS)}

    # ---- whose turn it is ----------------------------------------------------------------------------------------

    def look_after(self, holder: str, now: datetime, seconds: float) -> bool:
        """Be the process that looks after the triggers, for so many seconds; False while another one is."""
        at, until = time_text(now), time_text(now + timedelta(seconds=seconds))
        rows = self._store.query(_KEEPER, ["triggers"])
        if rows and rows[0][0] not in ("", holder) and rows[0][1] >= at:
            return False
        with self._store.transaction() as session:
            session.query(_ADD_KEEPER, ["triggers"])
            return session.many(_KEEP, [(holder, until, "triggers", holder, at)]) == 1

    def leave(self, holder: str) -> None:
        """Look after the triggers no longer."""
        with self._store.transaction() as session:
            session.query(_RELEASE, ["triggers", holder])

    # ---- notices -------------------------------------------------------------------------------------------------

    def due(self, now: datetime, limit: int = 100) -> list[Notice]:
        """What is to be told now."""
        return [_notice(r) for r in self._store.query(_DUE, [time_text(now), limit])]

    def next_due(self) -> datetime | None:
        """When something is to be told next."""
        ((due,),) = self._store.query(_NEXT)
        return datetime.fromisoformat(due) if due else None

    def take(self, notice: Notice, until: datetime) -> Notice | None:
        """Take a notice to tell it, for nobody else to do so until then; None when another one has."""
        with self._store.transaction() as session:
            values = (time_text(until), notice.id, time_text(notice.due), notice.attempts)
            if session.many(_TAKE, [values]) != 1:
                return None
        return Notice(
            notice.id, notice.import_name, notice.event, notice.target, notice.body, notice.state, notice.attempts + 1,
            until, notice.error, notice.created,
        )  # fmt: skip

    def told(self, notice: Notice, now: datetime) -> None:
        """It was told."""
        self._close(notice, "sent", now, "")

    def not_told(self, notice: Notice, error: str, again: datetime | None) -> None:
        """It could not be told; with no time to try again it is given up."""
        self._close(notice, "failed" if again is None else "waiting", again or notice.due, error)

    def _close(self, notice: Notice, state: str, due: datetime, error: str) -> None:
        with self._store.transaction() as session:
            session.query(_CLOSE, [state, time_text(due), to_text(error), notice.id, notice.attempts])

    def notices(self, limit: int = 50) -> Sequence[Notice]:
        """The newest notices, newest first."""
        return [_notice(r) for r in self._store.query(_NOTICES, [limit])]


def _memory(row: Sequence[Any]) -> Memory:
    state, by, at = row
    return Memory(json.loads(state), str(by), str(at))


def _watched(rows: Iterable[Row]) -> dict[str, Watched]:
    return {
        str(path): Watched(str(path), str(stamp), datetime.fromisoformat(since), str(done), state == "started")
        for path, stamp, since, done, state in rows
    }


def _notice(row: Row) -> Notice:
    number, name, event, target, body, state, attempts, due, error, created = row
    due, created = datetime.fromisoformat(due), datetime.fromisoformat(created)
    return Notice(number, name, event, target, json.loads(body), state, int(attempts), due, error, created)
