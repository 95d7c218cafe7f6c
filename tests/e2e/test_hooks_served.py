"""Events that are sent to a real `headgate serve`, also to one that is killed."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from urllib3.exceptions import HTTPError

from headgate.app.project import open_project
from headgate.engine.crash import EVENT_POINTS
from headgate.ledger.inbox import Inbox
from headgate.model.event import Entry, Stage
from support.serving import Answer, Serving
from support.shop import Headgate, Shop

SECRET = "s3cret"
VARIABLES = {"HOOK_SECRET": SECRET}
Define = Callable[..., None]


@pytest.fixture
def define(folder: Path, shop: Shop) -> Define:
    """Writes the import `orders` of the events of a hook, each of which becomes a row."""
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"shop": shop.url}}))
    (folder / "imports").mkdir()
    shop.sql("create table orders (id integer, price decimal(10,2))")

    def write(**hook: Any) -> None:
        verify = {"style": "github", "secret": "${env:HOOK_SECRET}"}
        definition = {
            "fields": {"id": {"type": "integer"}, "price": {"from": "total.price", "type": "decimal(10,2)"}},
            "operation": "append",
            "destination": {"connection": "shop", "table": "orders"},
            "hook": {"verify": verify, "records": "orders", **hook},
        }
        (folder / "imports" / "orders.yaml").write_text(yaml.safe_dump(definition))

    write()
    return write


def serving(folder: Path, **more: str) -> Serving:
    return Serving(folder, "--no-auth", home=folder.parent / "state", more=VARIABLES | more)


def post(server: Serving, event: Any, number: str) -> Answer:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    headers = {
        "X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Delivery": number, "Content-Type": "application/json",
    }  # fmt: skip
    return server.ask("POST", "/hooks/orders", body, headers=headers)


def order(number: int, price: str = "1.10") -> dict[str, Any]:
    return {"orders": [{"id": number, "total": {"price": price}}]}


def until(folder: Path, stage: Stage, count: int) -> list[Entry]:
    """Wait until so many events have come so far."""
    ledger = open_project(folder).ledger
    end = time.monotonic() + 60
    while len(found := list(Inbox(ledger).entries(stage=stage))) < count:
        assert time.monotonic() < end, Inbox(ledger).entries()
        time.sleep(0.02)
    ledger.close()
    return found


def prices(shop: Shop) -> list[tuple[int, str]]:
    return [(n, str(p)) for n, p in shop.sql("select id, price from orders order by id")]


def test_events_come_in_and_are_imported(folder: Path, shop: Shop, define: Define, headgate: Headgate) -> None:
    with serving(folder) as server:
        said = post(server, order(1), "d1")
        assert (said.status, said.json()["duplicate"]) == (202, False)
        assert post(server, order(1), "d1").json()["duplicate"] is True
        assert post(server, {"orders": [{"id": 2, "total": {"price": "x"}}]}, "d2").status == 202
        assert post(server, b"{", "d3").status == 202
        assert server.ask("POST", "/hooks/orders", order(9)).status == 401
        until(folder, Stage.DELIVERED, 1)
        rejected = until(folder, Stage.REJECTED, 2)
        (hook,) = server.get("/api/hooks").json()["hooks"]
        assert (hook["events"]["delivered"], hook["events"]["rejected"]) == (1, 2)
    assert [e.reason[:20] for e in rejected] == ["the body is no JSON:", "its record was refus"]
    assert prices(shop) in ([(1, "1.1")], [(1, "1.10")])
    events = headgate("hooks", "orders", "--json").json
    assert [(e["event_id"], e["state"]) for e in events] == [
        ("d3", "rejected"),
        ("d2", "rejected"),
        ("d1", "delivered"),
    ]
    (run,) = headgate("runs", "--json").json
    assert (run["account"]["created"], run["account"]["invalid"]) == (1, 1)


def test_the_answer_comes_after_the_commit(folder: Path, shop: Shop, define: Define) -> None:
    define(accept="destination")
    with serving(folder) as server:
        said = post(server, {"orders": [*order(1)["orders"], {"id": "x"}]}, "d1")
        assert said.status == 200
        assert len(prices(shop)) == 1
        answer = said.json()
        assert (answer["state"], answer["outcomes"]) == ("delivered", {"created": 1, "invalid": 1})
        assert (answer["refused"][0]["record"], answer["refused"][0]["problems"][0]["field"]) == (2, "id")
        again = post(server, {"orders": [*order(1)["orders"], {"id": "x"}]}, "d1")
        assert (again.status, again.json()) == (200, answer | {"duplicate": True})
    assert len(prices(shop)) == 1


def test_an_event_waits_until_its_table_is_there(folder: Path, shop: Shop, define: Define) -> None:
    define(accept="destination")
    shop.sql("alter table orders rename to gone")
    with serving(folder) as server:
        said = post(server, order(1), "d1")
        assert (said.status, said.json()["code"]) == (503, "not-delivered")
        (entry,) = until(folder, Stage.WAITING, 1)
        assert "orders" in entry.reason
        shop.sql("alter table gone rename to orders")
        until(folder, Stage.DELIVERED, 1)
        assert post(server, order(1), "d1").status == 200
    assert len(prices(shop)) == 1


@pytest.mark.parametrize("at", EVENT_POINTS)
def test_a_server_that_is_killed_loses_and_repeats_nothing(folder: Path, shop: Shop, define: Define, at: str) -> None:
    with serving(folder, HEADGATE_CRASH=f"{at}:2") as server:
        for n in range(5):
            try:
                post(server, order(n), f"d{n}")
            except HTTPError:
                assert n >= 1  # it is dead by then; the sender sends again what was not answered
        assert server.process.wait(60) == -9
    assert len(prices(shop)) == (1 if at == "event.taken" else 2)
    with serving(folder) as server:
        for n in range(5):
            assert post(server, order(n), f"d{n}").status in (200, 202)
        until(folder, Stage.DELIVERED, 5)
    assert [n for n, _ in prices(shop)] == list(range(5))


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_what_was_accepted_while_the_destination_was_locked_survives_a_kill(
    folder: Path, shop: Shop, define: Define
) -> None:
    shop.sql("begin exclusive")
    with serving(folder) as server:
        for n in range(5):
            assert post(server, order(n), f"d{n}").status == 202
        until(folder, Stage.DELIVERING, 1)
        server.process.kill()
        server.process.wait(60)
    shop.sql("rollback")
    assert prices(shop) == []
    with serving(folder):
        until(folder, Stage.DELIVERED, 5)
    assert [n for n, _ in prices(shop)] == list(range(5))


def test_an_event_starts_a_run_of_the_import(folder: Path, shop: Shop, define: Define, headgate: Headgate) -> None:
    (folder / "orders.csv").write_text("id,price\n1,1.10\n2,x\n")
    definition = {
        "source": "orders.csv",
        "fields": {"id": {"type": "integer"}, "price": {"type": "decimal(10,2)"}},
        "operation": "append",
        "destination": {"connection": "shop", "table": "orders"},
        "hook": {"verify": {"style": "github", "secret": "${env:HOOK_SECRET}"}, "start": True},
    }
    (folder / "imports" / "orders.yaml").write_text(yaml.safe_dump(definition))
    with serving(folder) as server:
        assert post(server, b"whatever", "d1").status == 202
        (entry,) = until(folder, Stage.DELIVERED, 1)
        assert post(server, b"whatever", "d1").json()["duplicate"] is True
        over(headgate, 1)
    (run,) = headgate("runs", "--json").json
    assert entry.answer == {"run": run["id"]}
    assert (run["kind"], run["account"]["created"], run["account"]["invalid"]) == ("run", 1, 1)
    assert len(prices(shop)) == 1


def over(headgate: Headgate, count: int) -> list[Any]:
    """So many runs by themselves, once they are over."""
    end = time.monotonic() + 60
    while True:
        runs = [r for r in headgate("runs", "--json").json if r["kind"] == "run"]
        if len(runs) == count and all(r["status"] not in ("queued", "running") for r in runs):
            return runs
        assert time.monotonic() < end, runs
        time.sleep(0.1)


def test_an_import_is_run_on_the_webhook_of_another(
    folder: Path, shop: Shop, define: Define, headgate: Headgate
) -> None:
    (folder / "prices.csv").write_text("id,price\n7,7.70\n")
    follower = {
        "source": "prices.csv",
        "fields": {"id": {"type": "integer"}, "price": {"type": "decimal(10,2)"}},
        "operation": "append",
        "destination": {"connection": "shop", "table": "orders"},
        "on": "orders",
    }
    (folder / "imports" / "prices.yaml").write_text(yaml.safe_dump(follower))
    with serving(folder) as server:
        # What comes before the keeper has seen the definition for the first time is not its business.
        for number in range(1, 60):
            event = {"orders": [{"id": number, "total": {"price": "1.10"}}]}
            assert post(server, event, f"d{number}").status == 202
            until(folder, Stage.DELIVERED, number)
            time.sleep(1)
            if headgate("runs", "--json").json[0]["import"] == "prices":
                break
        (run,) = over(headgate, 1)
    assert (run["import"], run["account"]["created"]) == ("prices", 1)
    assert 7 in [n for n, _ in prices(shop)]
