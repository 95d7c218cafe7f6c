"""Whether a run is unlike the last ones of its import."""

from __future__ import annotations

import statistics
from fractions import Fraction

from headgate.model.errors import LimitExceeded
from headgate.model.guards import AnomalySpec
from headgate.model.outcome import Account, Outcome

ENOUGH = 3
"""So many earlier runs say what is usual; fewer say nothing."""


def unusual(spec: AnomalySpec, account: Account, before: list[Account]) -> list[str]:
    """What is unlike the runs before, for people; empty when nothing is, or when there are too few of them."""
    if len(before) < ENOUGH:
        return []
    words = []
    for name, distance in spec.measures.items():
        count, median = _measure(account, name), statistics.median(Fraction(_measure(a, name)) for a in before)
        if abs(count - median) > _bearable(distance, median):
            words.append(
                f"{name} is {count:,}, and the median of the last {len(before)} runs is {float(median):,g} "
                f"(anomaly.{name}: {distance})"
            )
    return words


def check_usual(spec: AnomalySpec, account: Account, before: list[Account], kept: str) -> list[str]:
    """What is unlike the runs before, as warnings.

    Raises:
        LimitExceeded: something is, and the definition says to stop then.
    """
    words = unusual(spec, account, before)
    if words and spec.then == "stop":
        raise LimitExceeded(
            f"this run is unusual: {'; '.join(words)}; {kept}",
            hint="Look at the source. If it is right, run it once with --set anomaly.then=warn.",
        )
    return [f"unusual: {w}" for w in words]


def _bearable(distance: int | str, median: Fraction) -> Fraction:
    return Fraction(distance[:-1]) * median / 100 if isinstance(distance, str) else Fraction(distance)


def _measure(account: Account, name: str) -> int:
    match name:
        case "read":
            return account.read
        case "rejects":
            return account.rejects
        case "deleted":
            return account.outcomes[Outcome.DELETED] + account.mirror_deleted
        case _:
            return account.outcomes[Outcome(name)]
