"""What goes on, as server-sent events: every event is a run as it is at that moment.

One look at the ledger a second serves all who listen, so runs of every machine are seen. An event is a snapshot, so hearing one
twice does no harm, and a slow listener misses steps in between, but not the last one of the 1,000 runs that changed last. The id
of an event is the time until which everything was told (microseconds); who comes back with one (``Last-Event-ID``) is told
again what changed since then, for an hour back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from headgate.app.project import Project
from headgate.app.requests import queue_of
from headgate.ledger.queue import Queue
from headgate.model.access import Role
from headgate.model.errors import HeadgateError
from headgate.model.run import Run, Status
from headgate.model.work import Work, WorkStatus
from headgate.report import run_json

from .access import Principal, secured
from .context import context_of
from .parameters import only_known
from .problems import Problem
from .runs import find_run
from .shown import work_json

_LOOK_EVERY: Final = 1.0
_ALIVE_EVERY: Final = 15.0
_CLOCKS: Final = 60  # seconds that clocks of machines may differ
_MOST_WAITING: Final = 1_000
_MEMORY: Final = timedelta(hours=1)
"""How far back who comes again is told what changed; who was away for longer looks at the list of runs first."""
_OVER: Final = "-over"
_log = logging.getLogger("headgate.events")


def routes() -> list[BaseRoute]:
    """Routes of events."""
    return [
        secured("/api/events", _all, methods=["GET"], role=Role.VIEWER, narrows=True),
        secured("/api/runs/{id}/events", _one, methods=["GET"], role=Role.VIEWER, narrows=True),
    ]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at a moment, and the work that it carries out."""

    run: Run
    work: Work | None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        waits = self.work is not None and self.work.status is not WorkStatus.DONE
        return not waits and self.run.status not in (Status.QUEUED, Status.RUNNING)

    def text(self) -> str:
        """As JSON: the run as in a list of runs, with ``work``."""
        return json.dumps({**run_json(self.run), "work": work_json(self.work)}, ensure_ascii=False, default=str)


@dataclass(eq=False, slots=True)
class Listener:
    """What one listener has not been told yet: the newest of every run, and so never more than there are runs."""

    waiting: dict[int, tuple[str, Snapshot]] = field(default_factory=dict)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, at: str, snapshot: Snapshot) -> None:
        """Something changed."""
        self.waiting.pop(snapshot.run.id, None)
        while len(self.waiting) >= _MOST_WAITING:
            del self.waiting[next(iter(self.waiting))]
        self.waiting[snapshot.run.id] = at, snapshot
        self.more.set()

    def take(self) -> list[tuple[str, Snapshot]]:
        """All that waits."""
        taken = list(self.waiting.values())
        self.waiting.clear()
        self.more.clear()
        return taken


class Events:
    """Looks at the ledger for all listeners; a `Component`, and a part of the context."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._listeners: set[Listener] = set()
        self._known: dict[int, str] = {}
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.closing = False

    async def start(self) -> None:
        """Begin, and notice a signal to stop before the server waits for those who listen."""
        self._task = asyncio.create_task(self._go_on())
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._notice(number)

    async def stop(self) -> None:
        """Tell nothing more."""
        self.closing = True
        self._stopped.set()
        if self._task is not None:
            await self._task

    def listen(self) -> Listener:
        """Hear of everything from now on, until `leave`."""
        listener = Listener()
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Hear of nothing more."""
        self._listeners.discard(listener)

    def _notice(self, number: int) -> None:
        before = signal.getsignal(number)

        def handle(got: int, frame: Any) -> None:
            self.closing = True
            if callable(before):
                before(got, frame)

        signal.signal(number, handle)

    async def _go_on(self) -> None:
        while not self._stopped.is_set():
            if self._listeners:
                try:
                    await self._look()
                except HeadgateError as e:
                    _log.warning("events: %s", e)
            else:
                self._known.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), _LOOK_EVERY)

    async def _look(self) -> None:
        at = now_id()
        for snapshot in await asyncio.to_thread(self._changed):
            for listener in self._listeners:
                listener.put(at, snapshot)

    def _changed(self) -> list[Snapshot]:
        found = snapshots(self._project, datetime.now(UTC) - timedelta(seconds=_CLOCKS), self._known)
        texts = {s.run.id: s.text() for s in found}
        changed = [s for s in found if self._known.get(s.run.id) != texts[s.run.id]]
        long_ago = datetime.now(UTC) - timedelta(seconds=_CLOCKS)
        forgotten = {s.run.id for s in found if s.over and s.run.finished is not None and s.run.finished < long_ago}
        self._known = {n: text for n, text in texts.items() if n not in forgotten}
        return changed


