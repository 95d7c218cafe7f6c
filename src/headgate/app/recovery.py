"""Finding out what became of runs whose process is gone: their destination says what was committed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.model.errors import ConnectionFailed, HeadgateError, NoCheckpoint
from headgate.model.run import Run
from headgate.model.transfer import of_files
from headgate.model.write import Ticket

if TYPE_CHECKING:
    from headgate.ledger import Ledger
    from headgate.spi.destination import Destination

    from .project import Project


def recover(project: Project, ledger: Ledger) -> None:
    """Close runs whose process is gone, as what their destination says they are."""
    ledger.recover()
    for run in ledger.in_doubt():
        look(project, ledger, run)


def look(project: Project, ledger: Ledger, run: Run) -> bool:
    """Ask a run's destination what was committed of it; whether it could be asked.

    Where it cannot be reached, or its file is away (on a disk that is not mounted yet), the run stays failed and in doubt,
    says so, and whatever command comes next asks again.
    """
    from headgate.engine.delivery import Checkpoint, scope
    from headgate.engine.resume import conclude
    from headgate.spi.destination import MayBeAbsent

    fence = ledger.raise_fence(run.lease)
    if fence is None:
        return False
    if of_files(run.operation):  # the ledger was told file by file
        run.in_doubt = False
        ledger.settle(run)
        return False
    try:
        with closing(_destination(project, run, ledger)) as destination:
            knows = destination.capabilities.checkpoints
            found = destination.claim(Ticket(scope(ledger, run.lease), fence)) if knows else None
            away = knows and found is None and isinstance(destination, MayBeAbsent) and destination.absent()
    except NoCheckpoint:
        knows = False
    except HeadgateError:
        _doubt(ledger, run)
        return False
    if knows and away:
        _doubt(ledger, run)
        return False
    if not knows:  # nobody ever will
        run.in_doubt = False
        ledger.settle(run)
        return False
    conclude(ledger, run, Checkpoint.of(found) if found else None)
    return True


def _destination(project: Project, run: Run, ledger: Ledger) -> Destination:
    connection = run.destination.rpartition("#")[0]
    if "***" in connection:
        raise ConnectionFailed("its URL has a password, which is not kept")
    return project.destination(connection, Path(run.base), ledger)


def _doubt(ledger: Ledger, run: Run) -> None:
    from headgate.engine.resume import UNKNOWN

    run.in_doubt = True
    if not run.error.endswith(UNKNOWN):
        run.error += UNKNOWN
        ledger.doubt(run)
