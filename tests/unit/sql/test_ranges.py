"""Ranges that are read at once, and given one after another."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest

from headgate.model.errors import SourceError
from headgate.model.record import Problem
from headgate.spi.kept import Kept, Page
from headgate.spi.ranges import KeptRanges

SCHEMA = pa.schema([("n", pa.int64())])


def page(*numbers: int) -> Page:
    return Page(pa.record_batch([pa.array(numbers, pa.int64())], schema=SCHEMA))


def pages(*of: Page, when: threading.Event | None = None, then: threading.Event | None = None) -> Iterator[Page]:
    """Gives pages, not before `when`; `then` is set when all were taken."""
    if when is not None:
        assert when.wait(30)
    yield from of
    if then is not None:
        then.set()


def kept(ranges: Sequence[Iterator[Page]], rows: int = 0) -> KeptRanges:
    return KeptRanges(SCHEMA, ranges, rows, lambda: None)


def seen(of: KeptRanges) -> list[tuple[list[int], list[int]]]:
    """Ordinals and values of each batch."""
    found, number = [], 0
    while (batch := of.batch(number)) is not None:
        found.append((list(batch.ordinals), batch.records["n"].to_pylist()))
        number += 1
    return found


def test_numbers_do_not_depend_on_which_range_was_the_quicker() -> None:
    done = [threading.Event() for _ in range(2)]
    of = kept([
        pages(page(1, 2), page(3), when=done[1]),  # not before the second range was read, that not before the third
        pages(when=done[0], then=done[1]),
        pages(page(4), page(5, 6), then=done[0]),
    ])  # fmt: skip
    expected = [([0, 1], [1, 2]), ([2], [3]), ([3], [4]), ([4, 5], [5, 6])]
    assert seen(of) == seen(of) == expected
    assert of.rows == 6
    of.close()


def test_faults_and_gaps_are_moved_with_their_range() -> None:
    bad = Page(page(7, 9).records, [0, 2], [(1, Problem("RD09", "no", "", "n", "x"), {"n": "x"})])
    of = kept([pages(page(1, 2)), pages(bad, page(10))])
    seen(of)
    batch = of.batch(1)
    assert batch is not None
    assert list(batch.ordinals) == [2, 4]
    assert [f.ordinal for f in batch.faults] == [3]
    last = of.batch(2)
    assert last is not None
    assert list(last.ordinals) == [5]
    of.close()


def test_one_range_that_breaks_off_ends_all_of_them_each_time() -> None:
    failed = threading.Event()

    def breaking() -> Iterator[Page]:
        yield page(3)
        failed.set()
        raise SourceError("lost")

    of = kept([pages(page(1), when=failed), breaking()])
    for _ in range(2):
        with pytest.raises(SourceError, match="lost"):
            seen(of)
    of.close()


def test_closing_breaks_off_what_is_waited_for() -> None:
    stopped = threading.Event()

    def waiting() -> Iterator[Page]:
        yield page(1)
        assert stopped.wait(30)
        raise SourceError("stopped")

    of = KeptRanges(SCHEMA, [waiting(), waiting()], 0, stopped.set)
    assert of.batch(0) is not None
    of.close()
    assert stopped.is_set()
    of.close()


def test_nothing_is_read_before_it_is_asked_for() -> None:
    begun = threading.Event()

    def reading() -> Iterator[Page]:
        begun.set()
        yield page(1)

    of = kept([reading(), reading()], 2)
    assert of.rows == 2
    of.close()
    assert not begun.is_set()


def test_what_is_here_is_given_while_another_thread_reads_on() -> None:
    go, waits = threading.Event(), threading.Event()

    def slow() -> Iterator[Page]:
        yield page(1)
        waits.set()
        assert go.wait(30)
        yield page(2)

    of = Kept(SCHEMA, slow())
    thread = threading.Thread(target=of.fill)
    thread.start()
    assert waits.wait(30)
    batch = of.batch(0)
    assert batch is not None
    assert batch.records["n"].to_pylist() == [1]
    go.set()
    thread.join()
    assert (of.batches, of.count, of.batch(2)) == (2, 2, None)
    of.close()
