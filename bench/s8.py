"""S8: one record a POST, committed in PostgreSQL before the answer; and arrays of a thousand.

    bench/run.py S8                     against a hand-written endpoint (bench/floor_http.py) and pgbench
    bench/run.py S8 --rounds 5 --seconds 8

The load comes from wrk (Debian has it) over loopback; wrk, the server and PostgreSQL share the machine. The sides take turns; a
ratio is the median of the rounds' ratios. After each round the rows in the table are counted: they must be the answers that were good,
and at most those under way when wrk stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from measure import first, tree, wait_for_quiet

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
RESULTS = HERE / "results_s8.json"
PAGE = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- requests: written by bench/s8.py -->\n", "<!-- end of requests -->"
TABLE = (
    "drop schema if exists bench cascade; create schema bench; create table bench.orders (id bigint primary key, customer_email text not null,"
    " sku text not null, qty int not null, unit_price numeric(12,2) not null, currency text not null, ordered_at timestamptz not null,"
    " shipped boolean not null, note text, country text not null)"
)
DEFINITION = """
source: { path: requests }
fields:
  id: { type: bigint, required: true }
  customer_email: { required: true }
  sku: { required: true }
  qty: { type: integer, required: true }
  unit_price: { type: "decimal(12,2)", required: true }
  currency: { required: true }
  ordered_at: { type: timestamptz, required: true }
  shipped: { type: boolean, required: true }
  note: note
  country: { required: true }
key: id
operation: upsert
destination: { connection: shop, table: bench.orders }
"""
RECORD = (
    r'{"id":%d,"customer_email":"user%d@example.com","sku":"%08d","qty":%d,"unit_price":"%d.50","currency":"EUR",'
    r'"ordered_at":"2024-03-07T13:45:10+02:00","shipped":true,"note":"say \\"hi\\"\\nnow","country":"NO"}'
)
LUA = (
    """
local n = tonumber(os.getenv("BENCH_FIRST"))
local size = tonumber(os.getenv("BENCH_SIZE"))
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
if os.getenv("BENCH_TOKEN") then wrk.headers["authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN") end
local function one()
  n = n + 1
  return string.format('RECORD', n, n, n, n % 50 + 1, n % 4000)
end
request = function()
  if size == 1 then return wrk.format(nil, nil, nil, one()) end
  local all = {}
  for i = 1, size do all[i] = one() end
  return wrk.format(nil, nil, nil, "[" .. table.concat(all, ",") .. "]")
end
done = function(s, l, r)
  local e = s.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", l:percentile(50), l:percentile(99), s.requests, s.duration, e.status,
    e.connect + e.read + e.write + e.timeout))
