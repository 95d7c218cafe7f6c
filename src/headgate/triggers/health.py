"""What is to be told of an import: that it fails, that too much of it is refused, that it is well again.

An import is ``ok``, it has more ``rejects`` than is bearable, or it has ``failed``; only a change is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.ledger.triggers import End
from headgate.model.outcome import REJECTS

_STATUSES = ("succeeded", "partial", "failed")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an import's health.

    Attributes:
        event: ``failure``, ``rejects`` or ``recovery``.
        end: the run that showed it; None where it could not be run at all.
    """

    event: str
    end: End | None


def changes(
    state: Mapping[str, Any], ends: Sequence[End], rejects_over: int | str, trouble: str
) -> tuple[dict[str, Any], list[Change]]:
    """What has changed.

    Args:
        state: what this gave last; empty at the first time, when nothing is told.
        ends: the newest runs, newest first.
        rejects_over: how many rejects are no reason to tell.
        trouble: why the import cannot be run at all; empty when it can.

    Returns:
        What to remember, and what changed since.
    """
    closed = [e for e in reversed(ends) if e.finished and e.status in _STATUSES]
    if not state:
        last = closed[-1] if closed else None
        known: dict[str, Any] = {"is": "ok", "run": 0, "mark": "", "trouble": ""}
        if last is not None:
            known |= {"is": _health(last, rejects_over), "run": last.run, "mark": _mark(last)}
        state = known
        if not trouble:
            return known, []
    now, found = dict(state), list[Change]()
    for end in closed:
        if end.run < now["run"] or (end.run == now["run"] and _mark(end) == now["mark"]):
            continue
        now |= {"run": end.run, "mark": _mark(end)}
        if not now["trouble"]:
            _turn(now, _health(end, rejects_over), end, found)
    if trouble and not now["trouble"]:
        _turn(now, "failed", None, found)
    elif now["trouble"] and not trouble:
        last = closed[-1] if closed else None
        _turn(now, _health(last, rejects_over) if last else "ok", last, found)
    now["trouble"] = trouble
    return now, found


def _turn(now: dict[str, Any], health: str, end: End | None, found: list[Change]) -> None:
    if health != now["is"]:
        event = {"failed": "failure", "rejects": "rejects", "ok": "recovery"}[health]
        found.append(Change(event, end))
    now["is"] = health


def _mark(end: End) -> str:
    return f"{end.status} {end.finished}"


def _health(end: End, rejects_over: int | str) -> str:
    if end.status == "failed":
        return "failed"
    refused = sum(int(end.account.get(o.value, 0)) for o in REJECTS)
    most: float = (
        float(end.account["read"]) * float(rejects_over[:-1]) / 100 if isinstance(rejects_over, str) else rejects_over
    )
    return "rejects" if refused > most else "ok"
