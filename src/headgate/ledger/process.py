"""Which process is at a run, and whether it still is."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process of one host.

    Attributes:
        host: the machine's name, and what tells it from others of that name.
        born: what tells it from a later process with the same number (boot and start, on Linux); empty elsewhere.
    """

    host: str
    pid: int
    born: str

    @property
    def machine(self) -> str:
        """The name of its machine, for people."""
        return self.host.partition(" ")[0]

    @property
    def here(self) -> bool:
        """Whether it is one of this machine; names alone were written by versions that kept ledgers in files only."""
        return self.host in (_host(), platform.node())

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
    return Process(_host(), os.getpid(), _born(os.getpid()))


@cache
def _host() -> str:
    """The machine's name with a mark of its own. Containers of one machine have their own process numbers."""
    machine = _read("/etc/machine-id") or _read("/proc/sys/kernel/random/boot_id")
    numbers = ""
    with suppress(OSError):
        numbers = str(Path("/proc/self/ns/pid").readlink())
    mark = hashlib.sha256(f"{machine} {numbers}".encode()).hexdigest()[:12] if machine else ""
    return f"{platform.node()} {mark}".rstrip()


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""


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
