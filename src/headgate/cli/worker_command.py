"""`headgate worker`."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

from headgate.model.errors import UsageError

CONCURRENCY = min(os.cpu_count() or 1, 4)


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    default=CONCURRENCY,
    help="Runs at the same time.  [default: CPUs, at most 4]",
)
@click.option("--once", is_flag=True, help="End when nothing waits that could be begun.")
@click.option(
    "--grace", type=click.FloatRange(0), default=20.0, show_default=True,
    help="Seconds that runs under way may go on after a signal to stop; then they are handed back.",
)  # fmt: skip
def worker(concurrency: int, once: bool, grace: float) -> int:
    """Carry out the runs that were asked for over HTTP or by triggers, and look after the triggers unless a server or another
    worker does. `headgate serve` has a worker in it.

    On several machines, all with the project's folder and its ledger in PostgreSQL, workers share the work.

    \b
    Example:
      headgate worker
      headgate worker --concurrency 8
      headgate worker --once

    \b
    Exit codes: 0 stopped; 1 failed; 2 wrong use or definition.
    """
    from headgate.app.project import find_project
    from headgate.app.worker import Worker
    from headgate.triggers.keeper import Keeper

    project = find_project()
    if not project.is_project:
        raise UsageError("a worker works for a project, and this is none", hint="Make one: headgate init.")
    working = Worker(project, concurrency, lambda line: click.echo(f"headgate: {line}", err=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: working.stop())
    # The main thread stays free for signals.
    failed: list[BaseException] = []

    def work() -> None:
        try:
            working.run(once=once, grace=grace)
        except BaseException as e:  # noqa: BLE001 - raised again below, where it has its exit
            failed.append(e)

    thread = threading.Thread(target=work, name="headgate-worker")
    thread.start()
    sys.stderr.write(f"headgate: working for {project.folder}\n")
    keeper = None if once else Keeper(project)
    if keeper is not None:
        keeper.start()
    thread.join()
    if keeper is not None:
        keeper.stop()
    if failed:
        raise failed[0]
    return 0
