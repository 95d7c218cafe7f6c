"""Files are put on web servers: by PUT with conditions, by POST, and in forms."""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest

from .conftest import Somewhere
from .uploading import Outbox

THEN = 1_700_000_000
FILES = {"a.txt": b"one", "b c.bin": bytes(range(256)) * 9_000, "sub/é.txt": b"", "sub/d.txt": b"four"}


class Keeping:
    """A web server that keeps what is put there, and looks at conditions."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.failing: dict[str, int] = {}
        self.methods: list[str] = []
        self.page = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                outer.methods.append(self.command)
                if (data := outer.files.get(self.path)) is None:
                    return self.answer(404)
                return self.answer(200, data, ETag=outer.tag(data), **{"Content-Type": "application/octet-stream"})

            do_GET = do_HEAD

            def do_PUT(self) -> None:
                outer.methods.append(self.command)
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if len(data) < int(self.headers["Content-Length"]):
                    return None  # whoever sent it is gone
                if (instead := outer.instead(self.path)) is not None:
                    return self.answer(*instead, **{"Content-Type": "text/html"})
                there = outer.files.get(self.path)
                wanted, none = self.headers.get("If-Match"), self.headers.get("If-None-Match")
                if (none == "*" and there is not None) or (wanted and wanted != outer.tag(there or b"")):
                    return self.answer(412)
                outer.keep(self.path, self.headers["Content-Type"], data)
                return self.answer(201)

            do_POST = do_PUT

            def do_DELETE(self) -> None:
                return self.answer(404 if outer.files.pop(self.path, None) is None else 204)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/data"

    def keep(self, path: str, kind: str, data: bytes) -> None:
        if not kind.startswith("multipart/form-data"):
            self.files[path] = data
            return
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
        for part in form.iter_parts():  # type: ignore[attr-defined]
            self.files[f"{path}/{part.get_filename()}"] = part.get_payload(decode=True)

    @staticmethod
    def tag(data: bytes) -> str:
        return f'"{hashlib.sha1(data).hexdigest()}"'

    def instead(self, path: str) -> tuple[int, bytes] | None:
        """What a file is answered with that is not taken."""
        if self.page:
            return 200, b"<html>Please log in</html>"
        if self.failing.get(path, 0):
            self.failing[path] -= 1
            return 503, b""
        return None

    def somewhere(self, **more: Any) -> Somewhere:
        return Somewhere({"url": self.url, "private": True, **more}, lambda *_: None, lambda: self.files)

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def web() -> Iterator[Keeping]:
    made = Keeping()
    yield made
    made.close()


@pytest.fixture
def filled(outbox: Outbox) -> Outbox:
    for path, data in FILES.items():
        outbox.put(path, data, THEN)
    return outbox


def there() -> dict[str, bytes]:
    names = {"b c.bin": "b%20c.bin", "sub/é.txt": "sub/%C3%A9.txt"}
    return {f"/data/in/{names.get(path, path)}": data for path, data in FILES.items()}


@pytest.mark.parametrize("verify", ["quick", "read"])
def test_files_are_put_once(filled: Outbox, web: Keeping, verify: str) -> None:
    filled.define(web.somewhere(), transfer={"verify": verify})
    assert filled.run() == {"created": 4}
    assert web.files == there()
    assert filled.run() == {"unchanged": 4}
    filled.put("a.txt", b"two", THEN + 9)
    assert filled.run() == {"unchanged": 3, "updated": 1}
    assert web.files == there() | {"/data/in/a.txt": b"two"}
    filled.define(web.somewhere(), operation="delete")
    assert filled.run() == {"deleted": 4}
    assert web.files == {}


def test_a_server_that_is_busy_is_asked_again(filled: Outbox, web: Keeping) -> None:
    web.failing["/data/in/b%20c.bin"] = 1
    filled.define(web.somewhere())
    assert filled.run() == {"created": 4}
    assert web.files == there()


def test_what_somebody_else_put_there_meanwhile_is_not_overwritten(filled: Outbox, web: Keeping) -> None:
    filled.define(web.somewhere())
    planned = filled("plan", "send", "--json").json
    web.files["/data/in/a.txt"] = b"somebody else's"
    said = filled("run", "--plan", planned["id"], "--json")
    assert said.counts == {"created": 3, "held": 1}
    assert web.files["/data/in/a.txt"] == b"somebody else's"


def test_files_are_posted(filled: Outbox, web: Keeping) -> None:
    filled.define(web.somewhere(put={"method": "POST"}))
    assert filled.run() == {"created": 4}
    assert web.files == there()
    assert "PUT" not in web.methods


def test_files_are_sent_in_forms(outbox: Outbox, web: Keeping) -> None:
    for name in ("a.txt", "b.bin"):
        outbox.put(name, FILES["b c.bin"], THEN)
    outbox.define(web.somewhere(put={"method": "POST", "form": "file"}))
    assert outbox.run() == {"created": 2}
    assert web.files == {"/data/in/a.txt": FILES["b c.bin"], "/data/in/b.bin": FILES["b c.bin"]}


def test_a_file_that_is_refused_is_one_reject(filled: Outbox, web: Keeping) -> None:
    web.failing["/data/in/a.txt"] = 99
    filled.define(web.somewhere(retries=0))
    said = filled("run", "send", "--json")
    assert said.counts == {"created": 3, "rejected": 1}
    assert "503" in said.json["rejects"][0]["example"]


def test_a_page_in_place_of_the_answer_is_no_file(outbox: Outbox, web: Keeping) -> None:
    outbox.put("a.txt", b"one", THEN)
    outbox.define(web.somewhere())
    web.page = True
    said = outbox("run", "send", "--json")
    assert said.counts == {"rejected": 1}
    (reject,) = said.json["rejects"]
    assert reject["code"] == "FI03"
    assert "it is answered with a web page, and the file is not there: <html>Please log in</html>" in reject["example"]
    web.page = False
    assert outbox.run() == {"created": 1}


def test_a_percent_sign_in_a_name_is_one(outbox: Outbox, web: Keeping) -> None:
    for path in ("%41.txt", "A.txt", "b%20c.txt", "b c.txt", "100%.txt"):
        outbox.put(path, path.encode(), THEN)
    outbox.define(web.somewhere())
    assert outbox.run() == {"created": 5}
    assert web.files == {
        f"/data/in/{quote(path)}": path.encode() for path in ("%41.txt", "A.txt", "b%20c.txt", "b c.txt", "100%.txt")
    }
    assert outbox.run() == {"unchanged": 5}
