"""Both ends of an upload in one place: a run puts nothing where the next one would take it for more to send."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from headgate.engine.files import runner
from headgate.spi.store import Addressed
from support.servers import SshServer

from .conftest import Somewhere
from .uploading import Outbox

THEN = 1_700_000_000.0


def everything(outbox: Outbox) -> dict[str, bytes]:
    return {
        str(p.relative_to(outbox.folder)): p.read_bytes()
        for top in ("outbox", "elsewhere")
        for p in (outbox.folder / top).rglob("*")
        if p.is_file()
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"path": "outbox/sent/{path}"}, "outbox/sent/a.txt, where a file would be put, is a file of the source itself"),
        ({"path": "outbox/{path}"}, "outbox/a.txt, where a file would be put, is a file of the source itself"),
        ({"path": "outbox/sent/", "operation": "mirror"}, "is a file of the source itself"),
        ({"path": "elsewhere/", "transfer": {"backup": "outbox/kept"}}, "what is kept in outbox/kept"),
        ({"path": "elsewhere/", "source": {"path": "outbox/", "done": {"move": "outbox/sent"}}}, "moved to outbox/sent"),
        ({"path": "link/{path}"}, "link/a.txt, where a file would be put, is a file of the source itself"),
    ],
    ids=["below", "itself", "mirror", "kept", "moved away", "by another name"],
)  # fmt: skip
def test_what_the_next_run_would_send_again_is_refused(outbox: Outbox, more: Any, said: str) -> None:
    outbox.put("a.txt", b"a")
    (outbox.folder / "link").symlink_to("outbox")
    before = everything(outbox)
    outbox.define(None, **more)
    for words in (("check", "send"), ("plan", "send"), ("run", "send")):
        found = outbox(*words)
        assert found.code == 2
        assert said in found.err
    assert everything(outbox) == before


def test_the_same_within_a_server(outbox: Outbox, store: Somewhere) -> None:
    store.put("out/a.txt", b"a")
    outbox.define(store, path="out/sent/", source={"connection": "far", "path": "out/"})
    found = outbox("run", "send")
    assert found.code == 2
    assert "out/sent/a.txt, where a file would be put, is a file of the source itself" in found.err
    outbox.define(store, path="out/sent/", source={"connection": "far", "path": "out/*.txt"})
    assert outbox.run() == {"created": 1}
    assert outbox.run() == {"unchanged": 1}


def test_other_names_and_other_places_are_no_matter(outbox: Outbox, local: Somewhere) -> None:
    outbox.put("a.txt", b"a")
    for to, path in ((None, "outbox/{stem}.bak"), (None, "outbox/.sent/"), (local, "outbox/")):
        outbox.define(to, path, source="outbox/*.txt")
        assert outbox.run() == {"created": 1}
        assert outbox.run() == {"unchanged": 1}


def test_a_mirror_that_its_source_lies_in_leaves_the_source(outbox: Outbox) -> None:
    for name in ("a.txt", "sub/b.txt"):
        outbox.put(f"in/{name}", name.encode())
    outbox.put("old.txt", b"old")
    outbox.define(None, "outbox/", source="outbox/in/", operation="mirror", limits={"deletes": "100%"})
    assert outbox.run() == {"created": 2, "mirror_deleted": 1}
    both = {"outbox/a.txt": b"a.txt", "outbox/sub/b.txt": b"sub/b.txt"}
    assert everything(outbox) == both | {p.replace("outbox/", "outbox/in/"): d for p, d in both.items()}
    assert outbox.run() == {"unchanged": 2}


@pytest.mark.parametrize("done", ["delete", {"move": "elsewhere"}])
def test_what_arrived_before_is_moved_away_too(outbox: Outbox, local: Somewhere, tmp_path: Path, done: Any) -> None:
    """As after a run that was killed between the two."""
    file = outbox.put("a.txt", b"a", THEN)
    outbox.define(local)
    assert outbox.run() == {"created": 1}
    os.utime(file, (THEN, THEN))
    outbox.define(local, source={"path": "outbox/", "done": done})
    assert outbox.run() == {"unchanged": 1}
    assert everything(outbox) == ({} if done == "delete" else {"elsewhere/a.txt": b"a"})


@pytest.mark.parametrize("arrived", ["in this run", "before"])
def test_what_was_written_anew_since_it_arrived_stays(
    outbox: Outbox, local: Somewhere, monkeypatch: pytest.MonkeyPatch, arrived: str
) -> None:
    outbox.put("a.txt", b"a", THEN)
    outbox.define(local, source={"path": "outbox/", "done": "delete"})
    if arrived == "before":
        local.put("in/a.txt", b"a")
        os.utime(local.open().here("in/a.txt"), (THEN, THEN))  # type: ignore[attr-defined]
    finish = runner.FilesRun._finish_sources

    def late(self: Any, done: Any) -> None:
        if done:
            outbox.put("a.txt", b"written anew")
        finish(self, done)

    monkeypatch.setattr(runner.FilesRun, "_finish_sources", late)
    assert outbox.run() == ({"created": 1} if arrived == "in this run" else {"unchanged": 1})
    assert everything(outbox) == {"outbox/a.txt": b"written anew"}
    monkeypatch.undo()


def test_a_place_is_known_by_another_connection_to_it(outbox: Outbox, store: Somewhere) -> None:
    store.put("in/out/a.txt", b"a")
    deeper = store.options | {"url": f"{store.options['url'].rstrip('/')}/in/out/"}

    def define(path: str, **more: Any) -> None:
        outbox.define(store, path=path, source={"connection": "near", "path": "*.txt"}, **more)
        connections = {"far": store.options, "near": deeper}
        (outbox.folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": connections}))

    define("in/out/{stem}-copy.txt")
    found = outbox("run", "send")
    assert found.code == 2
    assert "in/out/a-copy.txt, where a file would be put, is a file of the source itself" in found.err
    define("in/", operation="mirror", limits={"deletes": "100%"})
    store.put("in/old.txt", b"old")
    assert outbox.run() == {"created": 1, "mirror_deleted": 1}
    assert store.there() == {"in/a.txt": b"a", "in/out/a.txt": b"a"}


def test_other_servers_logins_and_folders_are_other_places(ssh: SshServer, sftp: Somewhere, ftp: Somewhere) -> None:
    def address(place: Somewhere, **more: str) -> str:
        opened = place.open(**more)
        assert isinstance(opened, Addressed)
        with closing(opened):
            return opened.address()

    assert address(sftp) == f"sftp://{ssh.user}@127.0.0.1:{ssh.port}{unquote(urlsplit(sftp.options['url']).path)}"
    assert address(sftp, url=f"sftp://{ssh.user}@127.0.0.1:{ssh.port}") != address(sftp)
    assert address(sftp, url=f"{sftp.options['url']}/no/../such") == address(sftp, url=f"{sftp.options['url']}/such")
    assert address(ftp, url=ftp.options["url"].removesuffix("/data")) + "data" == address(ftp)
    bucket = Somewhere(
        {"url": "s3://shop/data/", "region": "eu-west-1", "access_key_id": "a", "secret_access_key": "s"},
        sftp.put,
        sftp.there,
    )
    assert address(bucket, access_key_id="b") == address(bucket)
    others = ({"url": "s3://shop/date"}, {"url": "s3://shops/data"}, {"endpoint": "https://127.0.0.1:9"})
    assert address(bucket) not in [address(bucket, **more) for more in others]
