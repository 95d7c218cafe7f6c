"""Two machines, each with the project's folder and files of its own, keep one ledger in PostgreSQL."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from support.shop import Define, Headgate, Shop, Start, counts

DATA = "id,name,qty\n1,lamp,6\n2,desk,many\n3,chair,2\n"


@pytest.fixture
def machine(folder: Path, monkeypatch: pytest.MonkeyPatch, postgres_shop: Shop, define: Define):
    """Goes to a machine by its name: a folder with the project, and a local folder for files."""

    def at(name: str, ledger: str = "${env:LEDGER}") -> Path:
        monkeypatch.setenv("HEADGATE_HOME", str(folder / name / "state"))
        monkeypatch.setenv("LEDGER", postgres_shop.url)
        if not (folder / "headgate.yaml").exists():
            define(postgres_shop, DATA, operation="upsert")
        home = folder / name
        if not home.exists():
            (home / "imports").mkdir(parents=True)
            for part in ("headgate.yaml", "imports/items.yaml", "items.csv"):
                (home / part).write_text((folder / part).read_text())
            with (home / "headgate.yaml").open("a") as settings:
                settings.write(f"ledger: {ledger}\n")
        monkeypatch.chdir(home)
        return home

    return at


def test_what_one_machine_planned_another_runs_and_both_account_for_it(
    machine, postgres_shop: Shop, headgate: Headgate
) -> None:
    postgres_shop.table("item", "id integer primary key, name text, qty integer", [(1, "lamp", 5)])
    one = machine("one")
    planned = headgate("plan", "items", "--json")
    assert planned.code == 3, planned.err
    assert not list(one.glob("state/*.db"))

    two = machine("two")
    assert [r["id"] for r in headgate("runs", "--json").json] == [1]
    shown = headgate("show", 1, "--json").json
    assert shown["changes"] == planned.json["changes"] != []
    (two / "items.csv").write_text("id,name,qty\n")
    one.rename(one.with_name("away"))
    ran = headgate("run", "--plan", 1, "--json")
    assert ran.code == 3, ran.err
    assert postgres_shop.read("item") == [(1, "lamp", 6), (3, "chair", 2)]

    machine("three")
    assert [(r["id"], r["kind"]) for r in headgate("runs", "--json").json] == [(2, "run"), (1, "plan")]
    assert headgate("show", 2, "--json").json["plan"] == 1
    assert [r["problems"][0]["code"] for r in headgate("rejects", 2, "--json").json] == ["TY01"]
    again = headgate("run", "--plan", 1)
    assert (again.code, "was run already, as run 2" in again.err) == (2, True)


def test_a_plan_is_not_run_where_the_definition_is_another(machine, postgres_shop: Shop, headgate: Headgate) -> None:
    postgres_shop.table("item", "id integer primary key, name text, qty integer")
    machine("one")
    headgate("plan", "items")
    definition = machine("two") / "imports" / "items.yaml"
    definition.write_text(definition.read_text() + "duplicates: reject\n")
    ran = headgate("run", "--plan", 1)
    assert (ran.code, "the definition changed after plan 1" in ran.err) == (2, True)


def test_a_plan_whose_changes_are_nowhere_is_to_be_made_again(machine, postgres_shop: Shop, headgate: Headgate) -> None:
    postgres_shop.table("item", "id integer primary key, name text, qty integer")
    machine("one")
    headgate("plan", "items")
    postgres_shop.sql("delete from headgate.headgate_piece")
    machine("two")
    ran = headgate("run", "--plan", 1)
    assert (ran.code, "Plan again" in ran.err) == (2, True)
    assert headgate("show", 1).code == 0


def test_a_ledger_in_a_file_of_the_projects_choice(machine, postgres_shop: Shop, headgate: Headgate) -> None:
    postgres_shop.table("item", "id integer primary key, name text, qty integer")
    one = machine("one", "kept/team.db")
    assert headgate("run", "items").code == 3
    assert (one / "kept" / "team.db").exists()
    assert not (one / "state" / "ledger.db").exists()
    assert [r["id"] for r in headgate("runs", "--json").json] == [1]


def test_a_ledger_that_cannot_be_reached_stops_a_command_without_secrets(
    machine, monkeypatch: pytest.MonkeyPatch, headgate: Headgate
) -> None:
    machine("one")
    monkeypatch.setenv("LEDGER", "postgresql://me:hunter2@127.0.0.1:1/ledger")
    for words in (("runs",), ("run", "items"), ("plan", "items")):
        said = headgate(*words)
        assert (said.code, said.out) == (1, ""), said.err
        assert "the ledger in PostgreSQL, database ledger on 127.0.0.1 cannot be used" in said.err
        assert "hunter2" not in said.err
    monkeypatch.delenv("LEDGER")
    said = headgate("runs")
    assert (said.code, "the environment variable LEDGER is not set" in said.err) == (2, True)


def test_what_one_machine_ran_another_takes_back(machine, postgres_shop: Shop, headgate: Headgate) -> None:
    there = [(1, "lamp", 5), (3, "chair", 1)]
    postgres_shop.table("item", "id integer primary key, name text, qty integer", there)
    one = machine("one")
    assert headgate("run", "items").code == 3
    assert postgres_shop.read("item") == [(1, "lamp", 6), (3, "chair", 2)]
    one.rename(one.with_name("away"))

    machine("two")
    undone = headgate("undo", 1, "--json")
    assert undone.code == 0, undone.err
    assert postgres_shop.read("item") == there
    machine("three")
    assert headgate("undo", 2).code == 0
    assert postgres_shop.read("item") == [(1, "lamp", 6), (3, "chair", 2)]


def test_a_journal_that_another_machine_pruned_is_no_journal(machine, postgres_shop: Shop, headgate: Headgate) -> None:
    postgres_shop.table("item", "id integer primary key, name text, qty integer")
    one = machine("one")
    headgate("run", "items")
    assert list(one.glob("state/ledger-*/journal/1/*"))
    postgres_shop.sql("delete from headgate.headgate_piece")
    said = headgate("undo", 1)
    assert (said.code, "has no journal" in said.err) == (2, True)


@pytest.mark.parametrize("point", ["journal.after:2", "commit.after:2", "checkpoint.after:1"])
def test_where_one_machine_died_another_goes_on_and_the_first_takes_it_back(
    point: str,
    machine,
    postgres_shop: Shop,
    define: Define,
    headgate: Headgate,
    start: Start,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = [(1, "lamp", 5), (4, "rug", 1)]
    postgres_shop.table("item", "id integer primary key, name text, qty integer", there)
    define(postgres_shop, DATA, operation="upsert", source="items-*.csv", commit="batch")
    files = {1: "1,lamp,6", 2: "2,desk,1\n4,rug,7", 3: "3,chair,2"}

    def at(name: str) -> None:
        home = machine(name)
        for number, rows in files.items():
            (home / f"items-{number}.csv").write_text(f"id,name,qty\n{rows}\n")

    at("one")
    monkeypatch.setenv("HEADGATE_CRASH", point)
    killed = start("run", "items")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    monkeypatch.delenv("HEADGATE_CRASH")

    at("two")
    ran = headgate("run", "items", "--json")
    assert (ran.code, ran.json["id"]) == (0, 1), ran.err
    assert postgres_shop.read("item") == [(1, "lamp", 6), (2, "desk", 1), (3, "chair", 2), (4, "rug", 7)]
    assert sum(counts(ran.json).values()) == 4

    at("one")
    undone = headgate("undo", 1, "--json")
    assert undone.code == 0, undone.err
    assert postgres_shop.read("item") == there
