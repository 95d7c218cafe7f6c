"""What servers of MariaDB and of MySQL have in common when they run for tests: a folder, a port, a life."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .ports import free_port

START_SECONDS = 60.0
SETTINGS = (
    "--local-infile=1", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--skip-log-bin",
    "--innodb-buffer-pool-size=64M", "--max-connections=60", "--bind-address=127.0.0.1",
)  # fmt: skip


class Mysqld:
    """A running server. `url` is the one of its database `mysql`.

    Args:
        name: of its program, for messages and its folder.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._folder = Path(tempfile.mkdtemp(prefix=f"headgate-{name}-"))
        self.socket = self._folder / "sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._own = [f"--tmpdir={self._folder}"]  # a server that starts removes what others keep in a folder they share
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        self.url = self.url_of("mysql")

    def url_of(self, database: str, login: str = "root") -> str:
        """URL of a database of this server; `login` is a user, with a password after a colon where it has one."""
        return f"mysql://{login}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End the server and remove its files."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()  # nothing is worth keeping
            self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        """Make the data folder, then `_make` and `_serve`."""
        raise NotImplementedError

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _make(self, command: Sequence[object], environment: Mapping[str, str], given: bytes = b"") -> None:
        """Run the command that makes the server's own tables."""
        words = [*map(str, command), *self._own]
        made = subprocess.run(words, env=environment, input=given, capture_output=True, timeout=120, check=False)
        if made.returncode:
            said = (made.stdout + made.stderr).decode(errors="replace")[-2000:]
            raise RuntimeError(f"{self._name} could not make its tables: {said}")

    def _serve(self, command: Sequence[object], environment: Mapping[str, str]) -> None:
        """Start the server and wait until it lets in."""
        self.port = free_port()
        own = (*self._own, f"--port={self.port}", f"--socket={self.socket}")
        words = [*map(str, command), *own, *SETTINGS]
        log = self._folder / "log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._name} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def _ready(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
            return True
        return False


def as_root() -> list[str]:
    """What a server must be told where it is started by root."""
    return ["--user=root"] if os.geteuid() == 0 else []


def cache(name: str) -> Path:
    """Where programs are kept that were unpacked for tests."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate-tests" / name
