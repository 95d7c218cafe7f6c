"""Which process is at a run, and whether it still is."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process of one host.

    Attributes:
        born: what tells it from a later process with the same number (boot and start, on Linux); empty elsewhere.
    """

    host: str
    pid: int
    born: str

    @property
    def gone(self) -> bool:
        """Whether it surely runs no more. Only to be asked on its own host; where nobody can tell, it is not gone."""
        if self.born:
            return _born(self.pid) != self.born
        if sys.platform == "win32":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def this_process() -> Process:
    """The one that asks."""
    return Process(platform.node(), os.getpid(), _born(os.getpid()))


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()


def _born(pid: int) -> str:
    """Boot and start time of a process from /proc; empty when it is gone, or where there is no /proc."""
    try:
        # The second entry is the program's name in brackets, which may hold anything; the start time is the 22nd.
        state, *rest = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if state in "ZX" else f"{_boot()} {rest[18]}"
    except (OSError, IndexError, ValueError):
        return ""
