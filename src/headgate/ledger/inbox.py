"""The inbox: events that came to hooks, kept until they are imported.

Whoever sent one hears that it was received once it is here. The events of an import are taken out one at a time, in the
order in which they came in, by whichever process asks first; one whose process is gone, or gives no sign for
`patience` seconds, is taken out again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from headgate.model.errors import UsageError
from headgate.model.event import Entry, Stage

from . import statements
from .leases import patience
from .ledger import Ledger
from .process import Process, this_process
from .rows import time_text, to_text
from .store import Row, Session, Store

_COLUMNS: Final = (
    "id", "import_name", "event_id", "event", "content_type", "state", "received", "changed", "due", "round", "attempts",
    "failures", "reason", "answer", "repeats", "differing",
)  # fmt: skip
_SIGNS: Final = ("host", "pid", "born", "heartbeat")
_ENTRY: Final = f"select {', '.join(_COLUMNS)} from headgate_inbox"

_FIND: Final = "select id, digest from headgate_inbox where import_name = ? and event_id = ?"
_REPEATED: Final = "update headgate_inbox set repeats = repeats + 1, differing = differing + ? where id = ?"
_ADD: Final = """
insert into headgate_inbox (id, import_name, event_id, event, content_type, body, digest, state, received, changed, due)
values (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?)"""
_BY_ID: Final = f"{_ENTRY} where id = ?"
_BODY: Final = "select body from headgate_inbox where id = ?"
_HEADS: Final = f"""
select i.id, i.import_name, i.state, i.due, i.failures, {", ".join(f"i.{c}" for c in _SIGNS)} from headgate_inbox i
join (select import_name, min(id) as id from headgate_inbox where state in ('waiting', 'delivering') group by import_name) h
on h.id = i.id"""
_HEAD: Final = f"{_HEADS} where i.import_name = ?"
# What was seen must still be so, for another process may have come first.
_TAKE: Final = """
update headgate_inbox
set state = 'delivering', attempts = attempts + 1, changed = ?, host = ?, pid = ?, born = ?, heartbeat = ?
where id = ? and state = ? and host = ? and pid = ? and born = ? and heartbeat = ?"""
_HELD: Final = "id = ? and state = 'delivering' and round = ? and attempts = ?"
_RENEW: Final = f"update headgate_inbox set heartbeat = ? where {_HELD}"
_CLOSE: Final = f"""
update headgate_inbox set state = ?, changed = ?, due = ?, reason = ?, answer = ?, failures = failures + ?, host = '', pid = 0, born = '', heartbeat = ''
where {_HELD}"""
_COVER: Final = """
update headgate_inbox set state = 'delivered', changed = ?, reason = '', answer = ?
where import_name = ? and state = 'waiting' and id <= ?"""
_LIST: Final = f"{_ENTRY} where (? = '' or import_name = ?) and (? = '' or state = ?) and (? = 0 or id < ?) order by id desc limit ?"
_COUNTS: Final = "select import_name, state, count(*) from headgate_inbox group by import_name, state"
_AGAIN: Final = """
update headgate_inbox set state = 'waiting', changed = ?, due = ?, round = round + 1, attempts = 0, failures = 0, reason = ''
where id = ? and state in ('rejected', 'discarded')"""
_SOON: Final = "update headgate_inbox set due = ? where id = ? and state = 'waiting'"
_DISCARD: Final = """
update headgate_inbox set state = 'discarded', changed = ? where id = ? and state in ('rejected', 'waiting')"""
_OF_STATE: Final = "select id from headgate_inbox where import_name = ? and state = ? order by id"
_PRUNE: Final = (
    "delete from headgate_inbox where import_name = ? and state in ('delivered', 'discarded') and changed < ?"
)
_ADD_COUNTER: Final = "insert into headgate_counter (name, value) values (?, 0) on conflict (name) do nothing"
_COUNTERS: Final = "select name, value from headgate_counter where substr(name, 1, 8) = 'ignored '"


@dataclass(frozen=True, slots=True)
class Turn:
    """When the turn of an import's first event comes.

    Attributes:
        at: when; of an event that a process is at, when that one will be given up.
        failed: nobody is at it, and its last try failed.
    """

    at: datetime
    failed: bool


class Inbox:
    """The inbox of a ledger. Every verb is one transaction.

    Args:
        ledger: is made when it is not there.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def _store(self) -> Store:
        return self._ledger.store()

    def add(self, import_name: str, event_id: str, event: str, content_type: str, body: bytes) -> tuple[Entry, bool]:
        """Keep an event; committed when this returns.

        Args:
            event_id: tells it from every other of the import.

        Returns:
            It, and whether it came for the first time.
        """
        event_id = to_text(event_id)
        digest = hashlib.sha256(body).hexdigest()
        found = [import_name, event_id]
        with self._store.transaction() as session:
            session.query(statements.LOCK_COUNTER, ["inbox"])  # from here on nobody else adds one
            if rows := session.query(_FIND, found):
                number = int(rows[0][0])
                session.query(_REPEATED, [int(rows[0][1] != digest), number])
            else:
                session.query(statements.COUNT_UP, ["inbox"])
                ((number,),) = session.query(statements.COUNTER, ["inbox"])
                now = _now()
                kept = [number, *found, to_text(event), to_text(content_type), body, digest, now, now, now]
                session.query(_ADD, kept)
            (row,) = session.query(_BY_ID, [number])
        return _entry(row), not rows

    def count_ignored(self, import_name: str) -> None:
        """Count an event that the definition does not want."""
        name = f"ignored {import_name}"
        with self._store.transaction() as session:
            session.query(_ADD_COUNTER, [name])
            session.query(statements.COUNT_UP, [name])

    # ---- taking out ------------------------------------------------------------------------------------------------

    def due(self) -> dict[str, Turn]:
        """The imports of which an event is to be delivered, and when its turn comes."""
        return {
            str(row[1]): Turn(_turn(row), row[2] == Stage.WAITING and row[4] > 0) for row in self._store.query(_HEADS)
        }

    def take(self, import_name: str) -> Entry | None:
        """Take the first event of an import out, for this process to deliver; None when its turn has not come, or another
        process is at it.
        """
        rows = self._store.query(_HEAD, [import_name])
        if not rows or _turn(rows[0]) > datetime.now(UTC):
            return None
        number, _, state, _, _, *signs = rows[0]
        process, now = this_process(), _now()
        mine = [now, process.host, process.pid, process.born, now]
        with self._store.transaction() as session:
            if not session.many(_TAKE, [[*mine, number, state, *signs]]):
                return None
            (row,) = session.query(_BY_ID, [number])
        return _entry(row)

    def renew(self, entry: Entry) -> None:
        """Give a sign that an event is being delivered."""
        with self._store.transaction() as session:
            session.query(_RENEW, [_now(), *_held(entry)])

    def delivered(self, entry: Entry, answer: Mapping[str, Any]) -> bool:
        """Its records are at the destination, or were refused one by one."""
        return self._close(entry, Stage.DELIVERED, "", answer)

    def rejected(self, entry: Entry, reason: str, answer: Mapping[str, Any] | None = None) -> bool:
        """It can never be delivered as it is."""
        return self._close(entry, Stage.REJECTED, reason, answer or {})

    def covered(self, import_name: str, up_to: int, answer: Mapping[str, Any]) -> None:
        """What events asked for that wait, up to this one, was done for all of them together."""
        with self._store.transaction() as session:
            session.query(_COVER, [_now(), to_text(_json(answer)), import_name, up_to])

    def later(self, entry: Entry, reason: str, seconds: float) -> bool:
        """It could not be delivered, and is tried again after so many seconds."""
        return self._close(entry, Stage.WAITING, reason, {}, seconds, failed=True)

    def give_back(self, entry: Entry) -> bool:
        """Somebody else is to deliver it."""
        return self._close(entry, Stage.WAITING, "", {})

    def _close(
        self,
        entry: Entry,
        stage: Stage,
        reason: str,
        answer: Mapping[str, Any],
        seconds: float = 0,
        *,
        failed: bool = False,
    ) -> bool:
        due = time_text(datetime.now(UTC) + timedelta(seconds=seconds))
        values = [stage.value, _now(), due, to_text(reason), to_text(_json(answer)), int(failed), *_held(entry)]
        with self._store.transaction() as session:
            return bool(session.many(_CLOSE, [values]))

    # ---- by hand ---------------------------------------------------------------------------------------------------

    def retry(self, numbers: Iterable[int]) -> int:
        """Deliver events again that were rejected or discarded; those that wait have their turn at once.

        Returns:
            How many there are.

        Raises:
            UsageError: there is no such event, or it was delivered; nothing was changed.
        """
        with self._store.transaction() as session:
            return sum(self._retry(session, number) for number in dict.fromkeys(numbers))

    def _retry(self, session: Session, number: int) -> int:
        now = _now()
        if session.many(_AGAIN, [[now, now, number]]) or session.many(_SOON, [[now, number]]):
            return 1
        entry = self._one(session, number)
        word = "being delivered at this moment" if entry.stage is Stage.DELIVERING else "delivered already"
        raise UsageError(f"event {number} is {word}", hint=f"headgate hooks {entry.import_name} lists its events.")

    def retry_all(self, import_name: str) -> int:
        """Deliver all rejected events of an import again, in the order in which they came."""
        rows = self._store.query(_OF_STATE, [import_name, Stage.REJECTED.value])
        return self.retry(int(number) for (number,) in rows)

    def discard(self, numbers: Iterable[int]) -> int:
        """Set events aside that were rejected or wait: nobody delivers them, and they are forgotten in time.

        Returns:
            How many changed.

        Raises:
            UsageError: there is no such event, or it was delivered; nothing was changed.
        """
        changed = 0
        with self._store.transaction() as session:
            for number in dict.fromkeys(numbers):
                if session.many(_DISCARD, [[_now(), number]]):
                    changed += 1
                elif (entry := self._one(session, number)).stage is not Stage.DISCARDED:
                    raise UsageError(
                        f"event {number} is {entry.stage}; only one that was rejected or waits can be discarded"
                    )
        return changed

    def prune(self, import_name: str, older_than: datetime) -> None:
        """Forget events that were delivered or discarded before."""
        with self._store.transaction() as session:
            session.query(_PRUNE, [import_name, time_text(older_than)])

    # ---- looking ---------------------------------------------------------------------------------------------------

    def entry(self, number: int) -> Entry:
        """One event.

        Raises:
            UsageError: there is none of that number.
        """
        if (found := self.find(number)) is None:
            raise _none(number)
        return found

    def find(self, number: int) -> Entry | None:
        """One event, or None where there is none of that number."""
        rows = self._store.query(_BY_ID, [number])
        return _entry(rows[0]) if rows else None

    def body(self, number: int) -> bytes:
        """What it has, as it came.

        Raises:
            UsageError: there is none of that number.
        """
        rows = self._store.query(_BODY, [number])
        if not rows:
            raise _none(number)
        return bytes(rows[0][0])

    def entries(
        self, import_name: str = "", stage: Stage | None = None, *, limit: int = 50, before: int = 0
    ) -> Sequence[Entry]:
        """Events, newest first.

        Args:
            import_name: only those of this import.
            stage: only those that have come so far.
            before: only those with lower numbers.
        """
        state = stage.value if stage else ""
        return [
            _entry(r) for r in self._store.query(_LIST, [import_name, import_name, state, state, before, before, limit])
        ]

    def counts(self) -> dict[str, Counter[str]]:
        """How many events of each import have come how far, and how many were ``ignored``."""
        found: dict[str, Counter[str]] = {}
        for name, state, events in self._store.query(_COUNTS):
            found.setdefault(name, Counter())[state] = events
        for name, events in self._store.query(_COUNTERS):
            found.setdefault(name.removeprefix("ignored "), Counter())["ignored"] = events
        return found

    @staticmethod
    def _one(session: Session, number: int) -> Entry:
        rows = session.query(_BY_ID, [number])
        if not rows:
            raise _none(number)
        return _entry(rows[0])


def _none(number: int) -> UsageError:
    return UsageError(f"there is no event {number}", hint="headgate hooks lists the newest; old ones are forgotten.")


def _turn(row: Row) -> datetime:
    """When an event's turn comes, by its row of `_HEADS`."""
    _, _, state, due, _, host, pid, born, heartbeat = row
    if state == Stage.WAITING:
        return datetime.fromisoformat(due)
    process = Process(host, pid, born)
    if process.here and process.gone:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromisoformat(heartbeat) + timedelta(seconds=patience())


def _held(entry: Entry) -> list[int]:
    return [entry.id, entry.round, entry.attempts]


def _entry(row: Row) -> Entry:
    at: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    at |= {name: datetime.fromisoformat(at[name]) for name in ("received", "changed", "due")}
    return Entry(stage=Stage(at.pop("state")), answer=json.loads(at.pop("answer")), **at)


def _json(answer: Mapping[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False, default=str)


def _now() -> str:
    return time_text(datetime.now(UTC))
