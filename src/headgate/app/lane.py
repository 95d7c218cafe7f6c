"""One import kept ready for requests: its desk, the run that accounts for them, and when either is made anew."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from headgate.engine.delivery import alive, claim, done_status
from headgate.engine.desk import Desk
from headgate.engine.mapped import Request, check_unique, for_requests
from headgate.engine.received import Received, columns
from headgate.engine.resume import conclude, keep_answers, settle_earlier
from headgate.ledger.answers import Answers, KeptAnswer
from headgate.model.errors import Busy, ConnectionFailed, DefinitionError, Fenced, HeadgateError, UsageError
from headgate.model.run import Kind, PartitionRead, Run, Status

from .answering import answer_of, fingerprint, outcomes_of
from .project import SETTINGS, Definition, Project
from .service import check, destination_name, lease_of

_LOOK: Final = 1.0
"""Seconds between looks at the definition's file."""
_SHOW: Final = 1.0
"""Seconds between notes of the account in the ledger, for those who look on."""
_RENEW: Final = 60.0
"""Seconds after which lookups are read anew."""
_ROLL: Final = 3600.0
"""Seconds after which a run of requests is closed and another one begun."""
_SLOTS: Final = 256
KEPT: Final = timedelta(days=7)
"""How long an answer can be asked for again."""


