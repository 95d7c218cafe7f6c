"""Taking a run of files back: what it made is deleted, what it overwrote or deleted comes from where it was kept.

Files are looked at one by one; one that is not as the run left it was changed by somebody, and is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from headgate.engine.delivery import alive
from headgate.engine.runner import Observe, Progress
from headgate.ledger import Ledger
from headgate.ledger.moved import Moved
from headgate.model.errors import ConnectionFailed, DestinationError, SourceError, UsageError
from headgate.model.outcome import Outcome
from headgate.model.record import Origin, Problem, Reject
from headgate.model.run import Kind, Run, Status
from headgate.spi.store import Changed, Store, Stored, Versions

from .carrier import carry_over
from .moves import Ends, printable, stored


@dataclass(frozen=True, slots=True)
class _Step:
    """One file that a run has moved.

    Attributes:
        action: what the run did: ``created``, ``updated`` or ``deleted``.
        before: what lay there before it.
        after: size and state of what it left there; None where it left nothing, or where that is not known.
        source: what it was a copy of.
        kept: where what lay there is kept; empty where it is not.
        version: by what the destination itself still gives it; empty where it does not.
        done: whether it is known that it was done.
    """

    number: int
    action: str
    to: str
    before: Stored | None
    after: list[Any] | None
    source: Stored | None
    kept: str
    version: str
    done: bool


def check_undo(run: Run, ledger: Ledger) -> None:
    """Refuse what cannot be taken back.

    Raises:
        UsageError: a plan, an undo, not done, undone already, or nothing was moved.
    """
    if run.kind is not Kind.RUN:
        raise UsageError(
            f"{run.id} is {_A[run.kind]}, and only a run of files can be taken back", hint="Run the import again."
        )
    if run.status is Status.UNDONE:
        raise UsageError(
            f"run {run.id} is undone already", hint=f"Run the import again: headgate run {run.import_name}."
        )
    if run.status in (Status.QUEUED, Status.RUNNING):
        raise UsageError(f"run {run.id} is not done yet", hint="Wait for it, or stop it, and undo it then.")
    if not Moved(ledger).any_of(run.id):
        raise UsageError(f"run {run.id} moved no file, so there is nothing to undo")


_A: Final = {Kind.PLAN: "a plan", Kind.UNDO: "an undo", Kind.RETRY: "a retry", Kind.REQUESTS: "a run of requests"}


class FilesUndo:
    """The undo of one run.

    Args:
        of: the run.
        forced: also what was changed since.
        only: of ``created``, ``updated``, ``deleted``: take back only those; all by default.
    """

    def __init__(self, ends: Ends, ledger: Ledger, of: Run, *, forced: bool, only: str | None) -> None:
        self._ends, self._ledger, self._of = ends, ledger, of
        self._forced, self._only = forced, only

    def look(self, run: Run, observe: Observe) -> list[Reject]:
        """Find out what an undo would do, and change nothing.

        Returns:
            The files it would leave.
        """
        return [r for _, r in self._carry(run, observe, writes=False) if r is not None]

    def run(self, run: Run, observe: Observe) -> None:
        """Do it.

        Args:
            run: the undo's own record, begun in the ledger.
        """
        moved = Moved(self._ledger)
        with alive(self._ledger, run):
            for step, reject in self._carry(run, observe, writes=True):
                if reject is None:
                    moved.undone(run, self._of.id, step.number, step.to)
                else:
                    self._ledger.record_rejects(run.id, [reject])
        run.account.check("The undo")

    def _carry(self, run: Run, observe: Observe, *, writes: bool) -> Iterator[tuple[_Step, Reject | None]]:
        backup = self._ends.backup
        permissions = self._ends.spec.transfer.permissions == "keep"
        with closing(self._ends.destination()) as store, closing(backup() if backup else store) as kept:
            for step in self._steps():
                run.account.read += 1
                back = _Back(
                    step, store, kept, self._ends.source, forced=self._forced, writes=writes, permissions=permissions
                )
                became = back.take()
                if isinstance(became, Outcome):
                    run.account.add(became)
                    yield step, None
                else:
                    outcome = Outcome.HELD if became.code == "HE03" else Outcome.REJECTED
                    run.account.add(outcome)
                    raw: dict[str, str | None] = {"to": printable(step.to)}
                    yield step, Reject(step.number, outcome, (became,), raw, Origin(file=printable(step.to)))
                observe(Progress("undoing", run.account.read, run.account.rejects))

    def _steps(self) -> Iterator[_Step]:
        for number, done, body in Moved(self._ledger).of_run(self._of.id):
            if self._only in (None, body["action"]):
                before, source = stored(body["there"]), stored(body["source"])
                yield _Step(
                    number,
                    body["action"],
                    body["to"],
                    before,
                    body.get("after"),
                    source,
                    body["kept"],
                    body.get("version", ""),
                    done,
                )


class _Back:
    """Takes one file back.

    Args:
        store: where it lies.
        kept: where what lay there before is kept.
        source: makes a connection to where it came from.
        writes: false to look only.
        permissions: whether what is put back has those of what was kept.
    """

    def __init__(
        self, step: _Step, store: Store, kept: Store, source: Callable[[], Store],
        *, forced: bool, writes: bool, permissions: bool,
    ) -> None:  # fmt: skip
        self._step, self._store, self._kept = step, store, kept
        self._source = source
        self._forced, self._writes, self._permissions = forced, writes, permissions

    def take(self) -> Outcome | Problem:
        """Do it: what became of the file, or why nothing did."""
        step = self._step
        try:
            there = self._store.look(step.to)
            if step.done or self._was_done(there):
                return self._taken(there)
        except ConnectionFailed:
            raise
        except Changed:
            return _edited(step)
        except (SourceError, DestinationError) as e:
            return Problem("FI03", f"{e.message}. {e.hint}".rstrip(". "), column="to")
        return Outcome.UNCHANGED  # the run never came to it

    def _was_done(self, there: Stored | None) -> bool:
        """Whether a run that was killed had done what it was about to do."""
        step = self._step
        if step.action == "deleted":
            return there is None
        if there is None or there.same(step.before) or step.source is None or there.size != step.source.size:
            return False
        if not self._store.can.modified or there.as_old(step.source) is not False:
            return True
        # It was listed with the time at which it was put there, and may have been given its own.
        with closing(self._source()) as source:
            return source.can.noted

    def _taken(self, there: Stored | None) -> Outcome | Problem:
        step = self._step
        if there is None and step.action == "created":
            return Outcome.UNCHANGED
        now = [there.size, there.changed] if there is not None else None
        if step.done and now != step.after and not self._forced:
            return _edited(step)
        if step.action == "created":
            if self._writes:
                self._store.delete(step.to)
            return Outcome.DELETED
        fetch = self._fetch()
        if fetch is None:
            return Problem("FI07", f"what the run {_DID[step.action]} was not kept anywhere", column="to")
        if self._writes:
            carry_over(fetch, self._store, step.to, there, permissions=self._permissions)
        return Outcome.UPDATED if step.action == "updated" else Outcome.CREATED

    def _fetch(self) -> Callable[[Path], Stored] | None:
        """What gets here what lay there; None where nobody has kept it."""
        step, store = self._step, self._store
        if step.kept and (kept := self._kept.look(step.kept)) is not None:
            return lambda file: self._kept_one(kept, file)
        if step.version and isinstance(store, Versions):
            return lambda file: self._was(store.fetch_version(step.to, step.version, file))
        return None

    def _kept_one(self, kept: Stored, file: Path) -> Stored:
        self._kept.fetch(kept.path, file)
        return self._was(kept)

    def _was(self, kept: Stored) -> Stored:
        """What lay there, by what was kept of it, whose time may be the one at which it was kept."""
        before = self._step.before.modified_ns if self._step.before is not None else None
        times = [at for at in (kept.modified_ns, before) if at is not None]
        return replace(kept, modified_ns=min(times, default=None))


_DID: Final = {"updated": "overwrote", "deleted": "deleted"}


def _edited(step: _Step) -> Problem:
    return Problem("HE03", f"{printable(step.to)}: it was changed since the run, and was left", column="to")
