"""When a schedule comes.

A time of ``cron`` is a time on a wall. Where the clock is changed, some come twice and some never:

- A job at fixed times (neither minute nor hour begins with ``*``) has one run for each: a time that is left out is moved to
  the first moment after the change, one that comes twice counts the first time.
- Any other job runs at every real moment that matches: not in an hour that is left out, and in both where one comes twice.

What cron says is cronsim's to know; it is asked without a zone, and the rules above are applied here, because it loses times
where a clock is changed by half an hour.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from headgate.model.incremental import seconds_of
from headgate.model.triggers import ScheduleSpec

_FOLD: Final = timedelta(hours=3)
"""More than any clock was ever put back."""
_COUNTED: Final = 1_000
_WINDOWS: Final = (
    timedelta(hours=1),
    timedelta(days=2),
    timedelta(days=40),
    timedelta(days=400),
    timedelta(days=3_000),
)


def moments(schedule: ScheduleSpec, after: datetime) -> Iterator[datetime]:
    """All moments of a schedule after one, in UTC and in order, without end as a rule.

    Args:
        after: with a timezone; it is not among them.
    """
    after = after.astimezone(UTC)
    if schedule.every is not None:
        return _steps(seconds_of(schedule.every), after)
    assert schedule.cron is not None
    return _times(schedule.cron, ZoneInfo(schedule.timezone), after)


def _steps(seconds: int, after: datetime) -> Iterator[datetime]:
    step = int(after.timestamp()) // seconds
    while True:
        step += 1
        yield datetime.fromtimestamp(step * seconds, UTC)


def _times(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    minute, hour = cron.split()[:2]
    fixed = not minute.startswith("*") and not hour.startswith("*")
    begin = after.astimezone(zone).replace(tzinfo=None) - _FOLD - timedelta(days=1)
    waiting: list[datetime] = []
    last = after
    for wall in CronSim(cron, begin):
        # What comes later on the wall may be earlier in truth, but never by more than a clock is put back.
        ripe = wall.replace(tzinfo=zone).astimezone(UTC) - _FOLD
        while waiting and waiting[0] < ripe:
            moment = heapq.heappop(waiting)
            if moment > last:
                yield moment
                last = moment
        for moment in _real(wall, zone, fixed=fixed):
            heapq.heappush(waiting, moment)
    for moment in sorted(set(waiting)):
        if moment > last:
            yield moment


def _real(wall: datetime, zone: ZoneInfo, *, fixed: bool) -> list[datetime]:
    """The moments at which a clock shows a time."""
    shown = [m for fold in (0, 1) if _wall(m := wall.replace(tzinfo=zone, fold=fold).astimezone(UTC), zone) == wall]
    if not fixed:
        return list(dict.fromkeys(shown))
    while not shown:
        wall += timedelta(minutes=1)
        shown = [m for m in [wall.replace(tzinfo=zone).astimezone(UTC)] if _wall(m, zone) == wall]
    return shown[:1]


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def following(schedule: ScheduleSpec, after: datetime, count: int = 1) -> list[datetime]:
    """The next moments."""
    return list(islice(moments(schedule, after), count))


def latest(schedule: ScheduleSpec, after: datetime, now: datetime) -> datetime | None:
    """The last moment after one and not after now; None where there is none. Quick however long ago that was."""
    for window in _WINDOWS:
        begin = max(after, now - window)
        found = None
        for moment in takewhile(lambda m: m <= now, moments(schedule, begin)):
            found = moment
        if found is not None or begin == after:
            return found
    return None


def count(schedule: ScheduleSpec, after: datetime, now: datetime) -> int:
    """How many moments there are after one and not after now; no more than 1,000 are counted."""
    return sum(1 for _ in takewhile(lambda m: m <= now, islice(moments(schedule, after), _COUNTED)))
