"""Events that came to hooks, as the inbox keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class Stage(StrEnum):
    """How far an event has come. ``rejected`` could not be imported, and waits for somebody to look; ``discarded`` was set
    aside by hand.
    """

    WAITING = "waiting"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    DISCARDED = "discarded"


SETTLED: Final = (Stage.DELIVERED, Stage.REJECTED, Stage.DISCARDED)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the inbox, without its body.

    Attributes:
        id: number in the ledger, in the order of arrival.
        event_id: the sender's; one of our own, beginning with ``~``, where it gave none.
        event: what kind it is; empty where the definition does not say where that stands.
        due: when it may be tried next.
        round: how often it was taken up again by hand.
        attempts: how often it was taken out since.
        failures: how often that failed.
        reason: why it was rejected, or why the last try failed.
        answer: what became of its records, as JSON shows it.
        repeats: how often it came again; `differing` how often of these with another body.
    """

    id: int
    import_name: str
    event_id: str
    event: str
    content_type: str
    stage: Stage
    received: datetime
    changed: datetime
    due: datetime
    round: int
    attempts: int
    failures: int
    reason: str
    answer: Mapping[str, Any]
    repeats: int
    differing: int

    @property
    def named(self) -> str | None:
        """The sender's name for it; None where it gave none."""
        return None if self.event_id.startswith("~") else self.event_id

    @property
    def settled(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.stage in SETTLED

    @property
    def key(self) -> str:
        """What tells its delivery from every other: the same when it is tried again, another one when somebody wants that."""
        return f"hook {self.event_id}" if not self.round else f"hook {self.event_id} ({self.round + 1})"
