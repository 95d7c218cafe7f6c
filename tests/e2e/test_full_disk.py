"""Disks that are really full: under the journal, the ledger, the database file. Nothing half written, and a way out."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.shop import Define, Headgate, Shop, counts

COLUMNS = "id integer primary key, name text, qty integer"
RECORDS = 4_000
# Digests do not shrink when the journal is compressed.
DATA = "id,name,qty\n" + "".join(f"{n},{(n * 2654435761) ** 12:x},{n}\n" for n in range(RECORDS))
THERE = [(n, f"{n * 7919**20:x}", n) for n in range(1, RECORDS, 2)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB of the test's own."""
    if os.geteuid() != 0:
        pytest.skip("a disk of its own can only be mounted by root")
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Takes all of its room but so many bytes; removing the file frees it."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, free - leave)))
    return filler


def make(shop: Shop) -> None:
    """Its table, in which every second record is there already."""
    shop.sql("begin")
    shop.table("item", COLUMNS, THERE)
    shop.sql("commit")


def whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as c:
        return bool(c.execute("pragma integrity_check").fetchall() == [("ok",)])


def as_undisturbed(shop: Shop, headgate: Headgate) -> None:
    """Run again, it does all there is to do, and all of it can be taken back."""
    again = headgate("run", "items", "--json")
    assert counts(again.json) == {"created": RECORDS // 2, "updated": RECORDS // 2}
    assert len(shop.read("item")) == RECORDS
    assert headgate("undo", again.json["id"]).code == 0
    assert shop.read("item") == sorted(THERE, key=repr)


@pytest.mark.parametrize("commit", ["run", "batch"])
def test_the_disk_of_the_journal_is_full(
    commit: str, disk: Path, sqlite_shop: Shop, define: Define, headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_HOME", str(disk / "state"))
    make(sqlite_shop)
    define(sqlite_shop, DATA, commit=commit)
    assert headgate("runs").code == 0
    assert headgate("plan", "items").code == 0  # which makes the ledger
    filler = fill(disk, 300_000)
    said = headgate("run", "items")
    assert (said.code, said.out) == (1, "")
    assert "the journal cannot be written" in said.err
    assert "Make room there, or do without undo" in said.err
    assert sqlite_shop.read("item") == sorted(THERE, key=repr)
    filler.unlink()
    stopped = headgate("runs", "--json").json[0]
    assert (stopped["kind"], stopped["status"]) == ("run", "failed")
    assert not (disk / "state" / "journal" / str(stopped["id"])).exists(), "nothing is left of its journal"
    as_undisturbed(sqlite_shop, headgate)


@pytest.mark.parametrize("leave", [0, 40_000, 120_000])
def test_the_disk_of_the_ledger_is_full(
    leave: int, disk: Path, sqlite_shop: Shop, define: Define, headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_HOME", str(disk / "state"))
    make(sqlite_shop)
    define(
        sqlite_shop,
        DATA,
        journal=False,
        fields={"id": {"type": "integer"}, "name": {"type": "text"}, "qty": {"type": "integer", "check": "qty < 0"}},
    )
    filler = fill(disk, leave)
    said = headgate("run", "items")  # all its records are refused, and their rejects want room
    assert (said.code, said.out) == (1, "")
    assert "the ledger" in said.err
    assert "space" in said.err.lower() or "disk" in said.err.lower()
    assert sqlite_shop.read("item") == sorted(THERE, key=repr)
    filler.unlink()
    define(sqlite_shop, DATA)
    as_undisturbed(sqlite_shop, headgate)
    assert "running" not in {r["status"] for r in headgate("runs", "--json").json}
    assert whole(disk / "state" / "ledger.db")


@pytest.mark.parametrize("commit", ["run", "batch"])
@pytest.mark.parametrize("leave", [20_000, 200_000])
def test_the_disk_of_the_database_is_full(
    commit: str, leave: int, disk: Path, folder: Path, define: Define, headgate: Headgate
) -> None:
    file = disk / "shop.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        shop = Shop("sqlite", f"sqlite:///{file}", connection)
        make(shop)
        define(shop, DATA, commit=commit)
        filler = fill(disk, leave)
        said = headgate("run", "items")
        assert (said.code, said.out) == (1, "")
        assert "there is no space left for the database" in said.err
        assert "Make space" in said.err
        assert shop.read("item") == sorted(THERE, key=repr)
        assert whole(file)
        filler.unlink()
        assert headgate("runs", "--json").json[0]["status"] == "failed"
        assert not list((folder.parent / "state" / "journal").iterdir()), "nothing is left of its journal"
        as_undisturbed(shop, headgate)


@pytest.mark.parametrize("table", ["item.csv", "item.xlsx", "item.parquet"])
@pytest.mark.parametrize("leave", [0, 30_000, 100_000])
def test_the_disk_of_files_is_full(
    leave: int, table: str, disk: Path, folder: Path, define: Define, headgate: Headgate
) -> None:
    place = {"connection": "shop", "table": table}
    define(f"file://{disk}", "id,name,qty\n1,Lamp,2\n", key=None, operation="append", destination=place)
    assert headgate("run", "items").code == 0
    before = (disk / table).read_bytes()
    (folder / "items.csv").write_text(DATA)
    filler = fill(disk, leave)
    said = headgate("run", "items")
    assert (said.code, said.out) == (1, "")
    assert "cannot be written" in said.err or "cannot be read or written" in said.err
    assert (disk / table).read_bytes() == before
    filler.unlink()
    assert headgate("runs", "--json").json[0]["status"] == "failed"
    assert headgate("run", "items", "--json").json["account"]["created"] == RECORDS
    assert headgate("undo", "3").code == 0
    assert (disk / table).read_bytes() == before
    assert list((disk / ".headgate-files" / "new").iterdir()) == []


def test_the_disk_of_a_database_that_the_run_makes_is_full(
    disk: Path, folder: Path, define: Define, headgate: Headgate
) -> None:
    file = disk / "new.db"
    define(f"sqlite:///{file}", DATA, destination={"connection": "shop", "table": "item", "create": True})
    filler = fill(disk, 100_000)
    said = headgate("run", "items")
    assert (said.code, "there is no space left for the database" in said.err) == (1, True)
    assert not file.exists()
    filler.unlink()
    assert headgate("run", "items").code == 0
    with closing(sqlite3.connect(file)) as c:
        assert c.execute("select count(*) from item").fetchall() == [(RECORDS,)]


def test_files_that_found_no_room_take_none(disk: Path, folder: Path, define: Define, headgate: Headgate) -> None:
    place = {"connection": "shop", "table": "item.csv"}
    define(f"file://{disk}", "id,name,qty\n1,Lamp,2\n", key=None, operation="append", destination=place)
    assert headgate("run", "items").code == 0
    (folder / "items.csv").write_text(DATA)
    filler = fill(disk, 100_000)
    assert headgate("run", "items").code == 1
    assert not list((disk / ".headgate-files" / "new").rglob("0*"))
    filler.unlink()
