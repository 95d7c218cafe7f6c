"""A run that stops past its matching, is taken over by another one that comes to its end, and wakes up: it does no harm and says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from headgate.ledger import open_ledger
from support.shop import Define, Headgate, Shop, Start, counts, finish
from support.trouble import begun, unsound, wake

POINTS = ("match.after", "apply.after", "commit.before")
COLUMNS = "id integer primary key, name text, qty integer"
THERE = [(1, "lamp", 4), (2, "table", 9)]
DATA = "id,name,qty\n1,lamp,5\n2,table,9\n3,sofa,1\n"
DONE = [(1, "lamp", 5), (2, "table", 9), (3, "sofa", 1)]


def silent(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until a run has given no sign for longer than its lease is."""
    monkeypatch.setenv("HEADGATE_LEASE", "0.5")
    deadline = time.monotonic() + 60
    with open_ledger(tmp_path / "state" / "ledger.db") as ledger:
        while ledger.run(number).status == "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
            ledger.recover()
    monkeypatch.setenv("HEADGATE_LEASE", "3600")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres), "mysql"])
def place(request: pytest.FixtureRequest) -> Shop:
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


SESSIONS = {
    "postgres": "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'headgate'",
    "mysql": "select concat('kill ', trx_mysql_thread_id) from information_schema.innodb_trx",
}


def cut(shop: Shop) -> None:
    """End the sessions of Headgate, so that their locks are gone: what a server does to who does not answer."""
    for (found,) in shop.sql(SESSIONS[shop.kind]):
        if shop.kind == "mysql":
            shop.sql(found)


@pytest.mark.parametrize("ended", [False, True], ids=["", "session-ended"])
@pytest.mark.parametrize("commit", ["run", "batch"])
@pytest.mark.parametrize("at", POINTS)
def test_a_run_that_wakes_up_after_it_was_taken_over(
    at: str, commit: str, ended: bool, place: Shop, define: Define, headgate: Headgate, start: Start, folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It holds the locks of what it has matched, so who takes over is told so, or comes to its end where there are none."""
    if ended and place.kind == "sqlite":
        pytest.skip("not stated: sessions of a file")
    place.table("item", COLUMNS.replace("text", "varchar(20)"), THERE)
    define(place, DATA, commit=commit)
    wait = {"timeout": 1} if place.kind == "sqlite" else {"lock_timeout": 1}
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"shop": {"url": place.url} | wait}}))
    zombie = begun(start, at)
    silent(tmp_path, 1, monkeypatch)
    if ended:
        cut(place)
    second = headgate("run", "items")
    assert second.code == (0 if ended else 1)
    assert ended or "locked" in second.err or "in use" in second.err, second.err
    wake(zombie)
    woken = finish(zombie)
    late = place.read("item") == DONE and second.code == 1
    if late:  # nobody could raise the fence at a file that it held
        assert (place.kind, at) == ("sqlite", "commit.before")
        assert (woken.code, "taken" in woken.err) == (1, True), woken
    else:
        assert (woken.code, woken.out) == (1, ""), woken
        assert "taken" in woken.err or (ended and "connection" in woken.err), woken
    assert headgate("run", "items").code == 0
    assert place.read("item") == DONE
    done = [r for r in headgate("runs", "--json").json if r["status"] == "succeeded"]
    assert counts(done[-1]) == {"created": 1, "updated": 1, "unchanged": 1}
    assert all(counts(r) == {"unchanged": 3} for r in done[:-1])
    assert unsound(tmp_path / "state") == []
    assert headgate("undo", done[-1]["id"], "--json").json["reversed"] == 2
    assert place.read("item") == THERE
