"""The inbox: events kept once, taken out one at a time in their order, by one process at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from headgate.ledger import Ledger, open_ledger
from headgate.ledger.inbox import Inbox
from headgate.model.errors import UsageError
from headgate.model.event import Entry, Stage
from support.processes import program

JSON = "application/json"


@pytest.fixture
def inbox(ledger: Ledger) -> Inbox:
    return Inbox(ledger)


def put(inbox: Inbox, event: str, name: str = "orders", body: bytes = b"{}") -> Entry:
    entry, new = inbox.add(name, event, "", JSON, body)
    assert new
    return entry


def took(inbox: Inbox, name: str = "orders") -> Entry:
    entry = inbox.take(name)
    assert entry is not None
    return entry


def test_an_event_is_kept_as_it_came(inbox):
    body = b'{"a": "\xff\x00"}'
    entry, new = inbox.add("orders", "evt_1", "invoice.paid", JSON, body)
    assert new
    assert (entry.id, entry.import_name, entry.named, entry.event) == (1, "orders", "evt_1", "invoice.paid")
    assert (entry.stage, entry.attempts, entry.repeats, entry.answer) == (Stage.WAITING, 0, 0, {})
    assert abs(entry.received - datetime.now(UTC)) < timedelta(minutes=1)
    assert inbox.body(1) == body
    assert inbox.entry(1) == entry


def test_what_a_database_cannot_hold_is_written_out(inbox):
    entry, _ = inbox.add("orders", "a\0b", "\udcff", "\0", b"")
    assert (entry.event_id, entry.event, entry.content_type) == ("a\\x00b", "\\udcff", "\\x00")
    assert inbox.add("orders", "a\0b", "", JSON, b"")[1] is False


def test_a_repeat_is_known_and_counted_and_not_kept_again(inbox):
    first = put(inbox, "evt_1", body=b"1")
    again, new = inbox.add("orders", "evt_1", "", JSON, b"1")
    assert (again.id, new, again.repeats, again.differing) == (first.id, False, 1, 0)
    again, new = inbox.add("orders", "evt_1", "", JSON, b"2")
    assert (again.id, new, again.repeats, again.differing) == (first.id, False, 2, 1)
    assert inbox.body(first.id) == b"1"
    assert put(inbox, "evt_1", "others").id == first.id + 1
    assert put(inbox, "evt_2").id == first.id + 2


def test_events_of_an_import_are_taken_out_in_their_order_one_at_a_time(inbox):
    for event in ("a", "b"):
        put(inbox, event)
    put(inbox, "c", "others")
    first = took(inbox)
    assert (first.event_id, first.stage, first.attempts) == ("a", Stage.DELIVERING, 1)
    assert inbox.take("orders") is None
    assert took(inbox, "others").event_id == "c"
    assert inbox.delivered(first, {"records": 1})
    assert inbox.entry(first.id).answer == {"records": 1}
    second = took(inbox)
    assert second.event_id == "b"
    assert inbox.rejected(second, "no JSON")
    assert inbox.take("orders") is None
    assert [(e.stage, e.reason) for e in inbox.entries("orders")] == [
        (Stage.REJECTED, "no JSON"),
        (Stage.DELIVERED, ""),
    ]


def test_those_behind_one_that_is_tried_later_wait(inbox):
    put(inbox, "a")
    put(inbox, "b")
    first = took(inbox)
    assert inbox.later(first, "gone", 60)
    waiting = inbox.entry(first.id)
    assert (waiting.stage, waiting.reason, waiting.attempts) == (Stage.WAITING, "gone", 1)
    assert inbox.take("orders") is None
    (turn,) = inbox.due().values()
    assert (turn.at, turn.failed) == (waiting.due, True)
    assert turn.at > datetime.now(UTC)
    assert inbox.retry([first.id]) == 1
    assert took(inbox).event_id == "a"


def test_an_event_that_is_given_back_has_not_failed(inbox):
    put(inbox, "a")
    assert inbox.give_back(took(inbox))
    again = took(inbox)
    assert (again.attempts, again.failures) == (2, 0)
    assert inbox.later(again, "gone", 0)
    assert inbox.due()["orders"].failed
    assert (took(inbox).failures, inbox.due()["orders"].failed) == (1, False)


def test_what_was_done_for_all_that_wait_is_done(inbox):
    for event in ("a", "b", "c"):
        put(inbox, event)
    put(inbox, "d", "others")
    first = took(inbox)
    inbox.covered("orders", 2, {"run": 7})
    found = {e.event_id: (e.stage.value, e.answer.get("run")) for e in inbox.entries()}
    waiting, delivering = ("waiting", None), ("delivering", None)
    assert found == {"a": delivering, "b": ("delivered", 7), "c": waiting, "d": waiting}
    assert inbox.delivered(first, {})


def test_whoever_lost_an_event_cannot_say_what_became_of_it(inbox, ledger):
    put(inbox, "a")
    first = took(inbox)
    silent(ledger, first)
    second = took(inbox)
    assert second.attempts == 2
    assert not inbox.delivered(first, {})
    assert not inbox.later(first, "gone", 1)
    inbox.renew(first)
    assert inbox.entry(first.id).stage is Stage.DELIVERING
    assert inbox.delivered(second, {})


def silent(ledger: Ledger, entry: Entry) -> None:
    """As if whoever is at an event had given no sign for an hour."""
    old = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%S.%f}+00:00"
    with ledger.store().transaction() as session:
        session.query("update headgate_inbox set heartbeat = ? where id = ?", [old, entry.id])


def test_a_sign_of_life_keeps_an_event(inbox, ledger):
    put(inbox, "a")
    first = took(inbox)
    silent(ledger, first)
    inbox.renew(first)
    assert inbox.take("orders") is None


def test_an_event_of_a_process_that_is_gone_is_taken_at_once(inbox, ledger):
    put(inbox, "a")
    first = took(inbox)
    with ledger.store().transaction() as session:
        session.query("update headgate_inbox set born = born || '1' where pid = ?", [os.getpid()])
    assert inbox.due()["orders"].at < datetime.now(UTC)
    assert took(inbox).id == first.id


def test_a_rejected_event_is_delivered_again_under_another_key(inbox):
    entry = put(inbox, "a")
    assert (entry.key, took(inbox).key) == ("hook a", "hook a")
    inbox.rejected(inbox.entry(entry.id), "bad")
    assert inbox.retry([entry.id]) == 1
    again = took(inbox)
    assert (again.key, again.attempts, again.reason) == ("hook a (2)", 1, "")
    inbox.delivered(again, {})
    with pytest.raises(UsageError, match="delivered already"):
        inbox.retry([entry.id])


def test_all_rejected_events_of_an_import_are_delivered_again_in_their_order(inbox):
    for event in ("a", "b", "c"):
        put(inbox, event)
    for reject in (True, False, True):
        entry = took(inbox)
        inbox.rejected(entry, "bad") if reject else inbox.delivered(entry, {})
    assert inbox.retry_all("orders") == 2
    found = []
    while (entry := inbox.take("orders")) is not None:
        found.append(entry.event_id)
        inbox.delivered(entry, {})
    assert found == ["a", "c"]


def test_what_cannot_be_done_by_hand_changes_nothing(inbox):
    rejected, delivering = put(inbox, "a"), put(inbox, "b")
    inbox.rejected(took(inbox), "bad")
    took(inbox)
    for verb in (inbox.retry, inbox.discard):
        with pytest.raises(UsageError, match="no event 9"):
            verb([rejected.id, 9])
        assert inbox.entry(rejected.id).stage is Stage.REJECTED
    with pytest.raises(UsageError, match="being delivered at this moment"):
        inbox.retry([rejected.id, delivering.id])
    with pytest.raises(UsageError, match="is delivering"):
        inbox.discard([delivering.id])
    assert inbox.entry(rejected.id).stage is Stage.REJECTED


def test_a_discarded_event_lets_those_behind_it_go_on(inbox):
    first, second = put(inbox, "a"), put(inbox, "b")
    inbox.later(took(inbox), "gone", 60)
    assert inbox.discard([first.id, first.id]) == 1
    assert inbox.discard([first.id]) == 0
    assert took(inbox).id == second.id


def test_what_was_delivered_is_forgotten_in_time_and_what_was_rejected_is_not(inbox):
    for event in ("a", "b", "c", "d"):
        put(inbox, event)
    put(inbox, "a", "others")
    inbox.delivered(took(inbox), {})
    inbox.delivered(took(inbox, "others"), {})
    inbox.rejected(took(inbox), "bad")
    inbox.rejected(discarded := took(inbox), "bad")
    inbox.discard([discarded.id])
    inbox.prune("orders", datetime.now(UTC) - timedelta(minutes=1))
    assert len(inbox.entries()) == 5
    inbox.prune("orders", datetime.now(UTC) + timedelta(minutes=1))
    assert [(e.import_name, e.event_id) for e in inbox.entries()] == [("others", "a"), ("orders", "d"), ("orders", "b")]
    assert put(inbox, "a").id == 6


def test_counts_and_lists(inbox):
    for event in ("a", "b", "c"):
        put(inbox, event)
    inbox.delivered(took(inbox), {})
    for _ in range(3):
        inbox.count_ignored("orders")
    inbox.count_ignored("others")
    assert {n: dict(c) for n, c in inbox.counts().items()} == {
        "orders": {"delivered": 1, "waiting": 2, "ignored": 3},
        "others": {"ignored": 1},
    }
    assert [e.id for e in inbox.entries("orders", Stage.WAITING)] == [3, 2]
    assert [e.id for e in inbox.entries(limit=2)] == [3, 2]
    assert [e.id for e in inbox.entries(before=2)] == [1]
    with pytest.raises(UsageError, match="no event 7"):
        inbox.entry(7)
    with pytest.raises(UsageError, match="no event 7"):
        inbox.body(7)


SAME = """
from headgate.ledger.inbox import Inbox
inbox = Inbox(open_ledger(sys.argv[1]))
for n in range(30):
    entry, new = inbox.add("orders", f"evt_{n}", "", "application/json", b"{}")
    print(entry.id, int(new))
