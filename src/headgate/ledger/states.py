"""What becomes of rejects after their run: set aside, tried again, fixed; and the account of the run settled by a retry.

All functions work inside a transaction of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from headgate.model.errors import NotBalanced, UsageError
from headgate.model.outcome import REJECTS, Account, Outcome
from headgate.model.record import Reject, State
from headgate.model.run import Kind, Run, Status

from . import statements
from .rows import account_json, reject_of, run_of, to_text
from .store import Session

_PAGE: Final = 1_000
_ALIVE: Final = [o.value for o in REJECTS]


def count(run_id: int, rejects: Iterable[Reject]) -> list[tuple[int, str, str, int, int]]:
    """Rows for `statements.ADD_REJECT_COUNT`; a record counts once under each code and field it has."""
    counts: dict[tuple[str, str], list[int]] = {}  # records, the first of them, the last one counted
    for reject in rejects:
        if reject.outcome is Outcome.SKIPPED:
            continue
        number = reject.number
        for problem in reject.problems:
            found = counts.get((problem.code, problem.field))
            if found is None:
                counts[problem.code, problem.field] = [1, number, number]
            elif found[2] != number:
                found[:] = found[0] + 1, min(found[1], number), number
    return [(run_id, code, to_text(field), records, example) for (code, field), (records, example, _) in counts.items()]


def check_rejects(session: Session, run_id: int, account: Account) -> None:
    """Refuse a run whose stored rejects, but for those that are fixed, are not those of its account, outcome by outcome.

    Raises:
        NotBalanced: naming the first outcome that differs.
    """
    stored: dict[str, int] = dict(session.query(statements.REJECT_OUTCOMES, [run_id]))
    for outcome in REJECTS:
        counted, there = account.outcomes[outcome], stored.get(outcome.value, 0)
        if counted != there:
            raise NotBalanced(f"run {run_id} counts {counted} records as {outcome}, but {there} are stored")


def check_alone(session: Session, parent_id: int | None) -> None:
    """Refuse a second retry of a run while one is going on.

    Raises:
        UsageError: naming that one.
    """
    session.query(statements.LOCK_RUN, [parent_id])
    if running := session.query(statements.OPEN_RETRIES, [parent_id]):
        raise UsageError(
            f"run {running[0][0]} is retrying run {parent_id} at this moment",
            hint="Wait for it. If its process is gone, headgate runs closes it.",
        )


def carry(session: Session, run_id: int, parent_id: int, numbers: Sequence[int]) -> None:
    """See `Ledger.carry`."""
    if len(set(numbers)) != len(numbers):
        raise NotBalanced(f"run {run_id}: a record is carried twice")
    session.query(statements.LOCK_RUN, [parent_id])
    if session.many(statements.ADD_CARRIED, [(run_id, parent_id, n) for n in numbers]) != len(numbers):
        raise UsageError(f"run {parent_id}: a reject was fixed or ignored at this moment", hint="Try again.")


def settle(session: Session, retry: Run) -> None:
    """Take what a retry did into its parent's account and rejects. A parent that was pruned has none.

    Raises:
        NotBalanced: the retry did not read what it carried, or the parent would not balance.
    """
    parent_id = retry.parent_id
    session.query(statements.LOCK_RUN, [parent_id])
    rows = session.query(statements.RUN, [parent_id])
    if not rows:
        return
    parent = run_of(rows[0])
    left: dict[str, int] = dict(session.query(statements.CARRIED_OUTCOMES, [retry.id, parent_id]))
    if sum(left.values()) != retry.account.read:
        raise NotBalanced(
            f"retry {retry.id} read {retry.account.read} records, but carries {sum(left.values())} of run {parent_id}"
        )
    for outcome, records in left.items():
        parent.account.outcomes[Outcome(outcome)] -= records
    parent.account.merge_outcomes(retry.account)
    session.query(statements.FIX, [retry.id, parent_id, parent_id, retry.id, retry.id])
    session.query(statements.REFUSE_AGAIN, [retry.id, retry.id, parent_id, retry.id])
    _settled(session, parent)


def unsettle(session: Session, retry: Run) -> None:
    """Take back what `settle` did, because the retry was undone: what it had fixed is open again."""
    session.query(statements.LOCK_RUN, [retry.parent_id])
    rows = session.query(statements.RUN, [retry.parent_id])
    if not rows:
        return
    parent = run_of(rows[0])
    for outcome, records in session.query(statements.FIXED_OUTCOMES, [parent.id, retry.id]):
        parent.account.outcomes[Outcome(outcome)] += records
    for outcome in Outcome:
        if outcome not in REJECTS:
            parent.account.outcomes[outcome] -= retry.account.outcomes[outcome]
    parent.account.skips.subtract(retry.account.skips)
    session.query(statements.UNFIX, [parent.id, parent.id, retry.id])
    _settled(session, parent)


def _settled(session: Session, run: Run) -> None:
    run.account.check(f"run {run.id}")
    check_rejects(session, run.id, run.account)
    session.query(statements.SETTLE, [account_json(run.account), _done(run).value, run.id])
    recount(session, run.id)


def mark_undone(session: Session, undo: Run) -> None:
    """A run that was taken back as a whole is undone; if it was an undo itself, what that had taken back is there again."""
    session.query(statements.LOCK_RUN, [undo.parent_id])
    parent = run_of(session.query(statements.RUN, [undo.parent_id])[0])
    if undo.whole:
        session.query(statements.SET_STATUS, [Status.UNDONE.value, parent.id])
        if parent.kind is Kind.RETRY:
            unsettle(session, parent)
    if parent.kind is Kind.UNDO and parent.parent_id is not None:
        again = run_of(session.query(statements.RUN, [parent.parent_id])[0])
        session.query(statements.SET_STATUS, [_done(again).value, again.id])


def _done(run: Run) -> Status:
    return Status.PARTIAL if run.account.rejects else Status.SUCCEEDED


def mark(session: Session, run_id: int, numbers: Iterable[int], before: State, after: State) -> int:
    """Change the state of rejects from `before` to `after`, in the run and its retries; gives how many changed.

    Raises:
        UsageError: a record is no reject of the run, or fixed.
    """
    session.query(statements.LOCK_RUN, [run_id])
    changed = 0
    for number in dict.fromkeys(numbers):
        rows = session.query(statements.STATE, [run_id, number])
        if not rows:
            raise UsageError(
                f"run {run_id} has no reject {number}", hint=f"headgate rejects {run_id} --all shows their numbers."
            )
        state, fixed_by = rows[0]
        if state == State.FIXED:
            raise UsageError(f"reject {number} of run {run_id} is fixed, by run {fixed_by}")
        if state == before:
            session.query(statements.SET_STATE, [after.value, run_id, run_id, number, before.value])
            changed += 1
    if changed:
        recount(session, run_id)
    return changed


def with_code(session: Session, run_id: int, code: str) -> list[int]:
    """The numbers of the open rejects that have a problem with this code."""
    return [r.number for r in _open(session, run_id) if any(p.code == code for p in r.problems)]


def recount(session: Session, run_id: int) -> None:
    """Count the open rejects of a run, and of its retries, by code and field anew."""
    for (number,) in [(run_id,), *session.query(statements.RETRIES, [run_id])]:
        session.query(statements.FORGET_REJECT_COUNTS, [number])
        for page in _pages(session, number):
            session.many(statements.ADD_REJECT_COUNT, count(number, page))


def _open(session: Session, run_id: int) -> Iterator[Reject]:
    for page in _pages(session, run_id):
        yield from page


def _pages(session: Session, run_id: int) -> Iterator[list[Reject]]:
    statement, last = statements.rejects_page(len(_ALIVE), 1), -1
    while rows := session.query(statement, [run_id, last, *_ALIVE, State.OPEN.value, _PAGE, 0]):
        yield [reject_of(row) for row in rows]
        last = rows[-1][0]
