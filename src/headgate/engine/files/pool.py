"""Several carriers at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence
from typing import Final

from headgate.model.errors import ConnectionFailed, HeadgateError

from .carrier import Carrier, Orders, Stopped
from .moves import Done, Move

_EVERY: Final = 0.2


def carried(orders: Orders, moves: Sequence[Move], parallel: int, ended: list[Done]) -> Generator[None]:
    """Carry out moves by several carriers, the large files first; gives something from time to time while they are at it.

    On leaving early, the carriers stop where they are, and what they have sent so far is left for the next run.

    Args:
        ended: what became of moves is appended here; all of it is there when this has ended or was closed.

    Raises:
        HeadgateError: a connection cannot be had (any more).
    """
    waiting = queue.SimpleQueue[Move]()
    for move in sorted(moves, key=lambda m: -m.size):
        waiting.put(move)
    results = queue.SimpleQueue[Done | BaseException | None]()
    threads = [
        threading.Thread(target=_work, args=(orders, waiting, results), name=f"headgate-file-{n}", daemon=True)
        for n in range(min(parallel, len(moves)))
    ]
    for thread in threads:
        thread.start()
    failed: list[BaseException] = []
    try:
        at_work = len(threads)
        while at_work:
            at_work -= _took(orders, results, ended, failed)
            yield
    finally:
        orders.stop.set()
        for thread in threads:
            thread.join()
        while not results.empty():
            _took(orders, results, ended, failed)
    if failed:
        raise failed[0]


def _work(
    orders: Orders, waiting: queue.SimpleQueue[Move], results: queue.SimpleQueue[Done | BaseException | None]
) -> None:
    try:
        carrier = Carrier(orders)
        try:
            while not orders.stop.is_set():
                results.put(carrier.carry(waiting.get_nowait()))
        finally:
            carrier.close()
    except (queue.Empty, Stopped):
        pass
    except BaseException as e:  # noqa: BLE001 - it is raised in the thread that waits
        results.put(e)
    finally:
        results.put(None)


def _took(
    orders: Orders,
    results: queue.SimpleQueue[Done | BaseException | None],
    ended: list[Done],
    failed: list[BaseException],
) -> bool:
    """Take one result, if one comes soon; whether it was that a carrier has ended."""
    try:
        result = results.get(timeout=_EVERY)
    except queue.Empty:
        return False
    if result is None:
        return True
    if isinstance(result, Done) and result.error is None:
        ended.append(result)
        return False
    orders.stop.set()
    failed.append(_failure(result) if isinstance(result, Done) else result)
    return False


def _failure(done: Done) -> HeadgateError:
    assert done.error is not None
    return ConnectionFailed(
        f"{done.move.shown}: {done.error.message}",
        hint=f"{done.error.hint} What was sent stays, and the next run goes on from there.".strip(),
    )
