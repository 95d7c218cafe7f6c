"""Hooks: what a definition says of them, ready to be used, and the delivery of events from the inbox to their imports."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from headgate.engine.crash import point
from headgate.ledger import patience
from headgate.ledger.inbox import Inbox
from headgate.ledger.triggers import Triggers
from headgate.model.answer import Answer, RecordOutcome, problem_dict
from headgate.model.errors import (
    Busy,
    Cancelled,
    DefinitionError,
    DestinationError,
    HeadgateError,
    LimitExceeded,
    SourceError,
    UsageError,
)
from headgate.model.event import Entry, Stage
from headgate.model.hook import HookSpec
from headgate.model.incremental import seconds_of
from headgate.model.outcome import REJECTS

from .events import Event, Unreadable
from .project import Project
from .references import resolve

LONGEST_WAIT: Final = 300.0
TRIES: Final = 5
"""How often an event is tried of which it is not known whether it or something else is to blame."""
SHOWN: Final = 100
_log = logging.getLogger("headgate.hooks")
T = TypeVar("T")


class Engine(Protocol):
    """Imports some records at once."""

    def submit(
        self,
        import_name: str,
        records: Sequence[Mapping[str, Any]],
        *,
        dry_run: bool = False,
        idempotency_key: str = "",
    ) -> Future[Answer]:
        """Import them; the future has an `Answer`, or the `HeadgateError` that kept them from the destination.

        Args:
            idempotency_key: a submission with one that was used before has the answer it had then, and no other effect.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook, its references resolved."""

    name: str
    spec: HookSpec
    secrets: tuple[str, ...]
    token: str


def resolved(project: Project, name: str, spec: HookSpec) -> Hook:
    """A hook as an import's definition has it, with its secrets.

    Raises:
        UsageError: a secret is not there.
    """
    what = f"hook {name}"
    secrets = resolve(spec.verify.secret, project.folder, what)
    token = resolve((spec.challenge.token if spec.challenge else None) or "", project.folder, what)
    return Hook(name, spec, tuple(secrets), token)


def hooks_of(project: Project) -> dict[str, HookSpec]:
    """All hooks of a project by the names of their imports; definitions that cannot be read are left out."""
    found: dict[str, HookSpec] = {}
    for name in project.import_files:
        try:
            spec = project.load(name).spec.hook
        except HeadgateError:
            continue
        if spec is not None:
            found[name] = spec
    return found


class Delivery:
    """Delivers events from the inbox, one at a time for each import, in the order of their arrival.

    An event that cannot be delivered keeps those behind it waiting, until the destination is back or it turns out that the event is to
    blame, and it is rejected.

    Args:
        start: runs an import from its own source, and gives the number of the run.
    """

    def __init__(self, project: Project, inbox: Inbox, engine: Engine, start: Callable[[str], int]) -> None:
        self._project, self._inbox, self._engine, self._start = project, inbox, engine, start

    def next(self, name: str) -> Entry | None:
        """Deliver the first event of an import whose turn has come.

        Returns:
            The event as it is after the try; None when none was to be delivered.

        Raises:
            Busy: another process is at the import; that one can deliver the event, which was given back.
        """
        entry = self._inbox.take(name)
        if entry is None:
            return None
        point("event.taken")
        try:
            self._deliver(entry)
        except Busy:
            self._inbox.give_back(entry)
            raise
        except HeadgateError as e:
            self._failed(entry, e)
        except Exception:  # noqa: BLE001 - one event that meets a fault of ours must not end the others
            _log.exception("event %d of %s", entry.id, name)
            self._tried(entry, "this is a fault of Headgate's own; the server's log has the details")
        done = self._inbox.entry(entry.id)
        if done.stage is Stage.DELIVERED:  # imports that are run `on` it read what it brought
            Triggers(self._project.ledger.store()).signal(name)
        return done

    def prune(self) -> None:
        """Forget events that were kept for long enough."""
        now = datetime.now(UTC)
        for name, spec in hooks_of(self._project).items():
            self._inbox.prune(name, now - timedelta(seconds=seconds_of(spec.keep)))

    def _deliver(self, entry: Entry) -> None:
        spec = self._spec(entry)
        if spec is None:
            return
        if spec.start:
            self._run(entry)
            return
        try:
            records = Event(entry.content_type, self._inbox.body(entry.id)).records(spec.records)
        except Unreadable as e:
            self._inbox.rejected(entry, str(e))
            return
        if not records:
            self._inbox.delivered(entry, answer_json(Answer([])))
            return
        answer = self._wait(entry, self._engine.submit(entry.import_name, records, idempotency_key=entry.key))
        self._answered(entry, answer)

    def _run(self, entry: Entry) -> None:
        """Run the import; once for all events that had come when it began."""
        (last, *_) = self._inbox.entries(entry.import_name, limit=1)
        with ThreadPoolExecutor(1, "headgate-hook-run") as beside:
            answer = {"run": self._wait(entry, beside.submit(self._start, entry.import_name))}
        if self._inbox.delivered(entry, answer):
            self._inbox.covered(entry.import_name, last.id, answer)

    def _spec(self, entry: Entry) -> HookSpec | None:
        """The event's hook. Where it cannot be had the event waits for as long as that takes."""
        try:
            spec = self._project.load(entry.import_name).spec.hook
        except HeadgateError as e:
            self._wait_longer(entry, e.message)
            return None
        if spec is None:
            self._wait_longer(entry, f"the import {entry.import_name} has no hook any more")
        return spec

    def _wait(self, entry: Entry, future: Future[T]) -> T:
        """What the future has, with signs of life until it is there."""
        while True:
            try:
                return future.result(timeout=patience() / 4)
            except TimeoutError:
                if future.done():
                    raise
                self._inbox.renew(entry)

    def _answered(self, entry: Entry, answer: Answer) -> None:
        point("event.answered")
        found = answer_json(answer)
        if all(made.outcome in REJECTS for made in answer.outcomes):
            self._inbox.rejected(entry, _all_refused(answer.outcomes), found)
        else:
            self._inbox.delivered(entry, found)

    def _failed(self, entry: Entry, e: HeadgateError) -> None:
        if isinstance(e, SourceError | LimitExceeded):
            self._inbox.rejected(entry, e.message)
        elif e.retryable or isinstance(e, DefinitionError | DestinationError | Cancelled):
            self._wait_longer(entry, e.message)
        else:
            self._tried(entry, e.message)

    def _tried(self, entry: Entry, reason: str) -> None:
        if entry.failures + 1 >= TRIES:
            self._inbox.rejected(entry, reason)
        else:
            self._wait_longer(entry, reason)

    def _wait_longer(self, entry: Entry, reason: str) -> None:
        self._inbox.later(entry, reason, min(LONGEST_WAIT, 2.0 ** min(entry.failures, 16)))


