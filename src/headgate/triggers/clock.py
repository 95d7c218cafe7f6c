"""What is started, from definitions, what the ledger remembers, and the time.

Nothing here waits, and nothing is remembered but in the ledger: a process that was away, or another one, goes on where it was
left. What a trigger decides and the run that it puts in the queue are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Protocol

from headgate.app.project import Definition
from headgate.ledger.triggers import End, Memory, Triggers, Turn
from headgate.model.triggers import ScheduleSpec

from .after import after, on
from .schedule import count, following, latest
from .watch import Listed, look

LATE: Final = timedelta(minutes=1)
"""After that a time of a schedule counts as passed while nothing could start."""


class Queue(Protocol):
    """Where runs wait for a worker."""

    def waiting(self, name: str) -> str:
        """What there is of an import in the queue or going on, for people; empty when there is nothing."""
        ...

    def put(self, turn: Turn, definition: Definition, reason: str, files: Sequence[str] | None) -> int:
        """Have an import run, in a turn's transaction.

        Args:
            reason: why, for people.
            files: the only ones of its source that are read; None for all.

        Returns:
            The number of its run.
        """
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was put in the queue."""

    name: str
    reason: str
    number: int


@dataclass(frozen=True, slots=True)
class World:
    """What triggers look at beside their own memory.

    Attributes:
        ends: the newest runs of imports that others wait for.
        came: how often each webhook has come.
        busy: what there is of the import in the queue or going on.
    """

    ends: Mapping[str, Sequence[End]] = field(default_factory=dict)
    came: Mapping[str, int] = field(default_factory=dict)
    busy: str = ""


def scheduled(schedule: ScheduleSpec, state: Mapping[str, Any], now: datetime, busy: str) -> tuple[dict[str, Any], str]:
    """Whether a schedule has come.

    Args:
        state: what this gave last; empty at the first time.
        busy: what there is of the import in the queue or going on.

    Returns:
        What to remember (``last``: the last moment that was looked at; ``missed``: how many had no run of their own;
        ``why``: for the last of them), and why the import is started; an empty text when it is not.
    """
    defined = schedule.model_dump_json(exclude={"catch_up"})
    if state.get("defined") != defined:
        return {"defined": defined, "last": now.isoformat(), "missed": 0, "why": "", "started": ""}, ""
    last = datetime.fromisoformat(state["last"])
    if _next(schedule, last) > now:
        return dict(state), ""
    moment = latest(schedule, last, now)
    if moment is None:
        return dict(state), ""
    passed, late = count(schedule, last, now), now - moment > LATE
    found = dict(state) | {"last": moment.isoformat()}
    if busy:
        return found | {"missed": state["missed"] + passed, "why": f"at {_text(moment)} {busy}"}, ""
    if late and schedule.catch_up == "none":
        why = f"nothing could start at {_text(moment)}"
        return found | {"missed": state["missed"] + passed, "why": why}, ""
    found |= {"missed": state["missed"] + passed - 1, "started": moment.isoformat()}
    if passed > 1:
        found["why"] = f"{passed - 1} before {_text(moment)} had passed when it was looked at"
    return found, f"scheduled for {_text(moment)}"


@lru_cache(4_096)
def _next(schedule: ScheduleSpec, last: datetime) -> datetime:
    """The first moment after one; it is asked for at every look, and changes only when it has come."""
    found = following(schedule, last)
    return found[0] if found else datetime.max.replace(tzinfo=UTC)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def reasons(definition: Definition, memory: Memory, world: World, now: datetime) -> tuple[dict[str, Any], list[str]]:
    """All but the watch: what to remember, and why the import is started."""
    spec, found = definition.spec, list[str]()
    has = {"after": spec.after, "on": spec.on, "schedule": spec.schedule}
    state = {kind: was for kind, was in memory.state.items() if has.get(kind, was) is not None}

    def judge(kind: str, result: tuple[dict[str, Any], str]) -> None:
        state[kind], why = result
        found.extend([why] if why else [])

    if spec.after is not None:
        judge("after", after(spec.after, state.get("after", {}), world.ends))
    if spec.on is not None:
        judge("on", on(spec.on, state.get("on", {}), world.came.get(spec.on, 0)))
    if spec.schedule is not None:
        busy = world.busy or ("it was started " + found[0] if found else "")
        judge("schedule", scheduled(spec.schedule, state.get("schedule", {}), now, busy))
    return state, found


class Clock:
    """Puts what is due in the queue, once."""

    def __init__(self, triggers: Triggers, queue: Queue) -> None:
        self._triggers, self._queue = triggers, queue

    def tick(self, definition: Definition, world: World, now: datetime) -> Started | None:
        """Start an import if its schedule has come, another import is done, or a webhook came."""
        memory = self._triggers.memory(definition.name)
        if memory.paused_by or reasons(definition, memory, world, now)[0] == memory.state:
            return None
        with self._triggers.turn(definition.name) as turn:
            if turn.memory.paused_by:
                return None
            turn.memory.state, found = reasons(definition, turn.memory, world, now)
            turn.keep()
            return self._put(turn, definition, "; ".join(found), None) if found else None

    def arrive(
        self, definition: Definition, listed: Sequence[Listed], now: datetime
    ) -> tuple[Started | None, datetime | None]:
        """Start an import for the files that are whole and new, all in one run.

        Returns:
            What was started, and when the next of those that wait may be whole.
        """
        name, watch = definition.name, definition.spec.watch
        assert watch is not None
        before = self._triggers.watched(name)
        seen = look(watch, listed, before, now)
        if seen.files == before:
            return None, seen.ripe
        with self._triggers.turn(name) as turn:
            if turn.memory.paused_by:
                return None, None
            seen = look(watch, listed, before := turn.watched(), now)
            turn.see(before, seen.files)
            shown = f"{seen.due[0]} came" if len(seen.due) == 1 else f"{len(seen.due):,} files came"
            return (self._put(turn, definition, shown, seen.due) if seen.due else None), seen.ripe

    def run(self, definition: Definition, by: str) -> Started:
        """Start an import by hand."""
        with self._triggers.turn(definition.name) as turn:
            return self._put(turn, definition, f"by hand ({by})", None)

    def pause(self, name: str, by: str, now: datetime) -> bool:
        """Start an import by itself no longer; False when it was paused before."""
        with self._triggers.turn(name) as turn:
            if turn.memory.paused_by:
                return False
            turn.memory.paused_by, turn.memory.paused_at = by, now.isoformat()
            turn.keep()
            return True

    def resume(self, name: str) -> bool:
        """Take that back; False when it was not paused. What passed meanwhile is not made up for, except that files
        which arrived are imported.
        """
        with self._triggers.turn(name) as turn:
            if not turn.memory.paused_by:
                return False
            turn.memory.paused_by = turn.memory.paused_at = ""
            for kind in ("schedule", "after", "on"):
                turn.memory.state.pop(kind, None)
            turn.keep()
            return True

    def _put(self, turn: Turn, definition: Definition, reason: str, files: Sequence[str] | None) -> Started:
        return Started(definition.name, reason, self._queue.put(turn, definition, reason, files))
