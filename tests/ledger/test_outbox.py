"""What was sent to destinations without transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from headgate.ledger import Ledger, open_ledger
from headgate.ledger.outbox import LedgerOutbox
from headgate.model.errors import Fenced
from headgate.model.sent import Sent
from headgate.model.write import Ticket
from headgate.spi.outbox import MemoryOutbox, Outbox

ONE = Sent("r1", {"records": [[7, "h", {"name": "é\0'"}]]})
TWO = Sent("r2", {"records": []})

Open = Callable[[], Outbox]


@pytest.fixture
def kept(ledger: Ledger, place: str) -> Iterator[Open]:
    """Outboxes of the same ledger, each with a connection of its own."""
    opened: list[Ledger] = []

    def another() -> Outbox:
        opened.append(one := open_ledger(place))
        return LedgerOutbox(lambda: one)

    yield another
    for one in opened:
        one.close()


@pytest.fixture(params=["ledger", "memory"])
def outbox(request: pytest.FixtureRequest, kept: Open) -> Open:
    memory = MemoryOutbox()
    return kept if request.param == "ledger" else lambda: memory


def test_the_last_checkpoint_is_given_to_who_claims(outbox: Open) -> None:
    assert outbox().claim(Ticket("a", 1)) is None
    outbox().commit(Ticket("a", 1), '{"é": "\'"}')
    assert outbox().claim(Ticket("a", 2)) == '{"é": "\'"}'
    assert outbox().claim(Ticket("b", 1)) is None


def test_what_was_sent_is_left_until_a_checkpoint_covers_it(outbox: Open) -> None:
    ticket = Ticket("a", 1)
    outbox().claim(ticket)
    outbox().enter(ticket, [ONE, TWO])
    outbox().answered(ticket, {"r2": {"created": 3}})
    outbox().enter(Ticket("a", 1), [Sent("r0", None)])
    assert outbox().left("a") == [ONE, Sent("r2", TWO.what, {"created": 3}), Sent("r0", None)]
    assert outbox().left("b") == []
    outbox().commit(ticket, "so far")
    assert outbox().left("a") == []


def test_who_was_overtaken_enters_and_keeps_nothing(outbox: Open) -> None:
    late, now = Ticket("a", 1), Ticket("a", 2)
    outbox().claim(late)
    outbox().enter(late, [ONE])
    outbox().claim(now)
    for refused in (
        lambda: outbox().enter(late, [TWO]),
        lambda: outbox().commit(late, "late"),
        lambda: outbox().claim(late),
    ):
        with pytest.raises(Fenced):
            refused()
    assert outbox().left("a") == [ONE]
    assert outbox().claim(now) is None


def test_an_answer_that_comes_late_is_kept(outbox: Open) -> None:
    outbox().claim(Ticket("a", 1))
    outbox().enter(Ticket("a", 1), [ONE])
    outbox().claim(Ticket("a", 2))
    outbox().answered(Ticket("a", 1), {"r1": {"created": 1}, "unknown": {}})
    assert outbox().left("a") == [Sent("r1", ONE.what, {"created": 1})]


def test_answers_are_kept_with_what_is_entered_next(outbox: Open) -> None:
    ticket = Ticket("a", 1)
    outbox().claim(ticket)
    outbox().enter(ticket, [ONE])
    outbox().enter(ticket, [TWO], {"r1": {"created": 1}})
    assert outbox().left("a") == [Sent("r1", ONE.what, {"created": 1}), TWO]


def test_answers_are_kept_although_nothing_can_be_entered_any_more(outbox: Open) -> None:
    outbox().claim(Ticket("a", 1))
    outbox().enter(Ticket("a", 1), [ONE])
    outbox().claim(Ticket("a", 2))
    with pytest.raises(Fenced):
        outbox().enter(Ticket("a", 1), [TWO], {"r1": {"created": 1}})
    assert outbox().left("a") == [Sent("r1", ONE.what, {"created": 1})]
