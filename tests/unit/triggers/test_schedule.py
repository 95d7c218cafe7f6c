"""When schedules come, on days on which clocks were and will be changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headgate.model.triggers import ScheduleSpec
from headgate.triggers.schedule import count, following, latest

# Paris: 02:00 -> 03:00 on 2027-03-28 at 01:00 UTC; 03:00 -> 02:00 on 2026-10-25 at 01:00 UTC.
# New York: 02:00 -> 03:00 on 2027-03-14 at 07:00 UTC; 02:00 -> 01:00 on 2026-11-01 at 06:00 UTC.
# Lord Howe: 02:00 -> 02:30 on 2026-10-03 at 15:30 UTC (the 4th there); 02:00 -> 01:30 on 2027-04-03 at 15:00 UTC (the 4th).
CASES = {
    "a time left out is moved to the first moment after": ("30 2 * * *", "Europe/Paris", "2027-03-27T02:00", ["03-28T01:00", "03-29T00:30"]),
    "several left out are one": ("0,30 2,3 * * *", "Europe/Paris", "2027-03-28T00:00", ["03-28T01:00", "03-28T01:30", "03-29T00:00"]),
    "a time that comes twice counts once": ("30 2 * * *", "Europe/Paris", "2026-10-24T00:31", ["10-25T00:30", "10-26T01:30"]),
    "also when asked between the two": ("50 2 * * *", "Europe/Paris", "2026-10-25T01:40", ["10-26T01:50"]),
    "every hour is every real hour in autumn": ("15 * * * *", "Europe/Paris", "2026-10-24T23:30", ["10-25T00:15", "10-25T01:15", "10-25T02:15"]),
    "and in spring": ("15 * * * *", "Europe/Paris", "2027-03-28T00:00", ["03-28T00:15", "03-28T01:15", "03-28T02:15"]),
    "every quarter of an hour that comes twice": ("*/15 2 * * *", "Europe/Paris", "2026-10-24T23:50", [
        "10-25T00:00", "10-25T00:15", "10-25T00:30", "10-25T00:45", "10-25T01:00", "10-25T01:15", "10-25T01:30", "10-25T01:45", "10-26T01:00"]),
    "no quarter of an hour that is left out": ("*/15 2 * * *", "Europe/Paris", "2027-03-27T01:40", ["03-27T01:45", "03-29T00:00"]),
    "New York in spring": ("30 2 * * *", "America/New_York", "2027-03-13T08:00", ["03-14T07:00", "03-15T06:30"]),
    "New York in autumn": ("30 1 * * *", "America/New_York", "2026-10-31T06:00", ["11-01T05:30", "11-02T06:30"]),
    "New York every half hour in autumn": ("*/30 * * * *", "America/New_York", "2026-11-01T04:45", [
        "11-01T05:00", "11-01T05:30", "11-01T06:00", "11-01T06:30", "11-01T07:00"]),
    "half an hour left out": ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", ["10-03T15:30", "10-04T15:15"]),
    "half an hour that comes twice": ("45 1 * * *", "Australia/Lord_Howe", "2027-04-02T20:00", ["04-03T14:45", "04-04T15:15"]),
    "every even hour over half an hour that comes twice": ("15 */2 * * *", "Australia/Lord_Howe", "2027-04-03T12:00", [
        "04-03T13:15", "04-03T15:45", "04-03T17:45"]),
    "every ten minutes over it": ("*/10 1 * * *", "Australia/Lord_Howe", "2027-04-03T14:25", [
        "04-03T14:30", "04-03T14:40", "04-03T14:50", "04-03T15:00", "04-03T15:10", "04-03T15:20", "04-04T14:30"]),
    "the last day of the month": ("0 6 L * *", "UTC", "2028-02-01T00:00", ["02-29T06:00", "03-31T06:00"]),
    "a day that was left out": ("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00", ["12-29T22:00", "12-30T10:00", "12-30T22:00"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_where_clocks_are_changed(case):
    cron, zone, after, expected = CASES[case]
    found = following(ScheduleSpec(cron=cron, timezone=zone), datetime.fromisoformat(f"{after}+00:00"), len(expected))
    assert [f"{m:%m-%dT%H:%M}" for m in found] == expected


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("cron", ["*/15 * * * *", "30 2 * * *", "0 */2 * * *", "5,35 1-3 * * *"])
def test_wherever_one_begins_the_moments_are_the_same(cron, zone):
    schedule = ScheduleSpec(cron=cron, timezone=zone)
    for begin in (
        datetime(2026, 10, 3, tzinfo=UTC),
        datetime(2026, 10, 24, tzinfo=UTC),
        datetime(2027, 3, 27, tzinfo=UTC),
    ):
        whole = following(schedule, begin, 250)
        steps = [begin + timedelta(minutes=31 * n) for n in range(2 * 24 * 60 // 31)]
        assert [following(schedule, s)[0] for s in steps] == [next(m for m in whole if m > s) for s in steps]
        assert whole == sorted(set(whole))


def test_every_is_counted_from_fixed_points():
    after = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)
    assert [f"{m:%H:%M:%S}" for m in following(ScheduleSpec(every="15m"), after, 3)] == [
        "12:15:00",
        "12:30:00",
        "12:45:00",
    ]
    assert following(ScheduleSpec(every="15m"), datetime(2026, 3, 1, 12, 15, tzinfo=UTC))[0].minute == 30


@pytest.mark.parametrize(
    "schedule", [ScheduleSpec(every="7m"), ScheduleSpec(cron="*/7 * * * *", timezone="Europe/Paris")]
)
@pytest.mark.parametrize("away", [timedelta(seconds=1), timedelta(minutes=7), timedelta(days=7), timedelta(days=3_650)])
def test_the_latest_is_found_however_long_nobody_looked(schedule, away):
    now = datetime(2026, 10, 25, 1, 30, 59, tzinfo=UTC)
    found = latest(schedule, now - away, now)
    if found is None:
        assert following(schedule, now - away)[0] > now
    else:
        assert now - away < found <= now < following(schedule, found)[0]


def test_a_rare_schedule_is_found():
    leap = ScheduleSpec(cron="0 0 29 2 *")
    now = datetime(2031, 1, 1, tzinfo=UTC)
    assert latest(leap, datetime(2026, 1, 1, tzinfo=UTC), now) == datetime(2028, 2, 29, tzinfo=UTC)
    assert latest(leap, datetime(2028, 2, 29, tzinfo=UTC), now) is None


def test_how_many_passed():
    now = datetime(2026, 3, 8, tzinfo=UTC)
    assert count(ScheduleSpec(every="15m"), now - timedelta(days=7), now) == 672
    assert count(ScheduleSpec(every="1m"), now - timedelta(days=7), now) == 1_000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either cron or every"),
        ({"cron": "* * * * *", "every": "5m"}, "either cron or every"),
        ({"every": "0s"}, "takes no time"),
        ({"every": "5 minutes"}, "no duration"),
        ({"every": "5m", "timezone": "UTC"}, "timezone goes with cron"),
        ({"cron": "* * * *"}, "has 4 parts"),
        ({"cron": "0 * * * * *"}, "has 6 parts"),
        ({"cron": "61 * * * *"}, "bad minute"),
        ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
        ({"cron": "0 6 * * *", "timezone": "Europe/Atlantis"}, "no timezone 'Europe/Atlantis'"),
        ({"cron": "0 6 * * *", "timezone": "../etc"}, "no timezone"),
        ({"cron": "0 6 * * *", "timezone": ""}, "no timezone"),
        ({"cron": "0 6 * * *", "timezone": "Europe"}, "no timezone"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ScheduleSpec(**given)
