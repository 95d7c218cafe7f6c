"""When answers of APIs ask for patience: nobody is asked here, and nobody waits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.connectors.http.client import Client
from headgate.connectors.http.exchange import Call
from headgate.connectors.http.options import read
from headgate.connectors.http.resource import EndpointSpec
from headgate.connectors.http.rest.sender import End, Pace, Reply, Sender
from headgate.model.errors import ConnectionFailed

QUOTA = {"left": "cost.left", "restore": "cost.rate", "cost": "cost.asked"}
ANSWER: dict[str, Any] = {
    "busy": {"code": "LATER"},
    "busy_status": [423],
    "spent": {"policy": "DAILY"},
    "unknown": {"code": "BROKEN"},
    "quota": QUOTA,
}


class Scripted(Client):
    """Gives the answers of a list."""

    def __init__(self, answers: list[tuple[int, dict[str, Any]]], **options: Any) -> None:
        super().__init__(read({"url": "https://api.example.com", "concurrency": 3, "retries": 2, **options}))
        self.answers = answers

    def exchange(self, call: Call, wait: object = None) -> tuple[int, Mapping[str, str], bytes]:
        del call
        status, body = self.answers.pop(0)
        return status, {}, json.dumps(body).encode()


class Watched(Pace):
    """Writes down how long it is told to hold, and holds nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[float] = []

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)

    def too_often(self) -> None:
        """Nobody is slowed down."""


class Patient(Sender):
    """Writes down how long it would wait."""

    def __init__(self, *answers: tuple[int, dict[str, Any]], **options: Any) -> None:
        super().__init__(Scripted(list(answers), **options))
        self._pace = self.pace = Watched()
        self.waited: list[float] = []

    def pause(self, seconds: float) -> None:
        if seconds > 0:
            self.waited.append(seconds)

    def ask(self, *, repeatable: bool = True) -> Reply:
        endpoint = EndpointSpec.model_validate({"path": "/x", "answer": ANSWER})
        return self.send(Call("POST", "https://api.example.com/x", repeatable=repeatable), endpoint)


def cost(left: float, **more: Any) -> dict[str, Any]:
    return {"cost": {"left": left, "rate": 50, "asked": 10}, **more}


@pytest.mark.parametrize(("left", "seconds"), [(100, 0), (30, 0), (29, 0.02), (0, 0.6)])
def test_there_have_to_be_points_for_all_that_are_under_way(left: float, seconds: float) -> None:
    sender = Patient((200, cost(left)))
    assert sender.ask().end is End.DONE
    assert sender.pace.held == [pytest.approx(seconds)]


def test_what_is_put_off_waits_for_its_own_points() -> None:
    sender = Patient((200, cost(4, code="LATER")), (200, cost(90)))
    assert sender.ask(repeatable=False).body == cost(90)
    assert sender.pace.held == [pytest.approx(6 / 50), 0]
    assert sender.waited == []


@pytest.mark.parametrize(
    "odd",
    [{}, {"cost": None}, {"cost": {"left": "x", "rate": 1, "asked": 1}}, {"cost": {"left": 0, "rate": 0, "asked": 9}}],
)
def test_a_quota_that_says_nothing_holds_nobody(odd: dict[str, Any]) -> None:
    sender = Patient((200, odd))
    assert sender.ask().end is End.DONE
    assert sender.pace.held == [0]


def test_a_lock_is_nothing_done_and_asked_again() -> None:
    sender = Patient(*[(423, {})] * 5, (200, {}))
    assert sender.ask(repeatable=False).end is End.DONE
    assert len(sender.waited) == 5, "more often than retries, as nothing was done"


def test_what_is_used_up_ends_it_at_once() -> None:
    sender = Patient((429, {"policy": "DAILY", "message": "no more today"}))
    with pytest.raises(ConnectionFailed, match="no more today"):
        sender.ask()
    assert sender.waited == []


def test_a_good_answer_is_not_taken_for_used_up() -> None:
    assert Patient((200, {"policy": "DAILY"})).ask().end is End.DONE


def test_what_may_have_been_done_is_sent_again_only_where_that_does_no_harm() -> None:
    assert Patient((200, {"code": "BROKEN"})).ask(repeatable=False).end is End.UNKNOWN
    sender = Patient((200, {"code": "BROKEN"}), (200, {}))
    assert sender.ask().end is End.DONE
    assert len(sender.waited) == 1
    assert Patient(*[(200, {"code": "BROKEN"})] * 3).ask().end is End.UNKNOWN, "not for ever"
