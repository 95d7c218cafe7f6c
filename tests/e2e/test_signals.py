"""SIGINT and SIGTERM at every named point of a run: exit code 130, and either all of it is kept or nothing, as it is told."""

from __future__ import annotations

import signal
from itertools import cycle
from pathlib import Path

import pytest

from headgate.engine.crash import POINTS
from support.shop import Define, Headgate, Shop, Start, counts, finish
from support.trouble import begun, hit, unsound, wake

COLUMNS = "id integer primary key, name text, qty integer"
THERE = [(1, "lamp", 5), (2, "desk", None)]
RECORDS = 2_500
DATA = "id,name,qty\n" + "".join(f"{n},name {n},{n}\n" for n in range(RECORDS))
DONE = [(n, f"name {n}", n) for n in range(RECORDS)]
BEFORE = POINTS[: POINTS.index("commit.after")]
SIGNALS = cycle((signal.SIGINT, signal.SIGTERM))
ONCE = [p for p in POINTS if p != "checkpoint.after"]


@pytest.mark.parametrize(("at", "number"), list(zip(ONCE, SIGNALS, strict=False)), ids=str)
def test_a_signal_at_a_point_of_a_run(
    at: str, number: signal.Signals, sqlite_shop: Shop, define: Define, headgate: Headgate, start: Start, tmp_path: Path
) -> None:
    sqlite_shop.table("item", COLUMNS, THERE)
    define(sqlite_shop, DATA)
    process = begun(start, at)
    hit(process, number)
    wake(process)
    said = finish(process)
    assert (said.code, said.out) == (130, "")
    kept = at not in BEFORE
    assert ("run 1 was done already" if kept else "run 1 was cancelled; nothing was kept") in said.err
    assert sorted(sqlite_shop.read("item")) == (DONE if kept else THERE)
    assert headgate("show", 1, "--json").json["status"] == ("succeeded" if kept else "cancelled")
    again = headgate("run", "items", "--json")
    assert counts(again.json) == ({"unchanged": RECORDS} if kept else {"created": RECORDS - 2, "updated": 2})
    assert sorted(sqlite_shop.read("item")) == DONE
    assert unsound(tmp_path / "state") == []


PARTS = 3
LATER = ("stage.after:2", "match.after:2", "apply.after:3", "commit.before:2", "commit.after:2", "checkpoint.after:2")


@pytest.mark.parametrize(("at", "number"), list(zip(LATER, SIGNALS, strict=False)), ids=str)
def test_a_signal_during_a_later_batch(
    at: str,
    number: signal.Signals,
    shop: Shop,
    define: Define,
    headgate: Headgate,
    start: Start,
    folder: Path,
    tmp_path: Path,
) -> None:
    """What was committed is kept, and the next run goes on under its number: nothing twice, not even where there is no key."""
    shop.table("item", COLUMNS.replace(" primary key", ""))
    for part in range(PARTS):
        (folder / f"part{part}.csv").write_text(
            "id,name,qty\n" + "".join(f"{n},name {n},{n}\n" for n in range(part, 900, PARTS))
        )
    define(shop, source="part*.csv", commit="batch", operation="append", key=None)
    process = begun(start, at)
    hit(process, number)
    wake(process)
    said = finish(process)
    assert (said.code, said.out) == (130, "")
    point, _, count = at.partition(":")
    batches = int(count) - (point in BEFORE)
    assert len(shop.read("item")) == batches * 300
    assert headgate("show", 1, "--json").json["status"] == "cancelled"
    again = headgate("run", "items", "--json").json
    assert (again["id"], counts(again)) == (1, {"created": 900})
    assert sorted(shop.read("item")) == DONE[:900]
    assert unsound(tmp_path / "state") == []
    assert headgate("undo", 1, "--json").json["reversed"] == 900
    assert shop.read("item") == []


@pytest.mark.needs_postgres
def test_a_query_that_takes_long_is_broken_off(
    postgres_shop: Shop, define: Define, start: Start, headgate: Headgate
) -> None:
    slow = "select g as id, pg_sleep(0.05)::text as name from generate_series(1, 1000000) g"
    definition = {"source": {"connection": "shop", "query": slow}, "fields": {"id": {"type": "integer"}}}
    define(
        postgres_shop,
        None,
        **definition,
        destination={"connection": "sqlite:///to.db", "table": "item", "create": True},
    )
    process = start("run", "items")
    while not postgres_shop.sql("select 1 from pg_stat_activity where query like 'copy (select%' and state = 'active'"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert headgate("show", 1, "--json").json["status"] == "cancelled"
