"""Carrying out moves: sent under another name, checked, published; gone on with where a connection or a process broke off.

look again -> keep what was there -> part (from where it was left) -> check -> publish
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from headgate.engine.crash import point
from headgate.model.errors import ConnectionFailed, DestinationError, HeadgateError, SourceError
from headgate.model.outcome import Outcome
from headgate.model.record import Problem
from headgate.spi.store import Can, Changed, Differs, Here, Sending, Store, Stored, Versions

from .moves import Done, Ends, Move

_TRIES: Final = 4
_FIRST_WAIT: Final = 0.5
_EVERY: Final = 0.25
# Requests that were under way when a connection broke may have been done in any order.
_UNSURE: Final = 16 << 20
_BLOCK: Final = 1 << 20


class Stopped(Exception):
    """The run is to end."""


class _Growing(Exception):
    """The source is not what it was."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What all carriers of a run have in common.

    Attributes:
        run_id: the run.
        parts: files at the destination that are not whole yet, with their sizes.
        told: is called with every number of bytes that are on their way.
        stop: set when the run is to end.
        planned: a source that is not as it was listed is held, as it is no longer what the plan says.
    """

    ends: Ends
    run_id: int
    parts: dict[str, int]
    told: Callable[[int], None]
    stop: threading.Event
    planned: bool = False


class Carrier:
    """Carries out moves, one after the other, with connections of its own. Used by one thread."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._ends = orders.ends
        self._how = orders.ends.spec.transfer
        self._permissions = self._how.permissions == "keep"
        self._source = orders.ends.source()
        self._local = self._source if isinstance(self._source, Here) else None
        self._destination = orders.ends.destination()
        self._backup = orders.ends.backup() if orders.ends.backup is not None else None

    def close(self) -> None:
        """Hang up."""
        for store in (self._source, self._destination, self._backup):
            if store is not None:
                store.close()

    def carry(self, move: Move) -> Done:
        """Do it; what goes wrong with this file alone is said in the answer.

        Raises:
            Stopped: the run is to end.
        """
        for attempt in range(_TRIES):
            try:
                return self._carried(move, again=attempt > 0)
            except ConnectionFailed as e:
                self.close()
                if attempt == _TRIES - 1:
                    return Done(move, Outcome.UNKNOWN, error=e)
                if self._orders.stop.wait(_FIRST_WAIT * 2**attempt):
                    raise Stopped from None
            except Changed as e:
                return self._refused(move, Outcome.HELD, "HE01", e)
            except Differs as e:
                return self._refused(move, Outcome.REJECTED, "FI04", e)
            except _Growing as e:
                if self._orders.planned:
                    return self._refused(move, Outcome.HELD, "HE01", e)
                return self._refused(move, Outcome.INVALID, "FI01", e)
            except _Unreadable as e:
                return self._refused(move, Outcome.INVALID, "FI02", e)
            except (SourceError, DestinationError) as e:
                return self._refused(move, Outcome.REJECTED, "FI03", e)
        raise AssertionError("unreachable")

    def _refused(self, move: Move, outcome: Outcome, code: str, e: Exception) -> Done:
        words = f"{e.message}. {e.hint}".rstrip(". ") if isinstance(e, HeadgateError) else str(e)
        return Done(move, outcome, Problem(code, words, column="path" if move.source is not None else "to"))

    def _carried(self, move: Move, *, again: bool) -> Done:
        if move.outcome is Outcome.DELETED:
            return self._delete(move, again=again)
        source = self._settled(move)
        with self._here(source) as file:
            return self._send(replace(move, source=source), source, file, again=again)

    # ---- the source ------------------------------------------------------------------------------------------------

    def _settled(self, move: Move) -> Stored:
        """The source, if it is still as it was listed, or when it has come to rest."""
        assert move.source is not None
        now = self._look(move.source.path)
        waits = self._how.growing == "wait" and not self._orders.planned
        young = waits and now.modified is not None and time.time() - now.modified < self._how.settle
        if now.same(move.source) and not young:
            return now
        if not waits:
            raise _Growing("it changed since it was listed")
        return self._rested(now)

    def _rested(self, was: Stored) -> Stored:
        """The source, when it has been the same for as long as `settle` says."""
        began = since = time.monotonic()
        while time.monotonic() - since < self._how.settle:
            if self._orders.stop.wait(min(_EVERY, self._how.settle)):
                raise Stopped
            now = self._look(was.path)
            if not now.same(was):
                was, since = now, time.monotonic()
            if time.monotonic() - began > self._how.patience + self._how.settle:
                raise _Growing(f"it was still changing after {self._how.patience:g} s")
        return was

    def _look(self, path: str) -> Stored:
        with _reading():
            found = self._source.look(path)
        if found is None:
            raise _Unreadable("it is there no more")
        return found

    @contextmanager
    def _here(self, source: Stored) -> Iterator[Path]:
        """The source as a file of this machine."""
        if self._local is not None:
            path = self._local.here(source.path)
            with _reading():
                try:
                    path.open("rb").close()
                except OSError as e:
                    raise _Unreadable(e.strerror or str(e)) from None
            yield path
            return
        folder = tempfile.mkdtemp(prefix="headgate-file-")
        try:
            path = Path(folder) / "file"
            with _reading():
                self._source.fetch(source.path, path)
            if source.size >= 0 and path.stat().st_size != source.size:
                raise _Growing(f"{source.size:,} bytes were listed, and {path.stat().st_size:,} came")
            yield path
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # ---- the destination -------------------------------------------------------------------------------------------

    def _send(self, move: Move, source: Stored, file: Path, *, again: bool) -> Done:
        destination, can = self._destination, self._destination.can
        size = file.stat().st_size
        part = part_name(self._ends.lease, move.to, source)
        there = self._left(part, size, again=again) if can.parts else None
        if again and there is None and (arrived := self._arrived(move, size, source)) is not None:
            return Done(move, move.outcome, after=arrived)
        counted: list[int] = []

        def told(count: int) -> None:
            counted.append(count)
            self._told(count)

        how = sending(can, source, told, move.there, permissions=self._permissions, at=there or 0)
        if not can.parts:
            version = self._keep(move)
            sent = destination.send(file, move.to, how)
            self._check(sent, file, size, how, source)
            return Done(
                move, move.outcome, after=sent, sent=sum(counted), resumed=max(size - sum(counted), 0), version=version
            )
        with self._forgetting(part):
            self._check(destination.send(file, part, how), file, size, how, source)
            point("part.after")
            self._keep(move)
            after = destination.publish(part, move.to, move.there)
        point("publish.after")
        return Done(move, move.outcome, after=after, sent=size - how.at, resumed=how.at)

    @contextmanager
    def _forgetting(self, part: str) -> Iterator[None]:
        """What is wrong with a file, other than that it could not be sent to its end, will not be right the next time."""
        try:
            yield
        except (ConnectionFailed, Stopped):
            raise
        except Exception:
            with suppress(HeadgateError):
                self._destination.delete(part)
            raise

    def _told(self, count: int) -> None:
        if self._orders.stop.is_set():
            raise Stopped
        self._orders.told(count)
        point("piece.sent")

    def _left(self, part: str, size: int, *, again: bool) -> int | None:
        """How much of a file is there already, and may be relied on; None where there is nothing."""
        if again:
            one = self._destination.look(part)
            found = one.size if one is not None else None
        else:
            found = self._orders.parts.get(part)
        return None if found is None else max(min(found, size) - _UNSURE, 0)

    def _arrived(self, move: Move, size: int, source: Stored) -> Stored | None:
        """What lies there, where it was put by an attempt whose answer did not come."""
        there = self._destination.look(move.to)
        if there is None or there.same(move.there) or there.size != size:
            return None
        return None if self._destination.can.modified and there.as_old(source) is False else there

    def _check(self, sent: Stored, file: Path, size: int, how: Sending, source: Stored) -> None:
        """Make sure that what arrived is what was sent, and what is there to be sent still."""
        try:
            self._check_arrived(sent, file, size, how)
        except Differs:
            self._check_source(source)  # which is why, if it has changed meanwhile
            raise
        self._check_source(source)

    def _check_arrived(self, sent: Stored, file: Path, size: int, how: Sending) -> None:
        if sent.size not in (-1, size):
            raise Differs(f"{size:,} bytes were sent, and {sent.size:,} are there")
        if how.permissions is not None and sent.permissions not in (None, how.permissions):
            raise Differs(f"its permissions are {sent.permissions:03o} there, and were to be {how.permissions:03o}")
        if self._how.verify != "read":
            return
        theirs = hashlib.sha256()
        for piece in self._destination.read(sent.path):
            theirs.update(piece)
            if self._orders.stop.is_set():
                raise Stopped
        with file.open("rb") as mine:
            if hashlib.file_digest(mine, "sha256").digest() != theirs.digest():
                raise Differs("what was read back is not what was sent")

    def _check_source(self, source: Stored) -> None:
        if not self._look(source.path).same(source):
            raise _Growing("it changed while it was read")

    def _delete(self, move: Move, *, again: bool) -> Done:
        there = self._destination.look(move.to)
        if there is None and again:
            return Done(move, move.outcome)
        if there is None or (move.there is not None and not there.same(move.there)):
            raise Changed(f"{move.to} {'is gone' if there is None else 'changed'} at the destination")
        version = self._keep(move)
        with suppress_gone(self._destination, move.to):
            self._destination.delete(move.to)
        point("publish.after")
        return Done(move, move.outcome, version=version)

    def _keep(self, move: Move) -> str:
        """Have what lies there in the backup place too; without one, its version, where the destination keeps such."""
        if move.there is None:
            return ""
        if not (to := self._ends.kept(self._orders.run_id, move.to)):
            return version_of(self._destination, move)
        store = self._backup or self._destination
        if (kept := store.look(to)) is not None and kept.size == move.there.size:
            return ""  # by an attempt whose answer did not come
        if self._backup is None:
            self._destination.copy(move.to, to)
            return ""
        carry_over(lambda file: self._fetched(move, file), self._backup, to, permissions=self._permissions)
        return ""

    def _fetched(self, move: Move, file: Path) -> Stored:
        """Get here what lies there, with what goes along with it, which lists and plans do not say."""
        says = self._destination.can.metadata or self._permissions
        there = self._destination.look(move.to) if says else move.there
        self._destination.fetch(move.to, file)
        assert move.there is not None, "otherwise there is nothing to be kept"
        return there or move.there


