"""`headgate hooks`, and definitions with a hook on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.app.project import open_project
from headgate.ledger.inbox import Inbox
from support.shop import Headgate

HOOK = {"verify": {"style": "github", "secret": "${env:HOOK_SECRET}"}, "records": "data.items"}
EVENT = b'{"data": {"items": [{"id": 1, "price": 1.10}, {"id": 2, "price": "x"}]}}'


@pytest.fixture
def orders(folder: Path) -> Path:
    write(folder, "orders", hook=HOOK)
    (folder / "headgate.yaml").write_text("connections: {shop: sqlite:///shop.db}\n")
    return folder


def write(folder: Path, name: str, **more: Any) -> None:
    definition = {
        "fields": {"id": {"type": "integer"}, "price": {"type": "decimal(10,2)"}},
        "key": "id",
        "destination": {"connection": "shop", "table": name, "create": True},
    } | more
    (folder / "imports").mkdir(exist_ok=True)
    (folder / "imports" / f"{name}.yaml").write_text(yaml.safe_dump(definition))


@pytest.fixture
def inbox(orders: Path) -> Inbox:
    """With an event in each state."""
    found = Inbox(open_project(orders).ledger)
    for n in range(1, 5):
        found.add("orders", f"evt_{n}", "order.paid", "application/json", EVENT)
    delivered = found.take("orders")
    assert delivered is not None
    found.delivered(delivered, {"records": 2, "outcomes": {"created": 1, "invalid": 1}, "refused": []})
    rejected = found.take("orders")
    assert rejected is not None
    found.rejected(rejected, "the body is no JSON")
    late = found.take("orders")
    assert late is not None
    found.later(late, "connection refused", 600)
    found.add("orders", "evt_1", "", "application/json", b"{}")
    found.count_ignored("orders")
    return found


def test_the_hooks_of_a_project(headgate: Headgate, inbox: Inbox) -> None:
    said = headgate("hooks")
    assert said.code == 0
    line = said.out.splitlines()[-1]
    assert [cell.strip() for cell in line.split("│")] == ["/hooks/orders", "github", "2", "0", "1", "1", "0", "1"]
    (hook,) = headgate("hooks", "--json").json
    assert hook["events"]["waiting"] == 2


def test_without_hooks_that_is_said(headgate: Headgate, folder: Path) -> None:
    (folder / "headgate.yaml").write_text("")
    assert headgate("hooks").out == "No import has a hook.\n"
    assert headgate("hooks", "--json").json == []


def test_the_events_of_a_hook(headgate: Headgate, inbox: Inbox) -> None:
    lines = headgate("hooks", "orders").out.splitlines()
    assert [line.split()[0] for line in lines if "│ orders │" in line] == ["4", "3", "2", "1"]
    for text in ("connection refused", "the body is no JSON", "1 created, 1 invalid"):
        assert text in " ".join(lines), lines
    assert [e["id"] for e in headgate("hooks", "--state", "waiting", "--json").json] == [4, 3]
    assert [e["id"] for e in headgate("hooks", "orders", "--limit", "1", "--json").json] == [4]


def test_one_event(headgate: Headgate, inbox: Inbox) -> None:
    said = headgate("hooks", "--show", 1)
    assert "Event 1  orders  delivered" in said.out
    assert "came again: 1, with another body: 1" in said.out
    assert said.out.rstrip().endswith(EVENT.decode())
    shown = headgate("hooks", "--show", 1, "--json").json
    assert (shown["body"], shown["event"], shown["differing"]) == (EVENT.decode(), "order.paid", 1)


def test_delivering_again_and_setting_aside(headgate: Headgate, inbox: Inbox) -> None:
    assert headgate("hooks", "--retry", "2,3").out == "2 events are waiting now\n"
    assert headgate("hooks", "--discard", "4").out == "1 event is discarded now\n"
    assert [e.stage.value for e in inbox.entries()] == ["discarded", "waiting", "waiting", "delivered"]
    assert [e["action"] for e in headgate("audit", "--json").json] == ["event.discard", "event.retry"]
    entry = inbox.take("orders")
    assert entry is not None
    inbox.rejected(entry, "bad")
    assert headgate("hooks", "orders", "--retry-all", "--json").json == {"changed": 1, "state": "waiting"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--show", "9"], "there is no event 9"),
        (["--retry", "1"], "event 1 is delivered already"),
        (["--retry", "x"], "numbers with commas"),
        (["--discard", "1"], "event 1 is delivered"),
        (["--retry-all"], "--retry-all needs an import"),
        (["--retry", "1", "--discard", "1"], "one at a time"),
        (["orders", "--state", "gone"], "'gone' is not one of"),
        (["others"], "there is no import 'others'"),
        (["plain"], "the import plain has no hook"),
    ],
)
def test_what_cannot_be_done_is_said(
    headgate: Headgate, inbox: Inbox, orders: Path, words: list[str], message: str
) -> None:
    write(orders, "plain", source="a.csv")
    said = headgate("hooks", *words)
    assert said.code == 2
    assert message in said.err


def test_an_import_of_events_is_tried_with_one_from_standard_input(start: Any, orders: Path) -> None:
    (orders / "event.json").write_bytes(EVENT)
    with (orders / "event.json").open() as event:
        process = start("run", "orders", stdin=event)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    assert "2 read = 1 created + 1 invalid" in out


def test_a_single_record_is_read_too(start: Any, orders: Path) -> None:
    write(orders, "orders", hook=HOOK | {"records": "data"})
    (orders / "event.json").write_text('{"id": "evt_1", "data": {"id": 1, "price": 1.10}}')
    with (orders / "event.json").open() as event:
        process = start("run", "orders", stdin=event)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "1 read = 1 created" in out


def test_a_mistake_in_a_hook_has_its_place(headgate: Headgate, orders: Path) -> None:
    write(orders, "orders", hook={"verify": {"style": "github"}})
    said = headgate("check", "orders")
    assert said.code == 2
    assert "imports/orders.yaml:" in said.err
    assert "style: github needs a secret" in said.err