"""


def test_an_event_that_comes_to_several_processes_at_once_is_kept_once(place):
    both = [program(SAME, place) for _ in range(3)]
    lines = [line.split() for p in both for line in p.communicate(timeout=120)[0].splitlines()]
    assert sorted(int(n) for n, new in lines if new == "1") == list(range(1, 31)), lines
    with open_ledger(place) as ledger:
        assert [(e.repeats, e.differing) for e in Inbox(ledger).entries(limit=100)] == [(2, 0)] * 30


TAKE = """
from headgate.ledger.inbox import Inbox
inbox = Inbox(open_ledger(sys.argv[1]))
while inbox.due():
    if (entry := inbox.take("orders")) is not None:
        print(entry.id, entry.attempts, flush=True)
        if len(sys.argv) > 2 and entry.id == 7:
            os.kill(os.getpid(), 9)
        inbox.delivered(entry, {})
"""


def test_each_event_is_delivered_by_one_of_several_processes(place):
    with open_ledger(place) as ledger:
        for n in range(40):
            put(Inbox(ledger), f"evt_{n}")
        both = [program(TAKE, place) for _ in range(3)]
        lines = [line.split() for p in both for line in p.communicate(timeout=120)[0].splitlines()]
        assert sorted(int(n) for n, _ in lines) == list(range(1, 41)), lines
        assert {attempts for _, attempts in lines} == {"1"}
        stages = {e.stage for e in Inbox(ledger).entries(limit=100)}
        assert stages == {Stage.DELIVERED}


def test_an_event_of_a_process_that_was_killed_is_taken_over_and_the_order_is_kept(place):
    with open_ledger(place) as ledger:
        for n in range(12):
            put(Inbox(ledger), f"evt_{n}")
        killed = program(TAKE, place, "die").communicate(timeout=120)[0].split()
        assert killed[::2] == [str(n) for n in range(1, 8)]
        after = program(TAKE, place).communicate(timeout=120)[0].split()
        assert after[::2] == [str(n) for n in range(7, 13)]
        assert after[1] == "2"


def test_threads_that_put_in_and_take_out(inbox):
    def work(n: int) -> None:
        put(inbox, f"evt_{n}", f"import {n % 4}")
        if (entry := inbox.take(f"import {n % 4}")) is not None:
            inbox.delivered(entry, {})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(80)))
    while waiting := inbox.due():
        for name in waiting:
            inbox.delivered(took(inbox, name), {})
    assert len(inbox.entries(stage=Stage.DELIVERED, limit=100)) == 80
