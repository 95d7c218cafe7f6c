"""Tables and queries as sources, whole or only what is new, through the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.shop import Ask, Define, Headgate, Shop, counts

KINDS = ["sqlite", "duckdb", pytest.param("postgres", marks=pytest.mark.needs_postgres), "mysql"]
FIRST = [(1, "lamp", "2024-01-01 10:00:00.000100"), (2, "desk", "2024-01-01 10:00:00.000200")]
STAMP = {"sqlite": "timestamp", "duckdb": "timestamp", "postgres": "timestamp", "mysql": "datetime(6)"}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Shop:
    """Each database that is read, with a table `stock`."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    found.table("stock", f"id integer primary key, name varchar(40), changed {STAMP[found.kind]}", FIRST)
    return found


@pytest.fixture
def imported(folder: Path, headgate: Headgate) -> Any:
    """Defines an import `items` from a store into the table `item` of goal.db, which is made; and runs it."""

    def go(store: Shop, source: dict[str, Any] | None = None, **definition: Any) -> dict[str, Any]:
        connections = {"store": store.url, "goal": "sqlite:///goal.db"}
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": connections}))
        (folder / "imports").mkdir(exist_ok=True)
        data = {
            "source": {
                k: v for k, v in ({"connection": "store", "table": "stock"} | (source or {})).items() if v is not None
            },
            "key": "id",
            "destination": {"connection": "goal", "table": "item", "create": True},
        } | definition
        (folder / "imports" / "items.yaml").write_text(yaml.safe_dump({k: v for k, v in data.items() if v is not None}))
        return headgate("run", "items", "--json").json  # type: ignore[no-any-return]

    return go


def test_a_table_is_read_with_its_types(store: Shop, imported: Any, headgate: Headgate, goal: Ask) -> None:
    assert counts(imported(store)) == {"created": 2}
    assert goal("select id, name, changed from item order by id") == FIRST
    assert [t for _, t in goal("select name, type from pragma_table_info('item')")] == ["INTEGER", "TEXT", "TIMESTAMP"]
    store.sql("update stock set name = 'big desk' where id = 2")
    plan = headgate("plan", "items", "--json").json
    assert counts(plan) == {"updated": 1, "unchanged": 1}
    assert counts(headgate("run", "--plan", plan["id"], "--json").json) == {"updated": 1, "unchanged": 1}
    assert headgate("undo", 3).code == 0
    assert goal("select name from item order by id") == [("lamp",), ("desk",)]


@pytest.fixture
def goal(folder: Path) -> Ask:
    """Asks goal.db."""
    import sqlite3
    from contextlib import closing

    def ask(sql: str) -> Any:
        with closing(sqlite3.connect(folder / "goal.db")) as connection:
            return connection.execute(sql).fetchall()

    return ask


def test_a_query_is_read_with_parameters(store: Shop, imported: Any, goal: Ask) -> None:
    query = {"table": None, "query": "select id, name from stock where name = :name", "params": {"name": "desk"}}
    assert counts(imported(store, query)) == {"created": 1}
    assert goal("select * from item") in ([(2, "desk")], [("2", "desk")])


def test_only_what_is_new_is_read(store: Shop, imported: Any, headgate: Headgate, goal: Ask) -> None:
    growing = {"incremental": {"column": "changed"}}
    first = imported(store, growing)
    assert counts(first) == {"created": 2}
    assert counts(imported(store, growing)) == {
        "unchanged": 1
    }  # the last one again: more may have come in the same instant
    store.sql("insert into stock values (3, 'rug', '2024-01-01 10:00:00.000200')")
    store.sql("insert into stock values (4, 'sofa', '2024-01-01 10:00:00.000201')")
    store.sql("update stock set name = 'big lamp', changed = '2024-01-02 00:00:00' where id = 1")
    assert counts(imported(store, growing)) == {"updated": 1, "created": 2, "unchanged": 1}
    assert goal("select id, name from item order by id") == [(1, "big lamp"), (2, "desk"), (3, "rug"), (4, "sofa")]
    assert counts(imported(store, growing)) == {"unchanged": 1}
    found = headgate("show", 4, "--json").json["partitions"][0]["findings"]
    assert found["watermark"].startswith("2024-01-02")