end
"""
).replace("RECORD", RECORD)
LEVELS = {1: ("p50", 1.3), 16: ("requests", 1.5), 64: ("requests", 2.0)}
ARRAY, ARRAYS_ASKED = 1000, 50_000


def run(url: str, rounds: int, seconds: int) -> list[dict[str, Any]]:
    """All levels of concurrency, each side in turns."""
    for program in ("wrk", "pgbench"):
        if shutil.which(program) is None:
            raise SystemExit(f"S8 needs {program}: apt-get install wrk postgresql-client postgresql-contrib")
    results = []
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        work = Path(folder)
        (work / "post.lua").write_text(LUA)
        for level, (measure_, asked) in LEVELS.items():
            runs: dict[str, list[dict[str, float]]] = {"floor": [], "headgate": []}
            for i in range(rounds):
                for side in ("floor", "headgate") if i % 2 == 0 else ("headgate", "floor"):
                    runs[side].append(load(side, url, work, level, seconds, 1))
                    print(f"  S8 {side:8} c={level:2} {runs[side][-1]}", file=sys.stderr)
            pairs = list(zip(runs["headgate"], runs["floor"], strict=True))
            results.append({
                "concurrency": level, "measure": measure_, "asked": asked,
                "ratio": statistics.median(ours[measure_] / floor[measure_] for ours, floor in pairs),
                "p99_ratio": statistics.median(ours["p99"] / floor["p99"] for ours, floor in pairs),
                **{side: {k: statistics.median(r[k] for r in found) for k in found[0]} for side, found in runs.items()},
            })  # fmt: skip
        arrays = [load("headgate", url, work, 4, seconds, ARRAY) for _ in range(rounds)]
        results.append({
            "concurrency": 4, "measure": "records", "asked": ARRAYS_ASKED,
            "headgate": {k: statistics.median(r[k] for r in arrays) for k in arrays[0]},
        })  # fmt: skip
        results.append({"concurrency": 1, "measure": "pgbench", "p50": pgbench(url, work, seconds)})
    return results


def load(side: str, url: str, work: Path, level: int, seconds: int, size: int) -> dict[str, float]:
    """One run of one side."""
    with psycopg.connect(url, autocommit=True) as c:
        c.execute(TABLE)
    with serving(side, url, work) as (address, token):
        environment = os.environ | {"BENCH_SIZE": str(size)} | ({"BENCH_TOKEN": token} if token else {})
        command = ["wrk", "-t1", f"-c{level}", "--timeout", "20s", "-s", str(work / "post.lua"), address]
        warm_up = environment | {"BENCH_FIRST": "900000000"}
        subprocess.run([*command, "-d1s"], env=warm_up, check=True, capture_output=True)
        time.sleep(1)  # what wrk did not wait for is done by then
        with psycopg.connect(url, autocommit=True) as c:
            c.execute("truncate bench.orders")
            c.execute("checkpoint")
        wait_for_quiet()
        told = subprocess.run(
            [*command, f"-d{seconds}s"],
            env=environment | {"BENCH_FIRST": "1000000"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        p50, p99, requests, micros, bad, broken = map(int, re.findall(r"RESULT (.*)", told)[0].split())
        time.sleep(0.5)
        with psycopg.connect(url) as c:
            (rows,) = c.execute("select count(*) from bench.orders").fetchone() or (0,)
        if bad or broken or not requests * size <= rows <= (requests + level) * size:
            raise SystemExit(
                f"{side}: {bad} bad answers, {broken} broken connections, {rows} rows for {requests} requests of {size}"
            )
    per_second = requests / micros * 1e6
    return {"p50": p50 / 1000, "p99": p99 / 1000, "requests": per_second, "records": per_second * size}


@contextlib.contextmanager
def serving(side: str, url: str, work: Path) -> Iterator[tuple[str, str]]:
    """One side's server; where to send, and the token that is needed there."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    home = Path(tempfile.mkdtemp(dir=work))
    if side == "floor":
        command = [BIN / "uvicorn", "--app-dir", HERE, "floor_http:app", "--port", str(port), "--no-access-log"]
        command += ["--loop", "uvloop", "--http", "httptools"]
        path = "/orders"
    else:
        (home / "imports").mkdir()
        (home / "headgate.yaml").write_text(f"connections: {{ shop: {json.dumps(url)} }}\n")
        (home / "imports" / "orders.yaml").write_text(DEFINITION)
        command = [BIN / "headgate", "serve", "--port", str(port)]
        path = "/api/imports/orders/records"
    environment = os.environ | {"BENCH_URL": url, "HEADGATE_HOME": str(home / "state")}
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=output, stderr=output, preexec_fn=first)
        try:
            _wait(f"http://127.0.0.1:{port}/healthz", process)
            found = re.search(rb"\bhg_[\w-]+", (home / "output").read_bytes())
            for pid in tree(process.pid):
                first(pid)
            yield f"http://127.0.0.1:{port}{path}", found[0].decode() if found and side != "floor" else ""
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"the server at {address} did not start")


def pgbench(url: str, work: Path, seconds: int) -> float:
    """Milliseconds of the database's own single-row insert, the median."""
    script = work / "insert.sql"
    script.write_text(
        "\\set id random(1, 9000000000000)\ninsert into bench.orders values (:id, 'user' || :id || '@example.com', '00001234', 5, 12.50, 'EUR',"
        " '2024-03-07T13:45:10+02:00', true, 'note', 'NO') on conflict do nothing;\n"
    )
    folder = Path(tempfile.mkdtemp(dir=work))
    command = ["pgbench", "-n", "-M", "prepared", "-c", "1", "-T", str(seconds), "-l", "-f", str(script), url]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    taken = sorted(int(line.split()[2]) for file in folder.iterdir() for line in file.read_text().splitlines())
    return taken[len(taken) // 2] / 1000


def table(results: list[dict[str, Any]]) -> str:
    """The results in Markdown."""
    lines = [
        "| concurrency | measure | hand-written | Headgate | ratio | asked | p99 ms: hand-written | Headgate |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in results:
        if r["measure"] == "pgbench":
            lines.append(f"| 1 | p50 ms of pgbench's single-row insert | {r['p50']:.2f} | | | | | |")
        elif r["measure"] == "records":
            ours = r["headgate"]
            lines.append(
                f"| {r['concurrency']} | records/s in arrays of {ARRAY:,} | | {ours['records']:,.0f} | | {r['asked']:,} | | {ours['p99']:.1f} |"
            )
        else:
            floor, ours = r["floor"], r["headgate"]
            what, form = ("p50 ms", ".2f") if r["measure"] == "p50" else ("requests/s", ",.0f")
            sign = "at most" if r["measure"] == "p50" else "at least"
            lines.append(
                f"| {r['concurrency']} | {what} | {floor[r['measure']]:{form}} | {ours[r['measure']]:{form}} | **{r['ratio']:.2f}** |"
                f" {sign} {r['asked']} | {floor['p99']:.2f} | {ours['p99']:.2f} |"
            )
    return "\n".join(lines) + "\n"


def publish(results: list[dict[str, Any]], machine: dict[str, Any]) -> None:
    """Keep the results, and put them into the page."""
    RESULTS.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    told = "; ".join(f"{k} {v}" for k, v in machine.items())
    PAGE.write_text(f"{before}{BEGIN}{table(results)}\nMeasured on: {told}.\n{END}{after}")
