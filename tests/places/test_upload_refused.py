"""What a server does not let happen: the file there stays as it is, and the reason is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.sftp import wire
from support.servers import FtpServer

from .conftest import Somewhere, in_folder
from .uploading import Outbox


def refused(outbox: Outbox) -> str:
    """The reason of the one file that did not get through."""
    said = outbox("run", "send", "--json")
    assert said.counts == {"rejected": 1}, said
    (reject,) = said.json["rejects"]
    assert reject["code"] == "FI03"
    return str(reject["example"])


def test_what_may_not_be_renamed_takes_nothing_away(outbox: Outbox, tmp_path: Path) -> None:
    (tmp_path / "strict" / "data").mkdir(parents=True)
    server = FtpServer(tmp_path / "strict", rights="elradmwMT")
    try:
        url = f"ftp://shop@127.0.0.1:{server.port}/data"
        far = in_folder(tmp_path / "strict" / "data", {"url": url, "password": "secret"})
        far.put("in/a.txt", b"what was there")
        outbox.put("a.txt", b"new")
        outbox.define(far)
        assert "Not enough privileges" in refused(outbox)
        assert far.there() == {"in/a.txt": b"what was there"}
    finally:
        server.stop()


@pytest.mark.parametrize("refuses", [False, True])
def test_a_server_that_does_not_rename_over_what_is_there(
    outbox: Outbox, sftp: Somewhere, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    ask, offers = wire.Wire.ask, wire.Wire.offers

    part: list[bytes] = []

    def asked(self: Any, kind: int, *parts: bytes) -> int:
        to = parts[-1]
        if refuses and kind == wire.RENAME and to.endswith(b"a.txt"):
            part.append(parts[0])
        if part and kind == wire.RENAME and parts[0] == part[0]:
            parts = (parts[0], wire.text(to[4:].decode() + "/nowhere"))
        return ask(self, kind, *parts)

    monkeypatch.setattr(wire.Wire, "offers", lambda self, name: name != wire.POSIX_RENAME and offers(self, name))
    monkeypatch.setattr(wire.Wire, "ask", asked)
    sftp.put("in/a.txt", b"what was there")
    outbox.put("a.txt", b"new")
    outbox.define(sftp)
    if refuses:
        refused(outbox)
    else:
        assert outbox.run() == {"updated": 1}
    assert sftp.there() == {"in/a.txt": b"what was there" if refuses else b"new"}


def test_a_folder_of_the_connection_that_is_not_there_is_said(outbox: Outbox, sftp: Somewhere) -> None:
    outbox.put("a.txt", b"new")
    missing = Somewhere(sftp.options | {"url": f"{sftp.options['url']}/no/where"}, sftp.put, sftp.there)
    outbox.define(missing)
    said = refused(outbox)
    assert "/no/where/in is not there, and cannot be made" in said
    assert "Check the folder in the connection's URL" in said


@pytest.mark.parametrize("place", ["sftp", "local"])
def test_a_folder_in_the_way_is_said(outbox: Outbox, place: str, request: pytest.FixtureRequest) -> None:
    far: Somewhere = request.getfixturevalue(place)
    far.put("in/a.txt/b", b"")
    outbox.put("a.txt", b"new")
    outbox.define(far)
    assert "in/a.txt is a folder there" in refused(outbox)


def test_a_folder_is_no_file(outbox: Outbox, store: Somewhere) -> None:
    store.put("inner/a.txt", b"a")
    outbox.define(store, "copy/{name}", source={"connection": "far", "path": "inner"}, destination={"path": "copy/"})
    said = outbox("run", "send")
    assert said.code == 1
    assert "there is no file inner" in said.err
    assert "the files of a folder are inner/" in said.err
    outbox.define(store, "copy/{name}", source={"connection": "far", "path": "inner/"}, destination={"path": "copy/"})
    assert outbox.run() == {"created": 1}