def test_what_was_committed_late_is_within_the_overlap(store: Shop, imported: Any, goal: Ask) -> None:
    growing = {"incremental": {"column": "changed", "overlap": "15m"}}
    imported(store, growing)
    store.sql("insert into stock values (5, 'late', '2024-01-01 09:50:00'), (6, 'too late', '2024-01-01 09:30:00')")
    assert counts(imported(store, growing)) == {"created": 1, "unchanged": 2}
    assert goal("select name from item where id > 2") == [("late",)]


def test_numbers_grow_too_and_append_takes_each_once(store: Shop, imported: Any, goal: Ask) -> None:
    growing = {"incremental": {"column": "id", "start": 2}}
    assert counts(imported(store, growing, operation="append", key=None)) == {"created": 1}
    store.sql("insert into stock values (10, 'rug', null)")
    assert counts(imported(store, growing, operation="append", key=None)) == {"created": 1}
    assert counts(imported(store, growing, operation="append", key=None)) == {}
    assert goal("select id from item order by id") == [(2,), (10,)]


@pytest.mark.parametrize(
    ("kind", "of", "above"),
    [
        ("sqlite", "integer", "'soon'"),
        ("sqlite", "real", "9e999"),
        ("duckdb", "double", "'nan'"),
        ("duckdb", "timestamp", "'infinity'"),
        ("duckdb", "date", "'infinity'"),
        pytest.param("postgres", "numeric", "'nan'", marks=pytest.mark.needs_postgres),
        pytest.param("postgres", "float8", "'infinity'", marks=pytest.mark.needs_postgres),
        pytest.param("postgres", "timestamptz", "'infinity'", marks=pytest.mark.needs_postgres),
    ],
)
def test_a_value_above_all_others_does_not_end_what_is_new(
    request: pytest.FixtureRequest, kind: str, of: str, above: str, imported: Any, goal: Ask
) -> None:
    store: Shop = request.getfixturevalue(f"{kind}_shop")
    first, second = ("'2024-01-01'", "'2024-01-02'") if "date" in of or "time" in of else ("1", "2")
    store.sql(f"create table stock (id integer primary key, grows {of})")
    store.sql(f"insert into stock values (1, {first}), (2, {above})")
    growing = {"incremental": {"column": "grows"}}
    assert counts(imported(store, growing)) == {"created": 1, "invalid": 1}
    store.sql(f"insert into stock values (3, {second})")
    assert counts(imported(store, growing)) == {"created": 1, "unchanged": 1, "invalid": 1}
    assert goal("select id from item order by id") == [(1,), (3,)]


@pytest.mark.needs_postgres
@pytest.mark.parametrize("of", ["float8", "numeric"])
def test_sqlalchemy_says_that_nothing_is_above_such_a_value(of: str, postgres_shop: Shop, imported: Any) -> None:
    pytest.importorskip("sqlalchemy")
    postgres_shop.sql(f"create table stock (id integer primary key, grows {of})")
    postgres_shop.sql("insert into stock values (1, 1), (2, 'nan')")
    store = replace(postgres_shop, url=postgres_shop.url.replace("postgresql", "postgresql+psycopg", 1))
    found = imported(store, {"incremental": {"column": "grows"}})["error"]
    assert "grows holds nan, above which nothing is new" in found["message"].lower()
    assert "incremental" in found["hint"]


def test_floats_of_mysql_grow_to_their_last_digit(mysql_shop: Shop, imported: Any, goal: Ask) -> None:
    mysql_shop.sql("create table stock (id integer primary key, grows float)")
    mysql_shop.sql("insert into stock values (1, 16777214)")
    growing = {"incremental": {"column": "grows"}}
    assert counts(imported(mysql_shop, growing, operation="append", key=None)) == {"created": 1}
    mysql_shop.sql("insert into stock values (2, 16777215)")
    assert counts(imported(mysql_shop, growing, operation="append", key=None)) == {"created": 1}
    assert counts(imported(mysql_shop, growing, operation="append", key=None)) == {}


