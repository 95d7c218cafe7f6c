"""The ledger: what was run, what became of it, and every record that did not get through.

It is the only writer of this state, and its verbs are all there is. Each is one transaction, except that rejects are
stored a piece at a time. A process that dies leaves its run `running`; `recover` closes it for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from headgate.model.errors import HeadgateError, NotBalanced, UsageError
from headgate.model.outcome import REJECTS, Account, Outcome
from headgate.model.record import Reject, RejectCount
from headgate.model.run import Kind, Run, Status

from . import migrate, statements
from .process import Process, this_process
from .rows import account_json, reject_body, reject_of, run_of, time_text, to_json, to_text
from .store import Row, Session, Store

_PIECE: Final = 10_000
_PAGE: Final = 1_000
_DONE: Final = (Status.SUCCEEDED, Status.PARTIAL)
_OPEN: Final = (Status.QUEUED, Status.RUNNING)
_LOST: Final = "the process ended without finishing the run"


class Ledger:
    """The ledger of a project. May be used from several threads, and the same ledger by several processes.

    Nothing is made before the first `begin`; until then there are simply no runs.

    Every verb raises `HeadgateError` when the place has no space, no permission, is damaged, is kept busy by others,
    or was written by a newer Headgate.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._there = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the connection. May be called twice."""
        self._store.close()

    # ---- writing ---------------------------------------------------------------------------------------------------

    def begin(self, run: Run) -> Run:
        """Enter a run or plan as begun by this process.

        Returns:
            The same object with its `id`: runs and plans are one sequence from 1, and no number is given out twice.
        """
        self._ready(create=True)
        process = this_process()
        with self._store.transaction() as session:
            session.query(statements.COUNT_UP, ["run"])
            ((run.id,),) = session.query(statements.COUNTER, ["run"])
            session.query(statements.ADD_RUN, [*_columns(run), process.host, process.pid, process.born, _now()])
        if run.kind is Kind.PLAN:
            with _plan_files(folder := self.changes_path(run.id).parent):
                folder.mkdir(exist_ok=True)
        return run

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
            counts = _count(run_id, piece)
            with self._writing(run_id) as session:
                self._require_open(session, run_id)
                if session.many(statements.ADD_REJECT, rows) != len(rows):
                    raise NotBalanced(f"run {run_id}: a record was refused twice")
                session.many(statements.ADD_REJECT_COUNT, counts)
            stored += len(rows)
        return stored

    def finish(self, run: Run) -> None:
        """Close a run with its status, account, partitions, schema changes, warnings, error and time; `finished` is
        set to now when it is not. Closed as succeeded or partial it must balance.

        Raises:
            NotBalanced: the outcomes do not add up to the records read, or the rejects stored are not those counted;
                the run stays open.
            UsageError: there is no such run.
            HeadgateError: it was closed before.
        """
        if run.status in _DONE:
            run.account.check(f"run {run.id}")
        run.finished = run.finished or datetime.now(UTC)
        with self._writing(run.id) as session:
            self._require_open(session, run.id)
            if run.status in _DONE:
                _check_rejects(session, run)
            values = dict(zip(statements.RUN_COLUMNS, _columns(run), strict=True))
            names = ("status", "account", "partitions", "schema_changes", "warnings", "error", "finished")
            session.query(statements.FINISH, [*(values[n] for n in names), _now(), run.id])

    def recover(self) -> list[Run]:
        """Close the runs whose process on this host is gone as failed.

        Returns:
            The runs that were closed, oldest first.
        """
        if not self._ready():
            return []
        host = this_process().host
        lost = []
        for number, pid, born, heartbeat in self._store.query(statements.OPEN_RUNS, [host]):
            if Process(host, pid, born).gone:
                lost.append((number, heartbeat))
        if lost:
            with self._store.transaction() as session:
                session.many(statements.ABANDON, [(_LOST, heartbeat, number) for number, heartbeat in lost])
        return [self.run(number) for number, _ in lost]

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
        with self._store.transaction() as session:
            session.many(statements.DELETE_RUN, [(n,) for n in old])
        for number in old:
            with _plan_files(path := self.changes_path(number)):
                path.unlink(missing_ok=True)
        return old

    # ---- reading ---------------------------------------------------------------------------------------------------

    def run(self, run_id: int) -> Run:
        """One run or plan.

        Raises:
            UsageError: there is none of that number; the hint names those beside it.
        """
        rows = self._query(statements.RUN, [run_id])
        if not rows:
            raise self._no_run(run_id)
        return run_of(rows[0])

    def runs(self, limit: int = 20, import_name: str | None = None, kind: Kind | None = None) -> list[Run]:
        """The newest runs and plans, newest first."""
        name, of_kind = import_name or "", kind.value if kind else ""
        return [run_of(r) for r in self._query(statements.RUNS, [name, name, of_kind, of_kind, limit])]

    def rejects(
        self, run_id: int, *, limit: int | None = None, offset: int = 0, outcomes: Sequence[Outcome] | None = None
    ) -> Iterator[Reject]:
        """The rejects of a run in the order of reading, fetched some at a time.

        Args:
            run_id: the run or plan.
            limit: at most so many.
            offset: leave out so many first.
            outcomes: only these; by default all that are rejects, so that listed skips are seen only when asked for.

        Raises:
            UsageError: there is no such run (when called, not when first read from).
        """
        self.run(run_id)
        wanted = [o.value for o in (REJECTS if outcomes is None else outcomes)]
        return self._pages(run_id, wanted, limit, offset)

    def reject_counts(self, run_id: int) -> list[RejectCount]:
        """How many records of a run have which code in which field, most frequent first. Skips are not counted.

        Raises:
            UsageError: there is no such run.
        """
        self.run(run_id)
        return [
            RejectCount(code, field, records, reject_of((number, outcome, body)))
            for code, field, records, number, outcome, body in self._query(statements.REJECT_COUNTS, [run_id])
        ]

    def changes_path(self, run_id: int) -> Path:
        """The file that holds every change a plan would make (Arrow IPC, columns as `Writer.changes` gives them).
        Whoever plans writes it; the ledger makes its folder when a plan begins and removes it with the plan.
        """
        return self._store.folder / "plans" / f"{run_id}.arrow"

    # ---- within ----------------------------------------------------------------------------------------------------

    def _ready(self, *, create: bool = False) -> bool:
        if not self._there:
            self._there = migrate.prepare(self._store, create=create)
        return self._there

    def _writing(self, run_id: int) -> AbstractContextManager[Session]:
        if not self._ready():
            raise self._no_run(run_id)
        return self._store.transaction()

    def _query(self, statement: str, values: Sequence[object]) -> list[Row]:
        return self._store.query(statement, values) if self._ready() else []

    def _pages(self, run_id: int, outcomes: Sequence[str], limit: int | None, offset: int) -> Iterator[Reject]:
        """Pages by number: nothing is held open between them, however slowly they are read."""
        statement, last = statements.rejects_page(len(outcomes)), -1
        while outcomes and (limit is None or limit > 0):
            size = _PAGE if limit is None else min(limit, _PAGE)
            page = [reject_of(r) for r in self._query(statement, [run_id, last, *outcomes, size, offset])]
            yield from page
            if len(page) < size:
                return
            last, offset, limit = page[-1].number, 0, None if limit is None else limit - size

    def _require_open(self, session: Session, run_id: int) -> None:
        rows = session.query(statements.STATUS, [run_id])
        if not rows:
            raise self._no_run(run_id)
        if rows[0][0] not in _OPEN:
            raise HeadgateError(f"run {run_id} is already closed ({rows[0][0]})", hint=f"See: headgate show {run_id}.")

    def _no_run(self, run_id: int) -> UsageError:
        rows = self._query(statements.NEAREST_RUNS, [run_id, run_id])
        beside = [f"{n}" for n in (rows[0] if rows else ()) if n is not None]
        if not beside:
            return UsageError(f"there is no run {run_id}", hint="There are no runs yet.")
        nearest = f"The nearest {'are' if beside[1:] else 'is'} {' and '.join(beside)}"
        return UsageError(f"there is no run {run_id}", hint=f"{nearest}; `headgate runs` lists them.")


@contextmanager
def _plan_files(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise HeadgateError(f"cannot keep plans in {path}: {e.strerror}", hint="Allow writing there.") from e


def _now() -> str:
    return time_text(datetime.now(UTC))


def _columns(run: Run) -> list[object]:
    """The values of `statements.RUN_COLUMNS`."""
    return [
        run.id,
        to_text(run.import_name),
        run.kind.value,
        to_text(run.operation),
        to_text(run.destination),
        to_text(run.fingerprint),
        run.plan_id,
        run.status.value,
        account_json(run.account),
        to_json(run.partitions),
        to_json(run.schema_changes),
        to_json(run.warnings),
        to_text(run.error),
        time_text(run.started.astimezone(UTC)),
        time_text(run.finished.astimezone(UTC)) if run.finished else None,
    ]


def _count(run_id: int, rejects: Iterable[Reject]) -> list[tuple[int, str, str, int, int]]:
    """Rows for `statements.ADD_REJECT_COUNT`; a record counts once under each code and field it has."""
    counts: dict[tuple[str, str], list[int]] = {}  # records, the first of them, the last one counted
    for reject in rejects:
        if reject.outcome is Outcome.SKIPPED:
            continue
        number = reject.number
        for problem in reject.problems:
            count = counts.get((problem.code, problem.field))
            if count is None:
                counts[problem.code, problem.field] = [1, number, number]
            elif count[2] != number:
                count[:] = count[0] + 1, min(count[1], number), number
    return [(run_id, code, field, records, example) for (code, field), (records, example, _) in counts.items()]


def _check_rejects(session: Session, run: Run) -> None:
    """Refuse a run whose stored rejects are not those of its account, outcome by outcome."""
    stored: dict[str, int] = dict(session.query(statements.REJECT_OUTCOMES, [run.id]))
    for outcome in REJECTS:
        counted, there = run.account.outcomes[outcome], stored.get(outcome.value, 0)
        if counted != there:
            raise NotBalanced(f"run {run.id} counts {counted} records as {outcome}, but {there} are stored")
