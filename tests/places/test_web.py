"""Files on a web server, read by the command line."""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.http.place import HttpPlace
from support import forked

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
    return forked.run(*words, cwd=folder, env={"HEADGATE_HOME": str(folder / "home"), "PATH": "/usr/bin:/bin"})


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


class Breaking(Web):
    """Breaks every answer off after some bytes, and goes on where it is asked to unless it is told not to."""

    def __init__(
        self, body: bytes, piece: int, *, tags: list[str], ranges: str = "right", busy: int = 0, moved: bool = False
    ) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if moved and self.path == "/long.csv":
                    self.send_response(302)
                    self.send_header("Location", "/elsewhere/long.csv")
                    self.send_header("Content-Length", "5")
                    self.end_headers()
                    self.wfile.write(b"moved")
                    return
                asked = self.headers.get("Range", ""), self.headers.get("If-Range", "")
                outer.asked.append(asked)
                tag = tags[min(len(outer.asked), len(tags)) - 1]
                if len(outer.asked) == busy:
                    self.send_response(503)
                    self.send_header("Content-Length", "4")
                    self.send_header("Retry-After", "0")
                    self.end_headers()
                    self.wfile.write(b"busy")
                    return
                at = int(asked[0].removeprefix("bytes=").removesuffix("-") or 0) if asked[1] == tag else 0
                if at and ranges == "none":
                    at = 0
                if at and ranges == "refused":
                    self.send_response(416)
                    self.end_headers()
                    return
                self.send_response(206 if at else 200)
                self.send_header("Content-Type", "text/csv")
                self.send_header("Content-Length", str(len(body) - at))
                self.send_header("ETag", tag)
                if at:
                    first = at + 7 if ranges == "wrong" else at
                    self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
                self.end_headers()
                whole = ranges != "right" and len(outer.asked) > 2
                self.wfile.write(body[at:] if whole else body[at : at + piece])

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server.RequestHandlerClass = Handler


LONG = b"sku,price\n" + b"".join(f"S-{n:05},{n}.50\n".encode() for n in range(60_000))
PIECE = 1 << 17  # in whole blocks, as what came of the last one is lost


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headgate.connectors.http.client.backoff", lambda _: 0.0)


def fetched(web: Web, folder: Path) -> bytes:
    place = HttpPlace({"url": web.url, "private": True})
    try:
        place.fetch("long.csv", folder / "long.csv")
    finally:
        place.close()
        web.close()
    return (folder / "long.csv").read_bytes()


@pytest.mark.usefixtures("quick")
def test_a_download_goes_on_where_its_connection_broke(tmp_path: Path) -> None:
    web = Breaking(LONG, PIECE, tags=['"one"'])
    assert fetched(web, tmp_path) == LONG
    whole = -(-len(LONG) // PIECE)
    assert web.asked == [("", ""), *((f"bytes={n * PIECE}-", '"one"') for n in range(1, whole))]
    assert whole - 1 > 2, "more often than it is tried where nothing comes"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("ranges", ["none", "refused", "wrong"])
def test_a_server_that_cannot_go_on_begins_anew(tmp_path: Path, ranges: str) -> None:
    web = Breaking(LONG, PIECE, tags=['"one"'], ranges=ranges)
    assert fetched(web, tmp_path) == LONG
    assert web.asked[1] == (f"bytes={PIECE}-", '"one"')


@pytest.mark.usefixtures("quick")
def test_what_a_busy_server_says_is_no_part_of_the_file(tmp_path: Path) -> None:
    web = Breaking(LONG, PIECE, tags=['"one"'], busy=3)
    assert fetched(web, tmp_path) == LONG
    assert web.asked[2:4] == [(f"bytes={2 * PIECE}-", '"one"'), ("", "")]


@pytest.mark.usefixtures("quick")
def test_a_download_goes_on_where_an_address_leads_to(tmp_path: Path) -> None:
    web = Breaking(LONG, PIECE, tags=['"one"'], moved=True)
    assert fetched(web, tmp_path) == LONG
    assert web.asked[1] == (f"bytes={PIECE}-", '"one"')


@pytest.mark.usefixtures("quick")
def test_a_file_that_changed_meanwhile_is_not_put_together_of_two(tmp_path: Path) -> None:
    web = Breaking(LONG, PIECE, tags=['"one"', '"two"'])
    assert fetched(web, tmp_path) == LONG
    assert web.asked[1:3] == [(f"bytes={PIECE}-", '"one"'), (f"bytes={PIECE}-", '"two"')]


@pytest.mark.usefixtures("quick")
def test_a_weak_tag_is_nothing_to_go_on_by(tmp_path: Path) -> None:
    web = Breaking(LONG, PIECE, tags=['W/"one"'], ranges="none")
    assert fetched(web, tmp_path) == LONG
    assert {range_ for range_, _ in web.asked} == {""}


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
    done = run(path, ", retries: 1")
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "shop.db").exists() or items(tmp_path) == []
