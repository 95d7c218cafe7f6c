"""What starts imports, with what is remembered in the ledger, on every store. The time is given, never waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headgate.app.project import Definition
from headgate.ledger import open_ledger
from headgate.ledger.triggers import Triggers, Watched
from headgate.model.run import Status
from headgate.model.spec import ImportSpec
from headgate.triggers.clock import Clock, World
from headgate.triggers.watch import Listed
from support.processes import program

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


class Counting:
    """A queue that keeps in the ledger how often something was put into it, in the transaction that it was put in."""

    def __init__(self):
        self.put_in = []

    def waiting(self, name):
        return ""

    def put(self, turn, definition, reason, files):
        turn.session.query(
            "insert into headgate_signal (name, came) values (?, 1)"
            " on conflict (name) do update set came = headgate_signal.came + 1",
            [f"put {definition.name}"],
        )
        self.put_in.append((definition.name, reason, files))
        return len(self.put_in)


@pytest.fixture
def triggers(ledger):
    return Triggers(ledger.store())


@pytest.fixture
def queue():
    return Counting()


@pytest.fixture
def clock(triggers, queue):
    return Clock(triggers, queue)


@pytest.fixture
def definition(tmp_path):
    def make(name="products", **more):
        source = {"source": "inbox/*.csv", "operation": "append", "destination": {"connection": "shop", "table": "t"}}
        return Definition(name, ImportSpec.model_validate(source | more), tmp_path)

    return make


def at(**later):
    return NOW + timedelta(**later)


def started(clock, definition, *times, world=None):
    return [bool(clock.tick(definition, world or World(), t)) for t in times]


def test_a_schedule_that_is_new_waits_for_its_next_time(clock, definition, queue):
    every = definition(schedule={"every": "15m"})
    times = [at(), at(minutes=14), at(minutes=14, seconds=30), at(minutes=15), at(minutes=30)]
    assert started(clock, every, *times) == [False, False, True, False, True]
    assert queue.put_in[0] == ("products", "scheduled for 2026-03-01 12:15:00 UTC", None)


@pytest.mark.parametrize(
    ("catch_up", "expected"), [("one", [False, True, False, True]), ("none", [False, False, False, True])]
)
def test_after_a_week_in_which_nothing_could_start(clock, triggers, definition, catch_up, expected):
    every = definition(schedule={"every": "15m", "catch_up": catch_up})
    times = [at(), at(days=7, minutes=5), at(days=7, minutes=6), at(days=7, minutes=15)]
    assert started(clock, every, *times) == expected
    assert triggers.memory("products").state["schedule"]["missed"] == {"one": 671, "none": 672}[catch_up]


def test_what_is_not_late_needs_no_catching_up(clock, definition):
    every = definition(schedule={"every": "15m", "catch_up": "none"})
    assert started(clock, every, at(), at(minutes=15)) == [False, True]


def test_an_import_that_is_going_on_is_not_started_again(clock, triggers, definition, queue):
    every = definition(schedule={"every": "15m"})
    assert started(clock, every, at(), at(minutes=15), world=World(busy="run 7 was going on")) == [False, False]
    state = triggers.memory("products").state["schedule"]
    assert (state["missed"], state["why"]) == (1, "at 2026-03-01 12:15:00 UTC run 7 was going on")
    assert started(clock, every, at(minutes=16), at(minutes=30)) == [False, True]


def test_a_schedule_that_was_changed_begins_anew(clock, definition):
    assert started(clock, definition(schedule={"cron": "0 13 * * *"}), at()) == [False]
    other = definition(schedule={"cron": "30 12 * * *"})
    assert started(clock, other, at(hours=2), at(hours=3), at(days=1, hours=1)) == [False, False, True]
    lenient = definition(schedule={"cron": "30 12 * * *", "catch_up": "none"})
    assert started(clock, lenient, at(days=2, minutes=30)) == [True]


def test_a_clock_that_was_put_back_starts_nothing_twice(clock, definition):
    every = definition(schedule={"every": "15m"})
    times = [at(), at(minutes=15), at(minutes=5), at(minutes=15), at(minutes=30)]
    assert started(clock, every, *times) == [False, True, False, False, True]


def test_a_paused_import_is_not_started_and_nothing_is_made_up_for(clock, triggers, definition):
    every = definition(schedule={"every": "15m"})
    started(clock, every, at())
    assert clock.pause("products", "ann", at())
    assert not clock.pause("products", "bob", at())
    assert started(clock, every, at(minutes=15), at(minutes=30)) == [False, False]
    assert triggers.memory("products").paused_by == "ann"
    assert clock.resume("products")
    assert not clock.resume("products")
    assert started(clock, every, at(minutes=31), at(minutes=45)) == [False, True]


def test_a_trigger_that_was_taken_out_and_put_in_again_begins_anew(clock, definition):
    every, bare = definition(schedule={"every": "15m"}), definition(on="catalog")
    assert started(clock, every, at()) == [False]
    assert started(clock, bare, at(minutes=1)) == [False]
    assert started(clock, every, at(days=1)) == [False]


def test_files_that_arrive_are_one_run_and_a_restart_repeats_nothing(place, definition, queue):
    watching = definition(watch={"settled": "5s"})
    both = [Listed("inbox/a.csv", "1"), Listed("inbox/b.csv", "1")]
    with open_ledger(place) as ledger:
        assert Clock(Triggers(ledger.store()), queue).arrive(watching, both, at()) == (None, at(seconds=5))
    with open_ledger(place) as ledger:
        Clock(Triggers(ledger.store()), queue).arrive(watching, both, at(seconds=5))
    with open_ledger(place) as ledger:
        assert Clock(Triggers(ledger.store()), queue).arrive(watching, both, at(seconds=50)) == (None, None)
    assert queue.put_in == [("products", "2 files came", ["inbox/a.csv", "inbox/b.csv"])]


def test_files_that_arrive_while_it_is_paused_are_imported_when_it_is_no_longer(clock, definition, queue):
    watching = definition(watch={"settled": "0s"})
    clock.pause("products", "ann", at())
    assert clock.arrive(watching, [Listed("a", "1")], at())[0] is None
    clock.resume("products")
    assert clock.arrive(watching, [Listed("a", "1")], at())[0].reason == "a came"


def test_chains_go_on_from_what_the_ledger_says(ledger, clock, triggers, definition, new_run, account, queue):
    b, c = definition("b", after="a"), definition("c", after={"imports": "b"})

    def look():
        ends = {n: triggers.ends(n) for n in "ab"}
        return [d.name for d in (b, c) if clock.tick(d, World(ends), at())]

    def run(name, status):
        done = ledger.begin(new_run(name))
        done.status, done.account = status, account(0)
        ledger.finish(done)

    assert look() == []
    ledger.begin(new_run("a"))
    assert look() == []
    run("a", Status.FAILED)
    assert look() == []
    run("a", Status.SUCCEEDED)
    assert [look(), look()] == [["b"], []]
    run("b", Status.SUCCEEDED)
    assert [look(), look()] == [["c"], []]
    assert queue.put_in[1] == ("c", "after run 4 of b", None)


def test_webhooks_that_came_are_counted(clock, triggers, definition):
    hooked = definition(on="catalog")
    assert started(clock, hooked, at(), world=World(came=triggers.signals())) == [False]
    triggers.signal("catalog")
    triggers.signal("other")
    assert started(clock, hooked, at(), at(), world=World(came=triggers.signals())) == [True, False]


def test_a_file_that_is_gone_is_forgotten(triggers):
    seen = {p: Watched(p, "1", NOW, "d", started=p == "b") for p in "ab"}
    with triggers.turn("x") as turn:
        turn.see({}, seen)
    assert triggers.watched("x") == seen
    with triggers.turn("x") as turn:
        turn.see(seen, {"b": seen["b"]})
    assert triggers.watched("x") == {"b": seen["b"]}
    assert triggers.watched("y") == {}


def test_what_is_decided_and_then_fails_was_not_decided(clock, triggers, definition, queue):
    every = definition(schedule={"every": "15m"})
    started(clock, every, at())
    queue.put = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        clock.tick(every, World(), at(minutes=15))
    del queue.put
    assert started(clock, every, at(minutes=15)) == [True]


def test_one_looks_after_the_triggers_until_it_is_silent(triggers):
    assert triggers.look_after("one", at(), 15)
    assert not triggers.look_after("two", at(seconds=10), 15)
    assert triggers.look_after("one", at(seconds=14), 15)
    assert not triggers.look_after("two", at(seconds=20), 15)
    assert triggers.look_after("two", at(seconds=30), 15)
    assert not triggers.look_after("one", at(seconds=31), 15)
    triggers.leave("one")
    assert not triggers.look_after("one", at(seconds=31), 15)
    triggers.leave("two")
    assert triggers.look_after("one", at(seconds=31), 15)


def test_a_notice_is_told_by_one(triggers):
    with triggers.turn("x") as turn:
        turn.tell("failure", ["t1", "t2"], {"a": 1}, NOW)
    first, second = triggers.due(NOW)
    taken = triggers.take(first, at(minutes=2))
    assert triggers.take(first, at(minutes=2)) is None
    assert triggers.due(at(minutes=1)) == [second]
    triggers.told(taken, NOW)
    triggers.not_told(triggers.take(second, at(minutes=2)), "it is away", at(minutes=3))
    assert triggers.due(at(minutes=2)) == []
    (again,) = triggers.due(at(minutes=3))
    assert (again.id, again.attempts, again.error, again.body) == (second.id, 1, "it is away", {"a": 1})
    triggers.not_told(triggers.take(again, at(minutes=4)), "it is away", None)
    assert triggers.due(at(days=1)) == []
    assert {n.id: n.state for n in triggers.notices()} == {first.id: "sent", second.id: "failed"}


def test_of_two_processes_one_starts_each(place, definition):
    text = """
