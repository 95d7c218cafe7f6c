"""The exit code of a run."""

from __future__ import annotations

from headgate.model.errors import Cancelled, HeadgateError
from headgate.model.run import Run, Status

REJECTS = 3


def exit_code(run: Run) -> int:
    """0 all well (or not done yet), 1 failed, 3 done with rejects, 130 cancelled."""
    match run.status:
        case Status.FAILED:
            return HeadgateError.exit_code
        case Status.CANCELLED:
            return Cancelled.exit_code
        case Status.PARTIAL:
            return REJECTS
        case Status.SUCCEEDED if run.account.rejects:
            return REJECTS
        case _:
            return 0
