"""The ledger: what was run, what became of it, and every record that did not get through.

It is the only writer of this state, and its verbs are all there is. Each is one transaction, except that rejects are
stored a piece at a time. A process that dies leaves its run `running`; `recover` closes it for it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from headgate.model.errors import HeadgateError, NotBalanced
from headgate.model.outcome import REJECTS, Account, Outcome
from headgate.model.record import Reject, State
from headgate.model.run import Kind, Run, Status

from . import leases, queue_statements, statements, states
from .process import this_process
from .questions import COUNTED as COUNTED
from .questions import Questions
from .rows import account_json, reject_body, run_of, run_row, time_text, to_json
from .store import Session, Store

_PIECE: Final = 10_000
_DONE: Final = (Status.SUCCEEDED, Status.PARTIAL)
_OPEN: Final = (Status.QUEUED, Status.RUNNING)


class Ledger(Questions):
    """The ledger of a project. May be used from several threads, and the same ledger by several processes.

    Nothing is made before the first `begin`; until then there are simply no runs.

    Every verb raises `HeadgateError` when the place has no space, no permission, is damaged, is kept busy by others,
    or was written by a newer Headgate.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._there = False
        self._work = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the connection. May be called twice."""
        self._store.close()

    @property
    def shared(self) -> bool:
        """Whether several machines, and several writers at a time, can use it."""
        return self._store.shared

    def store(self) -> Store:
        """Where it is kept, made if it is not there: for what else is kept in the same place (tokens, triggers, answers).

        Raises:
            HeadgateError: it cannot be made.
        """
        self._ready(create=True)
        return self._store

    @contextmanager
    def made_meanwhile(self) -> Iterator[None]:
        """Have it made if it is not there, by a thread: while the disk is waited for the caller can do something else. Why it
        cannot be made is said by who needs it then."""
        if self._there:
            yield
            return

        def make() -> None:
            with suppress(HeadgateError):
                self._ready(create=True)

        thread = threading.Thread(target=make, name="headgate-ledger", daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join()

    # ---- writing ---------------------------------------------------------------------------------------------------

    def begin(self, run: Run, *, resume: bool = False) -> Run:
        """Enter a run or plan as begun by this process; with `run.lease`, as the only one at its import.

        Args:
            run: what begins.
            resume: go on with the last run of this import instead, if it commits batch by batch, did not come to its end
                and had the same definition.

        Returns:
            The same object with its `id`: runs and plans are one sequence from 1, and no number is given out twice. A run
            that goes on is the one it was, `resumed`.

        Raises:
            Busy: another run of the import is going on.
            UsageError: a retry of the same run is going on.
        """
        self._ready(create=True)
        process = this_process()
        signs = [process.host, process.pid, process.born, _now()]
        with self._store.transaction() as session:
            if run.lease:
                run.fence = leases.take(session, run.lease)
            if run.kind is Kind.RETRY:
                states.check_alone(session, run.parent_id)
            work, self._work = self._work, 0
            queued = work if work and self._is_queued(session, work) else 0
            left = self._left(session, run) if resume else None
            if left is not None:
                left.fence, run = run.fence, left
                session.query(statements.REOPEN, [run.fence, *signs, run.id])
            elif queued:
                run.id = queued
                session.query(statements.BEGIN_QUEUED, [*run_row(run)[1:], *signs, run.id])
            else:
                session.query(statements.COUNT_UP, ["run"])
                ((run.id,),) = session.query(statements.COUNTER, ["run"])
                session.query(statements.ADD_RUN, [*run_row(run), *signs])
            if work:
                session.query(queue_statements.BEGUN, [run.id, work])
            if queued and run.id != queued:
                values = [
                    Status.CANCELLED.value,
                    f"run {run.id}, which was left half-way, goes on instead",
                    _now(),
                    _now(),
                ]
                session.query(queue_statements.CLOSE_QUEUED, [*values, queued])
            if run.lease:
                session.query(statements.HOLD, [run.id, run.lease])
        if run.kind is Kind.PLAN:
            with _plan_files(folder := self.changes_path(run.id).parent):
                folder.mkdir(parents=True, exist_ok=True)
        return run

    def fulfil(self, work_id: int) -> None:
        """Let the next `begin` be that of work from the queue: under the number it was given, if that has not been used."""
        self._work = work_id

    def _is_queued(self, session: Session, run_id: int) -> bool:
        session.query(statements.LOCK_RUN, [run_id])
        return [tuple(row) for row in session.query(statements.STATUS, [run_id])] == [(Status.QUEUED.value,)]

    def _left(self, session: Session, run: Run) -> Run | None:
        place = [run.import_name, run.destination]
        rows = session.query(statements.UNFINISHED, [*place, *place])
        left = run_of(rows[0]) if rows else None
        if left is None or left.fingerprint != run.fingerprint:
            return None
        left.status, left.error, left.finished, left.resumed = Status.RUNNING, "", None, True
        return left

    def identity(self) -> str:
        """What tells this ledger from every other."""
        self._ready(create=True)
        with self._store.transaction() as session:
            session.query(statements.LOCK_COUNTER, ["run"])  # so that two do not give it a name each
            if not (rows := session.query(statements.IDENTITY)):
                session.query(statements.ADD_IDENTITY, [uuid.uuid4().hex])
                rows = session.query(statements.IDENTITY)
        return str(rows[0][0])

    def heartbeat(self, run: Run) -> None:
        """Give a sign that a run's process is alive."""
        with self._writing(run.id) as session:
            session.query(statements.HEARTBEAT, [_now(), run.id, run.fence])

    def checkpoint(self, run: Run) -> None:
        """Note how far a run that commits batch by batch has come; the destination's own note counts."""
        values = [run.checkpoint, account_json(run.account), to_json(run.partitions), _now(), run.id, run.fence]
        with self._writing(run.id) as session:
            session.query(statements.CHECKPOINT, values)

    def raise_fence(self, lease: str) -> int | None:
        """A fence higher than all before, to look after an import that nobody is at; None when somebody is."""
        if not self._ready():
            return None
        with self._store.transaction() as session:
            rows = session.query(statements.LEASE, [lease])
            if not rows or (rows[0][1] is not None and session.query(statements.HOLDER, [rows[0][1]])):
                return None
            session.query(statements.RAISE_FENCE, [lease])
            return int(rows[0][0]) + 1

    def settle(self, run: Run) -> None:
        """Close a run that was given up for dead, or set right how it was closed, from what its destination says of it.

        Raises:
            NotBalanced: it is said to be done, and its account does not add up.
        """
        with self._writing(run.id) as session:
            session.query(statements.LOCK_LEASE, [run.lease])
            session.query(statements.LOCK_RUN, [run.id])
            self._close(session, run)

    def forget_rejects(self, run_id: int, first: int, *, abandoned: bool = False) -> None:
        """Forget the rejects of a run from the record with the number `first` on: those are read again, or were not committed.

        Args:
            abandoned: the run was given up for dead.
        """
        with self._writing(run_id) as session:
            if not abandoned:
                self._require_open(session, run_id)
            session.query(statements.FORGET_REJECTS, [run_id, first])
            session.query(statements.FORGET_REJECT_COUNTS, [run_id])
        every = (*REJECTS, Outcome.SKIPPED)
        remaining = self.rejects(run_id, outcomes=every)
        while piece := list(islice(remaining, _PIECE)):
            with self._writing(run_id) as session:
                session.many(statements.ADD_REJECT_COUNT, states.count(run_id, piece))

    def place_rejects(self, run_id: int, rejects: Iterable[Reject]) -> None:
        """Say of rejects that are stored already where they came from."""
        rows = [(reject_body(r), run_id, r.number) for r in rejects]
        with self._writing(run_id) as session:
            session.many(statements.REPLACE_REJECT, rows)

    def progress(self, run_id: int, account: Account) -> None:
        """Let others see how far a running run has come. One small write: for every second, not for every batch."""
        with self._writing(run_id) as session:
            session.query(statements.PROGRESS, [account_json(account), _now(), run_id])

    def record_rejects(self, run_id: int, rejects: Iterable[Reject]) -> int:
        """Store refused records, and skips worth listing, of a run that is going on. May be called many times, and
        takes any number of records without holding more than a few thousand of them.

        Returns:
            How many were stored.

        Raises:
            UsageError: there is no such run.
            NotBalanced: a record was refused twice; the piece it came with is not stored.
        """
        remaining, stored = iter(rejects), 0
        while piece := list(islice(remaining, _PIECE)):
            rows = [(run_id, r.number, r.outcome.value, reject_body(r)) for r in piece]
            counts = states.count(run_id, piece)
            with self._writing(run_id) as session:
                self._require_open(session, run_id)
                if session.many(statements.ADD_REJECT, rows) != len(rows):
                    raise NotBalanced(f"run {run_id}: a record was refused twice")
                session.many(statements.ADD_REJECT_COUNT, counts)
            stored += len(rows)
        return stored

    def finish(self, run: Run) -> None:
        """Close a run with its status, account, partitions, schema changes, warnings, error and time; `finished` is
        set to now when it is not. Closed as succeeded or partial it must balance. Of a retry that was done its parent is
        settled in the same transaction: each record it carried leaves its outcome there for the one it has now, and is
        fixed, or open with its new problems. What was given to `carry`, the retry's rejects and its account say all of that.

        Raises:
            NotBalanced: the outcomes do not add up to the records read, or the rejects stored are not those counted;
                the run stays open.
            UsageError: there is no such run.
            Fenced: its import was taken over.
            HeadgateError: it was closed before.
        """
        with self._writing(run.id) as session:
            # The lease first, as whoever takes it over does, so that the two do not wait for each other.
            session.query(statements.LOCK_LEASE, [run.lease])
            if not leases.held(run, session.query(statements.LEASE, [run.lease])):
                raise leases.taken_over(run)
            self._require_open(session, run.id)
            self._close(session, run)

    def check_held(self, run: Run) -> None:
        """Refuse to go on with a run whose import was taken over: it may have the same number as who took over.

        Raises:
            Fenced: it was.
        """
        if not self.holds(run):
            raise leases.taken_over(run)

    def holds(self, run: Run) -> bool:
        """Whether a run still is the one at its import."""
        return leases.held(run, self._query(statements.LEASE, [run.lease]))

    def _close(self, session: Session, run: Run) -> None:
        run.finished = run.finished or datetime.now(UTC)
        if run.status in _DONE:
            run.account.check(f"run {run.id}")
            states.check_rejects(session, run.id, run.account)
            files = [(run.lease, p.digest, run.id) for p in run.partitions if p.digest]
            session.many(statements.ADD_FILE, files)
            if run.kind is Kind.RETRY:
                states.settle(session, run)
            if run.kind is Kind.UNDO and run.status is Status.SUCCEEDED:
                states.mark_undone(session, run)
        values = dict(zip(statements.RUN_COLUMNS, run_row(run), strict=True))
        names = ("status", "account", "partitions", "schema_changes", "warnings", "error", "finished", "in_doubt")
        session.query(statements.FINISH, [*(values[n] for n in names), _now(), run.id])
        if run.lease:
            session.query(statements.RELEASE, [run.lease, run.id])

    def carry(self, run_id: int, parent_id: int, numbers: Iterable[int]) -> None:
        """Note which records of its parent a retry tries again, before it writes anything at the destination.

        Raises:
            UsageError: there is no such run, or a record is no open reject of the parent (any more).
            NotBalanced: a record was given twice.
        """
        remaining = iter(numbers)
        while piece := list(islice(remaining, _PIECE)):
            with self._writing(run_id) as session:
                self._require_open(session, run_id)
                states.carry(session, run_id, parent_id, piece)

    def ignore(self, run_id: int, numbers: Iterable[int]) -> int:
        """Set open rejects of a run, and of its retries, aside: they count in the account and need no attention.

        Returns:
            How many changed; those that were set aside before do not.

        Raises:
            UsageError: a record is no reject of the run, or a retry fixed it; nothing was changed.
        """
        self.run(run_id)
        with self._writing(run_id) as session:
            return states.mark(session, run_id, numbers, State.OPEN, State.IGNORED)

    def ignore_code(self, run_id: int, code: str) -> int:
        """Set all open rejects that have a problem with this code aside.

        Returns:
            How many there were.
        """
        self.run(run_id)
        with self._writing(run_id) as session:
            return states.mark(session, run_id, states.with_code(session, run_id, code), State.OPEN, State.IGNORED)

    def reopen(self, run_id: int, numbers: Iterable[int]) -> int:
        """Take back what `ignore` did.

        Returns:
            How many changed; those that are open do not.

        Raises:
            UsageError: a record is no reject of the run, or a retry fixed it; nothing was changed.
        """
        self.run(run_id)
        with self._writing(run_id) as session:
            return states.mark(session, run_id, numbers, State.IGNORED, State.OPEN)

    def doubt(self, run: Run) -> None:
        """Note that the destination of a failed run has not said what was committed of it, with the error that says so."""
        with self._writing(run.id) as session:
            session.query(statements.DOUBT, [run.error, run.id])

    def recover(self) -> list[Run]:
        """Close as failed the runs whose process on this host is gone, or has given no sign for too long.

        Whether such a run had committed, its destination knows: it is in doubt until `settle` says so.

        Returns:
            The runs that were closed, oldest first.
        """
        if not self._ready():
            return []
        lost = [(why, row[4], row[0]) for row in self._store.query(statements.OPEN_RUNS) if (why := leases.loss(row))]
        if lost:
            with self._store.transaction() as session:
                session.many(statements.ABANDON, lost)
        return [self.run(number) for _, _, number in lost]

    def prune(self, older_than: datetime, *, keep: int = 0) -> list[int]:
        """Forget closed runs and plans, their rejects and their files.

        Args:
            older_than: only what was finished before; with a timezone.
            keep: the newest so many of each import are kept in any case.

        Returns:
            The numbers forgotten, oldest first.
        """
        if not self._ready():
            return []
        limit, seen, old = time_text(older_than.astimezone(UTC)), dict[object, int](), list[int]()
        for number, name, finished in self._store.query(statements.PRUNABLE):
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > keep and finished < limit:
                old.append(number)
        old.reverse()
        for number in old:
            self.forget(self.changes_path(number))
            self.forget(self.journal_path(number))
        with self._store.transaction() as session:
            session.many(statements.DELETE_RUN, [(n,) for n in old])
        for number in old:
            with _plan_files(path := self.changes_path(number)):
                path.unlink(missing_ok=True)
        return old

    # ---- within ----------------------------------------------------------------------------------------------------

    def _writing(self, run_id: int) -> AbstractContextManager[Session]:
        if not self._ready():
            raise self._no_run(run_id)
        return self._store.transaction()

    def _require_open(self, session: Session, run_id: int) -> None:
        session.query(statements.LOCK_RUN, [run_id])
        rows = session.query(statements.STATUS, [run_id])
        if not rows:
            raise self._no_run(run_id)
        if rows[0][0] not in _OPEN:
            raise HeadgateError(f"run {run_id} is already closed ({rows[0][0]})", hint=f"See: headgate show {run_id}.")


@contextmanager
def _plan_files(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise HeadgateError(f"cannot keep plans in {path}: {e.strerror}", hint="Allow writing there.") from e


def _now() -> str:
    return time_text(datetime.now(UTC))
