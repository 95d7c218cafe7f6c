"""Events that come to hooks over HTTP: when they are answered, and what becomes of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from headgate.ledger.inbox import Inbox
from headgate.model.errors import Busy, ConnectionFailed, DestinationError, HeadgateError, LimitExceeded, UsageError
from headgate.model.event import Stage
from headgate.model.outcome import Outcome
from support.hooking import SECRET, Engine, define, eventually, serving

# ---- acceptance -----------------------------------------------------------------------------------------------------


def test_an_event_is_accepted_and_delivered_once(place):
    said = place.post("orders", {"id": 1, "price": 1.5}, {"X-GitHub-Delivery": "d1"})
    assert (said.status, said.json) == (202, {"id": 1, "event_id": "d1", "state": "waiting", "duplicate": False})
    (entry,) = place.until(Stage.DELIVERED)
    assert entry.answer == {"records": 1, "outcomes": {"created": 1}, "refused": []}
    again = place.post("orders", {"id": 1, "price": 1.5}, {"X-GitHub-Delivery": "d1"})
    assert again.status == 200
    assert again.json == {"id": 1, "event_id": "d1", "state": "delivered", "duplicate": True} | entry.answer
    assert place.engine.got == [("orders", [{"id": 1, "price": "1.5"}], "hook d1")]


def test_events_without_an_id_are_all_new(place):
    for _ in range(2):
        said = place.post("orders", {"id": 1})
        assert (said.status, said.json["event_id"]) == (202, None)
    place.until(Stage.DELIVERED, 2)
    assert len({key for _, _, key in place.engine.got}) == 2


def test_events_are_delivered_in_the_order_in_which_they_came(place):
    place.engine.held.clear()
    for n in range(30):
        assert place.post("orders", {"id": n}, {"X-GitHub-Delivery": f"d{n}"}).status == 202
    place.engine.held.set()
    place.until(Stage.DELIVERED, 30)
    assert [records[0]["id"] for _, records, _ in place.engine.got] == list(range(30))


def test_many_at_once_each_several_times(place):
    def send(n: int) -> tuple[int, bool]:
        said = place.post("orders", {"id": n % 20}, {"X-GitHub-Delivery": f"d{n % 20}"})
        return said.status, said.json["duplicate"]

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(send, range(80)))
    assert sorted(said) == [(200, True)] * 60 + [(202, False)] * 20
    place.until(Stage.DELIVERED, 20)
    assert len(place.engine.got) == 20


def test_imports_do_not_wait_for_each_other(place):
    place.define("others")
    place.engine.wrong = [ConnectionFailed("gone")]
    assert place.post("orders", {"id": 1}).status == 202
    place.engine.came.wait(60)
    assert place.post("others", {"id": 2}).status == 202
    place.until(Stage.DELIVERED, 1, "others")
    place.until(Stage.DELIVERED, 1, "orders")


# ---- the destination first -------------------------------------------------------------------------------------------


def test_the_answer_comes_after_the_destination(place):
    place.define("orders", accept="destination")
    place.engine.outcomes = lambda r: Outcome.INVALID if r["id"] == 2 else Outcome.UPDATED
    said = place.post("orders", [{"id": 1}, {"id": 2}], {"X-GitHub-Delivery": "d1"})
    assert said.status == 200
    problem = {
        "code": "TY02",
        "reason": '"x" is not a decimal(10,2)',
        "field": "price",
        "column": "price",
        "value": "x",
    }
    answer = {
        "records": 2, "outcomes": {"updated": 1, "invalid": 1},
        "refused": [{"record": 2, "outcome": "invalid", "problems": [problem]}],
    }  # fmt: skip
    assert said.json == {"id": 1, "event_id": "d1", "state": "delivered", "duplicate": False} | answer
    again = place.post("orders", [{"id": 1}, {"id": 2}], {"X-GitHub-Delivery": "d1"})
    assert (again.status, again.json) == (200, said.json | {"duplicate": True})
    assert len(place.engine.got) == 1


def test_what_our_rules_refuse_is_no_reason_to_send_it_again(place):
    place.define("orders", accept="destination")
    place.engine.outcomes = lambda _: Outcome.INVALID
    said = place.post("orders", {"id": 1})
    assert (said.status, said.json["state"]) == (200, "rejected")
    assert said.json["reason"] == 'its record was refused: "x" is not a decimal(10,2) [TY02]'


def test_trouble_at_the_destination_is(place):
    place.define("orders", accept="destination")
    place.engine.wrong = [ConnectionFailed("connection refused at 10.0.0.7")]
    said = place.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
    assert (said.status, said.json["code"], said.headers["retry-after"]) == (503, "not-delivered", "30")
    assert b"10.0.0.7" not in said.body
    place.until(Stage.DELIVERED)
    again = place.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
    assert (again.status, again.json["duplicate"]) == (200, True)
    assert [key for _, _, key in place.engine.got] == ["hook d1"]


def test_past_the_deadline_it_is_not_at_the_destination_yet(folder):
    define(folder, "orders", accept="destination")
    with serving(folder, deadline=0.05) as place:
        place.engine.held.clear()
        assert place.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"}).status == 503
        place.engine.held.set()
        place.until(Stage.DELIVERED)


def test_those_behind_one_in_trouble_hear_of_it_too(folder):
    define(folder, "orders", accept="destination")
    with serving(folder, deadline=60) as place:
        place.engine.wrong = [ConnectionFailed("gone")] * 3
        place.engine.held.clear()
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(place.post, "orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
            place.engine.came.wait(60)
            second = pool.submit(place.post, "orders", {"id": 2}, {"X-GitHub-Delivery": "d2"})
            place.until(Stage.WAITING)
            eventually(lambda: len(place.hooks.deliveries._awaited) == 2)
            place.engine.held.set()
            assert (first.result(60).status, second.result(60).status) == (503, 503)
        place.until(Stage.DELIVERED, 2)
        assert [key for _, _, key in place.engine.got] == ["hook d1", "hook d2"]


def test_those_that_come_while_one_waits_for_its_next_try_hear_of_it_at_once(folder, monkeypatch):
    monkeypatch.setattr("headgate.app.hooks.LONGEST_WAIT", 600.0)
    define(folder, "orders", accept="destination")
    with serving(folder, deadline=3600) as place:
        place.inbox.add("orders", "d0", "", "application/json", b'{"id": 0}')
        entry = place.inbox.take("orders") or place.inbox.entry(1)
        place.inbox.later(entry, "gone", 600)
        assert place.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"}).status == 503


def test_an_import_that_another_process_is_at_is_left_to_it(folder, monkeypatch):
    monkeypatch.setattr("headgate.server.deliveries.HANDS_OFF", 0.05)
    with serving(folder) as place:
        place.engine.wrong = [Busy("run 7 is at this import already")] * 20
        place.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
        (entry,) = place.until(Stage.DELIVERED)
        assert (entry.attempts, entry.failures) == (21, 0)


# ---- what becomes of it ----------------------------------------------------------------------------------------------

BAD = {
    "no JSON": (b'{"id": ', "the body is no JSON"),
    "no UTF-8": (b'{"id": "\xff"}', "the body is not UTF-8"),
    "nothing there": (b'{"data": 1}', "there is nothing at data.items"),
    "no records": (b'{"data": {"items": [1]}}', "entry 1 at data.items is no object"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_can_never_be_delivered_is_kept_with_the_reason(small, what):
    body, reason = BAD[what]
    small.define(
        "orders",
        records="data.items",
        event={"path": "data.x", "in": "y"} if what.startswith("no ") and "JSON" in what else None,
    )
    assert small.post("orders", body).status == 202
    (entry,) = small.until(Stage.REJECTED)
    assert entry.reason.startswith(reason)
    assert small.inbox.body(entry.id) == body


def test_an_event_without_records_is_delivered(small):
    assert small.post("orders", b"[]").status == 202
    (entry,) = small.until(Stage.DELIVERED)
    assert entry.answer["records"] == 0
    assert small.engine.got == []


def test_a_rejected_event_is_delivered_again_when_somebody_says_so(place):
    place.engine.outcomes = lambda _: Outcome.INVALID
    place.post("orders", [{"id": 1}, {"id": 2}], {"X-GitHub-Delivery": "d1"})
    (entry,) = place.until(Stage.REJECTED)
    assert entry.reason == 'all 2 records were refused: "x" is not a decimal(10,2) [TY02]'
    place.engine.outcomes = lambda _: Outcome.CREATED
    said = place.asgi.call("POST", f"/api/hooks/orders/events/{entry.id}/retry")
    assert said.status == 202
    (again,) = place.until(Stage.DELIVERED)
    assert (again.id, again.answer["outcomes"]) == (entry.id, {"created": 2})
    assert [key for _, _, key in place.engine.got] == ["hook d1", "hook d1 (2)"]


@pytest.mark.parametrize("error", [LimitExceeded("too many rejects")])
def test_errors_that_are_the_events_own_reject_it(small, error):
    small.engine.wrong = [error]
    small.post("orders", {"id": 1})
    (entry,) = small.until(Stage.REJECTED)
    assert (entry.reason, entry.attempts) == (error.message, 1)


@pytest.mark.parametrize("error", [UsageError("this cannot be done"), RuntimeError("a bug")])
def test_errors_of_which_nobody_knows_whose_they_are_reject_it_in_the_end(small, monkeypatch, error):
    monkeypatch.setattr("headgate.app.hooks.LONGEST_WAIT", 0.0)
    small.engine.wrong = [error] * 5
    small.post("orders", {"id": 1})
    small.post("orders", {"id": 2})
    (entry,) = small.until(Stage.REJECTED)
    assert entry.failures == 4
    small.until(Stage.DELIVERED)
    assert [records for _, records, _ in small.engine.got] == [[{"id": 2}]]


@pytest.mark.parametrize("error", [ConnectionFailed("gone"), DestinationError("no such table")])
def test_errors_of_the_destination_keep_it_waiting(small, monkeypatch, error):
    monkeypatch.setattr("headgate.app.hooks.LONGEST_WAIT", 0.0)
    small.engine.wrong = [error] * 12
    small.post("orders", {"id": 1})
    (entry,) = small.until(Stage.DELIVERED)
    assert entry.attempts == 13


def test_a_definition_that_was_broken_meanwhile_keeps_it_waiting(small, monkeypatch):
    monkeypatch.setattr("headgate.app.hooks.LONGEST_WAIT", 0.0)
    small.engine.held.clear()
    small.post("orders", {"id": 1})
    small.engine.came.wait(60)
    small.post("orders", {"id": 2})
    file = small.project.folder / "imports" / "orders.yaml"
    whole = file.read_text()
    file.write_text("hook: {")
    small.engine.held.set()
    small.until(Stage.DELIVERED, 1)
    eventually(lambda: any("imports/orders.yaml" in e.reason for e in small.inbox.entries(stage=Stage.WAITING)))
    file.write_text(whole)
    small.until(Stage.DELIVERED, 2)


def test_what_waited_when_a_server_ended_is_delivered_by_the_next(folder):
    with serving(folder) as place:
        place.engine.wrong = [ConnectionFailed("gone")]
        place.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
        place.post("orders", {"id": 2}, {"X-GitHub-Delivery": "d2"})
        eventually(lambda: any(e.reason for e in place.inbox.entries()))
    with serving(folder) as place:
        place.until(Stage.DELIVERED, 2)
        assert [key for _, _, key in place.engine.got][-1] == "hook d2"


def test_old_events_are_forgotten(folder, monkeypatch):
    define(folder, "orders", keep="0s")
    monkeypatch.setattr("headgate.server.deliveries.PRUNE_EVERY", 0.0)
    with serving(folder) as place:
        place.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
        eventually(lambda: not place.inbox.entries())
        assert len(place.engine.got) == 1


def test_events_that_come_while_a_run_goes_on_have_one_together(small, monkeypatch):
    small.define("orders", start=True)
    begun, go_on, runs = threading.Semaphore(0), threading.Semaphore(0), []

    def run(name: str) -> int:
        runs.append(name)
        begun.release()
        assert go_on.acquire(timeout=60)
        return len(runs)

    monkeypatch.setattr(small.hooks.deliveries._delivery, "_start", run)
    small.post("orders", b"x", {"X-GitHub-Delivery": "d0"})
    assert begun.acquire(timeout=60)
    for n in range(1, 6):
        assert small.post("orders", b"x", {"X-GitHub-Delivery": f"d{n}"}).status == 202
    go_on.release(2)
    found = small.until(Stage.DELIVERED, 6)
    assert [e.answer["run"] for e in found] == [2, 2, 2, 2, 2, 1]


def test_a_ledger_that_cannot_be_written_for_a_while_is_not_asked_without_end(small, monkeypatch, caplog):
    take, asked = Inbox.take, threading.Semaphore(0)

    def full(*_: object) -> None:
        asked.release()
        raise HeadgateError("the ledger cannot be used: disk full")

    monkeypatch.setattr(Inbox, "take", full)
    monkeypatch.setattr("headgate.server.deliveries.HANDS_OFF", 3600.0)
    small.post("orders", {"id": 1})
    assert asked.acquire(timeout=60)
    eventually(lambda: "orders" in small.hooks.deliveries._left)
    small.post("orders", {"id": 2})
    small.hooks.deliveries._begin_due()
    assert not small.hooks.deliveries._busy
    monkeypatch.setattr(Inbox, "take", take)
    small.hooks.deliveries._left.clear()
    small.hooks.deliveries.wake()
    small.until(Stage.DELIVERED, 2)


# ---- two servers at one ledger ---------------------------------------------------------------------------------------


@pytest.mark.needs_postgres
def test_two_servers_deliver_each_event_once_and_in_order(tmp_path, monkeypatch, pg_db):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    home = tmp_path / "project"
    (home / "imports").mkdir(parents=True)
    (home / "headgate.yaml").write_text(yaml.safe_dump({"ledger": pg_db}))
    define(home, "orders")
    engine = Engine()  # one destination
    with serving(home, engine) as one, serving(home, engine) as two:
        for n in range(40):
            assert (one, two)[n % 2].post("orders", {"id": n}, {"X-GitHub-Delivery": f"d{n}"}).status == 202
            assert (two, one)[n % 2].post("orders", {"id": n}, {"X-GitHub-Delivery": f"d{n}"}).status == 200
        one.until(Stage.DELIVERED, 40)
    assert [records[0]["id"] for _, records, _ in engine.got] == list(range(40))


@pytest.mark.needs_postgres
def test_an_answer_may_come_from_the_other_server(tmp_path, monkeypatch, pg_db):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    home = tmp_path / "project"
    (home / "imports").mkdir(parents=True)
    (home / "headgate.yaml").write_text(yaml.safe_dump({"ledger": pg_db}))
    define(home, "orders", accept="destination")
    engine = Engine()
    engine.held.clear()
    with (
        serving(home, engine, deadline=60) as one,
        serving(home, engine, deadline=60) as two,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(one.post, "orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
        engine.came.wait(60)
        threading.Timer(0.1, engine.held.set).start()
        again = two.post("orders", {"id": 1}, {"X-GitHub-Delivery": "d1"})
        assert (again.status, again.json["duplicate"]) == (200, True)
        assert first.result(60).status == 200


# ---- looking after them ----------------------------------------------------------------------------------------------


def test_hooks_and_events_over_http(small):
    small.define("orders", records="data.items")
    small.post("orders", b"{", {"X-GitHub-Delivery": "d1"})
    small.until(Stage.REJECTED)
    (hook,) = small.asgi.call("GET", "/api/hooks").json["hooks"]
    assert (hook["import"], hook["path"], hook["style"], hook["accept"]) == (
        "orders",
        "/hooks/orders",
        "github",
        "inbox",
    )
    assert hook["events"] == {
        "waiting": 0,
        "delivering": 0,
        "delivered": 0,
        "rejected": 1,
        "discarded": 0,
        "ignored": 0,
    }
    (event,) = small.asgi.call("GET", "/api/hooks/orders/events?state=rejected").json["events"]
    assert (event["id"], event["event_id"], event["state"]) == (1, "d1", "rejected")
    assert "body" not in event
    whole = small.asgi.call("GET", "/api/hooks/orders/events/1").json
    assert whole == event | {"content_type": "application/json", "body": "{"}
    assert small.asgi.call("GET", "/api/hooks/others/events/1").status == 404
    assert small.asgi.call("GET", "/api/hooks/orders/events/2").status == 404
    assert small.asgi.call("POST", "/api/hooks/others/events/1/retry").status == 404
    assert small.asgi.call("GET", "/api/hooks/orders/events?state=gone").status == 422
    assert small.asgi.call("GET", "/api/hooks/orders/events?limit=many").status == 422
    assert small.asgi.call("POST", "/api/hooks/orders/events/1/discard").json["state"] == "discarded"
    assert small.asgi.call("GET", "/api/hooks/orders/events?state=rejected").json["events"] == []


def test_an_error_of_the_ledger_is_told_and_the_sender_sends_again(small, monkeypatch):
    def full(*_: object) -> None:
        raise HeadgateError("the ledger /secret/place cannot be used: disk full")

    monkeypatch.setattr(Inbox, "add", full)
    said = small.post("orders", {"id": 1})
    assert (said.status, said.json["code"], said.headers["retry-after"]) == (503, "not-kept", "30")
    assert b"secret" not in said.body
