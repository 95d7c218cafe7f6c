"""A process that has imported everything and forks a child for every command, so that a run costs a fifth of a second.

It reads one JSON object a line: ``argv``, ``cwd``, ``env``, ``out`` (a file), ``kill_after`` (seconds, or null), ``batch``
(records a batch); and answers with ``code`` (negative: the signal that ended it) and ``seconds``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def imports() -> None:
    """Everything a run may need. None of it starts a thread when it is imported."""

    import headgate.app.oneline
    import headgate.app.service
    import headgate.cli.run_commands
    import headgate.cli.undo_commands
    import headgate.connectors.files.csv_fast
    import headgate.connectors.files.csv_tolerant
    import headgate.connectors.postgres.writer
    import headgate.connectors.sqlite.writer
    import headgate.report.page
    import headgate.report.runs  # noqa: F401


def child(order: dict[str, object]) -> None:
    """Be the command."""
    import headgate.connectors.files.csv_fast as fast
    import headgate.connectors.files.csv_tolerant as tolerant
    from headgate.cli.main import run

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


def wait(pid: int, kill_after: float | None) -> dict[str, object]:
    """Wait for a child, and kill it when its time is over."""
    started = time.perf_counter()
    killed = False
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.perf_counter() - started
        if done:
            return {"code": os.waitstatus_to_exitcode(status), "seconds": seconds}
        if kill_after is not None and seconds >= kill_after and not killed:
            os.kill(pid, signal.SIGKILL)
            killed = True
        if seconds > 60:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.0005)


def main() -> None:
    """Serve until the input ends."""
    imports()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            try:
                child(order)
            finally:
                os._exit(70)
        print(json.dumps(wait(pid, order["kill_after"])), flush=True)


if __name__ == "__main__":
    main()
