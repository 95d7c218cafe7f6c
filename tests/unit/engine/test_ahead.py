"""Running ahead keeps order, bounds and errors."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from headgate.engine.ahead import ahead


def test_items_come_in_order() -> None:
    assert list(ahead(i for i in range(1000))) == list(range(1000))


def test_it_runs_at_most_so_far_ahead() -> None:
    made: list[int] = []

    def items() -> Generator[int]:
        for i in range(100):
            made.append(i)
            yield i

    with closing(ahead(items(), depth=2)) as running:
        next(running)
        # one taken, two waiting, one in the maker's hands
        threading.Event().wait(0.3)
        assert len(made) <= 4


def test_an_error_is_raised_in_its_place() -> None:
    def items() -> Generator[int]:
        yield 1
        raise ValueError("broken")

    running = ahead(items())
    assert next(running) == 1
    with pytest.raises(ValueError, match="broken"):
        next(running)


def test_stopping_early_closes_the_iterator_in_its_thread() -> None:
    closed: list[str] = []

    def items() -> Generator[int]:
        try:
            yield from range(10_000)
        finally:
            closed.append(threading.current_thread().name)

    running = ahead(items())
    next(running)
    running.close()
    assert closed == ["headgate-ahead"]
