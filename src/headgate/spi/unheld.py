"""Records with a value that no column of the database can hold, turned away before they are staged: loaders would make
another value of it, or fail for all records.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.outcome import Outcome
from headgate.model.types import FieldType
from headgate.model.write import NUMBER, OLD, Matched, Refusal, WriteSpec

from .grounds import HELD

Why = Callable[[object], str]
Look = Callable[[str, pa.Array, FieldType], tuple[pa.Array, Why] | None]
"""Given a column's name in the batches, its values and their type: which cannot be held, as a mask without nulls, and for
each in words why; None where all can."""


class Unheld:
    """The records of one transaction that were turned away.

    Args:
        spec: what the engine asked for.
        look: finds values that cannot be held.
    """

    def __init__(self, spec: WriteSpec, look: Look) -> None:
        self._look = look
        self._columns = [(f.name, f) for f in spec.fields]
        if spec.planned:
            self._columns += [(OLD + f.name, f) for f in spec.fields]
        self.refusals: list[Refusal] = []

    def without(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch without them; they are kept as refusals."""
        for source, field in self._columns:
            found = self._look(source, batch.column(source), field.type)
            if found is None:
                continue
            mask, why = found
            hit = batch.filter(mask)
            for n, value in zip(hit.column(NUMBER).to_pylist(), hit.column(source).to_pylist(), strict=True):
                if n is None:  # a deletion by mirror is no record of the source
                    continue
                if source != field.name:  # no record can be as this one is said to have been
                    self.refusals.append(HELD.refusal(n, ()))
                else:
                    self.refusals.append(Refusal(n, Outcome.REJECTED, "DE05", why(value), field.name))
            batch = batch.filter(pc.invert(mask))
        return batch

    def counted(self, matched: Matched) -> Matched:
        """What was found for the other records, and these."""
        if not self.refusals:
            return matched
        account = deepcopy(matched.account)
        account.read += len(self.refusals)
        for refusal in self.refusals:
            account.add(Outcome(refusal.outcome))
        return replace(matched, account=account, refusals=[*matched.refusals, *self.refusals])

    def forget(self) -> None:
        """Begin anew, after a commit."""
        self.refusals = []
