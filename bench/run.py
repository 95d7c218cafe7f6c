"""Benchmarks: Headgate against what a careful person would write by hand, in the same minutes, on the same machine.

    bench/run.py                       every comparison, the memory and the start-up
    bench/run.py S1 S7 --rounds 5      some of them
    bench/run.py S2 --rows 50000       another size
    bench/run.py S1 --url postgresql://user@host/db    a server of yours; the schemas bench and bench_base are made anew
    bench/run.py S8                    a record a request, answered after the commit; needs wrk, see bench/s8.py
    bench/run.py S9                    files to an SFTP server and to S3; needs rclone, see bench/s9.py
    bench/run.py S10                   20,000 records to an API; see bench/s10.py
    bench/run.py soak                  ten minutes of requests, the server killed twice; see bench/soak.py
    bench/run.py encodings             which encoding files of 38 countries are taken for; needs no server, see bench/told_encodings.py
    bench/run.py polluted              how much of polluted CSV files is read; needs no server, see bench/polluted.py

Each round runs the floor and Headgate one after the other, in turns first; the ratio is the median of the rounds' ratios (below 1:
Headgate is faster). Before each run the destination is made anew, the input is read into the page cache, the server has just done a
checkpoint. Afterwards count and checksum of the destination are compared with what the generator computed; of bad records, the lines
and the kinds of mistakes too. Without --url a PostgreSQL with fsync on is started. Files are kept in $HEADGATE_BENCH_DATA.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import floors
import orders
import polluted
import psycopg
import s8
import s9
import s10
import soak
import told_encodings
from measure import Measured, measure, warm
from scenarios import SCENARIOS, Scenario

from server import programs, server

HEADGATE = str(Path(sys.executable).with_name("headgate"))
RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: written by bench/run.py -->\n", "<!-- end of results -->"
NATIVE = {
    "bigint": "bigint",
    "text": "text",
    "integer": "integer",
    "decimal(12,2)": "numeric",
    "timestamptz": "timestamp with time zone",
    "boolean": "boolean",
}
TABLE = "create table {}.orders (" + ", ".join(
    f"{c} {t}{' primary key' if c == 'id' else '' if c == 'note' else ' not null'}" for c, t in orders.COLUMNS.items()
) + ")"  # fmt: skip
SUM = (
    "select count(*), coalesce(sum(('x' || substr(md5(concat_ws('|', id, customer_email, sku, qty, unit_price, currency,"
    " to_char(ordered_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS'), shipped::int, coalesce(note, '\\N'), country)), 1, 8))::bit(32)::bigint), 0)"
    " from bench.orders"
)
KINDS = {"number": {"TY01", "TY02"}, "date": {"TY07"}, "missing": {"RU01"}, "duplicate": {"KY02"}}


class Wrong(Exception):
    """The destination is not what it must be."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scenario takes place: its input and the database."""

    scenario: Scenario
    source: Path
    url: str

    def floor(self, work: Path) -> list[str]:
        """The floor's command."""
        floor = self.scenario.floor
        if self.scenario.itself:
            return self.ours(work, whole=False)
        if floor == "sqlite3":
            script = f".mode csv\n.import --skip 1 {self.source} orders\n"
            (work / "floor.sql").write_text(f"{TABLE.format('main')};\n{script}")
            return ["sqlite3", "-batch", str(work / "shop.db"), f".read {work / 'floor.sql'}"]
        psql = shutil.which("psql") or str(programs(orders.FOLDER.parent) / "psql")
        if floor == "piped":
            return floors.piped(psql, self.url)
        if isinstance(floor, str):
            return floors.handwritten(floor, self.source, self.url)
        return floors.psql(psql, self.url, floor(self.source), work)

    def ours(self, work: Path, *, whole: bool = True) -> list[str]:
        """Headgate's command: a definition file, run."""
        url, table = (f"sqlite:///{work / 'shop.db'}", "orders") if self.scenario.sqlite else (self.url, floors.TABLE)
        file = work / "orders.yaml"
        definition = self.scenario.definition(self.source, url, table)
        file.write_text(json.dumps(definition if whole else self.scenario.without(definition)))
        return [HEADGATE, "run", str(file), "--quiet", "--json"]

    def reset(self, *, table: bool) -> None:
        """Make the destination anew: the table with its key (`table`) or no table, and a million records where asked for."""
        warm(self.source)
        if self.scenario.sqlite:
            return
        with psycopg.connect(self.url, autocommit=True) as c:
            c.execute("drop schema if exists bench cascade")
            c.execute("create schema bench")
            if self.scenario.preload:
                c.execute("create table bench.orders (like bench_base.orders including all)")
                c.execute("insert into bench.orders select * from bench_base.orders")
                c.execute("vacuum analyze bench.orders")
            elif table:
                c.execute(TABLE.format("bench"))
            c.execute("checkpoint")

    def check(self, work: Path, done: Measured, *, ours: bool) -> None:
        """Compare what is there with what must be.

        Raises:
            Wrong: it is something else.
        """
        if done.code not in (self.scenario.exits if ours else (0,)):
            raise Wrong(f"exit code {done.code}: {done.output[-2000:]}")
        want = orders.expected(self.source)
        if self.scenario.sqlite:
            found = sqlite_sum(work / "shop.db") if ours else (sqlite_count(work / "shop.db"), want.sum)
        else:
            with psycopg.connect(self.url) as c:
                found = c.execute(SUM).fetchone()
                columns = c.execute(
                    "select column_name, data_type from information_schema.columns where table_schema = 'bench' and table_name = 'orders'"
                ).fetchall()
                keys = c.execute(
                    "select count(*) from pg_constraint where conrelid = 'bench.orders'::regclass and contype = 'p'"
                ).fetchone()
            if dict(columns) != {c: NATIVE[t] for c, t in orders.COLUMNS.items()} or keys != (1,):
                raise Wrong(f"the table has other columns or no key: {columns}, {keys}")
        if tuple(map(int, found or ())) != (want.count, want.sum):
            raise Wrong(f"holds {found}, must hold {(want.count, want.sum)}")
        if ours and want.rejects:
            check_rejects(self.source, work)


