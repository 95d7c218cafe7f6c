"""Imports for callers who wait: for every import a thread that keeps it ready and takes requests in groups."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from headgate.engine.mapped import Request
from headgate.engine.received import read_json
from headgate.ledger.answers import Answers
from headgate.model.answer import Answer
from headgate.model.counting import counted
from headgate.model.errors import HeadgateError
from headgate.model.run import Status

from .answering import answer_of, body_of, fingerprint, outcomes_of
from .lane import Lane
from .project import Project
from .recovery import recover

_log = logging.getLogger("headgate")


class Overloaded(HeadgateError):
    """More requests wait for an import than may."""

    retryable = True


class Home(Protocol):
    """Where requests are awaited. Its method is called from the import's thread, once for all of a group."""

    def deliver(self, requests: Sequence[Request]) -> None:
        """Requests that are done."""
        ...


class Synchronous:
    """All imports of a project for callers who wait. May be used from several threads.

    Args:
        max_waiting: requests of one import that may wait; more are turned away.
    """

    def __init__(self, project: Project, *, max_waiting: int = 1_000) -> None:
        self._project = project
        self._max = max_waiting
        self._lanes: dict[str, _Waiting] = {}
        self._lock = threading.Lock()
        self._closed = False

    def submit(
        self,
        import_name: str,
        records: Sequence[Any],
        *,
        dry_run: bool = False,
        idempotency_key: str = "",
        show: bool = False,
    ) -> Future[Answer]:
        """Import records; the future has one outcome a record, once they are committed.

        Args:
            records: mappings of columns to values.
            dry_run: say what would become of them, and write nothing.
            idempotency_key: a repeat with it is answered with the first answer.
            show: give the fields as they were written, too.

        Raises:
            UsageError: there is no such import.
            Overloaded: too many wait. Everything else that goes wrong is the future's.
        """
        request = Request(records, idempotency_key or uuid.uuid4().hex, dry_run, bool(idempotency_key), show)
        home = _Futures(Future())
        self.offer(import_name, request, home)
        return home.future

    def has(self, import_name: str) -> bool:
        """Whether there is such an import."""
        return import_name in self._lanes or import_name in self._project.import_files

    def offer(self, import_name: str, request: Request, home: Home) -> None:
        """Let a request wait for its turn.

        Raises:
            UsageError: there is no such import.
            Overloaded: too many wait.
        """
        lane = self._lanes.get(import_name)
        if lane is None:
            lane = self._lane(import_name)
        lane.put(request, home)

    def lane(self, import_name: str) -> Lane:
        """The import itself, for who can wait without a thread (`Lane.begin`).

        Raises:
            UsageError: there is no such import.
        """
        return (self._lanes.get(import_name) or self._lane(import_name)).lane

    def put_off(self, import_name: str, request: Request) -> bool:
        """Tell that a request's caller waits no longer and will ask for the answer: its records outlive the process from now on.

        Returns:
            Whether that is so; False where it is done already, or the import is not ready for it.
        """
        lane = self._lanes.get(import_name)
        run = lane.run if lane is not None else 0
        if not run or request.dry:
            return False
        request.keyed = request.late = True
        answers, body = Answers(self._project.ledger), body_of(request.records)
        if answers.enter(import_name, request.id, fingerprint(request.records), run, body) is not None:
            answers.keep_body(import_name, request.id, body)
        if (kept := answer_of(request)) is not None:  # it was done meanwhile, by somebody who did not know
            answers.answered(import_name, {request.id: kept})
        return True

    def later(self, import_name: str, request_id: str) -> Request | None:
        """A request that was put off, or had a key: with its answer or its error, if there is one by now; None if there is none."""
        kept = Answers(self._project.ledger).find(import_name, request_id)
        if kept is None:
            return None
        request = Request([], request_id)
        if kept.outcomes is not None:
            outcomes_of(kept, request)
        return request

    def take_up(self) -> int:
        """Import the requests that were put off and that nobody is at: their process is gone, or their destination was. How many
        there were."""
        ledger = self._project.ledger
        open_ = Answers(ledger).unanswered()
        if open_:
            recover(self._project, ledger)
        taken = 0
        for one in open_:
            if one.run and ledger.run(one.run).status in (Status.RUNNING, Status.QUEUED):
                continue
            request = Request(read_json(one.body.encode()), one.key, keyed=True, late=True)
            with suppress(HeadgateError):
                self.offer(one.import_name, request, _Nobody())
                taken += 1
        return taken

    def close(self) -> None:
        """Finish what waits, and close all runs. May be called twice."""
        with self._lock:
            self._closed = True
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.close()

    def _lane(self, import_name: str) -> _Waiting:
        with self._lock:
            if self._closed:
                raise Overloaded("the server is stopping", hint="Try again in a moment.")
            if import_name not in self._lanes:
                if import_name not in self._project.import_files:
                    self._project.load(import_name)  # says which there are
                self._lanes[import_name] = _Waiting(self._project, import_name, self._max)
            return self._lanes[import_name]


