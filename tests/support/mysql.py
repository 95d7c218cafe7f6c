"""A MySQL server for tests: Debian's package, unpacked beside the machine's own programs.

Debian's stable releases have MariaDB in the place of MySQL, and the two cannot be installed together. `python3
tests/support/mysql.py` fetches MySQL's server with all libraries it needs from Debian's unstable release, the C library included,
and unpacks them into a folder of their own; it is started through that folder's loader and touches nothing of the machine.
HEADGATE_TEST_MYSQLD names another mysqld.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.mysqld import Mysqld, as_root, cache

RELEASE = "sid"
PACKAGE = "mysql-server-core"
PROGRAM = "HEADGATE_TEST_MYSQLD"
# Its own sources, packages and cache, and no package taken for installed, so that every library is fetched.
APT = """
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "{folder}/lists";
Dir::State::Status "{folder}/status";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
"""


class MysqlServer(Mysqld):
    """A running MySQL."""

    def __init__(self) -> None:
        super().__init__("mysqld")

    def _start(self) -> None:
        users = self._folder / "users.sql"
        users.write_text("create user root@'127.0.0.1'; grant all on *.* to root@'127.0.0.1' with grant option;\n")
        program = [*_program(), *as_root(), f"--datadir={self._data}", "--skip-log-bin", "--secure-file-priv=null"]
        self._make([*program, "--initialize-insecure", f"--init-file={users}"], os.environ)
        self._serve([*program, "--mysqlx=off", "--performance-schema=off"], os.environ)


def _program() -> list[str]:
    """What starts mysqld, without options that concern its data."""
    if named := os.environ.get(PROGRAM):
        return [named, "--no-defaults"]
    root = cache("mysql")
    if not root.exists():
        raise RuntimeError(f"{PROGRAM} names none, and `python3 tests/support/mysql.py` was not run")
    libraries = next(root.glob("usr/lib/*-linux-gnu"))
    loader = next(libraries.glob("ld-linux*.so.*"))
    share = root / "usr/share/mysql"
    return [
        *(str(loader), "--library-path", str(libraries), str(root / "usr/sbin/mysqld"), "--no-defaults"),
        *(f"--lc-messages-dir={share}", f"--character-sets-dir={share / 'charsets'}"),
        f"--plugin-dir={root / 'usr/lib/mysql/plugin'}",
    ]


def fetch() -> Path:
    """Unpack the server where `MysqlServer` looks for it, unless it is there."""
    root = cache("mysql")
    if root.exists():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as made:
        folder = Path(made)
        for part in ("lists/partial", "cache/archives/partial", "root"):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb {_mirror()} {RELEASE} main\n")
        settings = folder / "apt.conf"
        settings.write_text(APT.format(folder=folder))
        environment = os.environ | {"APT_CONFIG": str(settings)}
        for command in (["update", "-q"], ["install", "-qy", "--download-only", PACKAGE]):
            subprocess.run(["apt-get", *command], env=environment, check=True)
        for file in (folder / "cache/archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", file, folder / "root"], check=True)
        shutil.move(folder / "root", root)
    return root


def _mirror() -> str:
    """Where this machine gets Debian's packages from."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^\S+/debian/?$", said, re.MULTILINE)
    if found is None:
        raise RuntimeError("apt of this machine knows no mirror of Debian")
    return found[0]


if __name__ == "__main__":
    print(fetch())
