"""Looking after a project's triggers, again and again, in whatever process has its turn."""

from __future__ import annotations

import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from headgate.app.project import Definition, Project
from headgate.ledger.triggers import Triggers
from headgate.model.errors import DefinitionError, HeadgateError
from headgate.model.incremental import seconds_of
from headgate.model.spec import ImportSpec
from headgate.model.triggers import TargetSpec

from .clock import Clock, Queue, Started, World
from .folders import Folders
from .notices import Watchman, key_of, notify_of
from .queue import WorkQueue
from .send import send
from .watch import folders, listing

EVERY: Final = 1.0
"""Seconds between two looks."""
_TURN: Final = 15.0
_PATIENCE: Final = timedelta(minutes=1)
"""How long a watch must have been unable to look before that is told: a server may be started anew."""

Log = Callable[[str], None]
Loaded = Definition | HeadgateError


def log(text: str) -> None:
    """Say something on standard error."""
    sys.stderr.write(f"headgate: {text}\n")
    sys.stderr.flush()


class Catalog:
    """The definitions of a project, read anew when a file changes."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._loaded: dict[str, Loaded] = {}

    def look(self) -> dict[str, Loaded]:
        """Each import, or what is wrong with it."""
        files = self._project.import_files
        stamps: dict[Path, tuple[int, int]] = {}
        for file in files.values():
            with suppress(OSError):
                found = file.stat()
                stamps[file] = (found.st_mtime_ns, found.st_size)
        # All of them: whether one is right may depend on others.
        if stamps != self._stamps:
            self._stamps = stamps
            self._loaded = {name: self._load(file) for name, file in files.items()}
        return self._loaded

    def _load(self, file: Path) -> Loaded:
        try:
            return self._project.load_file(file)
        except HeadgateError as e:
            return e


class Keeper:
    """Starts what is due and tells what is to be told. Of several at one ledger one is at it at a time.

    Args:
        queue: where runs are put; by default that of the ledger.
        sending: how somebody is told.
        log: where it says what it does.

    Attributes:
        mine: whether it is this one's turn.
    """

    def __init__(
        self, project: Project, queue: Queue | None = None, *, sending: Callable[..., None] = send, log: Log = log
    ) -> None:
        self._project, self._log = project, log
        self.triggers = Triggers(project.ledger.store())
        self._queue = queue or WorkQueue(project)
        self.clock = Clock(self.triggers, self._queue)
        self._watchman = Watchman(project, self.triggers, sending)
        self._catalog = Catalog(project)
        self._holder = uuid.uuid4().hex
        self.mine = False
        self._next: dict[str, datetime] = {}
        self._unable: dict[str, tuple[datetime, str]] = {}
        self._said: dict[str, str] = {}
        self._beside = ThreadPoolExecutor(4, "triggers")
        self._going: dict[str, Future[None]] = {}
        self._woken, self._ending = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._folders = Folders(self._look_at_once)

    # ---- in a thread ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="triggers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, after what is under way. Another process may go on at once."""
        self._ending.set()
        self._woken.set()
        self._folders.stop()
        if self._thread is not None:
            self._thread.join()
        self._beside.shutdown(wait=True, cancel_futures=True)
        with suppress(HeadgateError):
            self.triggers.leave(self._holder)

    def _run(self) -> None:
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                if self.tick(datetime.now(UTC)):
                    self._folders.watch(self._watched_folders())
                self._say("", "")
            except HeadgateError as e:
                self._say("", f"triggers cannot be looked after: {e.message}")
            except Exception:  # noqa: BLE001 - a fault with one thing must not end everything that is started by itself
                self._log(traceback.format_exc())
            self._woken.wait(max(EVERY - (time.monotonic() - began), 0.05))
            self._woken.clear()

    def _look_at_once(self) -> None:
        """Something changed in a folder."""
        self._next.clear()
        self._woken.set()

    # ---- one look ------------------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> bool:
        """Start what is due now, and begin to look at folders and to tell what is to be told.

        Returns:
            Whether it was this one's turn.
        """
        self.mine = self.triggers.look_after(self._holder, now, _TURN)
        if not self.mine:
            return False
        found = self._catalog.look()
        came = self.triggers.signals()
        for name, loaded in found.items():
            try:
                self._one(name, loaded, came, now)
            except HeadgateError as e:
                self._say(name, f"{name}: {e.message}")
        for name in set(self._next) - found.keys():
            self._next.pop(name, None)
            self._unable.pop(name, None)
        self._apart("notices", lambda: self._deliver(found, now))
        return True

    def settle(self) -> None:
        """Wait for what was begun."""
        wait(list(self._going.values()))

    def _one(self, name: str, loaded: Loaded, came: dict[str, int], now: datetime) -> None:
        if isinstance(loaded, HeadgateError):
            where = (
                loaded.where if isinstance(loaded, DefinitionError) and loaded.where else "headgate check says where"
            )
            self._say(name, f"{name}: {loaded.message}")
            self._notice(name, None, f"its definition has a mistake ({where})", now)
            return
        spec = loaded.spec
        if spec.schedule or spec.after or spec.on:
            self._told(self.clock.tick(loaded, self._world(name, spec, came), now))
        if spec.watch is not None and self._next.get(name, now) <= now:
            self._next[name] = now + timedelta(seconds=seconds_of(spec.watch.every))
            self._apart(f"watch {name}", lambda: self._look(loaded, now))
        since, why = self._unable.get(name, (now, ""))
        trouble = f"where its files arrive cannot be looked at ({why})" if why and now - since >= _PATIENCE else ""
        self._notice(name, loaded, trouble, now)
        if not why:
            self._say(name, "")

    def _world(self, name: str, spec: ImportSpec, came: dict[str, int]) -> World:
        ends = {n: self.triggers.ends(n) for n in spec.after.imports} if spec.after else {}
        return World(ends, came, self._queue.waiting(name) if spec.schedule else "")

    def _look(self, definition: Definition, now: datetime) -> None:
        name = definition.name
        if self.triggers.memory(name).paused_by:
            return
        try:
            started, ripe = self.clock.arrive(definition, listing(self._project, definition), now)
        except HeadgateError as e:
            self._unable.setdefault(name, (now, type(e).__name__))
            self._say(name, f"{name}: {e.message}")
            return
        self._unable.pop(name, None)
        self._told(started)
        if ripe is not None:
            self._next[name] = min(self._next.get(name, ripe), ripe)

    def _notice(self, name: str, definition: Definition | None, trouble: str, now: datetime) -> None:
        notify = notify_of(self._project, definition)
        if notify.to:
            for change in self._watchman.notice(name, notify, trouble, now):
                self._log(f"{name}: {change.event}")

    def _deliver(self, found: dict[str, Loaded], now: datetime) -> None:
        loaded = [d for d in found.values() if isinstance(d, Definition)]
        known = [self._project.settings.notify, *(d.spec.notify for d in loaded if d.spec.notify)]
        targets: dict[str, TargetSpec] = {key_of(t): t for n in known for t in n.to}
        try:
            self._watchman.deliver(targets, now)
        except HeadgateError as e:
            self._say("notices", e.message)

    def _apart(self, what: str, work: Callable[[], None]) -> None:
        """Do something that may take long, unless it is being done."""
        if (before := self._going.get(what)) is None or before.done():
            self._going[what] = self._beside.submit(self._caught, work)

    def _caught(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - as in _run
            self._log(traceback.format_exc())

    def _watched_folders(self) -> set[Path]:
        loaded = [d for d in self._catalog.look().values() if isinstance(d, Definition) and d.spec.watch]
        return {f for d in loaded for f in folders(self._project, d) if f.is_dir()}

    def _told(self, started: Started | None) -> None:
        if started is not None:
            self._log(f"{started.name}: {started.reason}")

    def _say(self, about: str, text: str) -> None:
        """Log what is wrong, once."""
        if text and self._said.get(about) != text:
            self._log(text)
        self._said[about] = text
