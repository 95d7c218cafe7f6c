"""Headgate in a program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

import headgate
from support.shop import Ask

INTO = {"key": "id", "destination": {"connection": "sqlite:///shop.db", "table": "item", "create": True}}


@pytest.mark.usefixtures("folder")
def test_records_are_imported_told_and_taken_back(rows: Ask) -> None:
    items = headgate.Import({**INTO, "fields": {"id": {"type": "integer"}, "name": {"required": True}}})
    done = items.run([{"id": 1, "name": "lamp"}, {"id": 2, "name": None}, {"id": "x", "name": "rug"}])
    assert (done.status, done.read, done.counts) == ("partial", 3, {"created": 1, "invalid": 2})
    assert rows("select * from item") == [(1, "lamp")]
    told = list(done.rejects())
    assert [r["row"] for r in told] == [2, 3]
    assert [r["problems"][0]["field"] for r in told] == ["name", "id"]  # type: ignore[index]
    assert told[1]["raw"] == {"id": "x", "name": "rug"}
    again = items.send([{"id": 1, "name": "big lamp"}])
    assert again.counts == {"updated": 1}
    assert again.undo().status == "succeeded"
    assert rows("select * from item") == [(1, "lamp")]


@pytest.mark.usefixtures("folder")
def test_a_plan_shows_and_then_does(rows: Ask) -> None:
    items = headgate.Import(INTO)
    items.run([{"id": 1, "name": "lamp"}])
    plan = items.plan([{"id": 1, "name": "big lamp"}, {"id": 2, "name": "desk"}])
    assert plan.counts == {"updated": 1, "created": 1}
    assert list(plan.changes()) == [
        {"action": "updated", "new": {"id": 1, "name": "big lamp"}, "old": {"id": 1, "name": "lamp"}},
        {"action": "created", "new": {"id": 2, "name": "desk"}, "old": {"id": None, "name": None}},
    ]
    assert rows("select count(*) from item") == [(1,)]
    assert plan.run().counts == {"updated": 1, "created": 1}
    assert rows("select name from item order by id") == [("big lamp",), ("desk",)]


@pytest.mark.usefixtures("folder")
def test_values_of_every_kind_come_as_they_are(rows: Ask) -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, 600, UTC)
    kinds = {
        "id": "integer",
        "d": "decimal(20,5)",
        "t": "timestamptz",
        "b": "boolean",
        "j": "json",
        "f": "double",
        "s": "text",
    }
    definition = {**INTO, "fields": {n: {"type": t} for n, t in kinds.items()}}
    record = {
        "id": 1, "d": Decimal("123456789012345.00001"), "t": moment, "b": True, "j": {"a": [1, Decimal("1.10")]}, "f": 0.1, "s": "00501",
    }  # fmt: skip
    assert headgate.Import(definition).run([record]).counts == {"created": 1}
    assert rows("select d, t, b, f, s from item") == [
        ("123456789012345.00001", "2024-01-02 03:04:05.000600+00:00", 1, 0.1, "00501")
    ]


@pytest.mark.usefixtures("folder")
def test_a_new_table_gets_the_types_of_the_values(rows: Ask) -> None:
    headgate.Import(INTO).run([{"id": i, "code": str(i), "ok": True} for i in range(3)])
    assert [r[0] for r in rows("select type from pragma_table_info('item')")] == ["INTEGER", "TEXT", "BOOLEAN"]


@pytest.mark.usefixtures("folder")
def test_a_generator_is_read_once_and_in_bounded_pieces(rows: Ask) -> None:
    given = 0

    def records() -> Iterator[dict[str, Any]]:
        nonlocal given
        for i in range(150_000):
            given += 1
            yield {"id": i, "n": i % 7} | ({"more": 1} if i == 100_000 else {})

    done = headgate.Import(INTO).run(records())
    assert given == 150_000
    assert done.counts == {"created": 149_999, "invalid": 1}
    (told,) = done.rejects()
    assert "column 'more'" in told["problems"][0]["reason"]  # type: ignore[index]
    assert told["raw"] == {"id": "100000", "n": str(100_000 % 7), "more": "1"}
    assert rows("select count(*) from item") == [(149_999,)]


class Frame:
    """What pandas and polars offer."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


TABLE = pa.table({
    "id": pa.array([1, 2], pa.int64()), "kind": pa.array(["a", "b"]).dictionary_encode(), "price": pa.array([Decimal("1.10"), None]),
    "tags": pa.array([["x", "é"], None]),
})  # fmt: skip


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "given", [TABLE, TABLE.to_reader(1), Frame(TABLE), TABLE.to_batches()[0]], ids=["table", "stream", "frame", "batch"]
)
def test_arrow_is_read_in_its_own_types(rows: Ask, given: object) -> None:
    assert headgate.Import(INTO).run(given).counts == {"created": 2}
    assert rows("select * from item order by id") == [(1, "a", 1.1, '["x","é"]'), (2, "b", None, None)]


@pytest.mark.usefixtures("folder")
def test_a_project_is_opened_and_its_imports_run(folder: Path, rows: Ask) -> None:
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"shop": "sqlite:///shop.db"}}))
    (folder / "imports").mkdir()
    data = {"source": "items.csv", "key": "id", "destination": {"connection": "shop", "table": "item", "create": True}}
    (folder / "imports" / "items.yaml").write_text(yaml.safe_dump(data))
    (folder / "items.csv").write_text("id,name\n1,lamp\n")
    shop = headgate.open_project(folder)
    assert list(shop.imports) == ["items"]
    assert shop.imports["items"].check() == [
        "create table item (id bigint, name text) with key id in the new database shop.db"
    ]
    seen: list[str] = []
    done = shop.imports["items"].run(observe=lambda p: seen.append(p.phase))
    assert done.counts == {"created": 1}
    assert seen[-1] == "committing"
    assert shop.imports["items"].send([{"id": 2, "name": "desk"}]).counts == {"created": 1}
    assert [r.id for r in shop.runs()] == [2, 1]
    assert shop.run(1).counts == {"created": 1}
    assert rows("select count(*) from item") == [(2,)]
    with pytest.raises(KeyError):
        shop.imports["nothing"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({"id": 1}, "not dict"),
        ("id", "not str"),
        (5, "not int"),
        ([{"id": 1}, 7], "record 2 is a int"),
        ([], "no records with columns"),
        ([{"sku": "a", 1: "x"}], "a key that is no text: 1"),
        ([{"sku": "a"}, {None: "x"}], "a key that is no text: None"),
    ],
)
def test_what_are_no_records_is_said(records: object, said: str) -> None:
    with pytest.raises(headgate.HeadgateError, match=said):
        headgate.Import(INTO).run(records)


@pytest.mark.usefixtures("folder")
def test_mistakes_are_errors_with_a_way_out() -> None:
    with pytest.raises(headgate.HeadgateError, match="unknown key 'feilds'") as said:
        headgate.Import({**INTO, "feilds": {}})
    assert "fields" in said.value.hint + said.value.message
    with pytest.raises(headgate.HeadgateError, match="is no project"):
        headgate.open_project("/")
    with pytest.raises(headgate.HeadgateError, match="item has no source"):
        headgate.Import(INTO).run()


def test_importing_the_package_loads_next_to_nothing() -> None:
    code = "import sys, headgate; print(headgate.__version__, [m for m in ('pyarrow', 'duckdb', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{headgate.__version__} []\n"
