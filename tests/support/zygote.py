"""A process that has imported everything and forks a child for every command, so that a run costs a fifth of a second.

It reads one JSON object a line: ``argv``, ``cwd``, ``env``, ``out`` (a file; the child's process id is in ``OUT.pid``), ``kill_after`` (seconds, or null), ``batch``
(records a batch); and answers with ``code`` (negative: the signal that ended it) and ``seconds``.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
from pathlib import Path


def imports() -> None:
    """Everything a run may need. None of it starts a thread when it is imported."""

    import duckdb  # noqa: F401

    import headgate.app.oneline
    import headgate.app.service
    import headgate.cli.main
    import headgate.cli.run_commands
    import headgate.cli.undo_commands
    import headgate.connectors.duckdb.writer
    import headgate.connectors.files.csv_fast
    import headgate.connectors.files.csv_scan
    import headgate.connectors.files.csv_tolerant
    import headgate.connectors.files.detect
    import headgate.connectors.http.rest
    import headgate.connectors.mysql.writer
    import headgate.connectors.postgres.writer
    import headgate.connectors.sqlite.writer
    import headgate.report.page
    import headgate.report.runs  # noqa: F401
    from headgate.spi import registry

    for group in (registry.SOURCES, registry.DESTINATIONS, registry.PLACES, registry.PRESETS):
        registry.names(group)  # which reads a file of every package that is installed


def child(order: dict[str, object]) -> None:
    """Be the command."""
    import headgate.connectors.files.csv_fast as fast
    import headgate.connectors.files.csv_tolerant as tolerant
    from headgate.cli.main import run

    Path(f"{order['out']}.pid").write_text(str(os.getpid()))
    out = os.open(str(order["out"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(str(order["cwd"]))
    os.environ.update(order["env"])
    fast.BATCH_ROWS = tolerant.BATCH_ROWS = order["batch"]
    code = run([str(a) for a in order["argv"]])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def wait(pid: int, ended: int, kill_after: float | None) -> dict[str, object]:
    """Wait for a child, and kill it when its time is over.

    Args:
        ended: the end of a pipe that is at its end when the child is.
    """
    started = time.perf_counter()
    if not select.select([ended], [], [], 60 if kill_after is None else kill_after)[0]:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.perf_counter() - started}


def main() -> None:
    """Serve until the input ends."""
    imports()
    gc.disable()  # as the command does
    for line in sys.stdin:
        order = json.loads(line)
        ended, end = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                child(order)
            finally:
                os._exit(70)
        os.close(end)
        print(json.dumps(wait(pid, ended, order["kill_after"])), flush=True)
        os.close(ended)


if __name__ == "__main__":
    main()