def check_rejects(source: Path, work: Path) -> None:
    """Every bad record is reported with its line and its kind of mistake, and no other record is."""
    command = [HEADGATE, "rejects", "1", "--limit", "10000000", "--json"]
    told = subprocess.run(command, cwd=work, env=environment(work), check=True, capture_output=True, text=True).stdout
    found = {r["line"]: {p["code"] for p in r["problems"]} for r in json.loads(told)}
    want = orders.refused_lines(source)
    if found.keys() != want.keys() or any(not codes & KINDS[want[line]] for line, codes in found.items()):
        raise Wrong(
            f"rejects differ: {len(found)} told, {len(want)} wanted; {sorted(found.items() ^ want.items(), key=str)[:3]}"
        )


def sqlite_count(path: Path) -> int:
    """How many records the table holds."""
    with contextlib.closing(sqlite3.connect(path)) as c:
        return int(c.execute("select count(*) from orders").fetchone()[0])


def sqlite_sum(path: Path) -> tuple[int, int]:
    """Count and checksum of the table, values put into canonical form here."""
    count = total = 0
    with contextlib.closing(sqlite3.connect(path)) as c:
        for i, email, sku, qty, price, currency, at, shipped, note, country in c.execute(
            f"select {', '.join(orders.COLUMNS)} from orders"
        ):
            moment = datetime.fromisoformat(at)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment
            money = Decimal(str(price)).quantize(Decimal("0.01"))
            when = moment.strftime("%Y-%m-%dT%H:%M:%S")
            text = "|".join(
                map(
                    str,
                    (i, email, sku, qty, money, currency, when, int(shipped), r"\N" if note is None else note, country),
                )
            )
            count, total = count + 1, total + int(hashlib.md5(text.encode()).hexdigest()[:8], 16)
    return count, total


