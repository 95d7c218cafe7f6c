"""Planning and running an import of files.

Both ends are listed and compared first, so that limits are judged before anything is done; then the ledger notes what is
meant, carriers do it, and what was done is noted file by file: a run that stops half-way has done what the ledger says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from headgate.engine.delivery import alive
from headgate.engine.interrupts import uninterrupted
from headgate.engine.limits import check_rejects, check_writes
from headgate.engine.runner import Observe, Progress
from headgate.ledger import Ledger
from headgate.ledger.moved import Moved
from headgate.model.counting import counted, verb
from headgate.model.errors import HeadgateError, LimitExceeded
from headgate.model.outcome import Account, Outcome
from headgate.model.record import Reject
from headgate.model.run import PartitionRead, Run
from headgate.model.source import MoveSpec
from headgate.model.write import Operation
from headgate.spi.store import Store

from .carrier import Orders, import_tag, version_of
from .compare import Compared, compare
from .moves import Done, Ends, Move
from .pool import carried

_EVERY: Final = 0.5


class FilesRun:
    """One execution of an import of files.

    Args:
        ledger: where the run is.
        run: its record, begun in the ledger.
        observe: is told of progress, from the calling thread.
    """

    def __init__(self, ends: Ends, ledger: Ledger, run: Run, observe: Observe) -> None:
        self._ends, self._ledger, self._run, self._observe = ends, ledger, run, observe
        self._moved = Moved(ledger)
        self._total = self._sent = self._resumed = 0
        self._way = _Counter()

    def plan(self) -> tuple[list[Move], str]:
        """Find out what a run would do.

        Returns:
            What it would write, and the limit that would stop it (empty when none does).
        """
        found = self._compared()
        account = self._account(found)
        stops = ""
        try:
            self._check_limits(account, found)
        except LimitExceeded as e:
            stops = e.message
            self._run.warnings.append(f"a run would stop here: {stops}")
        self._run.account.merge_outcomes(account)
        self._record_refused(found)
        self._run.warnings += _not_kept(self._ends, [*found.moves, *found.gone])
        self._run.account.check("The plan")
        self._tell_source()
        return [m for m in (*found.moves, *found.gone) if m.writes], stops

    def run(self) -> None:
        """Do it."""
        with alive(self._ledger, self._run):
            found = self._compared()
            self._check_limits(self._account(found), found)
            self._settle(found)
            self._carry([m for m in found.moves if m.writes], found.parts)
            self._mirror(found)
            self._finish(found.parts)

    def run_planned(self, moves: Sequence[Move], account: Account, rejects: Iterator[Reject]) -> None:
        """Do what a plan says; files that are not as they were, at either end, are held.

        Args:
            moves: what it would write.
            account: the outcomes that it had decided already.
            rejects: of the plan.
        """
        self._run.account = account
        with alive(self._ledger, self._run):
            self._ledger.record_rejects(self._run.id, rejects)
            self._carry([m for m in moves if m.source is not None], {}, planned=True)
            self._delete([m for m in moves if m.source is None])
            self._finish({})

    # ---- before ----------------------------------------------------------------------------------------------------

    def _compared(self) -> Compared:
        self._observe(Progress("listing"))
        known = dict(self._moved.known(self._run.lease or self._ends.lease))
        found = compare(self._ends, known, self._run.started, lambda n: self._observe(Progress("comparing", n)))
        self._run.account.read = len(found.moves)
        self._run.warnings += found.warnings
        if self._ends.spec.operation is Operation.MIRROR and any(m.problem for m in found.moves):
            self._keep_gone(found)
        return found

    def _keep_gone(self, found: Compared) -> None:
        refused = sum(m.problem is not None for m in found.moves)
        found.gone = []
        self._run.warnings.append(
            f"nothing was deleted: {counted(refused, 'file')} of the source {verb(refused, 'was', 'were')} refused, and must not be taken for gone"
        )

    def _account(self, found: Compared) -> Account:
        """The outcomes as they will be if nothing goes wrong."""
        account = Account()
        for move in found.moves:
            account.add(move.outcome, reason=move.reason)
        account.mirror_deleted = len(found.gone)
        return account

    def _check_limits(self, account: Account, found: Compared) -> None:
        both = Account.from_dict(account.as_dict())
        both.read = self._run.account.read
        check_writes(self._ends.spec, both, found.in_scope)
        check_rejects(self._ends.spec, both, finished=True)

    def _settle(self, found: Compared) -> None:
        """Account for what is decided already."""
        for move in found.moves:
            if not move.writes:
                self._run.account.add(move.outcome, reason=move.reason)
        self._record_refused(found)
        # Somebody who was killed may have sent them, and not have come to this.
        self._finish_sources([Done(m, m.outcome) for m in found.moves if m.outcome is Outcome.UNCHANGED])

    def _record_refused(self, found: Compared) -> None:
        refused = (m.reject(m.outcome, m.problem) for m in found.moves if m.problem is not None)
        self._ledger.record_rejects(self._run.id, refused)

    # ---- doing it --------------------------------------------------------------------------------------------------

    def _carry(self, moves: Sequence[Move], parts: dict[str, int], *, planned: bool = False) -> None:
        self._execute(moves, parts, lambda done: self._run.account.add(done.outcome), planned=planned)
        check_rejects(self._ends.spec, self._run.account, finished=True)

    def _mirror(self, found: Compared) -> None:
        if found.gone and self._run.account.rejects:
            self._run.warnings.append(
                f"nothing was deleted: {counted(self._run.account.rejects, 'file')} did not get through, and the folder is not yet what the source is"
            )
            return
        self._delete(found.gone)

    def _delete(self, gone: Sequence[Move]) -> None:
        """Delete what the source has no more. A file that somebody changed meanwhile is no file of the source, and is left."""
        self._execute(gone, {}, self._deleted, planned=True)

    def _deleted(self, done: Done) -> None:
        if done.problem is None:
            self._run.account.mirror_deleted += 1
        else:
            self._run.warnings.append(f"{done.move.to} was not deleted: {done.problem.reason}")

    def _execute(
        self, moves: Sequence[Move], parts: dict[str, int], count: Callable[[Done], None], *, planned: bool
    ) -> None:
        """Carry moves out; each is noted in the ledger before it counts."""
        if not moves:
            return
        kept = self._ends.kept
        self._moved.mean(
            self._run.id, ((m.number, m.body(kept(self._run.id, m.to) if m.there is not None else "")) for m in moves)
        )
        self._total += sum(m.size for m in moves)
        orders = Orders(self._ends, self._run.id, parts, self._way.add, threading.Event(), planned)
        ended: list[Done] = []
        noted = time.monotonic()
        try:
            with closing(carried(orders, moves, self._ends.spec.transfer.parallel, ended)) as ticks:
                for _ in ticks:
                    if time.monotonic() - noted >= _EVERY:
                        self._count(ended, count)
                        noted = time.monotonic()
                        self._tell("sending")
        finally:
            with uninterrupted():
                self._count(ended, count)

    def _count(self, ended: list[Done], count: Callable[[Done], None]) -> None:
        done, ended[:] = list(ended), []
        self._note(done)
        for one in done:
            count(one)

    def _note(self, done: list[Done]) -> None:
        """Put into the ledger what was done, and what did not get through."""
        if not done:
            return
        good = [d for d in done if d.problem is None]
        bodies = [(d.move.number, self._body(d)) for d in good]
        self._moved.done(self._run, bodies, [(d.move.to, _known(d)) for d in good])
        bad = [d.move.reject(d.outcome, d.problem) for d in done if d.problem is not None and d.move.source is not None]
        self._ledger.record_rejects(self._run.id, bad)
        self._sent += sum(d.sent for d in good)
        self._resumed += sum(d.resumed for d in good)
        self._finish_sources(good)

    def _body(self, done: Done) -> dict[str, Any]:
        move = done.move
        body = move.body(self._ends.kept(self._run.id, move.to) if move.there is not None else "")
        after = done.after
        left = [after.size, after.changed] if after is not None else None
        return body | {"after": left, "version": done.version}

    def _finish_sources(self, done: list[Done]) -> None:
        """Move or delete the files of the source that have arrived; one that somebody has written anew since has not."""
        what = self._ends.spec.source.done
        if what == "keep":
            return
        with closing(self._ends.source()) as source:
            for one in done:
                if one.move.source is None:
                    continue
                try:
                    now = source.look(one.move.source.path)
                    if now is None or not now.same(one.move.source):
                        continue
                    finish_source(source, one.move.source.path, what.move if isinstance(what, MoveSpec) else None)
                except HeadgateError as e:
                    self._run.warnings.append(f"{one.move.shown} was imported, and stays where it is: {e.message}")

    # ---- after -----------------------------------------------------------------------------------------------------

    def _finish(self, parts: dict[str, int]) -> None:
        self._moved.forget_meant(self._run.id)
        self._clear(parts)
        self._run.account.check("The run")
        self._tell_source()

    def _clear(self, parts: dict[str, int]) -> None:
        """Delete what this import began to send and will not go on with, as its source is another one by now."""
        mine = f".headgate-{import_tag(self._ends.lease)}-"
        old = [path for path in parts if path.rpartition("/")[2].startswith(mine)]
        if not old or self._run.account.rejects:
            return
        with closing(self._ends.destination()) as destination:
            for path in old:
                if destination.look(path) is not None:
                    destination.delete(path)

    def _tell_source(self) -> None:
        found = {"bytes": self._total, "bytes_sent": self._sent, "bytes_there_before": self._resumed}
        name = self._ends.spec.source.shown
        self._run.partitions = [PartitionRead(name, dict(found), self._run.account.read)]

    def _tell(self, phase: str) -> None:
        fraction = min(self._way.count / self._total, 1.0) if self._total else None
        way = f"{self._way.count / 1e6:,.1f} of {self._total / 1e6:,.1f} MB"
        account = self._run.account
        self._observe(Progress(phase, account.read, account.rejects, way, fraction))


class _Counter:
    """Counts bytes that several threads send."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.count += count


