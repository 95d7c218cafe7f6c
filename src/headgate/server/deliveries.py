"""Beside requests: events are taken out of the inbox and delivered to their imports."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from headgate.app.hooks import Delivery
from headgate.ledger.inbox import Inbox
from headgate.model.errors import Busy, HeadgateError
from headgate.model.event import Entry

AT_ONCE: Final = 8
"""Imports to which events are delivered at the same time."""
LOOK_EVERY: Final = 2.0
"""Seconds after which the inbox is looked at in any case: other servers put events into it, too."""
HANDS_OFF: Final = 4.0
"""Seconds for which an import is left alone: to the other process that is at it, or until the ledger can be written again."""
PRUNE_EVERY: Final = 600.0
_log = logging.getLogger("headgate.hooks")


class Deliveries:
    """Delivers events (`headgate.server.context.Component`): one thread looks whose turn it is, others deliver."""

    def __init__(self, inbox: Inbox, delivery: Delivery) -> None:
        self._inbox, self._delivery = inbox, delivery
        self._wake = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._left: dict[str, datetime] = {}
        self._awaited: list[tuple[Entry, Future[Entry]]] = []
        self._pool = ThreadPoolExecutor(AT_ONCE, "headgate-hooks")
        self._thread = threading.Thread(target=self._look, name="headgate-inbox", daemon=True)
        self._pruned = datetime.now(UTC)  # at the start others have more urgent things to do

    async def start(self) -> None:
        """Begin with what was left when the last server ended."""
        self._thread.start()

    async def stop(self) -> None:
        """Finish the deliveries under way; what waits is delivered by the next server."""
        self._stopping = True
        self._wake.set()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._thread.join()
        self._pool.shutdown()
        with suppress(HeadgateError):  # whoever still waits hears that it is not known yet
            self._tell(lambda _: True)

    def wake(self) -> None:
        """There is something new in the inbox."""
        self._wake.set()

    def outcome(self, entry: Entry) -> Future[Entry]:
        """An event as it is after its next try, or after a try of one before it that failed. Of an event that another process
        delivers nothing is heard here. Who does not want to know any more cancels it.
        """
        future: Future[Entry] = Future()
        with self._lock:
            self._awaited.append((entry, future))
        self._wake.set()
        return future

    def _look(self) -> None:
        while not self._stopping:
            self._wake.clear()
            seconds = LOOK_EVERY
            try:
                seconds = self._begin_due()
                self._prune()
            except HeadgateError as e:
                _log.warning("the inbox cannot be looked at: %s", e.message)
            except Exception:  # noqa: BLE001 - a fault of ours must not end the deliveries
                _log.exception("looking at the inbox")
            self._wake.wait(seconds)

    def _begin_due(self) -> float:
        """Begin with the imports whose turn it is; gives the seconds until the next one's."""
        now, seconds = datetime.now(UTC), LOOK_EVERY
        for name, turn in self._inbox.due().items():
            at = max(turn.at, self._left.get(name, turn.at))
            with self._lock:
                if name in self._busy:
                    continue
                if at <= now:
                    self._busy.add(name)
            if at <= now:
                self._pool.submit(self._work, name)
                continue
            seconds = min(seconds, (at - now).total_seconds())
            if turn.at > now and turn.failed:
                self._tell(partial(_is_of, name))
        return max(seconds, 0.01)

    def _work(self, name: str) -> None:
        try:
            while not self._stopping and (entry := self._delivery.next(name)) is not None:
                self._told(entry)
        except Busy:
            self._leave(name)
        except HeadgateError as e:
            _log.warning("the events of %s wait: %s", name, e.message)
            self._leave(name)
        except Exception:  # noqa: BLE001 - a fault of ours must not end the deliveries
            _log.exception("delivering the events of %s", name)
            self._leave(name)
        finally:
            with self._lock:
                self._busy.discard(name)
            self._wake.set()

    def _leave(self, name: str) -> None:
        """Do not look at an import for a while."""
        self._left[name] = datetime.now(UTC) + timedelta(seconds=HANDS_OFF)

    def _told(self, entry: Entry) -> None:
        """Tell who waits for an event, and, when it stays where it is, who waits for one behind it."""
        self._tell(lambda one: one.id == entry.id or (not entry.settled and one.import_name == entry.import_name))

    def _tell(self, concerned: Callable[[Entry], bool]) -> None:
        with self._lock:
            found = [(entry, future) for entry, future in self._awaited if concerned(entry)]
            self._awaited = [one for one in self._awaited if one not in found and not one[1].cancelled()]
        for entry, future in found:
            if future.set_running_or_notify_cancel():
                future.set_result(self._inbox.entry(entry.id))

    def _prune(self) -> None:
        now = datetime.now(UTC)
        if (now - self._pruned).total_seconds() > PRUNE_EVERY:
            self._pruned = now
            self._delivery.prune()


def _is_of(name: str, entry: Entry) -> bool:
    return entry.import_name == name
