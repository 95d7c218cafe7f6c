"""Timing a command: wall and processor seconds, and the most memory its whole process tree had at once."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
SAMPLE_SECONDS = 0.02
QUIET_SECONDS = float(os.environ.get("HEADGATE_BENCH_QUIET", "5"))
NICE = int(os.environ.get("HEADGATE_BENCH_NICE", "-20"))


@dataclass(frozen=True, slots=True)
class Measured:
    """One execution.

    Attributes:
        wall, cpu: seconds; cpu of the command and its children, not of the database server.
        rss: largest sum of the resident memory of the process tree, in bytes, sampled every 20 ms.
        other: processor seconds the rest of the machine (database server included) used meanwhile.
    """

    wall: float
    cpu: float
    rss: int
    other: float
    code: int
    output: str


def measure(command: list[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run a command once, on a machine that is quiet if it becomes so in a few seconds."""
    wait_for_quiet()
    log = folder / "output"
    busy, began = _busy(), time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, preexec_fn=first
        )  # fmt: skip
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], sum(_resident(p) for p in tree(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    over.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    rss = max(peak[0], usage.ru_maxrss * 1024)
    return Measured(wall, cpu, rss, _busy() - busy - cpu, process.returncode, log.read_text(errors="replace"))


def first(pid: int = 0) -> None:
    """As root: let a process go before other work of the machine."""
    if os.geteuid() == 0 and NICE:
        os.setpriority(os.PRIO_PROCESS, pid, NICE)
        group = Path(f"/proc/{pid or 'self'}/autogroup")
        if group.exists():
            group.write_text(str(NICE))


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has ended
    return found


def wait_for_quiet() -> None:
    """Wait until others leave the machine nearly alone, a few seconds at most."""
    end = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        before = _busy()
        time.sleep(0.5)
        if _busy() - before < 0.15:
            return


def warm(file: Path) -> None:
    """Read a file into the page cache."""
    with file.open("rb") as f:
        while f.read(1 << 24):
            pass


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _busy() -> float:
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(rest)) / TICK