def environment(work: Path) -> dict[str, str]:
    """The commands' environment: bytecode is kept, the ledger is the run's own."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"HEADGATE_HOME": str(work / "state"), "TZ": "UTC"}


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """An empty folder for one run."""
    orders.FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=orders.FOLDER.parent) as work:
        yield Path(work)


def once(place: Place, *, ours: bool) -> Measured:
    """One run of one side, checked."""
    with workplace() as work:
        place.reset(table=not ours and not place.scenario.itself)
        done = measure(place.ours(work) if ours else place.floor(work), work, environment(work))
        place.check(work, done, ours=ours)
        return done


def compare(name: str, rows: int | None, rounds: int, url: str) -> dict[str, Any]:
    """Floor and Headgate in turns."""
    scenario = SCENARIOS[name]
    n = rows or scenario.rows
    if scenario.input == "base":
        n = orders.BASE
    place = Place(scenario, orders.make("orders" if scenario.input == "base" else scenario.input, n), url)
    if scenario.preload or scenario.input == "base":
        preload(url)
    runs: dict[bool, list[Measured]] = {True: [], False: []}
    for i in range(rounds):
        for ours in (False, True) if i % 2 == 0 else (True, False):
            done = once(place, ours=ours)
            runs[ours].append(done)
            say(
                f"  {name} {'headgate' if ours else 'floor':8} {done.wall:6.2f} s  cpu {done.cpu:6.2f} s  rss {done.rss >> 20:4} MiB  other {done.other:.1f} s"
            )
    ratios = [o.wall / f.wall for o, f in zip(runs[True], runs[False], strict=True)]
    return {
        "scenario": name, "title": scenario.title, "rows": n, "floor": scenario.floor_name, "target": scenario.target,
        "ratio": statistics.median(ratios), "ratios": ratios, **figures("floor", runs[False]), **figures("headgate", runs[True]),
    }  # fmt: skip


def figures(side: str, runs: list[Measured]) -> dict[str, Any]:
    """Medians of one side."""
    return {
        f"{side}_seconds": statistics.median(r.wall for r in runs),
        f"{side}_cpu": statistics.median(r.cpu for r in runs),
        f"{side}_rss_mib": max(r.rss for r in runs) >> 20,
    }


def preload(url: str) -> None:
    """The million records some scenarios begin with, kept in a schema of their own."""
    source = orders.make("orders", orders.BASE)
    with psycopg.connect(url, autocommit=True) as c:
        if c.execute("select to_regclass('bench_base.orders')").fetchone() == (None,):
            c.execute("create schema if not exists bench_base")
            with c.transaction(), c.cursor() as cursor, source.open("rb") as f:
                cursor.execute(TABLE.format("bench_base"))
                with cursor.copy("copy bench_base.orders from stdin csv header") as copy:
                    while block := f.read(1 << 20):
                        copy.write(block)


def memory(rows: int | None, url: str) -> dict[str, Any]:
    """Peak memory at one size and at ten times that."""
    n = rows or SCENARIOS["S1"].rows
    peaks = {}
    for size in (n, 10 * n):
        done = once(Place(SCENARIOS["S1"], orders.make("orders", size), url), ours=True)
        peaks[size] = done.rss >> 20
        say(f"  memory {size:,} records: {peaks[size]} MiB in {done.wall:.1f} s")
    return {
        "scenario": "memory",
        "title": "peak memory, CSV into a new table",
        "rows": n,
        "rss_mib": peaks[n],
        "rss_mib_at_10x": peaks[10 * n],
        "target_mib": 400,
    }


def refusals(rows: int | None, rounds: int, url: str) -> dict[str, Any]:
    """What it takes to find the records the destination refuses: none, one and a hundred of them, spread evenly."""
    n = rows or 10_000
    seconds = {}
    for bad in (0, 1, 100):
        runs = [_refusing(n, bad, url) for _ in range(rounds)]
        seconds[bad] = statistics.median(runs)
        say(f"  refusals {bad:3} of {n:,}: {seconds[bad]:.2f} s")
    return {
        "scenario": "refusals",
        "title": "records the destination refuses, found one by one",
        "rows": n,
        "seconds_by_bad": seconds,
    }


def _refusing(rows: int, bad: int, url: str) -> float:
    with workplace() as work, psycopg.connect(url, autocommit=True) as c:
        c.execute("drop schema if exists bench cascade; create schema bench")
        c.execute("create table bench.item (id integer primary key, qty integer check (qty > 0))")
        refused = {(i + 1) * rows // (bad + 1) for i in range(bad)}
        lines = (f"{i},{0 if i in refused else 1}" for i in range(rows))
        (work / "items.csv").write_text("id,qty\n" + "\n".join(lines) + "\n")
        command = [HEADGATE, "run", "items.csv", "--into", f"{url}#bench.item", "--key", "id", "--quiet", "--json"]
        done = measure(command, work, environment(work))
        found = c.execute("select count(*) from bench.item").fetchone()
        if found != (rows - bad,) or done.code != (3 if bad else 0):
            raise Wrong(f"{found} records and exit code {done.code} with {bad} refused: {done.output[-2000:]}")
        return done.wall


def startup(rounds: int) -> dict[str, Any]:
    """Processor seconds of `headgate --help`."""
    with workplace() as work:
        runs = [measure([HEADGATE, "--help"], work, environment(work)) for _ in range(rounds + 1)][1:]
    cpu = statistics.median(r.cpu for r in runs)
    say(f"  help {cpu:.2f} s")
    return {"scenario": "help", "title": "`headgate --help`, CPU", "seconds": cpu, "target": 0.5}


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [
        "| scenario | records | floor | floor s | Headgate s | ratio | asked | peak MiB |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in results:
        if "ratio" in r:
            lines.append(
                f"| {r['scenario']}: {r['title']} | {r['rows']:,} | {r['floor']} | {r['floor_seconds']:.2f} | {r['headgate_seconds']:.2f}"
                f" | **{r['ratio']:.2f}** | {r['target']} | {r['headgate_rss_mib']} |"
            )
        elif r["scenario"] == "refusals":
            for bad, seconds in r["seconds_by_bad"].items():
                lines.append(f"| {r['title']}: {bad} | {r['rows']:,} | | | {seconds:.2f} | | | |")
        elif r["scenario"] == "memory":
            for rows, peak in ((r["rows"], r["rss_mib"]), (10 * r["rows"], r["rss_mib_at_10x"])):
                lines.append(f"| {r['title']} | {rows:,} | | | | | {r['target_mib']} MiB | {peak} |")
        else:
            lines.append(f"| {r['title']} | | | | {r['seconds']:.2f} | | {r['target']} s | |")
    return "\n".join(lines)


def machine(url: str) -> dict[str, Any]:
    """What it was measured on."""
    with psycopg.connect(url) as c:
        version = c.execute("show server_version").fetchone()
        durable = c.execute("show fsync").fetchone()
    return {
        "postgresql": version[0] if version else "", "fsync": durable[0] if durable else "", "python": platform.python_version(),
        "processors": os.cpu_count(), "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*SCENARIOS, "refusals", "memory", "help", "polluted", "encodings", "S8", "S9", "S10", "soak"]
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(every))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seconds", type=int, default=8, help="S8: of each load; soak: of all of it (600)")
    parser.add_argument("--url", help="a PostgreSQL database of yours")
    given = parser.parse_args()
    if unknown := set(given.scenarios) - set(every):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(every)}")
    asked = given.scenarios or [n for n in every if n != "soak"]
    chosen = [name for name in asked if name not in ("polluted", "encodings", "S9")]
    if "polluted" in asked:
        polluted.run()
    if "encodings" in asked:
        told_encodings.run()
    if "S9" in asked:
        s9.publish(done := s9.run(orders.FOLDER.parent, given.rounds))
        print(s9.table(done))
    if not chosen:
        return 0
    results, failed = [], False
    with contextlib.nullcontext(given.url) if given.url else server(orders.FOLDER.parent) as url:
        about = machine(url)
        for name in chosen:
            try:
                results += one(name, given, url, about)
            except Wrong as e:
                failed = True
                say(f"  {name}: WRONG: {e}")
    if results and not given.rows:
        keep(results, about)
    if results:
        print(table(results))
    return 1 if failed else 0


def one(name: str, given: argparse.Namespace, url: str, about: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure one thing; what is not for the common table is published here.

    Raises:
        Wrong: the destination is not what it must be.
    """
    match name:
        case "memory":
            return [memory(given.rows, url)]
        case "refusals":
            return [refusals(given.rows, given.rounds, url)]
        case "help":
            return [startup(given.rounds)]
        case "S8":
            done = s8.run(url, given.rounds, given.seconds)
            s8.publish(done, about)
            print(s8.table(done))
        case "S10":
            found = s10.run(given.rounds, given.rows)
            if not given.rows:
                s10.publish(found, about)
            print(s10.table(found))
        case "soak":
            soak.run(url, given.seconds if given.seconds > 8 else 600)
        case _:
            return [compare(name, given.rows, given.rounds, url)]
    return []


def keep(results: list[dict[str, Any]], about: dict[str, Any]) -> None:
    """Put results into results.json, in the place of earlier ones of the same scenarios, and all of them into the page."""
    kept = {r["scenario"]: r for r in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    kept |= {r["scenario"]: r | {"machine": about} for r in results}
    ordered = [kept[n] for n in (*SCENARIOS, "refusals", "memory", "help") if n in kept]
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    machines = dict.fromkeys("; ".join(f"{k} {v}" for k, v in r["machine"].items()) for r in ordered)
    told = f"{table(ordered)}\n\nMeasured on: {' / '.join(machines)}.\n"
    PAGE.write_text(f"{before}{BEGIN}{told}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    sys.exit(main())
