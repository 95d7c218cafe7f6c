"""A MariaDB server for tests: the machine's programs or Debian's package, a data folder of its own, no syncing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .mysqld import Mysqld, as_root, cache

PACKAGE = "mariadb-server-core"
LIBRARIES = ("liburing2", "libaio1", "libaio1t64", "libnuma1", "libpcre2-8-0")  # of one or another release


class MariaServer(Mysqld):
    """A running MariaDB."""

    def __init__(self) -> None:
        super().__init__("mariadbd")

    def _start(self) -> None:
        root = _root()
        self._data.mkdir()
        server = next(p for p in (root / "usr/sbin/mariadbd", root / "usr/libexec/mariadbd") if p.exists())
        messages = f"--lc-messages-dir={root}/usr/share/mysql"
        common = [server, "--no-defaults", *as_root(), f"--datadir={self._data}", messages]
        tables = "".join(
            (root / "usr/share/mysql" / name).read_text()
            for name in ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
        )
        given = f"create database mysql;\nuse mysql;\nset @auth_root_socket = null;\n{tables}"
        libraries = (
            {"LD_LIBRARY_PATH": ":".join(map(str, root.glob("usr/lib/*-linux-gnu")))} if root != Path("/") else {}
        )
        environment = os.environ | libraries
        self._make([*common, "--skip-networking", "--bootstrap"], environment, given.encode())
        self._serve(common, environment)


def _root() -> Path:
    """The folder under which usr/sbin/mariadbd is: the machine's, or Debian's packages unpacked into a cache."""
    if Path("/usr/sbin/mariadbd").exists():
        return Path("/")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise RuntimeError("there is no mariadbd here, and no apt-get to fetch it with")
    root = cache("mariadb")
    if not (root / "usr/sbin/mariadbd").exists():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for package in (PACKAGE, *LIBRARIES):
                command = ["apt-get", "download", package]
                got = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
                if got.returncode and package == PACKAGE:
                    raise RuntimeError(f"apt-get cannot download {package}: {got.stderr[-500:]}")
            for file in Path(folder).glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", file, root], check=True)
    return root
