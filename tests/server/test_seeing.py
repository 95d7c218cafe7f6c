"""What a server shows of itself: metrics, health, its log."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.forked import PROGRAM
from support.serving import Serving

DEFINITION = """
source: { path: items.csv }
fields: { id: { type: integer }, name: { required: true } }
key: id
destination: { connection: shop, table: item }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("seen") / "shop"
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text("connections: { shop: sqlite:///shop.db }\n")
    (folder / "imports" / "items.yaml").write_text(DEFINITION)
    (folder / "items.csv").write_text("id,name\n100,a\n101,b\n102,\n")
    with sqlite3.connect(folder / "shop.db") as c:
        c.execute("create table item (id integer primary key, name text not null)")
    c.close()
    with Serving(folder, "--log-format", "json") as running:
        yield running


def figures(server: Serving) -> dict[tuple[str, ...], float]:
    answer = server.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_metrics_say_what_became_of_records(server: Serving) -> None:
    for n in range(3):
        server.post("/api/imports/items/records", [{"id": n, "name": "a"}, {"id": "x", "name": "b"}])
    before = figures(server)
    assert before["headgate_request_seconds_count", "items", "200"] == 3
    assert before["headgate_runs_running", "items", "requests"] == 1
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "run", "items", "--quiet"],
        cwd=server.folder,
        env={"HEADGATE_HOME": str(server.home), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 3
    after = figures(server)
    assert after["headgate_runs_total", "items", "run", "partial"] == 1
    assert after["headgate_records_total", "items", "created"] >= 2
    assert after["headgate_records_total", "items", "invalid"] >= 1
    assert after["headgate_run_seconds_count", "items"] == 1
    assert after["headgate_rejects_open", "RU01", "items"] == 1
    assert after["headgate_last_success_timestamp_seconds", "items"] > 1_700_000_000
    assert after["headgate_runs_waiting",] == 0
    assert figures(server)["headgate_runs_total", "items", "run", "partial"] == 1, "a run is counted once"


def test_metrics_are_for_those_who_may(server: Serving) -> None:
    assert server.get("/metrics", token="").status == 401


def test_health_is_for_everybody(server: Serving) -> None:
    assert server.get("/healthz", token="").json() == {"status": "ok"}
    assert server.get("/readyz", token="").json() == {"status": "ready"}


def test_names_of_imports_that_are_none_make_no_figures(server: Serving) -> None:
    server.post("/api/imports/nothing/records", {"id": 1})
    assert not any("nothing" in labels for labels in figures(server))


def test_the_log_is_json(server: Serving) -> None:
    for line in server.said.splitlines():
        if line.startswith("{"):
            assert {"time", "level", "message"} <= json.loads(line).keys()


def test_a_server_whose_ledger_is_away_is_not_ready(tmp_path: Path, pg_db: str) -> None:
    import psycopg

    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "headgate.yaml").write_text(
        f"ledger: {json.dumps(pg_db + '&schema=hg' if '?' in pg_db else pg_db + '?schema=hg')}\n"
    )
    with Serving(folder) as server:
        assert server.get("/readyz", token="").status == 200
        with psycopg.connect(pg_db, autocommit=True) as c:
            c.execute("drop schema hg cascade")
        answer = server.get("/readyz", token="")
        assert (answer.status, answer.json()["code"]) == (503, "not-ready")
        assert server.get("/healthz", token="").status == 200
