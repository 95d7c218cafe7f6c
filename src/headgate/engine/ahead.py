"""Running an iterator ahead of its consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from contextlib import closing
from typing import TypeVar

T = TypeVar("T")
_END = object()


def ahead(items: Generator[T], depth: int = 2) -> Generator[T]:
    """The same items, made in a thread of their own at most `depth` ahead of the consumer.

    The stages of a run (read, map, write) are chained with this, so that they overlap while what is in flight stays
    bounded. An exception of the iterator is raised here, in its place. When the consumer stops early (or fails) the
    iterator is closed in its own thread, and that is waited for.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            with closing(items):
                for item in items:
                    put(item)
                    if stop.is_set():
                        return
        except BaseException as e:  # noqa: BLE001 - carried over to the consumer, where it is raised
            failure.append(e)
        put(_END)

    thread = threading.Thread(target=make, name="headgate-ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]
