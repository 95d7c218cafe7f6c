"""Finding the records that the database refuses, where a refusal ends the transaction."""

from __future__ import annotations

from headgate.model.outcome import Outcome
from headgate.model.write import Refusal, WriteSpec
from headgate.sql import Refused, Staged, Target
from headgate.sql import statements as st
from headgate.sql.staged import Range

from .connection import DuckdbSession
from .dialect import DuckdbDialect


class DuckdbStaged(Staged):
    """Each part of the records is tried alone and forgotten, so that a refusal costs no more than its part; what was taken
    is then landed in as few statements as the refused records leave.

    Args:
        dialect, session, spec, target: as for `headgate.sql.Staged`.
    """

    def __init__(self, dialect: DuckdbDialect, session: DuckdbSession, spec: WriteSpec, target: Target) -> None:
        super().__init__(dialect, session, spec, target)
        self._probes = session

    def _isolate(self, decision: str) -> list[Refusal]:
        where = f"s._o = '{decision}'"
        refused: list[Refusal] = []
        taken: list[Range] = []

        def refuse(number: int, e: Refused) -> None:
            refused.append(Refusal(number, Outcome.REJECTED, e.code, e.reason, e.field))

        def probe(part: Range) -> None:
            self._probes.probe(self.statements.apply(decision, part.low, part.high), part.count)
            if taken and not (refused and refused[-1].number > taken[-1].high):
                last = taken.pop()
                part = Range(last.low, part.high, last.count + part.count)
            taken.append(part)

        def land(part: Range) -> None:
            self._session.attempt(self.statements.apply(decision, part.low, part.high), part.count)

        self._divide(st.DECIDED, where, self._span(st.DECIDED, where), probe, refuse)
        for part in taken:  # records that were taken alone may still stand against each other
            self._divide(st.DECIDED, where, part, land, refuse)
        return self._again(decision, sorted(refused, key=lambda r: r.number))