def version_of(store: Store, move: Move) -> str:
    """By what a store gives what a move will overwrite or delete; empty where it does not keep it."""
    there = store.look(move.to) if isinstance(store, Versions) else None
    return there.version if there is not None and there.same(move.there) else ""


def carry_over(
    fetch: Callable[[Path], Stored], store: Store, to: str, over: Stored | None = None, *, permissions: bool
) -> Stored:
    """Put a file into a store, which then has it whole or not at all.

    Args:
        fetch: gets it here, and says what it is; what of that the store can have goes along.
        over: what lies there; None where nothing does.
        permissions: whether they go along too.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-file-") as folder:
        file = Path(folder) / "file"
        how = sending(store.can, fetch(file), lambda _: None, over, permissions=permissions)
        parts = store.can.parts
        part = str(PurePosixPath(to).with_name(f".headgate-{'0' * 8}-{_hash(to)}.part"))
        sent = store.send(file, part if parts else to, how)
        if sent.size not in (-1, file.stat().st_size):
            raise Differs(f"{to} could not be put back whole")
        return store.publish(part, to, over) if parts else sent


def sending(
    can: Can, one: Stored, told: Callable[[int], None], over: Stored | None, *, permissions: bool, at: int = 0
) -> Sending:
    """How a file is sent, with what goes along to a store that can have it."""
    return Sending(
        told,
        at,
        one.modified_ns if can.modified else None,
        over,
        one.permissions if permissions and can.permissions else None,
        one.metadata if can.metadata else {},
    )


def part_name(lease: str, to: str, source: Stored) -> str:
    """The name of a file while it is not whole: the same for the same state of the same source, and for no other."""
    state = _hash(to, source.path, str(source.size), source.changed)
    return str(PurePosixPath(to).with_name(f".headgate-{import_tag(lease)}-{state}.part"))


def import_tag(lease: str) -> str:
    """What names of an import's parts begin with."""
    return hashlib.sha256(lease.encode()).hexdigest()[:8]


def _hash(*words: str) -> str:
    text = "\0".join(words).encode(errors="surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]


class _Unreadable(Exception):
    """The source cannot be read."""


@contextmanager
def _reading() -> Iterator[None]:
    """What fails within is the source's fault."""
    try:
        yield
    except ConnectionFailed:
        raise
    except (SourceError, DestinationError) as e:
        raise _Unreadable(f"{e.message}. {e.hint}".rstrip(". ")) from None


@contextmanager
def suppress_gone(store: Store, path: str) -> Iterator[None]:
    """Deleting what a copy, where it had to be a renaming, has taken away already is no failure."""
    try:
        yield
    except SourceError:
        with suppress(HeadgateError):
            if store.look(path) is None:
                return
        raise
