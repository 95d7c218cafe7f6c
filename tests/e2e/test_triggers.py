"""`headgate serve` starting imports by itself: real servers, real files, killed in between."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support import forked
from support.hearing import listening
from support.serving import Serving

SECONDS = 60


@pytest.fixture
def hearing():
    with listening() as server:
        yield server


class Shop:
    """A project with a SQLite database."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder.with_name("home")
        for name in ("imports", "inbox"):
            (folder / name).mkdir(parents=True)
        (folder / "headgate.yaml").write_text("connections:\n  shop: sqlite:///shop.db\n")
        with closing(sqlite3.connect(folder / "shop.db")) as db:
            db.execute("create table product (sku text primary key, name text)")
            db.execute("create table line (file text, sku text)")
            db.commit()

    def define(self, name: str, text: str) -> None:
        (self.folder / "imports" / f"{name}.yaml").write_text(text)

    def drop(self, name: str, *rows: str) -> None:
        """Put a file into the inbox at once, as a careful sender does."""
        hidden = self.folder / f".{name}"
        hidden.write_text("\n".join(["sku,name", *rows, ""]))
        hidden.rename(self.folder / "inbox" / name)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "shop.db")) as db:
            return db.execute(query).fetchall()

    def said(self, *words: str) -> str:
        done = forked.run(*words, cwd=self.folder, env={**os.environ, "HEADGATE_HOME": str(self.home)})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def runs(self, name: str) -> list[dict[str, object]]:
        return json.loads(self.said("runs", name, "--json"))

    @contextmanager
    def serving(self):
        """A server, and a worker beside it."""
        with Serving(self.folder, "--no-auth", home=self.home) as server, self.working():
            yield server

    @contextmanager
    def working(self):
        with (self.home / "worker.err").open("ab") as errors:
            worker = forked.start(
                "worker", cwd=self.folder, stderr=errors, env={**os.environ, "HEADGATE_HOME": str(self.home)}
            )
        try:
            yield worker
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0, (self.home / "worker.err").read_text()


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop")


def until(condition, server):
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, server.said
        assert server.process.poll() is None, server.said
        time.sleep(0.1)
    return found


WATCHED = """
source: inbox/*.csv
fields: { sku: sku, name: name }
key: sku
destination: { connection: shop, table: product }
watch: { every: 1s, settled: 1s }
"""


def test_a_file_that_arrives_is_imported_once_also_when_the_server_is_killed(shop):
    shop.define("products", WATCHED)
    shop.drop("a.csv", "A1,one")
    with shop.serving() as server:
        until(lambda: shop.rows("select sku from product") == [("A1",)], server)
        shop.drop("b.csv", "B1,two")
        until(lambda: len(shop.rows("select sku from product")) == 2, server)
        server.process.kill()
        server.process.wait()
    shop.drop("c.csv", "C1,three")
    with shop.serving() as server:
        until(lambda: len(shop.rows("select sku from product")) == 3, server)
        until(lambda: not server.get("/api/triggers").json()[0]["watch"]["waiting"], server)
    runs = [r for r in shop.runs("products") if r["account"]["read"]]
    assert [r["account"]["read"] for r in runs] == [1, 1, 1]


def test_a_file_that_was_moved_away_when_it_was_imported(shop):
    shop.define(
        "products", WATCHED.replace("source: inbox/*.csv", "source: { path: inbox/*.csv, done: { move: done } }")
    )
    with shop.serving() as server:
        shop.drop("a.csv", "A1,one")
        until((shop.folder / "done" / "a.csv").exists, server)
        shop.drop("a.csv", "A1,uno")
        until(lambda: shop.rows("select name from product") == [("uno",)], server)


def test_a_file_that_fails_is_not_tried_again_until_it_changes(shop):
    shop.define("products", WATCHED.replace("name: name", "name: { from: title }"))
    with shop.serving() as server:
        shop.drop("a.csv", "A1,one")
        until(lambda: [r for r in shop.runs("products") if r["status"] == "failed"], server)
        shop.define("products", WATCHED)
        shop.drop("b.csv", "B1,two")
        until(lambda: shop.rows("select sku from product") == [("B1",)], server)
        assert len(shop.runs("products")) == 2
        shop.drop("a.csv", "A1,one", "A2,two")
        until(lambda: len(shop.rows("select sku from product")) == 3, server)


def test_a_schedule_runs_and_starts_what_comes_after_it_and_can_be_paused(shop):
    shop.drop("a.csv", "A1,one")
    shop.define("products", WATCHED.replace("watch: { every: 1s, settled: 1s }", "schedule: { every: 1s }"))
    shop.define(
        "lines",
        WATCHED.replace("watch: { every: 1s, settled: 1s }", "after: products").replace(
            "product }", "product }\nexisting: reject"
        ),
    )
    with shop.serving() as server:
        until(lambda: len(shop.runs("products")) >= 2, server)
        until(lambda: shop.runs("lines"), server)
        assert server.post("/api/triggers/products/pause").json() == {
            "import": "products",
            "paused": True,
            "changed": True,
        }
        listed = {t["import"]: t for t in server.get("/api/triggers").json()}
        assert listed["products"]["paused_by"] == "anybody"
        assert listed["products"]["schedule"]["next"] == []
        assert listed["lines"]["after"] == {"imports": ["products"], "all": False, "partial": False}
        assert server.post("/api/triggers/nothing/pause").status == 404
        assert server.post("/api/triggers/products/run").status == 202
        assert "started by itself" in shop.said("triggers", "resume", "products")
        before = len(shop.runs("products"))
        until(lambda: len(shop.runs("products")) > before + 1, server)


def test_a_worker_looks_after_the_triggers_without_a_server(shop):
    shop.home.mkdir()
    shop.define("products", WATCHED)
    shop.drop("a.csv", "A1,one")
    with shop.working() as worker:
        end = time.monotonic() + SECONDS
        while not shop.rows("select sku from product"):
            assert time.monotonic() < end and worker.poll() is None, (shop.home / "worker.err").read_text()
            time.sleep(0.1)


def test_a_broken_definition_does_not_stop_the_others_and_is_told(shop, hearing):
    told_to = f"notify: {{ to: [ {{ webhook: {{ url: '{hearing.url}', private: true }} }} ] }}"
    (shop.folder / "headgate.yaml").write_text(f"connections:\n  shop: sqlite:///shop.db\n{told_to}\n")
    shop.define("products", WATCHED)
    shop.define("broken", WATCHED)
    with shop.serving() as server:
        until(lambda: "products" in {t["import"] for t in server.get("/api/triggers").json()}, server)
        shop.drop("a.csv", "A1,one")
        until(lambda: shop.rows("select sku from product"), server)
        shop.define("broken", "sorce: x\n")
        until(lambda: hearing.heard, server)
        told = json.loads(hearing.heard[0][1])
        assert (told["type"], told["data"]["import"]) == ("import.failed", "broken")
        assert "imports/broken.yaml:1:1" in told["data"]["trouble"]
        shop.drop("b.csv", "B1,two")
        until(lambda: len(shop.rows("select sku from product")) == 2, server)
        shop.define("broken", WATCHED)
        until(lambda: len(hearing.heard) > 1, server)
        assert json.loads(hearing.heard[1][1])["type"] == "import.recovered"
