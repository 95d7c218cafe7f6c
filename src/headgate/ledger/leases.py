"""Who is at an import: of one import at one destination only one run goes on at a time.

A run holds the lease of its import from its beginning to its end. Whoever comes while it is held is turned away, unless the
holder is dead: its process is gone from this host, or it has given no sign for `patience` seconds. Every holder gets a
higher fence than all before it, and a destination lets only the highest commit.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from headgate.model.errors import Busy, Fenced, UsageError
from headgate.model.run import Run

from . import statements
from .process import Process
from .rows import time_text
from .store import Row, Session

LOST: Final = "the process ended without finishing the run"
SILENT: Final = "the process gave no sign any more, and another one took the import over"


def patience() -> float:
    """Seconds without a sign after which a run is given up for dead: 60, or what HEADGATE_LEASE says.

    Raises:
        UsageError: that is not a number of seconds.
    """
    text = os.environ.get("HEADGATE_LEASE", "60")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if seconds <= 0:
        raise UsageError(f"HEADGATE_LEASE is {text!r}, not a number of seconds")
    return seconds


def loss(row: Row) -> str:
    """Why a run of `statements.OPEN_RUNS` can be given up for dead; empty when it cannot."""
    _, host, pid, born, heartbeat, lease = row
    process = Process(host, pid, born)
    if process.here and process.gone:
        return LOST
    silent = datetime.now(UTC) - timedelta(seconds=patience())
    return SILENT if lease and heartbeat < time_text(silent) else ""


def take(session: Session, name: str) -> int:
    """Take an import's lease, from a dead holder too.

    Returns:
        The fence.

    Raises:
        Busy: a run that is alive holds it.
        UsageError: HEADGATE_LEASE is no number of seconds.
    """
    seconds = patience()  # a setting that cannot be read is told before anything is entered
    session.query(statements.ADD_LEASE, [name])
    session.query(statements.RAISE_FENCE, [name])
    ((fence, holder),) = session.query(statements.LEASE, [name])
    rows = session.query(statements.HOLDER, [holder]) if holder is not None else []
    if rows:
        why = loss(rows[0])
        number, host, pid, born, heartbeat, _ = rows[0]
        if not why:
            raise Busy(
                f"run {number} is at this import already (process {pid} on {Process(host, pid, born).machine})",
                hint=f"Wait until it is done: headgate show {number}. If it is dead, it is given up after {seconds:g} s without a sign.",
            )
        session.query(statements.ABANDON, [why, heartbeat, number])
    return int(fence)


def held(run: Run, rows: Sequence[Row]) -> bool:
    """Whether a run is the one at its import, by its row of `statements.LEASE`."""
    return not run.lease or (bool(rows) and int(rows[0][0]) == run.fence)


def taken_over(run: Run) -> Fenced:
    """What to raise for a run whose import another one has taken over."""
    return Fenced(
        f"another process has taken {run.import_name} over; nothing of this one is kept that was not committed before",
        hint=f"See: headgate show {run.id}.",
    )
