"""Several servers and workers at one ledger in PostgreSQL: the work is shared, and nobody's death loses or doubles any of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support import forked
from support.forked import PROGRAM
from support.serving import Serving

LEASE = "8"
ROWS = 500


@pytest.fixture
def project(tmp_path: Path, pg_db: str) -> Path:
    folder = tmp_path / "shop"
    (folder / "imports").mkdir(parents=True)
    ledger = f"{pg_db}{'&' if '?' in pg_db else '?'}schema=hg"
    (folder / "headgate.yaml").write_text(
        f"connections: {{ shop: {json.dumps(pg_db)} }}\nledger: {json.dumps(ledger)}\n"
    )
    (folder / "rows.csv").write_text("id,name\n" + "".join(f"{n},x\n" for n in range(ROWS)))
    with psycopg.connect(pg_db, autocommit=True) as c:
        for table in ("a", "b", "c"):
            c.execute(f"create table {table} (id integer, name text)".encode())
            (folder / "imports" / f"{table}.yaml").write_text(
                f"source: {{ path: rows.csv, again: run }}\noperation: append\ndestination: {{ connection: shop, table: {table} }}\n"
            )
    return folder


@pytest.fixture
def worker(project: Path, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Begins a worker; those that are left are ended."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        with (tmp_path / f"worker-{len(begun)}.log").open("wb") as out:
            process = forked.start(
                *("worker", "--concurrency", "2", "--grace", "5"),
                cwd=project, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                env={**os.environ, "HEADGATE_HOME": str(tmp_path / f"home-{len(begun)}"), "HEADGATE_LEASE": LEASE},
            )  # fmt: skip
        begun.append(process)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(60)


def until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.1)
    return found


def serving(project: Path, *options: str, home: str = "home") -> Serving:
    return Serving(project, "--no-auth", *options, home=project.parent / home, more={"HEADGATE_LEASE": LEASE})


def run_of(server: Serving, number: int) -> dict[str, Any]:
    """A run, or the one that carries out what was asked for under its number."""
    shown = server.get(f"/api/runs/{number}").json()
    other = (shown.get("work") or {}).get("run")
    return server.get(f"/api/runs/{other}").json() if other and other != number else shown


def over(server: Serving, numbers: list[int]) -> list[dict[str, Any]]:
    """The runs, once all are over."""

    def all_over() -> list[dict[str, Any]]:
        runs = [run_of(server, n) for n in numbers]
        done = all(
            r["status"] not in ("queued", "running") and (r["work"] or {}).get("status") in (None, "done") for r in runs
        )
        return runs if done else []

    return until(all_over)  # type: ignore[no-any-return]


def count(pg_db: str, table: str) -> int:
    with psycopg.connect(pg_db) as c:
        return c.execute(f"select count(*) from {table}".encode()).fetchone()[0]  # type: ignore[index]


def test_work_is_shared_and_done_once(project: Path, pg_db: str, worker: Callable[[], Any]) -> None:
    with serving(project, "--no-worker") as one, serving(project, "--no-worker", home="other") as two:
        asked = [s.post(f"/api/imports/{t}/runs").json()["id"] for t in ("a", "b", "c") for s in (one, two)]
        assert len(set(asked)) == 6
        worker()
        worker()
        runs = over(two, asked)
    assert [(r["status"], r["error"]) for r in runs] == [("succeeded", "")] * 6
    assert [count(pg_db, t) for t in ("a", "b", "c")] == [2 * ROWS] * 3


def test_who_is_killed_is_taken_over(project: Path, pg_db: str, worker: Callable[[], Any]) -> None:
    with serving(project, "--no-worker") as server, psycopg.connect(pg_db) as c:
        c.execute("lock table a in exclusive mode")
        first = worker()
        (number,) = [server.post("/api/imports/a/runs").json()["id"]]
        until(lambda: run_of(server, number)["status"] == "running")
        first.kill()
        first.wait()
        worker()
        c.rollback()
        (run,) = over(server, [number])
    assert (run["status"], run["account"]["created"]) == ("succeeded", ROWS)
    assert count(pg_db, "a") == ROWS


def test_who_only_slept_writes_nothing_late(project: Path, pg_db: str, worker: Callable[[], Any]) -> None:
    with serving(project, "--no-worker") as server, psycopg.connect(pg_db) as c:
        c.execute("lock table a in exclusive mode")
        sleeper = worker()
        number = server.post("/api/imports/a/runs").json()["id"]
        until(lambda: run_of(server, number)["status"] == "running")
        for pid in [*_children(sleeper.pid), sleeper.pid]:
            os.kill(pid, signal.SIGSTOP)
        # Its signs of life end; on this machine its processes are still there, so only silence tells.
        worker()
        c.rollback()
        time.sleep(float(LEASE))
        for pid in [*_children(sleeper.pid), sleeper.pid]:
            os.kill(pid, signal.SIGCONT)
        (run,) = over(server, [number])
    assert (run["status"], run["error"]) == ("succeeded", "")
    assert count(pg_db, "a") == ROWS


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [c for child in map(int, found) for c in (child, *_children(child))]


def test_a_run_is_cancelled_over_http(project: Path, pg_db: str, worker: Callable[[], Any]) -> None:
    with serving(project) as server, psycopg.connect(pg_db) as c:
        c.execute("lock table a in exclusive mode")
        number = server.post("/api/imports/a/runs").json()["id"]
        until(lambda: run_of(server, number)["status"] == "running")
        assert server.post(f"/api/runs/{number}/cancel").status == 202
        (run,) = over(server, [number])
        c.rollback()
    assert run["status"] == "cancelled"
    assert count(pg_db, "a") == 0


def test_events_of_a_run_are_told_until_it_is_over(project: Path, pg_db: str) -> None:
    with serving(project) as server:
        number = server.post("/api/imports/a/runs").json()["id"]
        answer = server.pool.request("GET", f"{server.url}/api/runs/{number}/events", preload_content=False, timeout=60)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = answer.read().decode()
        answer.release_conn()
    events = [
        dict(line.split(": ", 1) for line in e.splitlines() if ": " in line)
        for e in told.split("\n\n")
        if "data: " in e
    ]
    assert json.loads(events[-1]["data"])["status"] == "succeeded"
    assert all(e["id"] for e in events)


def test_two_processes_share_a_port(project: Path, pg_db: str) -> None:
    with psycopg.connect(pg_db, autocommit=True) as c:
        c.execute("alter table a add primary key (id)")
    file = project / "imports" / "a.yaml"
    file.write_text("source: rows.csv\nkey: id\ndestination: { connection: shop, table: a }\n")
    with serving(project, "--workers", "2") as server:
        for n in range(40):
            answer = server.post(
                "/api/imports/a/records", {"id": n % 20, "name": f"{n}"}, headers={"Connection": "close"}
            )
            assert answer.status == 200, answer
    assert count(pg_db, "a") == 20


def test_a_ledger_in_a_file_is_for_one_process(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "headgate.yaml").write_text("connections: {}\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "serve", "--workers", "2"],
        cwd=folder, env={**os.environ, "HEADGATE_HOME": str(tmp_path / "home")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "need a ledger in PostgreSQL" in done.stderr
