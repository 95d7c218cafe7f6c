"""A worker: takes work from the queue and has a process carry each piece out, until it is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final

from headgate.ledger import Ledger
from headgate.ledger.queue import Queue
from headgate.model.errors import HeadgateError
from headgate.model.work import Work

from .execution import DONE, LATER, PROGRAM, STOPPED
from .project import Project

GRACE: Final = 20.0
"""Seconds that a worker that was told to stop lets its work go on."""
_SIGN_EVERY: Final = 1.0
_LOOK_EVERY: Final = 2.0
_IDLE: Final = 0.5
_AT_WORK: Final = 0.05
_AGAIN_AFTER: Final = 2.0  # seconds until work that could not be begun is tried again
_ENDING: Final = 30.0  # seconds that a process has to roll back, before it is killed
_MOST_SAID: Final = 1 << 16  # bytes of what a process printed that are kept with its run
HANDED_BACK: Final = "stopped with its worker; it waits to be carried out again"


@dataclass(slots=True)
class _Job:
    """Work under way.

    Attributes:
        said: what its process prints: a file, because a pipe that nobody reads would stop who writes to it.
        stopping: when it was told to stop, on the clock that only goes forward; None while it was not.
        lost: another worker has it.
    """

    work: Work
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    stopping: float | None = None
    lost: bool = False

    def stop(self) -> None:
        """Let its process roll back and end; one that was told so and does not is killed."""
        if self.stopping is None:
            self.stopping = time.monotonic()
            self.process.send_signal(signal.SIGTERM)
        elif time.monotonic() - self.stopping > _ENDING:
            self.process.kill()


class Worker:
    """Carries out what waits.

    Args:
        project: whose queue it takes from. The worker has a connection to the ledger of its own.
        concurrency: pieces of work at the same time.
        say: takes a line for people about what it does.
    """

    def __init__(self, project: Project, concurrency: int, say: Callable[[str], None]) -> None:
        self._project = project
        self._concurrency = concurrency
        self._say = say
        self._ledger: Ledger = project.open_ledger()
        self._queue = Queue(self._ledger.store())
        self._jobs: dict[int, _Job] = {}
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._signed = self._looked = float("-inf")

    def wake(self) -> None:
        """Let it look for work at once. May be called from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """Take no more work, finish what can be finished within `GRACE` seconds, hand the rest back. Does not wait."""
        self._stopping.set()
        self.wake()

    def run(self, *, once: bool = False, grace: float = GRACE) -> None:
        """Work until `stop`.

        Args:
            once: only until nothing waits that could be begun.
            grace: seconds that work under way goes on after `stop`.
        """
        try:
            while not self._stopping.is_set():
                if self._safely(self._step) and once and not self._jobs:
                    break
                self._woken.wait(_AT_WORK if self._jobs else _IDLE)
                self._woken.clear()
            self._end(grace)
        finally:
            for job in self._jobs.values():
                job.process.kill()
                job.process.wait()
                job.said.close()
            self._ledger.close()

    def _step(self) -> None:
        self._reap()
        self._sign()
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self._looked = time.monotonic()
            self._ledger.recover()
            for left in self._queue.recover_stale():
                self._say(f"{left.kind} {left.id} of {left.import_name} was left by a worker on {left.worker}")
        while len(self._jobs) < self._concurrency and (work := self._queue.claim()) is not None:
            self._start(work)

    def _safely(self, step: Callable[[], None]) -> bool:
        """Do it; a ledger that cannot be reached is waited for. What others take over meanwhile its fence keeps safe."""
        try:
            step()
        except HeadgateError as e:
            self._say(f"worker: {e}")
            self._stopping.wait(1)
            return False
        return True

    def _start(self, work: Work) -> None:
        self._say(f"{work.kind} {work.id} of {work.import_name} begins ({work.cause})")
        environment = dict(os.environ)
        if "HEADGATE_HOME" in environment:
            environment["HEADGATE_HOME"] = str(self._project.state.absolute())
        words = [sys.executable, "-P", "-c", PROGRAM, str(work.id)]
        said = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when the process has ended
        try:
            process = subprocess.Popen(  # noqa: S603 - this program
                words, cwd=self._project.folder, env=environment, stdin=subprocess.PIPE, stdout=said,
                start_new_session=True,  # Ctrl-C at the worker is the worker's to pass on
            )  # fmt: skip
        except OSError as e:
            said.close()
            self._queue.hand_back(work.id, _AGAIN_AFTER, counts=True)
            raise HeadgateError(f"no process can be started for {work.kind} {work.id}: {e}") from e
        self._jobs[work.id] = _Job(work, process, said)

    def _sign(self) -> None:
        """Tell that all is well, and hear what is to be stopped."""
        if time.monotonic() - self._signed < _SIGN_EVERY:
            return
        self._signed = time.monotonic()
        mine = self._queue.heartbeat()
        for number, job in self._jobs.items():
            if number not in mine:
                job.lost = True
                job.process.kill()
            elif mine[number]:
                job.stop()

    def _reap(self) -> None:
        for number in [n for n, job in self._jobs.items() if job.process.poll() is not None]:
            self._settle(self._jobs[number])
            self._jobs.pop(number).said.close()

    def _settle(self, job: _Job) -> None:
        """Say in the ledger what became of it."""
        code, number = job.process.returncode, job.work.id
        if job.process.stdin is not None:
            job.process.stdin.close()
        job.said.seek(0)
        said = job.said.read(_MOST_SAID).decode("utf-8", "replace")
        self._say(f"{job.work.kind} {number} of {job.work.import_name} {_words(code, said)}")
        if job.lost:
            return
        if code == LATER:
            self._queue.hand_back(number, _AGAIN_AFTER)
        elif code == STOPPED and self._stopping.is_set():
            self._queue.hand_back(number, words=HANDED_BACK)
        elif code < 0:
            self._ledger.recover()
            self._queue.hand_back(number, counts=not self._stopping.is_set())
        else:
            self._queue.finish(number, said)

    def _end(self, grace: float) -> None:
        """Finish or hand back."""
        self._wait(grace)
        for job in self._jobs.values():
            job.stop()
        self._wait(_ENDING)
        for job in self._jobs.values():
            job.process.kill()
            job.process.wait()
        self._safely(self._reap)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._jobs and time.monotonic() < until:
            self._safely(self._reap)
            self._safely(self._sign)
            time.sleep(_AT_WORK)


def _words(code: int, said: str) -> str:
    if code < 0:
        return f"was ended by signal {-code}"
    short = said.split("\n")[0]
    return {DONE: "is done", LATER: "waits", STOPPED: "was stopped"}.get(code, f"failed: {short}")
