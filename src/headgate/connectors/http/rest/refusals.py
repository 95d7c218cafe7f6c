"""What verdicts mean to the run's account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import structs

from headgate.model.codes import CODES
from headgate.model.outcome import Outcome
from headgate.model.write import Operation, Refusal, WriteSpec
from headgate.spi.deciding import SKIPS, Change

from .answers import DONE, MISSING, UNKNOWN, Verdict
from .requests import Item

_CONFLICT: Final = "409"


def became(change: Change, verdict: Verdict) -> Change:
    """The change as the API says it was: an upsert may turn out either way."""
    if change.action is Outcome.CREATED and verdict.created is False:
        return structs.replace(change, action=Outcome.UPDATED)
    return change


class Tally:
    """What the verdicts of a sending come to.

    Args:
        spec: what was asked for.

    Attributes:
        counts: records of the source with what was done, by what it was.
        swept: how many others are gone, or marked, as the source has them no more.
        refusals: of records of the source.
        open: of the others, what was not done.
    """

    def __init__(self, spec: WriteSpec) -> None:
        self._spec = spec
        self.counts: Counter[Outcome] = Counter()
        self.swept = 0
        self.refusals: list[Refusal] = []
        self.open: list[tuple[Item, Verdict]] = []

    def add(self, said: Iterable[tuple[Item, Verdict]]) -> None:
        """Count these."""
        for item, verdict in said:
            change = item.change
            if verdict.what == DONE:
                if change.number is None:
                    self.swept += 1
                else:
                    self.counts[became(change, verdict).action] += 1
            elif (found := refusal(self._spec, change, verdict)) is not None:
                self.refusals.append(found)
            else:
                self.open.append((item, verdict))


def refused(change: Change, code: str, reason: str, field: str = "") -> Refusal:
    """A record that the API does not take, or that cannot be sent to it."""
    return Refusal(change.number or 0, Outcome.REJECTED, code, reason, field)


def refusal(spec: WriteSpec, change: Change, verdict: Verdict) -> Refusal | None:
    """The refusal that a verdict comes to; None where the change was done, or is about no record of the source."""
    if verdict.what == DONE or change.number is None:
        return None
    if verdict.what == UNKNOWN:
        return Refusal(change.number, Outcome.UNKNOWN, "UN01", f"{CODES['UN01'].meaning} ({verdict.reason})")
    if verdict.what == MISSING:
        may = change.action is Outcome.DELETED or spec.operation is Operation.UPDATE
        if may and spec.missing == "skip":
            return Refusal(change.number, Outcome.SKIPPED, "missing", SKIPS["missing"])
        return refused(change, "KY04", f"{CODES['KY04'].meaning} ({verdict.reason})")
    code = "DE02" if verdict.reason.startswith(_CONFLICT) else "DE06"
    return refused(change, code, verdict.reason or CODES[code].meaning, field_of(spec, verdict.field))


def field_of(spec: WriteSpec, name: str) -> str:
    """The field that an API's name stands for; empty where it stands for none."""
    known = {f.name.lower().rpartition(".")[2]: f.name for f in spec.fields}
    known |= {f.name.lower(): f.name for f in spec.fields}
    return known.get(name.lower(), known.get(name.rpartition(".")[2].lower(), ""))
