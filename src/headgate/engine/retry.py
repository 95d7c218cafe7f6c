"""Trying refused records again: which, and by what definition. All else of a retry is an ordinary run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from headgate.ledger import Ledger
from headgate.model.counting import counted
from headgate.model.errors import SourceError, UsageError
from headgate.model.guards import ExpectSpec, LimitSpec, RejectSpec
from headgate.model.outcome import Outcome
from headgate.model.record import Reject, State
from headgate.model.run import Kind, Run, Status
from headgate.model.spec import ImportSpec
from headgate.model.transfer import of_files
from headgate.model.write import Operation

from .carried import Carried
from .mended import Mended

# Of a run by a plan: what was held has the plan's values, not the source's, and so cannot be mapped again.
PLANNED = "planned"


def check_retry(run: Run) -> None:
    """Refuse a run whose records cannot be tried again.

    Raises:
        UsageError: it is a plan, moved files, or was not done.
    """
    if of_files(run.operation):
        raise UsageError(
            f"run {run.id} moved files, which are not retried apart",
            hint=f"Run it again, which sends what is missing: headgate run {run.import_name}.",
        )
    if run.kind is Kind.PLAN:
        raise UsageError(
            f"{run.id} is a plan, and wrote nothing that a retry could complete",
            hint=f"Run it: headgate run --plan {run.id}; then retry that run.",
        )
    if run.status not in (Status.SUCCEEDED, Status.PARTIAL):
        raise UsageError(f"run {run.id} is {run.status} and cannot be retried", hint="Run its import again.")


def retry_spec(spec: ImportSpec) -> ImportSpec:
    """What a retry does: what the definition says, except that mirror becomes upsert, because the records of a retry are
    not all there are; that all is committed at once; and that limits and control totals, which are about a whole source, do
    not hold for the few records of a retry.
    """
    update: dict[str, object] = {
        "commit": "run", "rejects": RejectSpec(limit=None), "limits": LimitSpec(deletes=None), "expect": ExpectSpec(), "anomaly": None,
    }  # fmt: skip
    if spec.operation is Operation.MIRROR:
        update |= {"operation": Operation.UPSERT, "scope": {}, "delete": None}
    return spec.model_copy(update=update)


def carried(ledger: Ledger, run: Run, mended: Mended | None, left: Counter[str]) -> Iterator[Carried]:
    """The records a retry of a run tries again, in the order of their numbers.

    Args:
        ledger: where the rejects are.
        run: the run that refused them.
        mended: the file with the corrected ones, which alone are taken; None to take all that are open, as they were.
        left: is told how many of them are left, by state, or as `PLANNED`.

    Raises:
        SourceError: the file has a record that is no reject of the run, or lacks a column.
    """
    found = 0
    for reject in ledger.rejects(run.id, in_states=(State.OPEN,) if mended is None else tuple(State)):
        if mended is not None and reject.number not in mended.rows:
            continue
        found += 1
        if reject.state is not State.OPEN:
            left[reject.state.value] += 1
        elif run.plan_id is not None and _of_plan(reject):
            left[PLANNED] += 1
        else:
            yield mended.mend(reject) if mended is not None else _as_it_was(reject)
    if mended is not None and found < len(mended.rows):
        raise SourceError(
            f"{mended.name} has {counted(len(mended.rows) - found, 'record')} that run {run.id} did not refuse"
        )


def _as_it_was(reject: Reject) -> Carried:
    fault = next((p for p in reject.problems if p.code.startswith("RD")), None)
    return Carried(reject.number, reject.raw, reject.origin, fault)


def _of_plan(reject: Reject) -> bool:
    """Whether it was found while a plan was carried out; then it has no place in the source."""
    late = reject.outcome in (Outcome.HELD, Outcome.REJECTED)
    return late and reject.origin.row is None and reject.origin.line is None
