"""Where an incremental source goes on after runs that were undone, however many have come since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headgate.app.onward import since
from headgate.ledger import Ledger, open_ledger
from headgate.model.outcome import Outcome
from headgate.model.run import Kind, PartitionRead, Run, Status
from headgate.model.spec import ImportSpec
from support.shop import Headgate, counts


@pytest.fixture
def old(folder: Path) -> Iterator[sqlite3.Connection]:
    """A database with a table that grows, and an import of it."""
    with closing(sqlite3.connect(folder / "old.db", isolation_level=None)) as connection:
        connection.execute("create table stock (id integer primary key, name text)")
        connection.executemany("insert into stock values (?, ?)", [(1, "lamp"), (2, "desk")])
        yield connection


@pytest.fixture
def run(folder: Path, headgate: Headgate, old: sqlite3.Connection) -> Any:
    """Runs the import by an operation."""
    (folder / "headgate.yaml").write_text("connections: { old: 'sqlite:///old.db', goal: 'sqlite:///goal.db' }\n")
    (folder / "imports").mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "goal.db")) as goal:
        goal.execute("create table item (id integer, name text)")
        goal.execute("create unique index one on item (id)")

    def go(operation: str) -> dict[str, Any]:
        key = "" if operation == "append" else "key: id\n"
        (folder / "imports" / "items.yaml").write_text(
            "source: { connection: old, table: stock, incremental: { column: id } }\n"
            f"operation: {operation}\n{key}destination: {{ connection: goal, table: item}}\n"
        )
        return headgate("run", "items", "--json").json  # type: ignore[no-any-return]

    return go


def _items(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "goal.db")) as connection:
        return [n for (n,) in connection.execute("select id from item order by id")]


@pytest.mark.parametrize("operation", ["upsert", "append"])
def test_a_run_that_was_undone_after_others_had_found_nothing_is_read_again(
    operation: str, run: Any, headgate: Headgate, folder: Path
) -> None:
    assert counts(run(operation)) == {"created": 2}
    run(operation)
    run(operation)
    assert headgate("undo", 1, "--json").json["warnings"] == []
    assert _items(folder) == []
    assert counts(run(operation)) == {"created": 2}
    assert _items(folder) == [1, 2]
    assert run(operation)["account"]["read"] == (1 if operation == "upsert" else 0)  # it has gone on from there


def test_what_later_runs_took_is_compared_once_more(
    run: Any, headgate: Headgate, folder: Path, old: sqlite3.Connection
) -> None:
    run("upsert")
    old.execute("insert into stock values (3, 'chair')")
    run("upsert")
    headgate("undo", 1)
    assert _items(folder) == [3]
    assert counts(run("upsert")) == {"created": 2, "unchanged": 1}


def test_what_later_runs_appended_is_not_appended_twice_and_the_undo_says_what_that_means(
    run: Any, headgate: Headgate, folder: Path, old: sqlite3.Connection
) -> None:
    run("append")
    old.execute("insert into stock values (3, 'chair')")
    run("append")
    said = "run 2 has appended what came after run 1, so the next run goes on behind that"
    assert headgate("undo", 1, "--dry-run", "--json").json["warnings"][0].startswith(said)
    assert headgate("undo", 1, "--json").json["warnings"][0].startswith(said)
    assert run("append")["account"]["read"] == 0
    assert _items(folder) == [3]
    headgate("undo", 2)
    assert counts(run("append")) == {"created": 3}
    assert _items(folder) == [1, 2, 3]


def test_an_undo_that_was_undone_has_what_it_had_taken_back_there_again(
    run: Any, headgate: Headgate, folder: Path
) -> None:
    run("append")
    run("append")
    headgate("undo", 1)
    headgate("undo", 3)
    assert _items(folder) == [1, 2]
    assert run("append")["account"]["read"] == 0


def test_any_number_of_failed_runs_does_not_forget_where_to_go_on(folder: Path) -> None:
    spec = ImportSpec.model_validate(
        {
            "source": {"connection": "old", "table": "stock", "incremental": {"column": "id"}},
            "operation": "append",
            "destination": {"connection": "goal", "table": "item"},
        }
    )

    def done(ledger: Ledger, status: Status) -> None:
        run = ledger.begin(Run("items", Kind.RUN, "append", "goal#item", "f", datetime.now(UTC), lease="items -> goal"))
        if status is Status.SUCCEEDED:
            run.partitions = [PartitionRead("stock", {"watermark": 7, "growing": "id"}, 1)]
            run.account.read = run.account.outcomes[Outcome.CREATED] = 1
        run.status = status
        ledger.finish(run)

    with open_ledger(f"sqlite:///{folder}/ledger.db") as ledger:
        done(ledger, Status.SUCCEEDED)
        for _ in range(1_100):
            done(ledger, Status.FAILED)
        found = since(ledger, "items", spec, "items -> goal")
    assert found is not None
    assert found.value == 7