def test_bytes_do_not_grow(mysql_shop: Shop, imported: Any) -> None:
    mysql_shop.sql("create table stock (id integer primary key, grows binary(4))")
    mysql_shop.sql("insert into stock values (1, x'ff')")
    found = imported(mysql_shop, {"incremental": {"column": "grows"}})
    assert "holds bytes, of which none is the last" in found["error"]["message"]


def test_an_overlap_of_the_other_kind_is_said(sqlite_shop: Shop, imported: Any) -> None:
    sqlite_shop.sql("create table stock (id integer primary key)")
    sqlite_shop.sql("insert into stock values (10)")
    growing = {"incremental": {"column": "id", "overlap": "15m"}}
    assert counts(imported(sqlite_shop, growing)) == {"created": 1}
    assert "'10' is no date or time, of which 15m" in imported(sqlite_shop, growing)["error"]["message"]


@pytest.mark.needs_postgres
def test_a_table_is_read_by_several_connections(
    postgres_shop: Shop, imported: Any, headgate: Headgate, goal: Ask
) -> None:
    store = postgres_shop
    rows = [(i, f"n{i}", i % 50 if i % 7 else None) for i in range(1000, 0, -1)]
    store.table("stock", "id integer primary key, name varchar(40), grp integer", rows)
    first = imported(store, {"parallel": 4})
    assert counts(first) == {"created": 1000}
    assert goal("select id, name, grp from item order by id desc") == rows
    assert headgate("show", first["id"], "--json").json["partitions"][0]["findings"]["ranges"] == 4
    store.sql("update stock set name = 'other' where id = 500")
    by = {"parallel": {"connections": 3, "by": "grp"}}
    assert counts(imported(store, by)) == {"updated": 1, "unchanged": 999}
    growing = by | {"incremental": {"column": "id"}}
    assert counts(imported(store, growing)) == {"unchanged": 1000}
    store.sql("insert into stock values (1001, 'new', 3), (1002, 'new', null)")
    assert counts(imported(store, growing)) == {"created": 2, "unchanged": 1}
    shown = headgate("check", "items")
    assert shown.code == 0
    assert "ranges" in shown.out


@pytest.mark.needs_postgres
def test_refused_records_are_told_where_several_connections_read(
    postgres_shop: Shop, imported: Any, headgate: Headgate, goal: Ask
) -> None:
    """Their numbers, and so their raw values, are those of the order of the key."""
    rows = [(i, "much" if i % 100 == 0 else str(i)) for i in range(1000, 0, -1)]
    postgres_shop.table("stock", "id integer primary key, n text", rows)
    fields = {"id": {"from": "id", "type": "integer"}, "n": {"from": "n", "type": "integer"}}
    run = imported(postgres_shop, {"parallel": 4}, fields=fields)
    assert counts(run) == {"created": 990, "invalid": 10}
    told = headgate("rejects", run["id"], "--json").json
    assert [(t["row"], t["raw"]["id"], t["raw"]["n"]) for t in told] == [
        (i, str(i), "much") for i in range(100, 1001, 100)
    ]


def test_other_databases_are_read_by_one_connection(store: Shop, imported: Any, headgate: Headgate) -> None:
    if store.kind == "postgres":
        pytest.skip("not stated: that it is read by one connection only")
    assert imported(store, {"parallel": 2})["error"]["message"].startswith("source.parallel: ")
    shown = headgate("check", "items")
    assert shown.code == 2
    assert "by one connection" in shown.out + shown.err


def test_a_run_that_failed_or_was_taken_back_is_read_again(
    sqlite_shop: Shop, imported: Any, headgate: Headgate, goal: Ask
) -> None:
    store = sqlite_shop
    store.table("stock", "id integer primary key, name text, changed integer", [(1, "lamp", 5)])
    growing = {"incremental": {"column": "changed"}}
    imported(store, growing)
    store.sql("insert into stock values (2, 'desk', 7)")
    imported(store, growing, limits={"creates": 0})
    assert goal("select count(*) from item") == [(1,)]
    assert counts(imported(store, growing)) == {"created": 1, "unchanged": 1}
    assert headgate("undo", 3).code == 0
    assert counts(imported(store, growing)) == {"created": 1, "unchanged": 1}