def answer_json(answer: Answer) -> dict[str, Any]:
    """What became of an event's records. The keys are stable: ``records``, ``outcomes`` (how many of each), ``refused`` (of up
    to 100: ``record`` by its number from 1, ``outcome``, ``problems``), ``run`` (in whose account they are).
    """
    refused = [(n, made) for n, made in enumerate(answer.outcomes, 1) if made.outcome in REJECTS]
    found: dict[str, Any] = {
        "records": len(answer.outcomes),
        "outcomes": {o.value: n for o, n in answer.account.outcomes.items() if n},
        "refused": [
            {"record": n, "outcome": made.outcome.value, "problems": [problem_dict(p) for p in made.problems]}
            for n, made in refused[:SHOWN]
        ],
    }
    return found | ({} if answer.run is None else {"run": answer.run})


def _all_refused(outcomes: Sequence[RecordOutcome]) -> str:
    first = next((p for made in outcomes for p in made.problems), None)
    why = f": {first.reason} [{first.code}]" if first is not None else ""
    return f"all {len(outcomes)} records were refused{why}" if len(outcomes) > 1 else f"its record was refused{why}"


def require_hook(project: Project, name: str) -> None:
    """Refuse a name that has no hook.

    Raises:
        UsageError: there is no such import, or it has none.
        DefinitionError: its definition has a mistake.
    """
    if project.load(name).spec.hook is None:
        raise UsageError(f"the import {name} has no hook", hint="Give it one: hook, in its definition.")
