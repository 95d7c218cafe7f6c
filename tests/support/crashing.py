"""Killing Headgate at any instant, running it again, and comparing with what one undisturbed run gives.

`python tests/support/crashing.py --kills 5000` does so thousands of times and prints a table (`python3 go.py crash`).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from headgate.engine.crash import POINTS
from support.trouble import unsound

ROWS = 4_500
BATCH = 2_048
"""Records of the file, which are three batches of what DuckDB gives at least."""
FILES = {"sqlite": "shop.db", "duckdb": "shop.duckdb"}
"""Destinations that are a file of the project."""
KINDS = (*FILES, "postgres", "mysql")
BATCH_POINTS = ("checkpoint.after",)
HEAD = """| case | kills | hit while running | of those after the commit | wrong afterwards |
| --- | ---: | ---: | ---: | ---: |"""
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """What is run: on which destination, which operation, committed at the end or batch by batch; or an undo of it, or a plan
    of it that was made before. `fresh`: the run makes the table, and a destination that is a file.
    """

    kind: str
    operation: str
    commit: str = "run"
    verb: str = "run"
    fresh: bool = False

    def __str__(self) -> str:
        batch = ", batch by batch" if self.commit == "batch" else ""
        what = {"run": "", "undo": "undo of ", "plan": "plan of "}[self.verb]
        return f"{self.kind}: {what}{self.operation}{batch}{', into a new table' if self.fresh else ''}"


@dataclass
class Seen:
    """What is left of a run: the table, and what the ledger says of the first run that was done."""

    rows: Rows
    account: dict[str, Any]
    rejects: list[tuple[Any, ...]]


@dataclass
class Tally:
    """Of many kills: how many hit a running process, how many of those came after the commit, and what was wrong."""

    kills: int = 0
    hit: int = 0
    after_commit: int = 0
    wrong: list[str] = field(default_factory=list)


class Zygote:
    """Runs commands, and kills them."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("zygote.py")
        self._process = subprocess.Popen(
            [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self,
        folder: Path,
        *argv: object,
        kill_after: float | None = None,
        crash: str = "",
        ok: bool = True,
        batch: int = BATCH,
    ) -> tuple[int, float, str]:
        """Exit code (negative when killed), seconds, and what was printed."""
        out = folder / "said.txt"
        order = {
            "argv": [str(a) for a in argv], "cwd": str(folder), "out": str(out), "kill_after": kill_after, "batch": batch,
            "env": {"HEADGATE_HOME": str(folder / "state"), "HEADGATE_CRASH": crash},
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        text = out.read_text()
        if ok and said["code"] not in (0, 3):
            raise AssertionError(f"{argv}: exit code {said['code']}: {text}")
        return said["code"], said["seconds"], text

    def close(self) -> None:
        """End it."""
        with self._process:  # which closes its pipes
            assert self._process.stdin is not None
            self._process.stdin.close()


class Place:
    """One case's project and destination, made anew for every kill.

    Args:
        url: of the destination, unless that is a file in the folder.
    """

    def __init__(self, case: Case, folder: Path, url: str) -> None:
        self.case, self.folder = case, folder
        self.url = f"{case.kind}:///{folder / FILES[case.kind]}" if case.kind in FILES else url
        folder.mkdir(parents=True, exist_ok=True)
        self._write()

    def _write(self) -> None:
        case, append = self.case, self.case.operation == "append"
        (self.folder / "imports").mkdir(exist_ok=True)
        (self.folder / "headgate.yaml").write_text(json.dumps({"connections": {"shop": self.url}}))
        definition = {
            "source": {"path": "items.csv", "delimiter": ",", "header": 1, "encoding": "utf-8", "quote": '"'},
            "fields": {"id": {"type": "integer"}, "name": {"type": "text"}, "qty": {"type": "integer", "check": "qty < 990"}},
            "operation": case.operation, "commit": case.commit, "limits": {"deletes": None},
            "destination": {"connection": "shop", "table": "item", "create": case.fresh}, **({} if append else {"key": "id"}),
        }  # fmt: skip
        (self.folder / "imports" / "items.yaml").write_text(json.dumps(definition))
        lines = (f"{i},name {i % 7},{'bad' if i % 977 == 3 else i % 1000}" for i in self._ids())
        (self.folder / "items.csv").write_text("id,name,qty\n" + "\n".join(lines) + "\n")

    def _ids(self) -> Iterator[int]:
        """Every third record is there already; mirror must see none refused, or it deletes nothing."""
        yield from (i for i in range(ROWS) if self.case.operation != "mirror" or (i % 977 != 3 and i % 1000 < 990))
        yield from (5, 5, 2_500)  # several times in the file: in one batch, and in another

    def reset(self) -> None:
        """The destination and the ledger as they were before anything ran."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        key = "" if self.case.operation == "append" else " primary key"
        if self.case.kind in FILES:
            for left in self.folder.glob(f"{FILES[self.case.kind]}*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        statements = ["drop table if exists item", *self._drop_state()]
        statements += [] if self.case.fresh else [
            f"create table item (id integer{key}, name varchar(20), qty integer)",
            "insert into item values " + ", ".join(f"({i}, 'name {i % 5}', {i % 1000})" for i in range(0, ROWS + 300, 3)),
        ]  # fmt: skip
        if self.case.fresh and self.case.kind in FILES:
            return
        with connected(self.case.kind, self.url) as execute:
            for sql in statements:
                execute(sql)

    def _drop_state(self) -> list[str]:
        if self.case.kind == "postgres":
            return ["drop schema if exists _headgate cascade"]
        return ["drop table if exists _headgate_checkpoint"]

    def rows(self) -> Rows:
        """What is in the table."""
        if self.case.kind in FILES and not (self.folder / FILES[self.case.kind]).exists():
            return []
        with connected(self.case.kind, self.url) as execute:
            try:
                return sorted(execute("select id, name, qty from item"))
            except Exception as e:
                if self.case.fresh and any(w in str(e) for w in ("no such table", "not exist", "doesn't exist")):
                    return []
                raise

    def ledger(self, sql: str) -> Rows:
        """What the ledger says."""
        with closing(sqlite3.connect(self.folder / "state" / "ledger.db")) as c:
            return c.execute(sql).fetchall()

    def seen(self) -> Seen:
        """The table, and the first run or undo that was done."""
        kind = "undo" if self.case.verb == "undo" else "run"
        status = "'succeeded', 'partial', 'undone'" if kind == "run" else "'succeeded', 'partial'"
        found = self.ledger(
            f"select id, account from headgate_run where kind = '{kind}' and status in ({status}) order by id limit 1"
        )
        if not found:
            return Seen(self.rows(), {}, [])
        number, account = found[0]
        rejects = self.ledger(
            f"select number, outcome, body from headgate_reject where run_id = {number} order by number"
        )
        return Seen(self.rows(), json.loads(account), rejects)


@contextmanager
def connected(kind: str, url: str) -> Iterator[Any]:
    """Executes statements, each committed, and gives their rows."""
    if kind == "sqlite":
        connection: Any = sqlite3.connect(urlsplit(url).path[1:], isolation_level=None, timeout=20)
    elif kind == "duckdb":
        import duckdb

        connection = duckdb.connect(urlsplit(url).path[1:])
    elif kind == "postgres":
        import psycopg

        connection = psycopg.connect(url, autocommit=True)
    else:
        import pymysql

        parts = urlsplit(url)
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            database=parts.path[1:],
            autocommit=True,
            ssl_disabled=True,
        )
    with closing(connection):

        def execute(sql: str) -> Rows:
            cursor = connection.cursor()
            cursor.execute(sql)
            return [tuple(r) for r in cursor.fetchall()] if cursor.description else []

        yield execute


class Crasher:
    """Kills the runs of one case."""

    def __init__(self, case: Case, folder: Path, url: str, zygote: Zygote) -> None:
        self.case = case
        self.place = Place(case, folder, url)
        self._zygote = zygote
        self.tally = Tally()
        self.left_open = False
        self._prepare()
        self.before = self.place.rows()
        _, self.seconds, _ = self._command()
        self.undisturbed = self.place.seen()

    def _prepare(self) -> None:
        self.place.reset()
        if self.case.verb != "run":
            made = "run" if self.case.verb == "undo" else "plan"
            self._zygote.run(self.place.folder, made, "items", "--quiet")

    def _command(self, **how: Any) -> tuple[int, float, str]:
        words = {"run": ("run", "items"), "undo": ("undo", "1"), "plan": ("run", "--plan", "1")}[self.case.verb]
        return self._zygote.run(self.place.folder, *words, "--quiet", "--json", **how)

    def kill(self, *, at: str = "", after: float | None = None, undo: bool = False) -> None:
        """Kill once, run again, compare.

        Args:
            at: a point of `headgate.engine.crash`.
            after: seconds.
            undo: take the run back afterwards, too.
        """
        self._prepare()
        how = f"{self.case} killed {f'at {at}' if at else f'after {after:.4f} s'}"
        code, _, said = self._command(kill_after=after, crash=at, ok=False)
        self.left_open = self._is_left_open()
        self.tally.kills += 1
        self.tally.hit += code == -9
        self.tally.after_commit += code == -9 and self.place.rows() == self.undisturbed.rows
        if code not in (-9, 0, 3):
            self.tally.wrong.append(f"{how}: ended with {code}: {said[-500:]}")
        again, _, said = self._command(ok=False)
        done_before = again == 2 and {"undo": "undone already", "plan": "was run"}.get(self.case.verb, "\0") in said
        if again not in (0, 3) and not done_before:
            self.tally.wrong.append(f"{how}: the second run ended with {again}: {said[-500:]}")
        self._compare(how)
        if undo and not self.tally.wrong and self.case.verb == "run" and undoable(self.case.kind, self.case.operation):
            self._undo(how)

    def _compare(self, how: str) -> None:
        found, wrong = self.place.seen(), self.tally.wrong
        if found.rows != self.undisturbed.rows:
            lost = Counter(self.undisturbed.rows) - Counter(found.rows)
            more = Counter(found.rows) - Counter(self.undisturbed.rows)
            wrong.append(f"{how}: {sum(lost.values())} rows lost, {sum(more.values())} too many")
        if found.account != self.undisturbed.account:
            wrong.append(f"{how}: the ledger has {found.account}, not {self.undisturbed.account}")
        if found.rejects != self.undisturbed.rejects:
            wrong.append(
                f"{how}: the ledger has {len(found.rejects)} rejects, not the {len(self.undisturbed.rejects)} there are"
            )
        if left := self.place.ledger("select id, status from headgate_run where status in ('running', 'queued')"):
            wrong.append(f"{how}: still running: {left}")
        runs = self.place.ledger("select id, status from headgate_run where kind = 'run' order by id")
        wrong += [f"{how}: {what}" for what in unsound(self.place.folder / "state")]
        if self.left_open and len(runs) != 1:
            wrong.append(f"{how}: it did not go on under its number: {runs}")

    def _is_left_open(self) -> bool:
        """Whether a run that commits batch by batch was begun and is not done, so that the next must go on with it."""
        if self.case.commit != "batch" or self.case.verb != "run":
            return False
        try:
            return self.place.ledger("select status from headgate_run where kind = 'run'") == [("running",)]
        except sqlite3.OperationalError:  # killed before there was a ledger
            return False

    def _undo(self, how: str) -> None:
        """Newest first, each run that is done."""
        done = self.place.ledger(
            "select id from headgate_run where kind = 'run' and status in ('succeeded', 'partial') order by id desc"
        )
        for (number,) in done:
            code, _, said = self._zygote.run(self.place.folder, "undo", number, "--quiet", "--json", ok=False)
            if code not in (0, 2):
                self.tally.wrong.append(f"{how}: undo {number} ended with {code}: {said[-500:]}")
        if self.place.rows() != self.before:
            self.tally.wrong.append(f"{how}: undone, the table is not what it was")


def cases(kind: str) -> list[Case]:
    """All cases of a destination."""
    operations = ("insert", "update", "upsert", "delete", "mirror", "append")
    found = [Case(kind, o) for o in operations]
    found += [Case(kind, o, "batch") for o in operations if o != "mirror"]
    found += [Case(kind, o, verb="undo") for o in operations if undoable(kind, o)]
    found += [Case(kind, o, verb="plan") for o in ("upsert", "mirror")]
    return found + [Case(kind, "upsert", c, fresh=True) for c in ("run", "batch")]


def undoable(kind: str, operation: str) -> bool:
    """MariaDB finds no records again that were added without any key: a gap its connector states."""
    return kind != "mysql" or operation != "append"


def points(case: Case) -> list[str]:
    """The points a case goes by; a batch later too."""
    later = [
        f"{p}:2"
        for p in ("stage.after", "match.after", "journal.after", "commit.before", "commit.after", "checkpoint.after")
    ]
    found = [p for p in POINTS if p not in BATCH_POINTS or case.commit == "batch"]
    return found + (later if case.commit == "batch" and case.verb == "run" else [])


@contextmanager
def servers(kinds: list[str]) -> Iterator[dict[str, str]]:
    """URLs of destinations of this process' own."""
    from support.mariadb import MariaServer
    from support.postgres import Server

    started: list[Any] = []
    urls = dict.fromkeys(FILES, "")
    try:
        if "postgres" in kinds:
            started.append(postgres := Server())
            urls["postgres"] = postgres.url
        if "mysql" in kinds:
            started.append(maria := MariaServer())
            with connected("mysql", maria.url) as execute:
                execute("create database crash character set utf8mb4 collate utf8mb4_bin")
            urls["mysql"] = maria.url_of("crash")
        yield urls
    finally:
        for server in started:
            server.stop()


def main() -> int:
    """Kill as often as asked, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--on", action="append", choices=KINDS)
    given = parser.parse_args()
    kinds = given.on or list(KINDS)
    chance = random.Random(given.seed)
    print(f"seed {given.seed}\n\n{HEAD}", flush=True)
    tallies: dict[Case, Tally] = {}
    with tempfile.TemporaryDirectory() as folder, servers(kinds) as urls:
        every = [c for kind in kinds for c in cases(kind)]
        for i, case in enumerate(every):
            zygote = Zygote()
            crasher = Crasher(case, Path(folder) / str(i), urls[case.kind], zygote)
            for kill in range(given.kills // len(every)):
                if kill % 2:
                    crasher.kill(at=chance.choice(points(case)), undo=kill % 5 == 1)
                else:
                    crasher.kill(after=chance.uniform(0, crasher.seconds * 1.1), undo=kill % 5 == 0)
            zygote.close()
            tallies[case] = crasher.tally
            print(row(str(case), [crasher.tally]), flush=True)
            print(
                *crasher.tally.wrong[:3], sep="\n", end="\n" if crasher.tally.wrong else "", file=sys.stderr, flush=True
            )
    print(row("**all**", list(tallies.values())))
    return 1 if any(t.wrong for t in tallies.values()) else 0


def row(name: str, tallies: list[Tally]) -> str:
    """A line of the table."""
    sums = [sum(getattr(t, n) for t in tallies) for n in ("kills", "hit", "after_commit")]
    return f"| {name} | {sums[0]:,} | {sums[1]:,} | {sums[2]:,} | {sum(len(t.wrong) for t in tallies)} |"


if __name__ == "__main__":
    sys.exit(main())
