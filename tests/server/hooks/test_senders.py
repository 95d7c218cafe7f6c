"""Who may send to a hook, and what."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from headgate.model.event import Stage
from support.asgi import Said
from support.hooking import JSON, SECRET, Place

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
