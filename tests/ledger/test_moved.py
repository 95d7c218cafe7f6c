"""Files that runs have moved: meant, done, taken back, and known again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.ledger import Ledger
from headgate.ledger.moved import Moved
from headgate.model.errors import Fenced
from headgate.model.run import Kind, Run

LEASE = "send -> far"


def test_what_is_meant_is_known_before_what_is_done(ledger: Ledger, new_run: Callable[..., Run]) -> None:
    run = ledger.begin(new_run("send", lease=LEASE))
    moved = Moved(ledger)
    assert not moved.any_of(run.id)
    moved.mean(run.id, [(n, {"to": f"é{n}"}) for n in range(3)])
    assert moved.any_of(run.id)
    moved.done(run, [(1, {"to": "é1", "after": [3, "x"]})], [("é1", {"there": [3, "x"]}), ("é2", None)])
    assert list(moved.of_run(run.id)) == [
        (0, False, {"to": "é0"}),
        (1, True, {"to": "é1", "after": [3, "x"]}),
        (2, False, {"to": "é2"}),
    ]
    assert list(moved.known(LEASE)) == [("é1", {"there": [3, "x"]})]
    assert list(moved.known("another")) == []
    moved.forget_meant(run.id)
    assert [number for number, _, _ in moved.of_run(run.id)] == [1]


def test_what_lies_there_is_what_was_put_there_last(ledger: Ledger, new_run: Callable[..., Run]) -> None:
    run = ledger.begin(new_run("send", lease=LEASE))
    moved = Moved(ledger)
    moved.done(run, [], [("a", {"there": [1, "x"]}), ("b", {"there": [2, "x"]})])
    moved.done(run, [], [("a", {"there": [3, "y"]}), ("b", None)])
    assert list(moved.known(LEASE)) == [("a", {"there": [3, "y"]})]


def test_what_was_taken_back_is_not_taken_back_again(ledger: Ledger, new_run: Callable[..., Run]) -> None:
    run = ledger.begin(new_run("send", lease=LEASE))
    moved = Moved(ledger)
    moved.mean(run.id, [(0, {"to": "a"}), (1, {"to": "b"})])
    moved.done(run, [(0, {"to": "a"}), (1, {"to": "b"})], [("a", {}), ("b", {})])
    ledger.finish(run)
    undo = ledger.begin(new_run("send", Kind.UNDO, lease=LEASE, parent_id=run.id))
    moved.undone(undo, run.id, 0, "a")
    assert [number for number, _, _ in moved.of_run(run.id)] == [1]
    assert list(moved.known(LEASE)) == [("b", {})]


def test_who_was_taken_over_says_nothing_more(ledger: Ledger, new_run: Callable[..., Run]) -> None:
    run = ledger.begin(new_run("send", lease=LEASE))
    moved = Moved(ledger)
    moved.mean(run.id, [(0, {"to": "a"})])
    run.fence -= 1
    with pytest.raises(Fenced):
        moved.done(run, [(0, {"to": "a"})], [("a", {})])
    with pytest.raises(Fenced):
        moved.undone(run, run.id, 0, "a")
    assert list(moved.known(LEASE)) == []
    assert [done for _, done, _ in moved.of_run(run.id)] == [False]