@pytest.mark.parametrize(
    ("source", "more", "said"),
    [
        ({"incremental": {"column": "id"}}, {"operation": "mirror"}, "mirror needs all records"),
        ({"incremental": {"column": "id", "overlap": 5}}, {"operation": "append", "key": None}, "append would add"),
        ({"incremental": {"column": "id", "overlap": "soon"}}, {}, "no duration"),
        ({"incremental": {"column": "nr"}}, {}, "has no column 'nr'"),
        ({"table": "stok"}, {}, "there is no table"),
        ({"table": None}, {}, "either a table, or a query, or a request, or a path"),
        ({"path": "x.csv"}, {}, "either a table, or a query, or a request, or a path"),
        ({"delimiter": ";"}, {}, "delimiter does not go with a table or query"),
        ({"connection": "stoer"}, {}, "Did you mean 'store'?"),
        ({"table": None, "query": "delete from stock"}, {}, "a single SELECT"),
        ({"table": None, "query": "select * from stock where id = :id"}, {}, "parameter :id has no value"),
    ],
)
def test_mistakes_are_said_with_the_way_out(
    sqlite_shop: Shop, imported: Any, headgate: Headgate, source: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    sqlite_shop.table("stock", "id integer primary key, name text", [(1, "lamp")])
    found = imported(sqlite_shop, source, **more)
    shown = headgate("check", "items")
    assert shown.code == 2 or "error" in found
    assert said in shown.out + shown.err


def test_a_table_needs_no_definition(sqlite_shop: Shop, headgate: Headgate, goal: Ask, folder: Path) -> None:
    sqlite_shop.table("stock", "id integer primary key, price decimal(10,2)", [(1, 19.9), (2, 5)])
    looked = headgate("check", "sqlite:///shop.db#stock")
    assert looked.code == 0
    assert "19.9" in looked.out
    run = headgate(
        "run", "sqlite:///shop.db#stock", "--into", "sqlite:///goal.db#item", "--key", "id", "--create", "--json"
    )
    assert counts(run.json) == {"created": 2}
    assert run.json["import"] == "stock"
    assert goal("select type from pragma_table_info('item') where name = 'price'") == [("DECIMAL(10,2)",)]
    new = headgate("new", "sqlite:///shop.db#stock", "--into", "sqlite:///goal.db#item", "--key", "id")
    assert new.code == 0
    written = yaml.safe_load(new.out if "fields:" in new.out else next((folder / "imports").glob("*.yaml")).read_text())
    assert written["source"] == {"connection": "sqlite:///shop.db", "table": "stock"}
    wrong = headgate("run", "sqlite:///shop.db", "--into", "sqlite:///goal.db#item", "--key", "id")
    assert wrong.code == 2
    assert "names no table" in wrong.err


def test_a_table_is_imported_into_its_own_database(sqlite_shop: Shop, define: Define, headgate: Headgate) -> None:
    sqlite_shop.table("stock", "id integer primary key, name text", [(i, f"n{i}") for i in range(1000)])
    sqlite_shop.table("item", "id integer primary key, name text")
    define(sqlite_shop, None, source={"connection": "shop", "table": "stock"})
    assert counts(headgate("run", "items", "--json").json) == {"created": 1000}
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 1000}