def _known(done: Done) -> dict[str, Any] | None:
    """What the next run knows of a file that was put there."""
    source, after = done.move.source, done.after
    if source is None or after is None:
        return None
    return {"source": [source.size, source.changed], "path": source.path, "there": [after.size, after.changed]}


def _not_kept(ends: Ends, moves: Sequence[Move]) -> list[str]:
    """What cannot be taken back, in words."""
    lost = [m for m in moves if m.outcome in (Outcome.UPDATED, Outcome.DELETED)]
    if not lost or ends.spec.transfer.backup is not None:
        return []
    with closing(ends.destination()) as store:
        if version_of(store, lost[0]):
            return []
    return [
        f"a run of it could not put {counted(len(lost), 'file')} back that it would overwrite or delete: transfer.backup keeps them"
    ]


def finish_source(source: Store, path: str, folder: str | None) -> None:
    """Move a file into a folder of its place, or delete it; what has its name there already is kept beside it.

    Raises:
        SourceError, DestinationError: it cannot be.
    """
    if folder is None:
        source.delete(path)
        return
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    to, n = f"{folder.strip('/')}/{name}", 1
    while source.look(to) is not None:
        n += 1
        other = f"{stem}-{n}.{suffix}" if dot and stem else f"{name}-{n}"
        to = f"{folder.strip('/')}/{other}"
    source.move(path, to)


def settled(planned: Account) -> Account:
    """The outcomes that a plan already decided; what it would write is counted when it is written."""
    account = Account.from_dict(planned.as_dict())
    for outcome in (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED):
        account.outcomes.pop(outcome, None)
    account.mirror_deleted = 0
    return account
