"""Files of a server are imported through the command line, and moved or deleted when they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.cli.main import run as headgate

from .conftest import Somewhere

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    (folder / "imports").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    return folder


@pytest.fixture
def run(shop: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def command(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = headgate([str(w) for w in words])
        return code, *capfd.readouterr()

    return command


def define(shop: Path, far: dict[str, Any] | None, source: dict[str, Any], **more: Any) -> None:
    (shop / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"far": far} if far else {}}))
    definition = {
        "source": ({"connection": "far"} if far else {}) | source,
        "key": "id",
        "destination": {"connection": "sqlite:///shop.db", "table": "item", "create": True},
    } | more
    (shop / "imports" / "items.yaml").write_text(yaml.safe_dump({k: v for k, v in definition.items() if v is not None}))


def rows(shop: Path) -> list[Any]:
    with closing(sqlite3.connect(shop / "shop.db")) as connection:
        return connection.execute("select * from item order by id").fetchall()


def test_files_are_imported_and_moved_into_an_archive(shop: Path, run: Run, somewhere: Somewhere) -> None:
    somewhere.put("in/one.csv", b"id,name\n1,lamp\n")
    somewhere.put("in/two.csv", b"id,name\n2,desk\n")
    somewhere.put("in/other.txt", b"?")
    define(shop, somewhere.options, {"path": "in/*.csv", "done": {"move": "archive"}})
    assert run("check", "items")[0] == 0
    assert run("plan", "items")[0] == 0
    assert set(somewhere.there()) == {"in/one.csv", "in/two.csv", "in/other.txt"}
    code, out, err = run("run", "items")
    assert code == 0, err
    assert "in/one.csv" in out
    assert rows(shop) == [(1, "lamp"), (2, "desk")]
    assert set(somewhere.there()) == {"archive/one.csv", "archive/two.csv", "in/other.txt"}
    somewhere.put("in/one.csv", b"id,name\n1,big lamp\n")
    assert run("run", "items")[0] == 0
    assert rows(shop) == [(1, "big lamp"), (2, "desk")]
    assert set(somewhere.there()) == {"archive/one.csv", "archive/one-2.csv", "archive/two.csv", "in/other.txt"}
    code, _, err = run("run", "items")
    assert code == 1
    assert "no file matches in/*.csv" in err


def test_a_run_that_fails_leaves_the_files(shop: Path, run: Run, somewhere: Somewhere) -> None:
    somewhere.put("one.csv", b"id,name\n1,lamp\n2,\n")
    fields = {"id": {}, "name": {"required": True}}
    define(shop, somewhere.options, {"path": "one.csv", "done": "delete"}, fields=fields, rejects={"limit": 0})
    assert run("run", "items")[0] == 1
    assert set(somewhere.there()) == {"one.csv"}
    define(shop, somewhere.options, {"path": "one.csv", "done": "delete"}, fields=fields)
    assert run("run", "items")[0] == 3
    assert somewhere.there() == {}
    code, out, _ = run("rejects", "2")
    assert code == 0
    assert "one.csv, line 3" in out


def test_what_was_imported_already_is_moved_and_not_added_again(shop: Path, run: Run, ftp: Somewhere) -> None:
    define(shop, ftp.options, {"path": "*.csv", "done": {"move": "archive"}}, operation="append", key=None)
    ftp.put("one.csv", b"id,name\n1,lamp\n")
    assert run("run", "items")[0] == 0
    ftp.put("again.csv", b"id,name\n1,lamp\n")
    ftp.put("two.csv", b"id,name\n2,desk\n")
    assert run("run", "items")[0] == 0
    assert rows(shop) == [(1, "lamp"), (2, "desk")]
    assert set(ftp.there()) == {"archive/one.csv", "archive/again.csv", "archive/two.csv"}


def test_a_url_needs_no_definition(shop: Path, run: Run, ftp: Somewhere) -> None:
    ftp.put("in/one.csv", b"id,name\n1,lamp\n")
    url = ftp.options["url"].replace("shop@", "shop:secret@")
    code, out, err = run("run", f"{url}/in/*.csv", "--into", "sqlite:///shop.db#item", "--key", "id", "--create")
    assert code == 0, err
    assert rows(shop) == [(1, "lamp")]
    assert "secret" not in out + err
    assert "secret" not in run("runs", "--json")[1]
    code, _, err = run("run", f"{url}/in/on.csv", "--into", "sqlite:///shop.db#item", "--key", "id")
    assert code == 1
    assert "one.csv" in err
    assert "secret" not in err


def test_a_compressed_archive_is_read(shop: Path, run: Run, bucket: Somewhere) -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "id,name\n1,lamp\n")
        archive.writestr("b.csv", "id,name\n2,desk\n")
    bucket.put("in/both.zip", packed.getvalue())
    define(shop, bucket.options, {"path": "in/both.zip", "done": {"move": "done/"}})
    assert run("run", "items")[0] == 0
    assert rows(shop) == [(1, "lamp"), (2, "desk")]
    assert set(bucket.there()) == {"done/both.zip"}


def test_files_here_are_moved_and_deleted_too(shop: Path, run: Run) -> None:
    (shop / "inbox").mkdir()
    (shop / "inbox" / "one.csv").write_text("id,name\n1,lamp\n")
    define(shop, None, {"path": "inbox/*.csv", "done": {"move": "archive/new"}})
    assert run("run", "items")[0] == 0
    (shop / "inbox" / "one.csv").write_text("id,name\n1,big lamp\n")
    assert run("run", "items")[0] == 0
    assert sorted(p.name for p in (shop / "archive" / "new").iterdir()) == ["one-2.csv", "one.csv"]
    (shop / "inbox" / "one.csv").write_text("id,name\n1,small lamp\n")
    define(shop, None, {"path": "inbox/*.csv", "done": "delete"})
    assert run("run", "items")[0] == 0
    assert list((shop / "inbox").iterdir()) == []
    assert rows(shop) == [(1, "small lamp")]


def test_a_file_with_nothing_new_is_moved_too(shop: Path, run: Run, ftp: Somewhere) -> None:
    define(shop, ftp.options, {"path": "*.csv", "done": {"move": "archive"}}, operation="append", key=None)
    for name in ("one.csv", "again.csv"):
        ftp.put(name, b"id,name\n1,lamp\n")
        assert run("run", "items")[0] == 0
    assert rows(shop) == [(1, "lamp")]
    assert set(ftp.there()) == {"archive/one.csv", "archive/again.csv"}
    ftp.put("more.csv", b"id,name\n1,lamp\n")
    assert run("plan", "items")[0] == 0
    assert "more.csv" in ftp.there()


@pytest.mark.parametrize("done", ["delete", {"move": "archive"}])
@pytest.mark.parametrize("how", ["written on", "another one"])
def test_a_file_that_changed_since_it_was_read_is_left(
    how: str, done: Any, shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.connectors.files.source import FileSource

    (shop / "one.csv").write_text("id,name\n1,lamp\n")
    define(shop, None, {"path": "one.csv", "done": done})
    finish = FileSource.finish

    def changed(source: FileSource, partitions: Any) -> list[str]:
        if how == "written on":
            with (shop / "one.csv").open("a") as file:
                file.write("2,desk\n")
        else:
            (shop / "other.csv").write_text("id,name\n2,desk\n")
            (shop / "other.csv").replace(shop / "one.csv")
        monkeypatch.setattr(FileSource, "finish", finish)
        return finish(source, partitions)

    monkeypatch.setattr(FileSource, "finish", changed)
    code, out, _ = run("run", "items")
    assert code == 0
    assert "one.csv has changed since it was read: it is left where it is" in " ".join(out.split())
    assert (shop / "one.csv").exists()
    assert run("run", "items")[0] == 0
    assert rows(shop) == [(1, "lamp"), (2, "desk")]
    assert not (shop / "one.csv").exists()


def test_the_run_of_a_plan_says_that_it_leaves_the_files_where_they_are(shop: Path, run: Run) -> None:
    (shop / "one.csv").write_text("id,name\n1,lamp\n")
    define(shop, None, {"path": "one.csv", "done": "delete"})
    assert run("plan", "items")[0] == 0
    code, out, _ = run("run", "--plan", 1)
    assert code == 0
    assert "source.done is left to the next run" in " ".join(out.split())
    assert (shop / "one.csv").exists()
    assert run("run", "items")[0] == 0
    assert not (shop / "one.csv").exists()


def test_a_file_that_cannot_be_moved_is_imported_and_said(shop: Path, run: Run) -> None:
    (shop / "one.csv").write_text("id,name\n1,lamp\n")
    (shop / "archive").write_text("a file stands in the way")
    define(shop, None, {"path": "one.csv", "done": {"move": "archive"}})
    code, out, _ = run("run", "items")
    assert code == 0
    assert "one.csv was imported, but could not be moved" in " ".join(out.split())
    assert rows(shop) == [(1, "lamp")]


def test_a_file_that_is_still_being_written_is_refused(
    shop: Path, run: Run, ftp: Somewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.connectors.ftp import FtpPlace

    ftp.put("one.csv", b"id,name\n1,lamp\n")
    fetch = FtpPlace.fetch

    def grown(place: FtpPlace, path: str, to: Path) -> None:
        ftp.put("one.csv", b"id,name\n1,lamp\n2,de")
        fetch(place, path, to)

    monkeypatch.setattr(FtpPlace, "fetch", grown)
    define(shop, ftp.options, {"path": "*.csv"})
    code, _, err = run("run", "items")
    assert code == 1
    assert "one.csv changed while it was copied" in err


def test_a_place_of_files_is_tried_as_other_connections_are(shop: Path, run: Run, somewhere: Somewhere) -> None:
    somewhere.put("one.csv", b"id,name\n1,lamp\n")
    somewhere.put("two.csv", b"id,name\n2,desk\n")
    somewhere.put("deep/three.csv", b"id,name\n3,chair\n")
    (shop / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"far": somewhere.options}}))
    code, out, _ = run("connections", "--test", "--json")
    assert (code, json.loads(out)[0]["state"]) == (0, "reached, 2 files")
