"""Named points between the steps of a run, at which tests kill the process to see that nothing is lost.

`HEADGATE_CRASH=commit.after` kills at that point, `HEADGATE_CRASH=commit.after:3` when it is reached for the third time, and
`HEADGATE_CRASH=commit.after:1:stop` only stops it there (SIGSTOP), so that it can wake up later.
Without it a point does nothing.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Final

POINTS: Final = (
    "stage.before", "stage.after", "match.after", "journal.before", "apply.after", "journal.after", "commit.before", "commit.after",
    "checkpoint.after", "ledger.before", "ledger.after", "acknowledge.after",
)  # fmt: skip
EVENT_POINTS: Final = ("event.taken", "event.answered")
"""Those of a server between taking an event out of the inbox and saying what became of it."""
FILE_POINTS: Final = ("piece.sent", "part.after", "publish.after")
"""Those of a file that is moved: some of it is on its way, it is whole under another name, and it has its own."""
# Counts that several threads may take at a time.
_reached: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))


def point(name: str) -> None:
    """Be at a point of `POINTS`, `EVENT_POINTS` or `FILE_POINTS`."""
    wanted = os.environ.get("HEADGATE_CRASH")
    if not wanted:
        return
    at, number, how = [*wanted.split(":"), "", ""][:3]
    if at == name and next(_reached[name]) == int(number or 1):
        os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