def snapshots(project: Project, since: datetime, also: Iterable[int] = ()) -> list[Snapshot]:
    """Runs that wait, go on, or changed since then, and others that are known, oldest first."""
    ledger, queue = project.ledger, queue_of(project)
    runs = {run.id: run for run in ledger.changed(since)}
    going = {work.run_id: work for work in queue.list()}
    for number in set(also) - runs.keys():
        with suppress(HeadgateError):  # it was pruned
            runs[number] = ledger.run(number)
    return [Snapshot(runs[n], _work(queue, going, n)) for n in sorted(runs)]


def _work(queue: Queue, going: dict[int, Work], run_id: int) -> Work | None:
    return going.get(run_id) or queue.work(run_id)


def now_id() -> str:
    """The id of what is known at this moment."""
    return str(time.time_ns() // 1000)


async def _all(request: Request) -> Response:
    only_known(request)
    context, principal = context_of(request), _principal(request)
    since = _since(request)

    async def told(listener: Listener) -> AsyncIterator[str]:
        at = now_id()
        for snapshot in await run_in_threadpool(snapshots, context.project, since):
            if principal.reaches(snapshot.run.import_name):
                yield _event(at, "run", snapshot)
        async for taken in _heard(request, listener):
            for at, snapshot in taken:
                if principal.reaches(snapshot.run.import_name):
                    yield _event(at, "run", snapshot)
            if not taken:
                yield ": alive\n\n"

    return _stream(request, told)


async def _one(request: Request) -> Response:
    only_known(request)
    context, run = context_of(request), await find_run(request)
    if request.headers.get("last-event-id", "").endswith(_OVER):
        return Response(status_code=204)  # a browser that comes back after the end stays away then

    def look() -> Snapshot:
        work = queue_of(context.project).work(run.id)
        number = work.run_id if work is not None else run.id
        return Snapshot(context.project.ledger.run(number), work)

    async def told(listener: Listener) -> AsyncIterator[str]:
        last, at = await run_in_threadpool(look), now_id()
        yield _event(at, "run", last)
        if not last.over:
            async for taken in _heard(request, listener):
                if not taken:
                    yield ": alive\n\n"
                if not any(_concerns(s, last) for _, s in taken):
                    continue
                current, at = await run_in_threadpool(look), now_id()
                if current.text() != last.text():
                    yield _event(at, "run", current)
                last = current
                if last.over:
                    break
        if last.over:
            yield _event(f"{at}{_OVER}", "over", last)

    return _stream(request, told)


def _concerns(snapshot: Snapshot, last: Snapshot) -> bool:
    if snapshot.work is not None and last.work is not None and snapshot.work.id == last.work.id:
        return True
    return snapshot.run.id == last.run.id


async def _heard(request: Request, listener: Listener) -> AsyncIterator[list[tuple[str, Snapshot]]]:
    """What comes, and nothing now and then. Ends with the server, and when the caller may no longer listen."""
    context = context_of(request)
    events, alive = context.part(Events), time.monotonic()
    while not events.closing:
        with suppress(TimeoutError):
            await asyncio.wait_for(listener.more.wait(), _LOOK_EVERY)
        taken = listener.take()
        if taken:
            yield taken
        if time.monotonic() - alive > _ALIVE_EVERY:
            alive = time.monotonic()
            try:
                await context.guard.meet(request)
                context.guard.admit(request, Role.VIEWER)
            except Problem:
                return
            yield []


def _stream(request: Request, told: Callable[[Listener], AsyncIterator[str]]) -> Response:
    events = context_of(request).part(Events)

    async def until_left() -> AsyncIterator[str]:
        listener = events.listen()  # only here, as nobody may ever begin to read
        try:
            yield "retry: 2000\n\n"
            async for text in told(listener):
                yield text
        finally:
            events.leave(listener)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(until_left(), headers=headers, media_type="text/event-stream")


def _event(at: str, name: str, snapshot: Snapshot) -> str:
    return f"id: {at}\nevent: {name}\ndata: {snapshot.text()}\n\n"


def _since(request: Request) -> datetime:
    """From when on changes are told again.

    Raises:
        Problem: 400, it is no id of ours.
    """
    text = request.headers.get("last-event-id", "")
    if not text:
        return datetime.now(UTC)
    if not (text.isascii() and text.isdigit() and len(text) <= 17):
        raise Problem(400, "parameter-wrong", f"Last-Event-ID: {text[:40]} is no id of an event of this stream")
    last = datetime.fromtimestamp(int(text) / 1e6, UTC) - timedelta(seconds=_CLOCKS)
    return max(last, datetime.now(UTC) - _MEMORY)


def _principal(request: Request) -> Principal:
    found = request.state.principal
    assert isinstance(found, Principal)
    return found
