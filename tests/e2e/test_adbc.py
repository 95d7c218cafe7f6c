"""A database through its ADBC driver, through the command line."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml

from support.shop import Headgate, counts


@pytest.fixture
def depot(folder: Path) -> Path:
    """A project that imports what is new in the table `stock` of a DuckDB file, by the file's ADBC driver."""
    file = folder / "depot.duckdb"
    depot = {"type": "adbc", "driver": "duckdb", "options": {"path": str(file)}}
    (folder / "headgate.yaml").write_text(
        yaml.safe_dump({"connections": {"depot": depot, "goal": "sqlite:///goal.db"}})
    )
    source = {"connection": "depot", "table": "stock", "incremental": {"column": "changed"}}
    goal = {"connection": "goal", "table": "item", "create": True}
    (folder / "imports").mkdir()
    (folder / "imports" / "items.yaml").write_text(yaml.safe_dump({"source": source, "key": "id", "destination": goal}))
    ask(file, "create table stock (id integer, price decimal(9, 2), changed timestamp)")
    ask(file, "insert into stock values (1, 19.90, '2024-01-01 10:00:00.000001'), (2, 5, '2024-01-01 10:00:00.000002')")
    return file


def ask(file: Path, sql: str) -> None:
    with duckdb.connect(file) as connection:
        connection.execute(sql)


def test_only_what_is_new_is_imported_in_its_types(depot: Path, headgate: Headgate) -> None:
    first = headgate("run", "items", "--json").json
    assert counts(first) == {"created": 2}
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 1}
    ask(depot, "insert into stock values (3, 0.05, '2024-01-01 10:00:00.000003')")
    ask(depot, "update stock set price = 6, changed = '2024-01-02' where id = 2")
    assert counts(headgate("run", "items", "--json").json) == {"created": 1, "updated": 1}
    found = headgate("show", 3, "--json").json["partitions"][0]["findings"]
    assert found["watermark"] == "2024-01-02T00:00:00"
    declared = headgate("show", 1, "--json").json
    assert "price decimal(9,2)" in str(declared)


def test_it_is_said_that_nothing_is_above_infinity(depot: Path, headgate: Headgate) -> None:
    ask(depot, "drop table stock")
    ask(depot, "create table stock as select 1 as id, 'infinity'::double as changed")
    error = headgate("run", "items", "--json").json["error"]
    assert "stock: changed holds inf, above which nothing is new" in error["message"]
    assert "source.incremental.column" in error["hint"]


def test_a_driver_that_is_not_there_is_said_with_the_way_out(folder: Path, headgate: Headgate) -> None:
    (folder / "headgate.yaml").write_text("connections: { cloud: { type: adbc, driver: snowfall } }")
    done = headgate("run", "cloud#stock", "--into", "sqlite:///goal.db#item", "--key", "id", "--create")
    assert done.code == 2
    assert "there is no ADBC driver 'snowfall'" in done.err
    assert "pip install adbc-driver-snowfall" in done.err
