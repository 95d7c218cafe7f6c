"""The connection is cut at the commit: whether it was committed is found out, not guessed."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from headgate.cli.main import run


class Proxy:
    """Stands between client and server on a socket of its own, and cuts the connection at the n-th COMMIT.

    Attributes:
        cut_at: which COMMIT of all that go by, counted from 1; 0 for none.
        deliver: whether the server still gets it (and the client never hears the answer).
    """

    def __init__(self, server: str, folder: Path, database: str) -> None:
        self.url = f"postgresql://postgres@/{database}?host={folder}"
        self.server, self.cut_at, self.deliver, self.seen = server, 0, False, 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
            threading.Thread(target=self._back, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(1 << 16):
                self.seen += b"COMMIT" in data
                if b"COMMIT" in data and self.seen == self.cut_at:
                    client.shutdown(socket.SHUT_RDWR)
                    if self.deliver:
                        server.sendall(data)
                        server.recv(1 << 16)
                    break
                server.sendall(data)
        except OSError:
            pass
        with suppress(OSError):  # closing alone does not wake up who waits for it
            server.shutdown(socket.SHUT_RDWR)
        server.close()

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := server.recv(1 << 16):
                client.sendall(data)
        except OSError:
            pass
        client.close()


@pytest.fixture
def proxy(pg_db: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with tempfile.TemporaryDirectory(prefix="hg-") as folder:  # a short path: sockets allow no long ones
        host = parse_qs(urlsplit(pg_db).query)["host"][0]
        proxy = Proxy(f"{host}/.s.PGSQL.5432", Path(folder), urlsplit(pg_db).path[1:])
        yield proxy
        proxy.close()


@pytest.mark.parametrize("deliver", [True, False], ids=["after", "before"])
def test_a_commit_without_an_answer_is_found_out(
    deliver: bool, pg_db: str, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    (tmp_path / "headgate.yaml").write_text(json.dumps({"connections": {"shop": proxy.url}}))
    (tmp_path / "imports").mkdir()
    definition = {"source": "items.csv", "key": "id", "destination": {"connection": "shop", "table": "item"}}
    (tmp_path / "imports" / "items.yaml").write_text(json.dumps(definition))
    (tmp_path / "items.csv").write_text("id,name\n1,a\n2,b\n")
    with psycopg.connect(pg_db, autocommit=True) as c:
        c.execute("create table item (id integer primary key, name text)")
        proxy.cut_at, proxy.deliver = 2, deliver  # the first is the claim's
        code = run(["run", "items", "--json"])
        said = json.loads(capfd.readouterr().out)
        found = c.execute("select count(*) from item").fetchone()
        if deliver:
            assert (code, found) == (0, (2,)), "it is in, and called so"
            assert said["account"]["created"] == 2
            assert "did not answer to the commit" in said["warnings"][0]
            assert run(["undo", "1"]) == 0, "its journal was kept"
        else:
            assert (code, found) == (1, (0,)), "it is not in, and called failed"
            assert "error" in said
            assert run(["run", "items"]) == 0
            assert c.execute("select count(*) from item").fetchone() == (2,)