def test_records_the_destination_refuses_are_told_as_they_were_read(
    store: Shop, imported: Any, headgate: Headgate, goal: Ask, folder: Path
) -> None:
    import sqlite3

    with sqlite3.connect(folder / "goal.db") as connection:
        connection.execute("create table item (id integer primary key, name text check (name <> 'desk'), changed text)")
    run = imported(store, destination={"connection": "goal", "table": "item"})
    assert counts(run) == {"created": 1, "rejected": 1}
    (told,) = headgate("rejects", run["id"], "--json").json
    assert told["raw"]["name"] == "desk"
    assert goal("select name from item") == [("lamp",)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sqlite:///none.db#stock", "there is no such file"),
        ("sqlite:///shop.db#stok", "Did you mean stock?"),
        ("sqlite:///shop.db#orders", "There are: stock."),
        ("https://example.invalid/x.csv", "it cannot be reached"),
        ("oracel://localhost/x#stock", "no connector knows URLs that begin with oracel://"),
    ],
)
def test_mistakes_without_a_definition_are_said_too(
    sqlite_shop: Shop, headgate: Headgate, name: str, said: str
) -> None:
    sqlite_shop.table("stock", "id integer primary key, name text", [(1, "lamp")])
    done = headgate("run", name, "--into", "sqlite:///goal.db#item", "--key", "id", "--create")
    assert done.code in (1, 2)
    assert said in done.err


def test_a_url_that_only_sqlalchemy_may_know_is_said_where_that_is_not_there(
    headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    for module in [m for m in sys.modules if m.startswith("headgate.connectors.sqlalchemy")]:
        monkeypatch.delitem(sys.modules, module)
    done = headgate("run", "postgre://localhost/x#stock", "--into", "sqlite:///goal.db#item", "--key", "id", "--create")
    assert done.code == 2
    assert "no connector of its own that reads postgre://" in done.err
    assert "postgresql" in done.err


def test_a_connection_that_only_sqlalchemy_knows_is_tried(folder: Path, sqlite_shop: Shop, headgate: Headgate) -> None:
    pytest.importorskip("sqlalchemy")
    sqlite_shop.table("stock", "id integer primary key, name text", [(1, "lamp")])
    url = f"sqlite+pysqlite:///{folder}/shop.db"
    connections = {"good": url, "typed": {"type": "sqlalchemy", "url": url}, "bad": {"url": url, "frobnicate": 1}}
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": connections}))
    said = headgate("connections", "--test", "--json")
    states = {r["connection"]: r["state"] for r in said.json}
    assert (said.code, states["good"], states["typed"]) == (1, "reached, 1 tables", "reached, 1 tables")
    assert "the driver does not take what the connection says" in states["bad"]
    assert "frobnicate" in states["bad"]
    assert headgate("check", "typed#stock").code == 0
    done = headgate("check", "bad#stock")
    assert (done.code, "arguments of the driver" in done.err) == (2, True)


@pytest.mark.needs_postgres
@pytest.mark.parametrize("through", ["postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize("column", ["at", "n", "d", "id", "word"])
@pytest.mark.parametrize("query", [None, "select * from event where id > 0"])
def test_what_is_new_is_told_by_columns_of_every_type(
    through: str, column: str, query: str | None, postgres_shop: Shop, imported: Any, goal: Ask
) -> None:
    if "+" in through:
        pytest.importorskip("sqlalchemy")
    # Away from UTC, where a moment and how the session shows it are two things.
    postgres_shop.sql("alter role current_user set timezone to 'Asia/Tokyo'")
    try:
        postgres_shop.sql(
            "create table event (id int primary key, at timestamptz, n numeric(12, 6), d date, word text)"
        )
        postgres_shop.sql(
            "insert into event values (1, '2024-01-01 10:00:00.000001Z', 1.5, '2024-01-01', 'a'), "
            "(2, '2024-01-01 10:00:00.000002Z', 2.000001, '2024-01-02', 'b')"
        )
        store = replace(postgres_shop, url=postgres_shop.url.replace("postgresql", through, 1))
        source = {"table": None if query else "event", "query": query, "incremental": {"column": column}}
        assert counts(imported(store, source)) == {"created": 2}
        assert counts(imported(store, source)) == {"unchanged": 1}
        postgres_shop.sql("insert into event values (3, '2024-01-01 10:00:00.000003Z', 2.000002, '2024-01-03', 'c')")
        assert counts(imported(store, source)) == {"created": 1, "unchanged": 1}
        assert [str(a)[:26].replace("T", " ") for (a,) in goal("select at from item order by id")] == [
            f"2024-01-01 10:00:00.00000{n}" for n in (1, 2, 3)
        ]
    finally:
        postgres_shop.sql("alter role current_user reset timezone")
