"""What tests of the command line share: what a command said, a destination seen from outside, a run's account checked."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    def no_fault(self) -> Said:
        """Itself; a traceback is a failure whatever the exit code."""
        assert "Traceback" not in self.out + self.err, self.err
        assert "fault of Headgate" not in self.out + self.err, self.err
        return self


Headgate = Callable[..., Said]
Define = Callable[..., None]
Start = Callable[..., "subprocess.Popen[str]"]
Ask = Callable[[str], Rows]


def finish(process: subprocess.Popen[str], given: str | None = None) -> Said:
    """Waits for a process that `start` started."""
    out, err = process.communicate(given, timeout=120)
    return Said(process.returncode, out, err).no_fault()


def stopped(process: subprocess.Popen[str]) -> None:
    """Wait until a process has stopped at its point."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return
        time.sleep(0.01)
    raise AssertionError("it did not stop")


def freeze(process: subprocess.Popen[str], ledger: Path) -> None:
    """Stop a process wherever it is, but while it writes to the ledger: who has stopped there keeps everybody else from it."""
    deadline = time.monotonic() + 60
    while True:
        process.send_signal(signal.SIGSTOP)
        stopped(process)
        with closing(sqlite3.connect(ledger, timeout=0, isolation_level=None)) as c:
            try:
                c.execute("begin immediate")
                return
            except sqlite3.OperationalError:
                assert time.monotonic() < deadline
                process.send_signal(signal.SIGCONT)
                time.sleep(0.01)


@dataclass
class Shop:
    """A destination: its URL, and a way to it that is not Headgate's."""

    kind: str
    url: str
    connection: Any

    def sql(self, text: str, values: Sequence[object] = ()) -> Rows:
        """Executes a statement and commits; its rows if it has some."""
        if self.kind == "mysql":
            with self.connection.cursor() as found:
                found.execute(text.replace("?", "%s"), tuple(values) or None)
                return list(found.fetchall())
        text = text if self.kind in ("sqlite", "duckdb") else text.replace("?", "%s")
        cursor = self.connection.execute(text, tuple(values)) if values else self.connection.execute(text)
        return cursor.fetchall() if cursor.description else []

    def table(self, name: str, columns: str, there: Sequence[Sequence[object]] = ()) -> None:
        """Makes a table with these rows in it."""
        self.sql(f"create table {name} ({columns})")
        for row in there:
            self.sql(f"insert into {name} values ({', '.join('?' * len(row))})", row)

    def read(self, table: str, columns: str = "*") -> Rows:
        """All rows, sorted."""
        return sorted(self.sql(f"select {columns} from {table}"), key=repr)

    def has(self, table: str) -> bool:
        """Whether there is such a table."""
        catalogues = {
            "sqlite": "sqlite_master where name",
            "mysql": "information_schema.tables where table_name",
            "duckdb": "duckdb_tables() where table_name",
        }
        catalogue = catalogues.get(self.kind, "pg_tables where tablename")
        return bool(self.sql(f"select 1 from {catalogue} = ?", [table]))


def counts(run: dict[str, Any]) -> dict[str, int]:
    """The outcomes of a run's JSON that are not zero; on the way, that they add up to what was read."""
    account = dict(run["account"])
    skips, balance, read = account.pop("skips"), account.pop("balance"), account.pop("read")
    found = {k: v for k, v in account.items() if v}
    assert balance == 0
    assert sum(v for k, v in found.items() if k != "mirror_deleted") == read
    assert sum(skips.values()) == found.get("skipped", 0)
    refused = sum(found.get(k, 0) for k in ("invalid", "rejected", "held", "unknown"))
    assert (run["status"] == "partial") == bool(refused) or run["kind"] == "plan"
    return found
