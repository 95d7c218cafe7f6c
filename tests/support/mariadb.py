"""A MariaDB server for tests: the machine's programs or Debian's package, a data folder of its own, no syncing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

START_SECONDS = 60.0
PACKAGE = "mariadb-server-core"
LIBRARIES = ("liburing2", "libaio1", "libaio1t64", "libnuma1", "libpcre2-8-0")  # of one or another release
SETTINGS = (
    "--local-infile=1", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--skip-log-bin",
    "--innodb-buffer-pool-size=64M", "--max-connections=60", "--bind-address=127.0.0.1",
)  # fmt: skip


class MariaServer:
    """A running server. `url` is the one of its database `mysql`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="headgate-maria-"))
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.port = _free_port()
            self._start(_root())
        except BaseException:
            self.stop()
            raise
        self.url = self.url_of("mysql")
        self.socket = self._folder / "sock"

    def url_of(self, database: str, login: str = "root") -> str:
        """URL of a database of this server; `login` is a user, with a password after a colon where it has one."""
        return f"mysql://{login}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End the server and remove its files."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()  # nothing is worth keeping
            self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, root: Path) -> None:
        data = self._folder / "data"
        data.mkdir()
        user = ["--user=root"] if os.geteuid() == 0 else []
        server = next(p for p in (root / "usr/sbin/mariadbd", root / "usr/libexec/mariadbd") if p.exists())
        common = [
            "--no-defaults",
            *user,
            f"--datadir={data}",
            f"--lc-messages-dir={root}/usr/share/mysql",
            "--skip-networking",
        ]
        tables = "".join(
            (root / "usr/share/mysql" / name).read_text()
            for name in ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
        )
        given = f"create database mysql;\nuse mysql;\nset @auth_root_socket = null;\n{tables}"
        libraries = (
            {"LD_LIBRARY_PATH": ":".join(map(str, root.glob("usr/lib/*-linux-gnu")))} if root != Path("/") else {}
        )
        environment = os.environ | libraries
        made = subprocess.run(
            [server, *common, "--bootstrap"],
            env=environment,
            input=given.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"mariadbd could not make its tables: {made.stderr.decode(errors='replace')[-2000:]}")
        command = [server, *common[:-1], f"--port={self.port}", f"--socket={self._folder / 'sock'}", *SETTINGS]
        log = self._folder / "log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def _ready(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self._folder / "sock"))
            return True
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _root() -> Path:
    """The folder under which usr/sbin/mariadbd is: the machine's, or Debian's packages unpacked into a cache."""
    if Path("/usr/sbin/mariadbd").exists():
        return Path("/")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise RuntimeError("there is no mariadbd here, and no apt-get to fetch it with")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate-tests" / "mariadb"
    if not (cache / "usr/sbin/mariadbd").exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for package in (PACKAGE, *LIBRARIES):
                command = ["apt-get", "download", package]
                got = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
                if got.returncode and package == PACKAGE:
                    raise RuntimeError(f"apt-get cannot download {package}: {got.stderr[-500:]}")
            for file in Path(folder).glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", file, cache], check=True)
    return cache
