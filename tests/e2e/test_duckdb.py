"""A DuckDB file as a destination, through the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb

from support.shop import Define, Headgate, Rows, counts

URL = "duckdb:///shop.duckdb"
DATA = "id,name,qty\n1,lamp,6\n3,chair,1\n"
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def ask(folder: Path, sql: str) -> Rows:
    with duckdb.connect(str(folder / "shop.duckdb")) as con:
        return con.execute(sql).fetchall()


def make(folder: Path) -> Rows:
    ask(folder, "create table item (id integer primary key, name varchar not null, qty integer check (qty < 100))")
    ask(folder, "insert into item values (1, 'lamp', 5), (2, 'desk', 9)")
    return items(folder)


def items(folder: Path) -> Rows:
    return ask(folder, "select * from item order by id")


def test_a_run_is_planned_done_and_taken_back(folder: Path, define: Define, headgate: Headgate) -> None:
    there = make(folder)
    define(URL, DATA)
    plan = headgate("plan", "items", "--json").json
    assert counts(plan) == {"updated": 1, "created": 1}
    assert items(folder) == there
    run = headgate("run", "--plan", plan["id"], "--json").json
    assert counts(run) == {"updated": 1, "created": 1}
    assert items(folder) == [(1, "lamp", 6), (2, "desk", 9), (3, "chair", 1)]
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 2}
    assert headgate("undo", run["id"], "--json").json["left"] == 0
    assert items(folder) == there


def test_what_the_database_refuses_is_told_from_its_neighbours(
    folder: Path, define: Define, headgate: Headgate
) -> None:
    make(folder)
    define(URL, "id,name,qty\n1,lamp,6\n3,,1\n4,sofa,100\n5,rug,2\n")
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"updated": 1, "created": 1, "rejected": 2}
    rejects = headgate("rejects", run["id"], "--json").json
    assert [r["problems"][0]["code"] for r in (rejects["rejects"] if isinstance(rejects, dict) else rejects)] == [
        "DE04", "DE03",
    ]  # fmt: skip
    assert items(folder) == [(1, "lamp", 6), (2, "desk", 9), (5, "rug", 2)]


def test_a_run_makes_its_table_and_an_undo_removes_it(folder: Path, define: Define, headgate: Headgate) -> None:
    define(URL, DATA, destination={"connection": "shop", "table": "item", "create": True})
    run = headgate("run", "items", "--json").json
    assert counts(run) == {"created": 2}
    assert items(folder) == [(1, "lamp", 6), (3, "chair", 1)]
    assert headgate("undo", run["id"]).code == 0
    assert ask(folder, "select count(*) from duckdb_tables() where table_name = 'item'") == [(0,)]


def test_a_file_that_is_no_database_is_said(folder: Path, define: Define, headgate: Headgate) -> None:
    (folder / "shop.duckdb").write_text("id,name\n1,lamp\n" * 1000)
    define(URL, DATA)
    said = headgate("run", "items")
    assert said.code not in (0, 70)
    assert "shop.duckdb" in said.err
    assert "DuckDB" in said.err


def test_a_file_that_another_program_holds_is_said(folder: Path, define: Define, headgate: Headgate) -> None:
    there = make(folder)
    define(URL, DATA)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / "shop.duckdb")],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        said = headgate("run", "items")
        assert said.code not in (0, 70)
        assert "shop.duckdb" in said.err
        assert str(holder.pid) in said.err
        holder.stdin.close()
    assert items(folder) == there
    assert headgate("run", "items").code == 0


def test_dates_no_person_could_write_are_refused_wherever_they_would_go(folder: Path, headgate: Headgate) -> None:
    with duckdb.connect(str(folder / "old.duckdb")) as con:
        con.execute("create table item (id integer, d date, t timestamp, z timestamptz)")
        con.execute(
            "insert into item values (1, '2024-02-29', '9999-12-31 23:59:59.999999', null), (2, 'infinity', null, null), "
            "(3, null, '-infinity', null), (4, null, null, 'infinity'), (5, '0044-03-15 (BC)', null, null)"
        )
    assert "infinity" in headgate("check", "duckdb:///old.duckdb#item").out
    said = headgate(
        "run", "duckdb:///old.duckdb#item", "--into", "sqlite:///shop.db#item", "--key", "id", "--create", "--json"
    )
    assert counts(said.json) == {"created": 1, "invalid": 4}
    assert [(r["code"], r["records"]) for r in said.json["rejects"]] == [("RD09", 4)]


def test_check_shows_nanoseconds(folder: Path, headgate: Headgate) -> None:
    with duckdb.connect() as con:
        con.execute(f"copy (select timestamp_ns '2024-05-01 10:00:00.000000001' as at) to '{folder}/fine.parquet'")
    assert headgate("check", "fine.parquet", "--json").json[0]["first_records"] == [
        {"at": "2024-05-01T10:00:00.000000001"}
    ]
