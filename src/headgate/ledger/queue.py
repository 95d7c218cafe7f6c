"""Work that waits, and who is at it. Any number of workers of any number of machines take from it; none takes what another has.

Work is given the number of a run when it comes, so that it can be followed at once. A worker gives signs for all that it has;
what a worker had whose process is gone, or that has been silent for `silence` seconds, goes to others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from headgate.model.errors import UsageError
from headgate.model.run import Run, Status
from headgate.model.work import Work, WorkKind, WorkStatus

from . import queue_statements as sql
from . import statements
from .leases import LOST, patience
from .process import Process, this_process
from .rows import run_row, time_text, to_json, to_text
from .store import Row, Session, Store

ATTEMPTS: Final = 3
"""How often work is begun whose process ends without a word, before it is given up."""
_SILENCE: Final = 10.0


def silence() -> float:
    """Seconds without a sign after which a worker is given up for dead: 10, or HEADGATE_LEASE when that is less."""
    return min(patience(), _SILENCE)


class Queue:
    """Verbs over the store of a ledger (`Ledger.store`). Each is one transaction, and raises what those of `Ledger` raise.

    Args:
        worker: the process that takes work; the one that asks by default.
    """

    def __init__(self, store: Store, worker: Process | None = None) -> None:
        self._store = store
        worker = worker or this_process()
        self._worker = [worker.host, worker.pid, worker.born]

    def add(self, work: Work, run: Run) -> int:
        """Let work wait.

        Args:
            work: what is to be done.
            run: what it will be, as far as is known; it is entered as queued.

        Returns:
            The number of both; no number is given out twice.
        """
        with self._store.transaction() as session:
            return self.enter(session, work, run)

    def enter(self, session: Session, work: Work, run: Run) -> int:
        """The same in a transaction that is going on."""
        now = _now()
        session.query(statements.COUNT_UP, ["run"])
        ((number,),) = session.query(statements.COUNTER, ["run"])
        entered = replace(run, id=number, status=Status.QUEUED)
        session.query(statements.ADD_RUN, [*run_row(entered), "", 0, "", now])
        not_before = time_text(work.not_before.astimezone(UTC)) if work.not_before else now
        name, cause = to_text(work.import_name), to_text(work.cause)
        values = [number, work.kind.value, name, to_json(work.parameters), cause, now, not_before]
        session.query(sql.ADD, [*values, WorkStatus.QUEUED.value, number, 0, "", 0, "", "", 0, ""])
        work.id = work.run_id = int(number)
        return work.id

    def claim(self) -> Work | None:
        """Take the oldest work that may be begun: not before its time, and not while something else writes to its import."""
        if not self._store.query(sql.NEXT, [_now()]):  # the usual answer locks nothing
            return None
        with self._store.transaction() as session:
            # Workers take turns, as two pieces of work of one import would not see each other being taken.
            session.query(statements.LOCK_COUNTER, ["queue"])
            rows = session.query(sql.NEXT, [_now()])
            if not rows:
                return None
            number = rows[0][0]
            session.query(sql.CLAIM, [*self._worker, _now(), number])
            return _work(session.query(sql.WORK, [number])[0])

    def begun(self, work_id: int, run_id: int) -> None:
        """Note which run carries work out, where that is not the one whose number was given out."""
        with self._store.transaction() as session:
            session.query(sql.BEGUN, [run_id, work_id])

    def progress(self, work_id: int, progress: dict[str, Any]) -> None:
        """Let others see how far it has come. One small write: for every second, not for every batch."""
        with self._store.transaction() as session:
            session.query(sql.PROGRESS, [to_json(progress), work_id])

    def heartbeat(self) -> dict[int, bool]:
        """Give a sign of life for all work that the worker has.

        Returns:
            What it has, and whether that is to be stopped. What is not in there any more was taken over by others.
        """
        with self._store.transaction() as session:
            session.query(sql.HEARTBEAT, [_now(), *self._worker])
            return {int(n): bool(cancel) for n, cancel in session.query(sql.MINE, self._worker)}

    def finish(self, work_id: int, error: str = "") -> None:
        """It is done, or failed and will not be begun again.

        Args:
            error: of work that came to nothing before its run was begun.
        """
        with self._store.transaction() as session:
            if session.many(sql.DONE_BY, [(work_id, *self._worker)]):
                cancelled = _work(session.query(sql.WORK, [work_id])[0]).cancel
                status = Status.CANCELLED if cancelled else Status.FAILED
                words = "cancelled before it was begun" if cancelled else error or "it ended before it was begun"
                _close_queued(session, work_id, status, words)

    def hand_back(self, work_id: int, delay: float = 0.0, *, words: str = "", counts: bool = False) -> None:
        """Let it wait again, for this worker or another.

        Args:
            delay: seconds before which it is not begun.
            words: said of the run that was begun for it and stopped.
            counts: whether this was one of the `ATTEMPTS`; after the last it is done.
        """
        later = time_text(datetime.now(UTC) + timedelta(seconds=delay))
        with self._store.transaction() as session:
            rows = session.query(sql.WORK, [work_id])
            if not rows:
                return
            work = _work(rows[0])
            if work.cancel or (counts and work.attempts >= ATTEMPTS):
                if session.many(sql.DONE_BY, [(work_id, *self._worker)]):
                    status = Status.CANCELLED if work.cancel else Status.FAILED
                    _close_queued(session, work_id, status, "cancelled before it was begun" if work.cancel else LOST)
                return
            values = [0 if counts else 1, later, work_id, *self._worker]
            if session.many(sql.HAND_BACK, [values]) and words:
                session.query(sql.SAY, [words, _now(), work.run_id])

    def recover_stale(self) -> list[Work]:
        """Let work wait again that a worker had who is gone or silent; the run it had begun is closed as failed, and in doubt.

        Returns:
            What was taken back.
        """
        limit = time_text(datetime.now(UTC) - timedelta(seconds=silence()))
        found = []
        for row in self._store.query(sql.CLAIMED):
            work, (host, pid, born, heartbeat) = _work(row), row[10:14]
            process = Process(host, pid, born)
            if not ((process.here and process.gone) or heartbeat < limit):
                continue
            with self._store.transaction() as session:
                over = work.attempts >= ATTEMPTS or work.cancel
                after = (WorkStatus.DONE if over else WorkStatus.QUEUED).value
                if not session.many(sql.LOST, [(after, work.id, host, pid, born, heartbeat)]):
                    continue  # another worker was quicker, or it is alive after all
                (run_id,) = (r[8] for r in session.query(sql.WORK, [work.id]))
                why = f"its worker on {process.machine} ended or gave no sign any more"
                session.query(sql.ABANDON, [why, _now(), _now(), run_id])
                if over:
                    _close_queued(session, work.id, Status.CANCELLED if work.cancel else Status.FAILED, why)
            found.append(work)
        return found

    def cancel(self, run_id: int) -> Work:
        """Stop work: at once where it waits, otherwise its worker does it within a second or two.

        Args:
            run_id: its number, or that of the run that carries it out.

        Raises:
            UsageError: there is no work of that number, or it is done.
        """
        with self._store.transaction() as session:
            rows = session.query(sql.WORK_OF_RUN, [run_id, run_id, run_id])
            if not rows:
                raise UsageError(f"run {run_id} was begun by hand", hint="Stop it where it was begun: Ctrl-C.")
            session.query(statements.LOCK_COUNTER, ["queue"])
            work = _work(session.query(sql.WORK, [rows[0][0]])[0])
            if work.status is WorkStatus.DONE:
                raise UsageError(f"run {run_id} is over", hint=f"To take it back: headgate undo {work.run_id}.")
            session.query(sql.CANCEL, [work.id])
            if work.status is WorkStatus.QUEUED:
                session.query(sql.DONE, [work.id])
                _close_queued(session, work.id, Status.CANCELLED, "cancelled before it was begun")
            work.cancel = True
        return work

    def work(self, run_id: int) -> Work | None:
        """The work of that number, or that the run of that number carries out; None for what was begun by hand."""
        rows = self._store.query(sql.WORK_OF_RUN, [run_id, run_id, run_id])
        return _work(rows[0]) if rows else None

    def works(self, run_ids: Iterable[int]) -> dict[int, Work]:
        """The work of each of these numbers that has some."""
        wanted = set(run_ids)
        if not wanted:
            return {}
        rows = self._store.query(sql.OF_RUNS, [min(wanted), max(wanted)])
        return {work.id: work for work in map(_work, rows) if work.id in wanted}

    def list(self, import_name: str = "") -> list[Work]:
        """What waits or is being done, oldest first."""
        return [_work(row) for row in self._store.query(sql.LIST, [import_name, import_name])]


def _close_queued(session: Session, run_id: int, status: Status, error: str) -> None:
    """Close the run that was entered for work and never begun."""
    session.query(sql.CLOSE_QUEUED, [status.value, to_text(error), _now(), _now(), run_id])


def _work(row: Row) -> Work:
    id_, kind, name, parameters, cause, requested, not_before, status, run_id, attempts, host, *rest = row
    _, _, _, cancel, progress = rest
    return Work(
        WorkKind(kind), name, cause, json.loads(parameters), datetime.fromisoformat(not_before),
        datetime.fromisoformat(requested), int(id_), WorkStatus(status), int(run_id), int(attempts),
        Process(host, 0, "").machine, bool(cancel), json.loads(progress) if progress else {},
    )  # fmt: skip


def _now() -> str:
    return time_text(datetime.now(UTC))
