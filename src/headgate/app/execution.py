"""The process that carries out one piece of work. A worker starts it, and nobody else.

It is a process of its own so that a run that needs all memory, crashes its database driver or must be stopped at once takes
nothing along. It ends with its worker, whatever ends that.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from headgate.engine.runner import Progress
from headgate.ledger.queue import Queue
from headgate.model.errors import Busy, Cancelled, Fenced, HeadgateError
from headgate.model.run import Status
from headgate.model.work import Work, WorkKind

from . import retry as retrying
from .oneline import definition_for
from .project import Project, find_project
from .requests import queue_of
from .service import make_plan, run_import, run_saved_plan
from .undoing import undo_run

PROGRAM: Final = "from headgate.app.execution import main; main()"
DONE, FAILED, LATER, STOPPED = 0, 1, 75, 130
"""Exit codes. `LATER`: it could not be begun now and is to be tried again; all else ended under the number of a run."""
_TELL_EVERY: Final = 1.0


def main() -> None:
    """Carry out the work whose number is the first argument; what stopped it goes to standard output."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with_worker, name="headgate-parent", daemon=True).start()
    code = FAILED
    try:
        code = _carry_out(find_project(), int(sys.argv[1]))
    except (Busy, Fenced):  # also where it was silent for so long that another one has taken the import over
        code = LATER
    except (Cancelled, KeyboardInterrupt):
        code = STOPPED
    except HeadgateError as e:
        sys.stdout.write(str(e))
    except Exception as e:  # noqa: BLE001 - the one exit: a fault of our own is shown whole, as such
        import traceback

        traceback.print_exc()
        sys.stdout.write(f"a fault of Headgate's own: {type(e).__name__}: {e}")
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _end_with_worker() -> None:
    """The worker holds the other end of standard input and never writes to it."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def _carry_out(project: Project, work_id: int) -> int:
    ledger = project.ledger  # this also finds out what became of runs whose process is gone
    queue = queue_of(project)
    work = queue.work(work_id)
    if work is None or work.id != work_id:
        return DONE  # it was pruned
    before = ledger.run(work.run_id)
    if work.attempts > 1 and before.status in (Status.SUCCEEDED, Status.PARTIAL):
        return DONE  # whoever began it had committed it
    if before.in_doubt:
        return LATER  # its destination has not said yet whether it was committed
    ledger.fulfil(work.id)
    execute(project, work, _Teller(queue, work.id))
    return DONE


class _Teller:
    """Lets others see how far it is, once a second."""

    def __init__(self, queue: Queue, work_id: int) -> None:
        self._queue = queue
        self._work_id = work_id
        self._told = 0.0

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self._told < _TELL_EVERY:
            return
        self._told = time.monotonic()
        with suppress(HeadgateError):  # the run itself will say what is the matter with the ledger
            self._queue.progress(self._work_id, asdict(progress))


def execute(project: Project, work: Work, observe: _Teller) -> None:
    """Do what work says, see `headgate.app.requests`.

    Raises:
        HeadgateError: what stopped it.
    """
    said = work.parameters
    settings = tuple(said.get("settings", ()))
    match work.kind:
        case WorkKind.RUN:
            definition = definition_for(project, work.import_name, settings=settings)
            run_import(project, definition, observe, from_start=bool(said.get("from_start")))
        case WorkKind.PLAN:
            make_plan(project, definition_for(project, work.import_name, settings=settings), observe)
        case WorkKind.PLAN_RUN:
            run_saved_plan(project, said["plan"], None, observe)
        case WorkKind.UNDO:
            undo_run(project, said["run"], observe, forced=said["forced"], only=said["only"])
        case WorkKind.RETRY:
            _retry(project, said["run"], settings, said["file"], observe)


def _retry(project: Project, run_id: int, settings: tuple[str, ...], file: str | None, observe: _Teller) -> None:
    ledger = project.ledger
    original = ledger.run(run_id)
    definition = retrying.definition_of(project, original, settings=settings)
    path = ledger.fetch(ledger.corrected_path(file)) if file else None
    done = retrying.retry(project, original, definition, str(path) if path else None, observe)
    if path is not None:
        ledger.forget(path)
        path.unlink(missing_ok=True)
    if done.run is None:
        left = f" ({done.left})" if done.left else ""
        raise HeadgateError(f"run {run_id} has no open rejects{' of those in the file' if file else ''}{left}")
