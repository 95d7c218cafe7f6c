"""Events that come to hooks over HTTP: who may send, when it is answered, and what becomes of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.app.project import Project, open_project
from headgate.ledger.inbox import Inbox
from headgate.model.answer import Answer, RecordOutcome
from headgate.model.errors import Busy, ConnectionFailed, DestinationError, HeadgateError, LimitExceeded, UsageError
from headgate.model.event import Entry, Stage
from headgate.model.outcome import Outcome
from headgate.model.record import Problem
from headgate.server.access import OpenGuard
from headgate.server.app import create_app
from headgate.server.context import ServeOptions
from headgate.server.hooks import Hooks, add
from support.asgi import Asgi, Said

SECRET = "s3cret"
GITHUB = {"style": "github", "secret": "${env:HOOK_SECRET}"}
JSON = {"Content-Type": "application/json"}


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Engine:
    """Stands for imports of records: remembers what it was given, and does what it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[dict[str, Any]], str]] = []
        self.wrong: list[Exception] = []
        self.outcomes: Callable[[Mapping[str, Any]], Outcome] = lambda _: Outcome.CREATED
        self.held = threading.Event()
        self.held.set()
        self.came = threading.Event()
        self._lock = threading.Lock()

    def submit(
        self,
        import_name: str,
        records: Sequence[Mapping[str, Any]],
        *,
        dry_run: bool = False,
        idempotency_key: str = "",
    ) -> Future[Any]:
        future: Future[Any] = Future()
        threading.Thread(target=self._work, args=(future, import_name, records, idempotency_key), daemon=True).start()
        return future

    def _work(self, future: Future[Any], name: str, records: Any, key: str) -> None:
        self.came.set()
        assert self.held.wait(60)
        with self._lock:
            if self.wrong:
                future.set_exception(self.wrong.pop(0))
                return
            self.got.append((name, records, key))
        problem = Problem("TY02", '"x" is not a decimal(10,2)', "price", "price", "x")
        made = [self.outcomes(r) for r in records]
        future.set_result(Answer([RecordOutcome(o, problems=(problem,) if o is Outcome.INVALID else ()) for o in made]))


class Place:
    """A project with hooks, served."""

    def __init__(self, asgi: Asgi, project: Project, engine: Engine, hooks: Hooks) -> None:
        self.asgi, self.project, self.engine, self.hooks = asgi, project, engine, hooks
        self.inbox = hooks.inbox

    def post(self, name: str, event: Any, headers: Mapping[str, str] | None = None, **how: Any) -> Said:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        signed = {"X-Hub-Signature-256": f"sha256={hmac.new(SECRET.encode(), body, 'sha256').hexdigest()}"}
        return self.asgi.call("POST", f"/hooks/{name}", body, JSON | signed | dict(headers or {}), **how)

    def until(self, stage: Stage, count: int = 1, name: str = "") -> list[Entry]:
        """Wait until so many events have come so far."""
        end = time.monotonic() + 60
        while len(found := self.inbox.entries(name, stage, limit=1000)) < count:
            assert time.monotonic() < end, self.inbox.entries()
            time.sleep(0.01)
        assert len(found) == count
        return list(found)

    def define(self, name: str, **hook: Any) -> None:
        define(self.project.folder, name, **hook)


def define(folder: Path, name: str, **hook: Any) -> None:
    definition = {
        "key": "id",
        "destination": {"connection": "sqlite:///shop.db", "table": name},
        "hook": {"verify": GITHUB} | hook,
    }
    if hook.get("start"):
        definition["source"] = "orders.csv"
    (folder / "imports" / f"{name}.yaml").write_text(yaml.safe_dump(definition))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, with a ledger of each kind in turn."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    home = tmp_path / "project"
    (home / "imports").mkdir(parents=True)
    ledger = "" if request.param == "sqlite" else request.getfixturevalue("pg_db")
    (home / "headgate.yaml").write_text(yaml.safe_dump({"ledger": ledger}))
    define(home, "orders")
    return home


