"""Runs that are stopped in the middle, by a person, a crash, or the loss of the destination: the table is as before."""

from __future__ import annotations

import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from psycopg import conninfo

from support.shop import Define, Headgate, Rows, Shop, Start, counts, finish

COLUMNS = "id integer primary key, name text, qty integer"
THERE = [(1, "lamp", 5), (2, "desk", None)]
RECORDS = 2_000
DATA = "id,name,qty\n" + "".join(f"{n},name of {n},{n % 100}\n" for n in range(1, RECORDS + 1))
DONE = [(n, f"name of {n}", n % 100) for n in range(1, RECORDS + 1)]
# Writing the record 1500 takes for ever, so a run that is there has written many and not come to its end.
SQLITE_STANDS = """
create trigger stands after insert on item when new.id = 1500 begin
  select count(*) from (with recursive n(i) as (values (0) union all select i + 1 from n) select i from n);
end
"""
POSTGRES_STANDS = """
create function stands() returns trigger language plpgsql as
  $$ begin if new.id = 1500 then perform pg_advisory_xact_lock(1500); end if; return new; end $$;
create trigger stands before insert on item for each row execute function stands();
select pg_advisory_lock(1500)
"""


def _until(condition: Callable[[], object], process: Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def stands(shop: Shop, define: Define, start: Start, folder: Path) -> Iterator[Popen[str]]:
    """A run that stands in the middle of its writing."""
    shop.table("item", COLUMNS, THERE)
    define(shop, DATA)
    shop.sql(SQLITE_STANDS if shop.kind == "sqlite" else POSTGRES_STANDS)
    process = start("run", "items")
    journal = folder / "shop.db-journal"
    waiting = "select 1 from pg_stat_activity where application_name = 'headgate' and wait_event = 'advisory'"
    _until(lambda: journal.exists() if shop.kind == "sqlite" else shop.sql(waiting), process)
    yield process


def _go_on(shop: Shop) -> None:
    """Takes away what runs stand at."""
    if shop.kind == "sqlite":
        shop.sql("drop trigger stands")
    else:
        shop.sql("select pg_advisory_unlock(1500)")
        shop.sql("drop trigger stands on item")


def _as_before_and_then_done(shop: Shop, headgate: Headgate, status: str, told: str) -> None:
    """The table is as it was, the ledger knows, and the same run again does what an undisturbed one does."""
    assert shop.read("item") == THERE
    stopped = headgate("runs", "--json").json[0]
    assert (stopped["id"], stopped["status"]) == (1, status)
    assert told in stopped["error"]
    _go_on(shop)
    again = headgate("run", "items", "--json")
    assert (again.code, counts(again.json)) == (0, {"created": RECORDS - 2, "updated": 2})
    assert sorted(shop.read("item")) == DONE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_by_hand_leaves_nothing(
    number: signal.Signals, stands: Popen[str], shop: Shop, headgate: Headgate
) -> None:
    stands.send_signal(number)
    said = finish(stands)
    assert (said.code, said.out) == (130, "")
    assert said.err.startswith("headgate: run 1 was cancelled; nothing was kept")
    _as_before_and_then_done(shop, headgate, "cancelled", "cancelled by hand")


def test_a_run_that_is_killed_leaves_nothing_and_is_marked_by_the_next_command(
    stands: Popen[str], shop: Shop, headgate: Headgate
) -> None:
    stands.kill()
    stands.wait()
    _as_before_and_then_done(shop, headgate, "failed", "without finishing")


@pytest.mark.parametrize("shop", [pytest.param("postgres", marks=pytest.mark.needs_postgres)], indirect=True)
def test_a_session_the_server_ends_is_an_error_and_leaves_nothing(
    stands: Popen[str], shop: Shop, headgate: Headgate
) -> None:
    shop.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'headgate'")
    said = finish(stands)
    assert (said.code, said.out) == (1, "")
    assert "connection was lost" in said.err
    assert "Run again" in said.err
    _as_before_and_then_done(shop, headgate, "failed", "connection was lost")


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGKILL])
def test_a_database_that_a_stopped_run_was_making_is_not_left_half_made(
    signal_: signal.Signals, define: Define, start: Start, headgate: Headgate, folder: Path, rows: Callable[[str], Rows]
) -> None:
    count, file = 100_000, folder / "shop.db"
    data = "id,name,qty\n" + "".join(f"{n},name of {n},{n}\n" for n in range(count))
    define("sqlite:///shop.db", data, destination={"connection": "shop", "table": "item", "create": True})
    process = start("run", "items")
    _until(file.exists, process)
    process.send_signal(signal_)
    process.wait()
    there = file.exists() and rows("select count(*) from sqlite_master") != [(0,)]
    if headgate("runs", "--json").json[0]["status"] in ("cancelled", "failed"):
        assert not there
        assert headgate("run", "items").code == 0
    assert rows("select count(*), max(id) from item") == [(count, count - 1)]
    if signal_ is signal.SIGINT:
        assert finish(process).code == 130