from datetime import UTC, datetime, timedelta
from pathlib import Path
from headgate.app.project import Definition
from headgate.ledger.triggers import Triggers
from headgate.model.spec import ImportSpec
from headgate.triggers.clock import Clock, World
from headgate.triggers.watch import Listed

class Counting:
    def put(self, turn, definition, reason, files):
        turn.session.query(
            "insert into headgate_signal (name, came) values (?, 1)"
            " on conflict (name) do update set came = headgate_signal.came + 1", [f"put {definition.name}"])
        return 1

spec = {"source": "inbox/*.csv", "operation": "append", "destination": {"connection": "shop", "table": "t"},
        "schedule": {"every": "1m"}, "watch": {"settled": "0s"}}
with open_ledger(sys.argv[1]) as ledger:
    clock = Clock(Triggers(ledger.store()), Counting())
    imports = [Definition(n, ImportSpec.model_validate(spec), Path()) for n in ("a", "b")]
    now = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    for d in imports:
        clock.tick(d, World(), now)
    for n in range(1, 31):
        for d in imports:
            clock.tick(d, World(), now + timedelta(minutes=n))
            clock.arrive(Definition(f"{d.name} {n}", d.spec, Path()), [Listed("x.csv", "1")], now)
"""
    both = [program(text, place) for _ in range(2)]
    assert [p.communicate(timeout=60)[0] for p in both] == ["", ""]
    with open_ledger(place) as ledger:
        came = Triggers(ledger.store()).signals()
    assert came == {"put a": 30, "put b": 30} | {f"put {name} {n}": 1 for name in "ab" for n in range(1, 31)}