class _Futures:
    def __init__(self, future: Future[Answer]) -> None:
        self.future = future

    def deliver(self, requests: Sequence[Request]) -> None:
        for request in requests:
            if request.error is not None:
                self.future.set_exception(request.error)
            elif request.answer is not None:
                self.future.set_result(request.answer)


class _Nobody:
    def deliver(self, requests: Sequence[Request]) -> None:
        """Its answer is in the ledger."""


class _Waiting:
    """The requests that wait for an import, and the thread that takes them."""

    def __init__(self, project: Project, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._queue: SimpleQueue[tuple[Request, Home] | None] = SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self.lane = Lane(project, name)
        self._thread = threading.Thread(target=self._work, name=f"headgate-import-{name}", daemon=True)
        self._thread.start()

    @property
    def run(self) -> int:
        return self.lane.run

    def put(self, request: Request, home: Home) -> None:
        if self._queue.qsize() >= self._most:
            raise Overloaded(
                f"{counted(self._queue.qsize(), 'request')} waiting for {self._name} already",
                hint="Send again after the time in Retry-After, more records in a request, or fewer requests at once.",
            )
        with self._closing:
            if self._closed:
                raise Overloaded("the server is stopping", hint="Try again in a moment.")
            self._queue.put((request, home))

    def close(self) -> None:
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        left: list[tuple[Request, Home]] = []
        over = False
        while not over or left:
            taken, over = self._take(wait=not left and not over)
            group = left + taken
            if not group:
                if not over:
                    self.lane.rest()
                continue
            again = {id(r) for r in self._serve([r for r, _ in group])}
            _deliver([(r, h) for r, h in group if id(r) not in again])
            left = [(r, h) for r, h in group if id(r) in again]
            self.lane.tidy()
        self.lane.close()

    def _serve(self, requests: list[Request]) -> list[Request]:
        try:
            return self.lane.serve(requests)
        except Exception:  # noqa: BLE001 - a fault of our own must not leave callers without an answer
            _log.exception("a fault of Headgate's own in a synchronous import")
            for request in requests:
                request.error = request.error or HeadgateError(
                    "this is a fault of Headgate's own; the log has the details"
                )
            self.lane.close()
            return []

    def _take(self, *, wait: bool) -> tuple[list[tuple[Request, Home]], bool]:
        """Who waits, up to a group, and whether that was the last; nobody after a while without anybody."""
        taken: list[tuple[Request, Home]] = []
        records = 0
        with suppress(Empty):
            while records < Lane.RECORDS:
                one = self._queue.get(timeout=Lane.PATIENCE) if wait and not taken else self._queue.get_nowait()
                if one is None:
                    return taken, True
                taken.append(one)
                records += len(one[0].records)
        return taken, False


def _deliver(done: Sequence[tuple[Request, Home]]) -> None:
    homes: dict[int, tuple[Home, list[Request]]] = {}
    for request, home in done:
        homes.setdefault(id(home), (home, []))[1].append(request)
    for home, requests in homes.values():
        home.deliver(requests)