class Lane:
    """One import for requests. `serve`, `tidy`, `rest` and `close` wait, and are for one thread; `begin` to `end` do not, and may be
    called from another one: while either is at it, the other keeps away.
    """

    RECORDS: Final = 1_000
    """Records of a group; a request that has more is a group by itself."""
    PATIENCE: Final = 30.0
    """Seconds without a request after which an import is let go of."""

    def __init__(self, project: Project, name: str) -> None:
        self._project, self._name = project, name
        self._desk: Desk | None = None
        self._open = ExitStack()
        self._definition: Definition | None = None
        self._stamps: tuple[int, ...] = ()
        self._looked = self._begun = self._shown = 0.0
        self._shown_read = -1
        self._held = threading.Lock()

    def serve(self, requests: list[Request]) -> list[Request]:
        """Import requests; those that are not given back have an answer or an error.

        Returns:
            Those that have to wait for the next group.
        """
        with self._held:
            return self._serve(requests)

    def begin(self, requests: Sequence[Request]) -> bool:
        """Send requests off if that takes no waiting; otherwise they are for `serve`. See `headgate.engine.desk.Desk.begin`."""
        if not self._held.acquire(blocking=False):
            return False
        # Once in a while a group goes the other way, which looks whether the definition is still the same.
        desk = self._desk if time.monotonic() - self._looked < _LOOK else None
        if desk is None or not desk.begin(requests):
            self._held.release()
            return False
        return True

    def fileno(self) -> int:
        """What can be read from when `ready` may have changed its mind; -1 when `end` can be called."""
        return self._desk.fileno() if self._desk is not None else -1

    def ready(self) -> bool:
        """Whether `end` need not wait."""
        return self._desk is None or self._desk.ready()

    def end(self) -> list[Request]:
        """What was begun is over: the requests have their answers, but for those that are given back, which are for `serve`."""
        try:
            return self._desk.end() if self._desk is not None else []
        finally:
            self._held.release()

    def settle(self, requests: list[Request]) -> None:
        """Keep the answers of requests that were put off while they were under way."""
        self._keep(requests)

    def _serve(self, requests: list[Request]) -> list[Request]:
        entered = False
        try:
            desk = self._ready()
            entered = True
            todo, repeats = self._entered(desk.run, requests)
            left = desk.serve(todo) + repeats
        except HeadgateError as e:
            for request in requests:
                if request.answer is None:
                    request.error = e
            with suppress(HeadgateError):
                self._keep([r for r in requests if r.keyed and not r.dry and r.error is e], entered=entered)
            self._let_go()
            return []
        self._settle(requests, left)
        return left

    def tidy(self) -> None:
        """What is due between groups: the account is shown."""
        desk, now = self._desk, time.monotonic()
        if desk is None:
            return
        if now - self._shown > _SHOW and desk.run.account.read != self._shown_read:
            self._shown, self._shown_read = now, desk.run.account.read
            with suppress(HeadgateError):
                self._project.ledger.progress(desk.run.id, desk.run.account)

    def rest(self) -> None:
        """Nobody has come for a while."""
        with self._held:
            self._let_go()

    def close(self) -> None:
        """Close the run."""
        with self._held:
            self._let_go()

    # Requests that may be asked for again

    def _entered(self, run: Run, requests: Sequence[Request]) -> tuple[list[Request], list[Request]]:
        """Those that are to be imported, and those that repeat one of them and have to wait for its answer."""
        todo: list[Request] = []
        repeats: list[Request] = []
        keys: set[str] = set()
        for request in requests:
            if not request.keyed or request.dry:
                todo.append(request)
            elif request.id in keys:
                repeats.append(request)
            elif self._enter(run, request):
                keys.add(request.id)
                todo.append(request)
        return todo, repeats

    def _enter(self, run: Run, request: Request) -> bool:
        """Enter a request with a key; whether it is to be imported: it is answered already otherwise."""
        answers = Answers(self._project.ledger)
        mark = fingerprint(request.records)
        there = answers.enter(self._name, request.id, mark, run.id)
        return there is None or self._goes_on(answers, there, run, mark, request)

    def _goes_on(self, answers: Answers, there: KeptAnswer, run: Run, mark: str, request: Request) -> bool:
        if there.fingerprint != mark:
            request.error = UsageError(
                f"the key {request.id!r} was used for another request",
                hint="A key belongs to one request and its repeats.",
            )
        elif there.outcomes is not None:
            outcomes_of(there, request)
        elif there.run == run.id or self._is_over(there.run):
            if answers.take_over(there, run.id) or there.run == run.id:
                return True
            request.error = Busy("the same request is being imported by another server", hint="Ask again in a moment.")
        else:
            request.error = Busy("the same request is being imported", hint="Ask again in a moment.")
        return False

    def _is_over(self, number: int) -> bool:
        if not number:
            return True
        ledger = self._project.ledger
        ledger.recover()
        run = ledger.run(number)
        if run.in_doubt:
            raise ConnectionFailed(
                f"whether the request was done is not known before the destination of run {number} answers",
                hint="Ask again in a moment.",
            )
        return run.status not in (Status.RUNNING, Status.QUEUED)

    def _settle(self, requests: list[Request], left: list[Request]) -> None:
        """Keep answers that may be asked for again, and let go of a desk that may be out of order."""
        waiting = {id(r) for r in left}
        keyed = [r for r in requests if r.keyed and not r.dry and id(r) not in waiting]
        failed = [r for r in requests if isinstance(r.error, ConnectionFailed | Fenced)]
        if keyed:
            self._keep(keyed)
        if failed:
            self._let_go()

    def _keep(self, keyed: list[Request], *, entered: bool = True) -> None:
        """Keep the answers of requests that may be asked for again; those that failed may be tried again instead, but for those
        of which the destination has not said whether they were done: that is found out before they are.

        Args:
            entered: whether these were entered just now, and not by somebody before who may have done them.
        """
        answers = Answers(self._project.ledger)
        answers.answered(self._name, {r.id: kept for r in keyed if (kept := answer_of(r)) is not None})
        if not entered or (self._desk is not None and self._desk.run.in_doubt):
            return
        if again := [r.id for r in keyed if r.error is not None and not r.late]:
            answers.forget(self._name, again, self.run)
        if later := [r.id for r in keyed if r.error is not None and r.late and r.error.retryable]:
            answers.let_go(self._name, later)

    @property
    def run(self) -> int:
        """The number of the run that accounts for requests now; 0 when there is none."""
        desk = self._desk
        return desk.run.id if desk is not None else 0

    # The desk

    def _ready(self) -> Desk:
        now = time.monotonic()
        if self._desk is not None and self._is_stale(now):
            self._let_go()
        if self._desk is None:
            self._desk = self._make()
            self._begun = now
        return self._desk

    def _is_stale(self, now: float) -> bool:
        if now - self._begun > _ROLL:
            return True
        if self._definition is not None and self._definition.spec.lookups and now - self._begun > _RENEW:
            return True
        if now - self._looked > _LOOK:
            self._looked = now
            return self._stamps != self._times()
        return False

    def _times(self) -> tuple[int, ...]:
        files = [
            self._project.folder / SETTINGS,
            *(p for n, p in self._project.import_files.items() if n == self._name),
        ]
        found = []
        for file in files:
            with suppress(OSError):
                found.append(os.stat(file).st_mtime_ns)  # noqa: PTH116 - quicker
        return tuple(found)

    def _make(self) -> Desk:
        self._stamps = self._times()
        definition = self._project.load(self._name)
        spec = for_requests(definition.spec)
        target = spec.destination
        with closing(self._project.destination(target.connection, definition.base)) as destination:
            table = destination.inspect(target.table)
        check_unique(definition.spec, table)
        received = Received(columns(spec, table))
        self._definition = replace(definition, spec=spec)
        with ExitStack() as opened:
            prepared = opened.enter_context(closing(check(self._project, self._definition, source=received)))
            if prepared.write.create:
                raise DefinitionError(
                    f"there is no table {target.table!r}, and requests do not make one",
                    hint=f"Make it with a first run: headgate run {self._name} --create.",
                )
            run = self._begin(self._definition)
            Answers(self._project.ledger).prune(datetime.now(UTC) - KEPT)
            opened.callback(self._finish, run)
            opened.enter_context(alive(self._project.ledger, run))
            ticket, last = claim(prepared.destination, self._project.ledger, run)
            if last is not None and last.run != run.id:
                keep_answers(self._project.ledger, last)
                settle_earlier(self._project.ledger, last)
            for earlier in self._project.ledger.in_doubt(run.lease):
                conclude(self._project.ledger, earlier, last)
            desk = Desk(prepared, self._project.ledger, run, ticket)
            opened.callback(desk.close)
            self._open = opened.pop_all()
        return desk

    def _begin(self, definition: Definition) -> Run:
        """Begin a run of requests, in the first place that is free: several servers may serve one import."""
        operation, destination = definition.spec.operation.value, destination_name(self._project, definition)
        for slot in range(1, _SLOTS + 1):
            run = Run(definition.name, Kind.REQUESTS, operation, destination, definition.fingerprint, datetime.now(UTC))
            run.base = str(definition.base)
            run.lease = f"{lease_of(self._project, definition)} requests {slot}"
            with suppress(Busy):
                return self._project.ledger.begin(run)
        raise Busy(f"{_SLOTS} servers serve {definition.name} already")

    def _finish(self, run: Run) -> None:
        """Close a run of requests."""
        run.status = done_status(run.account)
        run.partitions = [PartitionRead("requests", {"format": "requests"}, run.account.read)]
        if run.in_doubt:
            run.status, run.error = Status.FAILED, "the destination did not answer to the last commit"
        with suppress(Fenced):
            self._project.ledger.finish(run)

    def _let_go(self) -> None:
        if self._desk is not None:
            self._desk.find_out()  # a group whose answer was lost must not be done again by the next one
        self._desk = None
        opened, self._open = self._open, ExitStack()
        with suppress(HeadgateError):
            opened.close()
