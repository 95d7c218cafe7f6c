"""S10: 20,000 records of a CSV file to an API that takes 20 ms a call, 100 records a call, 8 calls at once.

    bench/run.py S10                    against a client written by hand with aiohttp (bench/floor_api.py)

Headgate maps and checks the records, keeps what it sends in its ledger before it sends it, and every record's outcome after. The sides
take turns; the ratio is the median of the rounds' ratios. After each run the API says how many records came, and the sum of their ids.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orders
from measure import first, measure
from scenarios import FIELDS

HERE = Path(__file__).parent
HEADGATE = str(Path(sys.executable).with_name("headgate"))
RESULTS = HERE / "results_s10.json"
PAGE = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- API: written by bench/s10.py -->\n", "<!-- end of API -->"
ROWS, ASKED = 20_000, 1.15


def run(rounds: int, rows: int | None) -> dict[str, Any]:
    """Both sides in turns."""
    if importlib.util.find_spec("aiohttp") is None:
        raise SystemExit("S10 needs aiohttp for its floor: .venv/bin/uv pip install --python .venv/bin/python aiohttp")
    made = orders.make("orders", rows or ROWS)
    with serving() as url, tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        sides: dict[str, list[dict[str, float]]] = {"floor": [], "headgate": []}
        for i in range(rounds):
            for side in ("floor", "headgate") if i % 2 == 0 else ("headgate", "floor"):
                sides[side].append(_one(side, Path(folder) / f"{side}{i}", made, url, rows or ROWS))
                print(f"  S10 {side:8} {sides[side][-1]}", file=sys.stderr)
    ratio = statistics.median(o["wall"] / f["wall"] for o, f in zip(sides["headgate"], sides["floor"], strict=True))
    medians = {side: {k: statistics.median(r[k] for r in found) for k in found[0]} for side, found in sides.items()}
    return {"rows": rows or ROWS, "ratio": ratio, "asked": ASKED, **medians}


def _one(side: str, home: Path, source: Path, url: str, rows: int) -> dict[str, float]:
    home.mkdir()
    urllib.request.urlopen(urllib.request.Request(f"{url}/reset", method="POST")).close()
    if side == "floor":
        command = [sys.executable, str(HERE / "floor_api.py"), str(source), f"{url}/batch"]
    else:
        create = {"path": "/batch", "batch": 100}
        api = {"url": url, "private": True, "concurrency": 8, "resources": {"orders": {"create": create}}}
        (home / "headgate.yaml").write_text(json.dumps({"connections": {"api": api}}))
        (home / "imports").mkdir()
        definition = {
            "source": str(source), "fields": FIELDS, "operation": "append", "destination": {"connection": "api", "table": "orders"},
        }  # fmt: skip
        (home / "imports" / "orders.yaml").write_text(json.dumps(definition))
        command = [HEADGATE, "run", "orders", "--json"]
    done = measure(command, home, os.environ | {"HEADGATE_HOME": str(home / "state")})
    came = json.load(urllib.request.urlopen(f"{url}/stats"))
    if done.code or (came["rows"], came["sum"]) != (rows, rows * (rows + 1) // 2):
        raise SystemExit(f"{side}: exit {done.code}, {came}: {done.output[-2000:]}")
    return {"wall": done.wall, "cpu": done.cpu, "rss": done.rss, "peak": came["peak"]}


@contextmanager
def serving() -> Iterator[str]:
    """The API, on a free port."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(HERE / "api.py"), str(port)], preexec_fn=first)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/stats").close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def table(found: dict[str, Any]) -> str:
    """The results in Markdown."""
    floor, ours = found["floor"], found["headgate"]
    return (
        "| records | aiohttp by hand, s | Headgate, s | ratio | asked | CPU s: by hand | Headgate | MiB: by hand | Headgate |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        f"| {found['rows']:,} | {floor['wall']:.2f} | {ours['wall']:.2f} | **{found['ratio']:.2f}** | {ASKED} |"
        f" {floor['cpu']:.2f} | {ours['cpu']:.2f} | {int(floor['rss']) >> 20} | {int(ours['rss']) >> 20} |\n"
    )


def publish(found: dict[str, Any], machine: dict[str, Any]) -> None:
    """Keep the results, and put them into the page."""
    RESULTS.write_text(json.dumps({"machine": machine, "results": found}, indent=2) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    told = "; ".join(f"{k} {v}" for k, v in machine.items() if k not in ("postgresql", "fsync"))
    PAGE.write_text(f"{before}{BEGIN}{table(found)}\nMeasured on: {told}.\n{END}{rest.partition(END)[2]}")
