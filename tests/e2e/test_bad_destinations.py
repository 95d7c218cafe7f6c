"""Destinations that are not there, not open to us, or not made for what comes: a clear error, and nothing half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from support.shop import Define, Headgate, Shop, counts

COLUMNS = "id integer primary key, name text, qty integer"
THERE = [(1, "lamp", 5), (2, "desk", None)]
DATA = "id,name,qty\n1,lamp,6\n4,chair,2\n"


def _failed(headgate: Headgate, *told: str, code: int = 1) -> str:
    """Runs and plans what fails, each with these words; what was told of the run."""
    for command in ("plan", "run"):
        said = headgate(command, "items")
        assert (said.code, said.out) == (code, ""), said
        assert said.err.startswith("headgate: ")
        for word in told:
            assert word in said.err, said.err
        last = headgate("runs", "--json").json[0]
        assert (last["kind"], last["status"]) == (command, "failed")
        assert last["error"].split("\n")[0] in said.err
    return said.err


def test_a_table_that_is_not_there_is_an_error_with_the_nearest(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("items", COLUMNS, THERE)
    define(shop, DATA)
    _failed(headgate, "there is no table 'item'", "'items'", "create: true")
    assert not shop.has("item")


def test_a_file_that_is_not_there_is_not_made_without_being_told(
    define: Define, headgate: Headgate, folder: Path
) -> None:
    define("sqlite:///shop.db", DATA)
    _failed(headgate, "item")
    assert not (folder / "shop.db").exists()


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("sqlite:///no/such/folder/shop.db", 1, "no folder"),
        ("sqlite:///inbox", 1, "folder"),
        ("sqlite:///items.csv", 1, "not an SQLite database"),
        ("sqlite://shop.db", 2, "sqlite:///"),
        ("sqlite:///", 2, "sqlite:///"),
        ("postgresql://127.0.0.1:1/db?connect_timeout=2", 1, "127.0.0.1"),
        ("postgresql://me:hunter2@127.0.0.1:1/db", 1, "127.0.0.1"),
        ("postgresql://me:hunter2@127.0.0.1:port/db", 1, "port"),
        ("postgresql://me:hunter2[@host.invalid/db", 1, "host.invalid"),
        ("postgresql://me:hunter2@[host/db", 2, "postgresql://"),
        ("postgresql://me:hunter2@nowhere.invalid/db", 1, "nowhere.invalid"),
        ("oracle://me:hunter2@127.0.0.1/db", 2, "oracle"),
        ("nothing", 2, "has no URL"),
        ("", 2, "has no URL"),
    ],
)
def test_a_url_that_leads_nowhere_is_an_error_without_its_password(
    url: str, code: int, told: str, define: Define, headgate: Headgate, folder: Path
) -> None:
    (folder / "inbox").mkdir()
    define(url, DATA)
    said = headgate("run", "items")
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert "hunter2" not in said.err
    assert "hunter2" not in headgate("runs", "--json").out
    assert "hunter2" not in headgate("connections", "--test", "--json").out
    direct = headgate("run", "items.csv", "--into", f"{url}#item", "--create")
    assert direct.code in (1, 2)
    assert "hunter2" not in direct.err + headgate("runs", "--json").out


@pytest.mark.parametrize("column", ["name", "qty"])
def test_a_type_the_table_cannot_hold_is_an_error(
    column: str, postgres_shop: Shop, define: Define, headgate: Headgate
) -> None:
    postgres_shop.table("item", COLUMNS, THERE)
    wrong = {"name": "binary", "qty": "timestamp"}[column]
    define(postgres_shop, DATA, fields={"id": None, "name": None, "qty": None} | {column: {"type": wrong}})
    _failed(headgate, column, wrong, "integer" if column == "qty" else "text", code=2)
    assert postgres_shop.read("item") == THERE


def test_a_narrower_column_refuses_the_values_it_cannot_hold(
    postgres_shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop = postgres_shop
    shop.table("item", "id integer primary key, name varchar(5), qty smallint", THERE)
    define(shop, "id,name,qty\n1,lamp,6\n3,armchair,1\n4,chair,40000\n5,stool,99999999999\n")
    said = headgate("run", "items", "--json")
    assert (said.code, counts(said.json)["updated"]) == (3, 1)
    told = {r["line"]: r["problems"][0]["code"] for r in headgate("rejects", said.json["id"], "--json").json}
    assert told == {3: "TY13", 4: "TY11", 5: "TY11"}


def test_a_field_without_a_column_is_an_error_with_the_nearest(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA, fields={"id": None, "nam": "name"})
    _failed(headgate, "'nam'", "name", code=2)
    assert shop.read("item") == THERE


def test_a_needed_column_without_a_field_is_an_error(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS + ", place text not null", [(*r, "here") for r in THERE])
    define(shop, DATA)
    _failed(headgate, "place", code=2)
    define(shop, operation="update", missing="skip")
    assert headgate("run", "items").code == 0


@pytest.mark.parametrize(
    ("key", "told"), [(None, "needs a key"), ("sku", "sku"), (["id", "colour"], "colour"), ([], "needs a key")]
)
def test_a_key_that_is_missing_is_an_error(
    key: object, told: str, sqlite_shop: Shop, define: Define, headgate: Headgate
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(sqlite_shop, DATA, key=key)
    said = headgate("run", "items")
    assert (said.code, said.out) == (2, "")
    assert told in said.err


# ---- rights ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(postgres_shop: Shop) -> Iterator[Shop]:
    """The database, to a login that may only read."""
    postgres_shop.table("item", COLUMNS, THERE)
    postgres_shop.sql("create role headgate_reader login; grant usage on schema public to headgate_reader")
    postgres_shop.sql("grant select on item to headgate_reader")
    parts = urlsplit(postgres_shop.url)
    host = parts.netloc.rpartition("@")[2]
    yield Shop("postgres", urlunsplit(parts._replace(netloc=f"headgate_reader@{host}")), postgres_shop.connection)
    postgres_shop.sql("drop owned by headgate_reader; drop role headgate_reader")


@pytest.mark.parametrize("operation", ["upsert", "delete", "append"])
def test_without_the_right_to_write_a_run_fails(
    operation: str, reader: Shop, define: Define, headgate: Headgate
) -> None:
    define(reader, DATA, operation=operation, key=None if operation == "append" else "id", missing=None)
    _failed(headgate, "headgate_reader lacks the right to", "grant ")
    assert reader.read("item") == THERE


def test_without_the_right_to_make_tables_a_run_fails(reader: Shop, define: Define, headgate: Headgate) -> None:
    define(reader, DATA, destination={"connection": "shop", "table": "other", "create": True})
    said = headgate("run", "items")
    assert (said.code, said.out) == (1, "")
    assert "permission denied" in said.err
    assert not reader.has("other")


@pytest.mark.parametrize("where", ["url", "file", "environment"])
def test_a_wrong_password_is_an_error_that_does_not_tell_it(
    where: str, postgres_shop: Shop, define: Define, headgate: Headgate, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(postgres_shop.url)
    host = parts.netloc.rpartition("@")[2]
    secret = "Tr0ub4dor@3"
    monkeypatch.setenv("HG_TEST_PASSWORD", secret)
    (folder / "secret").write_text(f"{secret}\n")
    written = {"url": secret.replace("@", "%40"), "file": "${file:secret}", "environment": "${env:HG_TEST_PASSWORD}"}
    postgres_shop.sql("drop role if exists locked; create role locked login password 'right'")
    try:
        define(urlunsplit(parts._replace(netloc=f"locked:{written[where]}@{host}")), DATA)
        said = _failed(headgate, "wrong password")
        shown = said + headgate("runs", "--json").out + headgate("connections", "--test").out
        assert secret not in shown
        assert written["url"] not in shown
    finally:
        postgres_shop.sql("drop role locked")


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_database_file_that_may_only_be_read_is_an_error(
    closed: str, sqlite_shop: Shop, define: Define, folder: Path, tmp_path: Path
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    sqlite_shop.connection.close()
    define(sqlite_shop, DATA)
    before = (folder / "shop.db").read_bytes()
    (folder / "shop.db").chmod(0o444)
    if closed == "folder":
        folder.chmod(0o555)
    # Modes do not bind root; without its capabilities (or as anybody else) they do.
    program = (
        "import os, sys\n"
        "from headgate.cli.main import main\n"
        "import headgate.app.service, headgate.connectors.files, headgate.connectors.sqlite, headgate.report\n"
        "if os.geteuid() == 0:\n"
        "    import ctypes\n"
        "    libc = ctypes.CDLL(None, use_errno=True)\n"
        "    class Head(ctypes.Structure): _fields_ = [('version', ctypes.c_uint32), ('pid', ctypes.c_int)]\n"
        "    assert libc.capset(ctypes.byref(Head(0x20080522, 0)), (ctypes.c_uint32 * 6)()) == 0\n"
        "main()\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, "run", "items", "--json"], capture_output=True, text=True, timeout=120
        )
    finally:
        folder.chmod(0o755)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, done.stderr, error["exit_code"]) == (1, "", 1)
    assert "cannot be written" in error["message"]
    assert "permissions" in error["hint"]
    assert (folder / "shop.db").read_bytes() == before


@pytest.mark.parametrize("what", ["locked", "damaged"])
def test_a_database_that_cannot_be_used_is_an_error(
    what: str, sqlite_shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(sqlite_shop, DATA)
    (folder / "headgate.yaml").write_text("connections:\n  shop: {url: 'sqlite:///shop.db', timeout: 0}\n")
    if what == "locked":
        sqlite_shop.sql("begin exclusive")
        told = "locked"
    else:
        with (folder / "shop.db").open("r+b") as file:
            file.seek(100)
            file.write(os.urandom(4000))
        told = "database"
    said = headgate("run", "items")
    assert (said.code, said.out) == (1, "")
    assert told in said.err
    assert len(said.err.splitlines()) >= 2, "there is a hint"
    if what == "locked":
        sqlite_shop.sql("rollback")
        assert sqlite_shop.read("item") == THERE
