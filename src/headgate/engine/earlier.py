"""The earlier runs of the same import."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from headgate.ledger import Ledger
from headgate.model.run import Kind, Run, Status

_DONE = (Status.SUCCEEDED, Status.PARTIAL, Status.UNDONE)
_AS_MANY = 10
"""How many runs are looked through for one that counts."""


def earlier_runs(ledger: Ledger, run: Run, count: int, *, undone: bool = False) -> Iterator[Run]:
    """The last runs that came to their end and had something to read, newest first.

    Args:
        run: the one they are earlier than; a name may be another import's elsewhere, so place and destination must agree.
        count: at most so many.
        undone: also those that were taken back.
    """
    found = ledger.runs(_AS_MANY * count, run.import_name, Kind.RUN)
    done = _DONE if undone else _DONE[:2]
    return islice(
        (
            r
            for r in found
            if r.id != run.id
            and (r.base, r.destination) == (run.base, run.destination)
            and r.status in done
            and r.partitions
        ),
        count,
    )