class Proxy:
    """Passes bytes between a client and the server, until it has had `allowed` of them from the client."""

    def __init__(self, url: str, allowed: int) -> None:
        self._parts = conninfo.conninfo_to_dict(url)
        self._allowed = allowed
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.url = f"postgresql://{self._parts['user']}@127.0.0.1:{self._listener.getsockname()[1]}/{self._parts['dbname']}?sslmode=disable&gssencmode=disable"
        self._run(self._listen)

    def cut(self) -> None:
        """Drops all connections, and answers no more."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @staticmethod
    def _run(work: Callable[..., None], *given: Any) -> None:
        threading.Thread(target=work, args=given, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._listener.accept()[0], self._server()
                self._open += [client, server]
                self._run(self._pass, client, server, True)
                self._run(self._pass, server, client, False)

    def _server(self) -> socket.socket:
        host, port = str(self._parts.get("host", "localhost")), int(self._parts.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        made = socket.socket(socket.AF_UNIX)
        made.connect(f"{host}/.s.PGSQL.{port}")
        return made

    def _pass(self, one: socket.socket, other: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while got := one.recv(65_536):
                other.sendall(got)
                self._allowed -= len(got) * counted
                if self._allowed < 0:
                    self.cut()
                    return


@pytest.mark.parametrize("allowed", [200, 60_000])
def test_a_line_that_is_cut_is_an_error_and_leaves_nothing(
    allowed: int, postgres_shop: Shop, define: Define, headgate: Headgate
) -> None:
    postgres_shop.table("item", COLUMNS, THERE)
    proxy = Proxy(postgres_shop.url, allowed)
    data = "id,name,qty\n" + "".join(f"{n},name of {n},{n}\n" for n in range(20_000))
    define(proxy.url, data)
    said = headgate("run", "items")
    proxy.cut()
    assert (said.code, said.out) == (1, "")
    assert "127.0.0.1" in said.err
    assert postgres_shop.read("item") == THERE
    assert headgate("runs", "--json").json[0]["status"] == "failed"
    define(postgres_shop)
    assert headgate("run", "items").code == 0
    assert len(postgres_shop.read("item")) == 20_000


def test_a_full_disk_is_an_error_and_leaves_nothing(
    sqlite_shop: Shop, define: Define, start: Start, headgate: Headgate, folder: Path
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    data = "id,name,qty\n" + "".join(f"{n},{'x' * 100},{n}\n" for n in range(60_000))
    define(sqlite_shop, data)
    # No file may grow beyond 4 MB, as if its disk were full then: the ledger can be made, the table not be filled.
    limit = (1 << 22, 1 << 22)
    said = finish(start("run", "items", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)))
    assert (said.code, said.out) == (1, "")
    assert "disk" in said.err.lower() or "space" in said.err.lower()
    assert sqlite_shop.read("item") == THERE
    assert headgate("runs", "--json").json[0]["status"] == "failed"
    assert headgate("run", "items").code == 0
    assert len(sqlite_shop.read("item", "id")) == 60_000


def test_a_full_server_is_an_error_and_leaves_nothing(postgres_shop: Shop, define: Define, headgate: Headgate) -> None:
    postgres_shop.table("item", COLUMNS, THERE)
    postgres_shop.sql("""
        create function full_disk() returns trigger language plpgsql as
          $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
        create trigger full_disk before insert on item for each row when (new.id > 1500) execute function full_disk()
    """)
    define(postgres_shop, DATA)
    said = headgate("run", "items")
    assert (said.code, said.out) == (1, "")
    assert "No space left" in said.err
    assert "Free space" in said.err
    assert postgres_shop.read("item") == THERE
