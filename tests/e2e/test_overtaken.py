"""Two at one import: turned away while the other is alive, taken over when it is silent, and what sleeps cannot commit late."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.shop import Define, Headgate, Shop, Start, counts, finish, stopped

DATA = "id,name,qty\n1,lamp,5\n2,table,9\n3,sofa,1\n"
COLUMNS = "id integer primary key, name text, qty integer"


def begun(start: Start, at: str) -> subprocess.Popen[str]:
    """A run that has stopped at a point."""
    process = start("run", "items", "--json", env={**os.environ, "HEADGATE_CRASH": f"{at}:1:stop"})
    stopped(process)
    return process


def test_who_comes_second_is_turned_away(shop: Shop, define: Define, headgate: Headgate, start: Start) -> None:
    shop.table("item", COLUMNS, [(1, "lamp", 5)])
    define(shop, DATA)
    first = begun(start, "stage.after")
    second = headgate("run", "items")
    assert second.code == 1
    assert "run 1 is at this import already" in second.err
    first.send_signal(signal.SIGCONT)
    done = finish(first)
    assert (done.code, counts(done.json)) == (0, {"created": 2, "unchanged": 1})
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 3}


@pytest.mark.parametrize("commit", ["run", "batch"])
def test_what_was_given_up_for_dead_cannot_commit_when_it_wakes_up(
    commit: str, shop: Shop, define: Define, headgate: Headgate, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.table("item", COLUMNS.replace(" primary key", ""))
    define(shop, DATA, commit=commit, operation="append", key=None)
    monkeypatch.setenv("HEADGATE_LEASE", "1")
    sleeper = begun(start, "stage.after")
    time.sleep(1.2)
    taken = headgate("run", "items", "--json")
    assert (taken.code, counts(taken.json)) == (0, {"created": 3})
    sleeper.send_signal(signal.SIGCONT)
    woken = finish(sleeper)
    assert woken.code == 1
    assert "taken" in woken.out + woken.err
    assert shop.read("item") == [(1, "lamp", 5), (2, "table", 9), (3, "sofa", 1)], "nothing twice"
    runs = {r["id"]: r["status"] for r in headgate("runs", "--json").json}
    assert runs[taken.json["id"]] == "succeeded"
    assert "running" not in runs.values()
    assert headgate("undo", taken.json["id"], "--json").json["reversed"] == 3, "the journal is whole"
    assert shop.read("item") == []


def test_a_patience_that_is_no_number_is_told_and_nothing_is_begun(
    shop: Shop, define: Define, headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.table("item", COLUMNS)
    define(shop, DATA)
    monkeypatch.setenv("HEADGATE_LEASE", "soon")
    said = headgate("run", "items")
    assert (said.code, "HEADGATE_LEASE is 'soon'" in said.err) == (2, True)
    monkeypatch.delenv("HEADGATE_LEASE")
    assert headgate("runs", "--json").json == []


def test_a_dead_run_is_closed_as_what_it_committed_by_whoever_looks(
    shop: Shop, define: Define, headgate: Headgate, start: Start
) -> None:
    shop.table("item", COLUMNS, [(1, "lamp", 5)])
    define(shop, DATA)
    for at, status in (("commit.before", "failed"), ("commit.after", "succeeded")):
        process = start("run", "items", "--json", env={**os.environ, "HEADGATE_CRASH": at})
        assert process.wait(60) == -signal.SIGKILL
        newest = headgate("runs", "--json").json[0]
        assert newest["status"] == status
    assert counts(newest) == {"created": 2, "unchanged": 1}
    assert headgate("undo", newest["id"]).code == 0
    assert shop.read("item") == [(1, "lamp", 5)]


@pytest.mark.parametrize("commit", ["run", "batch"])
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_database_file_that_is_away_after_a_crash_is_asked_when_it_is_back(
    kind: str,
    commit: str,
    request: pytest.FixtureRequest,
    define: Define,
    headgate: Headgate,
    start: Start,
    folder: Path,
) -> None:
    """As after a machine went down and its disk is not mounted yet: nothing is concluded from a file that is not there."""
    shop: Shop = request.getfixturevalue(f"{kind}_shop")
    file = folder / shop.url.rpartition("/")[2]
    shop.table("item", COLUMNS, [(1, "lamp", 5)])
    define(shop, DATA, commit=commit)
    process = start("run", "items", env={**os.environ, "HEADGATE_CRASH": "commit.after"})
    assert process.wait(60) == -signal.SIGKILL
    file.rename(folder / "away.db")
    shown = headgate("show", 1, "--json").json
    assert (shown["status"], "not known until its destination answers" in shown["error"]) == ("failed", True)
    again = headgate("run", "items")
    assert (again.code, "there is no table 'item'" in again.err) == (1, True)
    (folder / "away.db").rename(file)
    shown = headgate("show", 1, "--json").json
    done = {"created": 2, "unchanged": 1}
    if commit == "run":
        assert (shown["status"], shown["error"], counts(shown)) == ("succeeded", "", done)
    else:
        assert shown["error"].endswith("3 records were read and committed, and the next run goes on from there")
        again = headgate("run", "items", "--json").json
        assert (again["id"], counts(again)) == (1, done)
    assert headgate("undo", 1).code == 0, "its journal was kept"
    assert shop.sql("select * from item") == [(1, "lamp", 5)]
