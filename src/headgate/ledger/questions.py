"""What a ledger can be asked: runs, their rejects, and what became of those."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from headgate.model.errors import UsageError
from headgate.model.outcome import REJECTS, Outcome
from headgate.model.record import Reject, RejectCount, State
from headgate.model.run import Kind, Run, Status

from . import migrate, statements
from .files import RunFiles
from .rows import reject_of, run_of, time_text
from .store import Row, Store

_PAGE: Final = 1_000
COUNTED: Final = (State.OPEN, State.IGNORED)


class Questions(RunFiles):
    """The part of a ledger that only reads. Until the first run is begun there are simply none."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._there = False

    def run(self, run_id: int) -> Run:
        """One run or plan.

        Raises:
            UsageError: there is none of that number; the hint names those beside it.
        """
        rows = self._query(statements.RUN, [run_id])
        if not rows:
            raise self._no_run(run_id)
        return run_of(rows[0])

    def runs(
        self,
        limit: int = 20,
        import_name: str | None = None,
        kind: Kind | None = None,
        *,
        status: Status | None = None,
        before: int = 0,
    ) -> list[Run]:
        """The newest runs and plans, newest first.

        Args:
            before: only those with lower numbers; 0 for all.
        """
        name, of_kind, in_status = import_name or "", kind.value if kind else "", status.value if status else ""
        values = [name, name, of_kind, of_kind, in_status, in_status, before, before, limit]
        return [run_of(r) for r in self._query(statements.RUNS, values)]

    def changed(self, since: datetime, limit: int = 1_000) -> list[Run]:
        """Runs that wait, go on, or gave a sign since then, newest first."""
        return [run_of(r) for r in self._query(statements.CHANGED, [time_text(since.astimezone(UTC)), limit])]

    def rejects(
        self,
        run_id: int,
        *,
        limit: int | None = None,
        offset: int = 0,
        outcomes: Sequence[Outcome] | None = None,
        after: int = -1,
        in_states: Sequence[State] = COUNTED,
    ) -> Iterator[Reject]:
        """The rejects of a run in the order of reading, fetched some at a time.

        Args:
            run_id: the run or plan.
            limit: at most so many.
            offset: leave out so many first.
            after: only records with higher numbers.
            outcomes: only these; by default all that are rejects, so that listed skips are seen only when asked for.
            in_states: only these; by default all that the account counts, so not what a retry fixed.

        Raises:
            UsageError: there is no such run (when called, not when first read from).
        """
        self.run(run_id)
        wanted = [o.value for o in (REJECTS if outcomes is None else outcomes)]
        return self._pages(run_id, wanted, [s.value for s in in_states], limit, offset, after)

    def reject_counts(self, run_id: int) -> list[RejectCount]:
        """How many open rejects of a run have which code in which field, most frequent first.

        Raises:
            UsageError: there is no such run.
        """
        self.run(run_id)
        rows = self._query(statements.REJECT_COUNTS, [run_id])
        rows.sort(key=lambda r: (-r[2], r[0], r[1]))  # databases differ in how they sort text
        return [RejectCount(code, field, records, reject_of(tuple(columns))) for code, field, records, *columns in rows]

    def reject_states(self, run_id: int) -> dict[State, Counter[Outcome]]:
        """How many rejects of a run are in which state, by outcome.

        Raises:
            UsageError: there is no such run.
        """
        self.run(run_id)
        found = {state: Counter[Outcome]() for state in State}
        for outcome, state, records in self._query(statements.REJECT_STATES, [run_id]):
            if outcome in REJECTS:
                found[State(state)][Outcome(outcome)] = records
        return found

    def retries(self, run_id: int) -> list[int]:
        """The numbers of the retries of a run, oldest first."""
        return [number for (number,) in self._query(statements.RETRIES, [run_id])]

    def imported(self, lease: str) -> dict[str, int]:
        """Contents of files that were imported, with the last run that did."""
        return {str(digest): int(run) for digest, run in self._query(statements.KNOWN_FILES, [lease])}

    def children(self, run_id: int) -> list[Run]:
        """Undos of a run, oldest first."""
        return [run_of(r) for r in self._query(statements.CHILDREN, [run_id])]

    def in_doubt(self, lease: str = "") -> list[Run]:
        """Failed runs whose destination has not said what was committed of them, oldest first.

        Args:
            lease: only those of this import at its destination.
        """
        found = [run_of(r) for r in self._query(statements.IN_DOUBT, [])]
        return [r for r in found if lease in ("", r.lease)]

    def look(self, statement: str, values: Sequence[object]) -> list[Row]:
        """Rows of a statement that only reads, for what else is kept in the same place; none where there is no ledger yet."""
        return self._query(statement, values)

    # ---- within ----------------------------------------------------------------------------------------------------

    def _ready(self, *, create: bool = False) -> bool:
        if not self._there:
            self._there = migrate.prepare(self._store, create=create)
        return self._there

    def _query(self, statement: str, values: Sequence[object]) -> list[Row]:
        return self._store.query(statement, values) if self._ready() else []

    def _pages(
        self, run_id: int, outcomes: Sequence[str], in_states: Sequence[str], limit: int | None, offset: int, last: int
    ) -> Iterator[Reject]:
        """Pages by number: nothing is held open between them, however slowly they are read."""
        statement = statements.rejects_page(len(outcomes), len(in_states))
        while outcomes and in_states and (limit is None or limit > 0):
            size = _PAGE if limit is None else min(limit, _PAGE)
            page = [reject_of(r) for r in self._query(statement, [run_id, last, *outcomes, *in_states, size, offset])]
            yield from page
            if len(page) < size:
                return
            last, offset, limit = page[-1].number, 0, None if limit is None else limit - size

    def _no_run(self, run_id: int) -> UsageError:
        rows = self._query(statements.NEAREST_RUNS, [run_id, run_id])
        beside = [f"{n}" for n in (rows[0] if rows else ()) if n is not None]
        if not beside:
            return UsageError(f"there is no run {run_id}", hint="There are no runs yet.")
        nearest = f"The nearest {'are' if beside[1:] else 'is'} {' and '.join(beside)}"
        return UsageError(f"there is no run {run_id}", hint=f"{nearest}; `headgate runs` lists them.")
