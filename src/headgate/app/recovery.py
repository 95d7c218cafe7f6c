"""Finding out what became of runs whose process is gone: their destination says what was committed."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.model.errors import HeadgateError
from headgate.model.run import Kind, Run, Status
from headgate.model.write import Ticket

if TYPE_CHECKING:
    from headgate.ledger import Ledger

    from .project import Project


def recover(project: Project, ledger: Ledger) -> None:
    """Close runs whose process is gone, as what their destination says they are."""
    for run in ledger.recover():
        if run.lease and run.kind is not Kind.PLAN:
            look(project, ledger, run)


def look(project: Project, ledger: Ledger, run: Run) -> bool:
    """Ask a run's destination what was committed of it; whether it could be asked.

    Where it cannot be reached now the run stays failed, and the next run of its import finds out.
    """
    from headgate.engine.delivery import Checkpoint, scope

    fence = ledger.raise_fence(run.lease)
    connection = run.destination.rpartition("#")[0]
    if fence is None or "***" in connection:
        return False
    try:
        with closing(project.destination(connection, Path(run.base))) as destination:
            if not destination.capabilities.checkpoints:
                return False
            found = destination.claim(Ticket(scope(ledger, run.lease), fence))
    except HeadgateError:
        return False
    checkpoint = Checkpoint.of(found) if found else None
    if checkpoint is None or checkpoint.run != run.id:
        ledger.forget(ledger.journal_path(run.id))
        shutil.rmtree(ledger.journal_path(run.id), ignore_errors=True)
        return True
    if not checkpoint.settles(run):
        run.status = Status.FAILED
        run.error = f"{run.error}; {checkpoint.account.read:,} records were read and committed, and the next run goes on from there"
    ledger.settle(run)
    return True