@contextmanager
def serving(folder: Path, engine: Engine | None = None, **options: Any) -> Iterator[Place]:
    project, engine = open_project(folder), engine or Engine()
    app = create_app(project, ServeOptions(**options), OpenGuard())
    app.state.components = [add(app.state.context, engine)]
    with Asgi(app) as asgi:
        yield Place(asgi, project, engine, app.state.context.part(Hooks))
    project.ledger.close()


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    with serving(folder) as found:
        yield found


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


# ---- who sends -------------------------------------------------------------------------------------------------------


def b64(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def hexed(content: bytes) -> str:
    return hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()


KEY = base64.b64encode(b"k" * 24).decode()
S = "${env:HOOK_SECRET}"
STYLES: dict[str, tuple[dict[str, Any], Callable[[bytes, int], dict[str, str]]]] = {
    "standard": (
        {"style": "standard", "secret": "${env:HOOK_KEY}"},
        lambda b, t: {"webhook-id": "m1", "webhook-timestamp": str(t), "webhook-signature": f"v1,{b64(b'k' * 24, f'm1.{t}.'.encode() + b)}"},
    ),
    "github": ({"style": "github", "secret": S}, lambda b, t: {"X-Hub-Signature-256": f"sha256={hexed(b)}", "X-GitHub-Delivery": "m1"}),
    "shopify": ({"style": "shopify", "secret": S}, lambda b, t: {"X-Shopify-Hmac-Sha256": b64(SECRET.encode(), b), "X-Shopify-Webhook-Id": "m1"}),
    "stripe": ({"style": "stripe", "secret": S}, lambda b, t: {"Stripe-Signature": f"t={t},v1={hexed(f'{t}.'.encode() + b)}"}),
    "slack": ({"style": "slack", "secret": S}, lambda b, t: {"X-Slack-Request-Timestamp": str(t), "X-Slack-Signature": f"v0={hexed(f'v0:{t}:'.encode() + b)}"}),
    "hmac": (
        {"style": "hmac", "secret": S, "header": "X-Sign", "timestamp": "X-Time", "signed": "{timestamp}.{body}"},
        lambda b, t: {"X-Time": str(t), "X-Sign": hexed(f"{t}.".encode() + b)},
    ),
    "token": ({"style": "token", "secret": S, "header": "X-Gitlab-Token"}, lambda b, t: {"X-Gitlab-Token": SECRET}),
    "basic": ({"style": "basic", "user": "shop", "secret": S}, lambda b, t: {"Authorization": f"Basic {base64.b64encode(b'shop:' + SECRET.encode()).decode()}"}),
}  # fmt: skip
TIMED = ("standard", "stripe", "slack", "hmac")
SIGNED = (*TIMED, "github", "shopify")
BODY = b'{"id": "m1", "event_id": "m1"}'


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """One with a ledger in a file, for what has nothing to do with the ledger."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_KEY", f"whsec_{KEY}")
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    home = tmp_path / "project"
    (home / "imports").mkdir(parents=True)
    (home / "headgate.yaml").write_text("")
    define(home, "orders")
    with serving(home, max_body=10_000) as found:
        yield found


def send(place: Place, body: bytes, headers: Mapping[str, str]) -> Said:
    return place.asgi.call("POST", "/hooks/orders", body, JSON | dict(headers))


@pytest.mark.parametrize("style", STYLES)
def test_only_who_knows_the_secret_may_send(small, style):
    how, sign = STYLES[style]
    small.define("orders", verify=how, id="id")
    now = int(time.time())
    right = sign(BODY, now)
    wrong: list[tuple[bytes, dict[str, str]]] = [(BODY, {})]
    wrong += [
        (BODY, right | {name: value[:-3] + "xyz"})
        for name, value in right.items()
        if name not in ("X-GitHub-Delivery", "X-Shopify-Webhook-Id")
    ]
    wrong += [(BODY + b" ", right)] if style in SIGNED else []
    wrong += [(BODY, sign(BODY, now + off)) for off in (-400, 400)] if style in TIMED else []
    for body, headers in wrong:
        said = send(small, body, headers)
        assert (said.status, said.json["code"]) == (401, "not-verified"), headers
        assert said.headers["content-type"] == "application/problem+json"
        assert not any(secret.encode() in said.body for secret in (SECRET, KEY, *right.values()))
    assert small.inbox.entries() == []
    assert send(small, BODY, right).status == 202
    again = send(small, BODY, sign(BODY, now))
    assert (again.status, again.json["duplicate"]) == (200, True)  # replayed within the window
    small.until(Stage.DELIVERED)


def test_a_password_is_asked_for(small):
    small.define("orders", verify=STYLES["basic"][0])
    assert send(small, BODY, {}).headers["www-authenticate"].startswith("Basic")


def test_none_is_said_explicitly(small):
    small.define("orders", verify={"style": "none"})
    assert send(small, BODY, {}).status == 202


def test_a_secret_is_replaced_without_a_gap(small, monkeypatch):
    monkeypatch.setenv("NEW_SECRET", "new")
    small.define("orders", verify={"style": "token", "header": "X-T", "secret": [S, "${env:NEW_SECRET}"]})
    assert [send(small, BODY, {"X-T": t}).status for t in (SECRET, "new", "newer")] == [202, 202, 401]
    small.define("orders", verify={"style": "token", "header": "X-T", "secret": "${env:NEW_SECRET}"})
    assert [send(small, BODY, {"X-T": t}).status for t in (SECRET, "new")] == [401, 202]
    monkeypatch.setenv("NEW_SECRET", "newer")
    assert [send(small, BODY, {"X-T": t}).status for t in ("new", "newer")] == [401, 202]


def test_who_guesses_a_token_is_turned_away_and_who_knows_it_is_not(small):
    small.define("orders", verify=STYLES["token"][0])
    small.define("others", verify=STYLES["github"][0])
    assert send(small, BODY, {"X-Gitlab-Token": SECRET}).status == 202
    statuses = [send(small, BODY, {"X-Gitlab-Token": f"guess {n}"}).status for n in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    said = send(small, BODY, {})
    assert (said.status, said.json["code"]) == (429, "too-many-failures")
    assert int(said.headers["retry-after"]) > 0
    assert send(small, BODY, {"X-Gitlab-Token": SECRET}).status == 202
    assert small.post("others", {"id": 1}, {}).status == 202
    assert [small.post("others", {"id": 1}, {"X-Hub-Signature-256": "sha256=00"}).status for _ in range(25)] == [
        401
    ] * 25


def test_names_without_a_hook_are_all_alike(small):
    plain = {"source": "a.csv", "key": "id", "destination": {"connection": "sqlite:///shop.db", "table": "t"}}
    (small.project.folder / "imports" / "plain.yaml").write_text(yaml.safe_dump(plain))
    said = [small.post(name, {}) for name in ("plain", "nothing", "..", "%00", "orders.yaml")]
    assert {(s.status, s.body) for s in said} == {(404, said[0].body)}
    assert small.asgi.call("GET", "/hooks/orders").status == small.asgi.call("GET", "/hooks/nothing").status == 404


def test_a_hook_that_cannot_be_used_is_the_servers_fault(small, monkeypatch, caplog):
    monkeypatch.delenv("HOOK_SECRET")
    said = small.post("orders", {"id": 1})
    assert (said.status, said.json["code"], said.headers["retry-after"]) == (503, "not-ready", "30")
    assert b"HOOK_SECRET" not in said.body
    assert "HOOK_SECRET" in caplog.text
    monkeypatch.setenv("HOOK_SECRET", " ")
    assert small.post("orders", {"id": 1}).status == 503
    (small.project.folder / "imports" / "orders.yaml").write_text("hook: {")
    assert small.post("orders", {"id": 1}).status == 503


# ---- what is sent ----------------------------------------------------------------------------------------------------


def test_large_bodies_are_turned_away_while_they_come(small):
    assert small.post("orders", b"x" * 10_001).status == 413
    pieces = [b"x" * 4_000] * 3
    assert small.asgi.call("POST", "/hooks/orders", headers=JSON, pieces=pieces).status == 413
    big = json.dumps({"id": "x" * 9_000}).encode()
    assert small.post("orders", big, pieces=[big[:5_000], big[5_000:]]).status == 202


def test_a_client_that_goes_away_leaves_nothing(small):
    assert small.asgi.call("POST", "/hooks/orders", headers=JSON, pieces=[b"{"], gone=True).status == 400
    assert small.inbox.entries() == []


def test_other_contents_are_turned_away_after_it_is_known_who_sends(small):
    xml = {"Content-Type": "application/xml"}
    assert small.post("orders", b"<a/>", xml).status == 415
    assert small.post("orders", b"{}", {"Content-Encoding": "gzip"}).status == 415
    assert small.asgi.call("POST", "/hooks/orders", b"<a/>", xml).status == 401


def test_a_form_with_a_payload(small):
    body = b"payload=%7B%22commits%22%3A%5B%7B%22id%22%3A%22c1%22%7D%5D%7D"
    small.define("orders", records="commits")
    assert small.post("orders", body, {"Content-Type": "application/x-www-form-urlencoded"}).status == 202
    small.until(Stage.DELIVERED)
    assert small.engine.got[0][1] == [{"id": "c1"}]


def test_only_wanted_events_are_kept(small):
    small.define("orders", event={"path": "type", "in": ["invoice.paid"]}, records="data")
    for other in ({"type": "ping"}, {"kind": "invoice.paid"}, {"type": None}, []):
        said = small.post("orders", other)
        assert (said.status, said.json) == (200, {"state": "ignored", "duplicate": False})
    assert small.post("orders", {"type": "invoice.paid", "data": {"id": 1}}).status == 202
    (entry,) = small.until(Stage.DELIVERED)
    assert entry.event == "invoice.paid"
    assert small.inbox.counts() == {"orders": {"ignored": 4, "delivered": 1}}
    figures = small.asgi.call("GET", "/metrics").body.decode()
    for outcome, count in (("ignored", 4), ("accepted", 1)):
        assert f'headgate_events_total{{import_name="orders",outcome="{outcome}"}} {count}.0' in figures
    small.define("orders", event={"header": "X-GitHub-Event", "in": "push"})
    assert small.post("orders", {"id": 1}, {"X-GitHub-Event": "ping"}).json["state"] == "ignored"
    assert small.post("orders", {"id": 1}).json["state"] == "ignored"
    assert small.post("orders", {"id": 1}, {"X-GitHub-Event": "push"}).status == 202


def test_a_long_id_is_kept_as_its_hash(small):
    small.define("orders", id="id")
    first, same = (small.post("orders", {"id": "x" * 5_000}) for _ in range(2))
    assert (first.status, same.status) == (202, 200)
    assert first.json["event_id"].startswith("sha256:")
    assert small.post("orders", {"id": "x" * 4_999 + "y"}).status == 202


def test_slack_asks_and_is_answered(small):
    small.define("orders", verify=STYLES["slack"][0])
    asked = b'{"type": "url_verification", "challenge": "3eZbrw1a<b>", "token": "x"}'
    assert send(small, asked, {}).status == 401
    said = send(small, asked, STYLES["slack"][1](asked, int(time.time())))
    assert (said.status, said.body) == (200, b"3eZbrw1a<b>")
    assert (said.headers["content-type"], said.headers["x-content-type-options"]) == (
        "text/plain; charset=utf-8",
        "nosniff",
    )
    assert small.inbox.entries() == []


def test_meta_asks_and_is_answered(small):
    small.define("orders", challenge={"style": "meta", "token": "${env:HOOK_SECRET}"})
    asks = "/hooks/orders?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    assert (small.asgi.call("GET", asks + SECRET).status, small.asgi.call("GET", asks + SECRET).body) == (
        200,
        b"1158201444",
    )
    assert small.asgi.call("GET", asks + "x").status == 401
    assert small.asgi.call("GET", "/hooks/orders").status == 401


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
