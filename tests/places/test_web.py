"""Files on a web server, read by the command line."""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.serving import PROGRAM

CSV = b"sku,price\nA-1,1.50\nB-2,2.50\n"


class Web:
    """A web server of the test's own: paths to (status, headers, body), and who asked for what."""

    def __init__(self) -> None:
        self.pages: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}
        self.seen: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, self.headers.get("authorization")))
                found = outer.pages.get(self.path, [(404, {}, b"no such page")])
                status, headers, body = found.pop(0) if len(found) > 1 else found[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def put(self, path: str, body: bytes = CSV, status: int = 200, **headers: str) -> None:
        sent = {k.replace("_", "-"): v for k, v in headers.items()}
        self.pages.setdefault(path, []).append((status, {"Content-Type": "text/csv", **sent}, body))

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


Run = Callable[..., Any]


def headgate(folder: Path, *words: str) -> Any:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, capture_output=True, text=True, check=False,
        env={"HEADGATE_HOME": str(folder / "home"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@pytest.fixture
def run(web: Web, tmp_path: Path) -> Run:
    """Runs an import of a file of the server."""

    def imported(path: str, auth: str = "") -> Any:
        (tmp_path / "imports").mkdir(exist_ok=True)
        (tmp_path / "headgate.yaml").write_text(
            f"connections:\n  web: {{ url: {web.url}, private: true{auth} }}\n  shop: sqlite:///shop.db\n"
        )
        (tmp_path / "imports" / "items.yaml").write_text(
            f"source: {{ connection: web, path: {json.dumps(path)} }}\nkey: sku\n"
            "destination: { connection: shop, table: item, create: true }\n"
        )
        return headgate(tmp_path, "run", "items", "--quiet")

    return imported


def items(folder: Path) -> list[Any]:
    with sqlite3.connect(folder / "shop.db") as c:
        found = c.execute("select sku from item order by sku").fetchall()
    c.close()
    return [sku for (sku,) in found]


def test_a_file_is_read_by_its_address(web: Web, run: Run, tmp_path: Path) -> None:
    web.put("/data/items%20a.csv")
    done = run("data/items a.csv")
    assert done.returncode == 0, done.stderr
    assert items(tmp_path) == ["A-1", "B-2"]


def test_a_packed_file_is_unpacked_by_us(web: Web, run: Run, tmp_path: Path) -> None:
    web.put("/items.csv.gz", gzip.compress(CSV), Content_Type="application/gzip")
    assert run("items.csv.gz").returncode == 0
    assert items(tmp_path) == ["A-1", "B-2"]


def test_a_server_that_is_busy_is_asked_again(web: Web, run: Run, tmp_path: Path) -> None:
    web.put("/items.csv", b"busy", 503, Retry_After="0")
    web.put("/items.csv")
    assert run("items.csv").returncode == 0
    assert len(web.seen) == 2


def test_a_connection_says_who_asks(web: Web, run: Run) -> None:
    other = Web()
    try:
        other.put("/moved.csv")
        web.put("/items.csv", b"", 302, Location=f"{other.url}/moved.csv")
        done = run("items.csv", ", auth: { type: bearer, token: secret }")
    finally:
        other.close()
    assert done.returncode == 0, done.stderr
    assert web.seen == [("/items.csv", "Bearer secret")]
    assert other.seen == [("/moved.csv", None)], "the login goes to no other host"


def test_an_address_in_the_own_network_must_be_allowed(web: Web, tmp_path: Path) -> None:
    done = headgate(tmp_path, "run", f"{web.url}/items.csv", "--into", "sqlite:///shop.db#item", "--create")
    assert done.returncode == 1
    assert "127.0.0.1 is not a public address" in done.stderr
    assert web.seen == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nothing.csv", "404"),
        ("page.csv", "web page"),
        ("short.csv", "short.csv"),
        ("*.csv", "does not list its files"),
    ],
)
def test_what_cannot_be_read_is_said(web: Web, run: Run, tmp_path: Path, path: str, words: str) -> None:
    web.put("/page.csv", b"<html>Please sign in</html>", Content_Type="text/html; charset=utf-8")
    web.put("/short.csv", CSV, Content_Length="1000", Connection="close")
    done = run(path)
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "shop.db").exists() or items(tmp_path) == []
