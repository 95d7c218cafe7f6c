"""Record ids in files of rejects: which record of which run a line is about, and whether it is this ledger's run."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from headgate.model.run import Run

_ID: Final = re.compile(r"r(\d{1,18})n(\d{1,18})-([0-9a-f]{10})", re.ASCII)


@dataclass(frozen=True, slots=True)
class RecordId:
    """A record of a run.

    Attributes:
        run: the run's number.
        number: the record's number within it.
        mark: what tells the run from one with the same number in another ledger, and a damaged id from a whole one.
    """

    run: int
    number: int
    mark: str

    def __str__(self) -> str:
        # Letters first, so that no spreadsheet takes it for a number or a date.
        return f"r{self.run}n{self.number}-{self.mark}"


def record_id(run: Run, number: int) -> RecordId:
    """The id of a record of that run."""
    told = f"{run.id} {run.import_name} {run.started.isoformat()} {number}"
    return RecordId(run.id, number, hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()[:10])


def read_id(text: str) -> RecordId | None:
    """The id that was written as this text; None when it is none."""
    found = _ID.fullmatch(text.strip())
    return RecordId(int(found[1]), int(found[2]), found[3]) if found else None
