"""Looking into values: by path, and one record for each entry of a list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.engine.nested import Nested
from headgate.model.errors import SourceError
from headgate.model.record import Batch
from headgate.testing.source import Make, SourceConformance
from headgate.testing.sources import RecordsSource

ORDERS = [
    {"id": 1, "to": '{"city":"Bern","geo":{"lat":46.90,"a.b":"dot"}}', "lines": '[{"sku":"x","n":1.10},{"sku":"y","more":[1, 2]}]'},
    {"id": 2, "to": None, "lines": "[]"},
    {"id": 3, "to": '{"city":null}', "lines": '{"sku":"alone"}'},
    {"id": 4, "to": '{"city":5}', "lines": None},
    {"id": 5, "to": "{}", "lines": '["text", 7, null, true]'},
]  # fmt: skip


def read(
    records: Sequence[dict[str, Any]], paths: Sequence[str] = (), explode: str | None = None, size: int = 2
) -> list[Batch]:
    table = pa.Table.from_pylist(list(records))
    with closing(Nested(RecordsSource(table, batch_rows=size), paths, explode)) as source:
        return list(source.open(source.partitions()[0]).batches())


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [r for b in batches for r in b.records.to_pylist()]


def test_values_are_found_by_path_as_they_are_written() -> None:
    paths = ["to.city", "to.geo.lat", "to.geo.a.b", "to.geo", "to.no.where"]
    found = rows(read(ORDERS, paths))
    assert [f["to.city"] for f in found] == ["Bern", None, None, "5", None]
    assert [f["to.geo.lat"] for f in found] == ["46.90", None, None, None, None]
    assert found[0]["to.geo.a.b"] == "dot"
    assert found[0]["to.geo"] == '{"lat":46.90,"a.b":"dot"}'
    assert {f["to.no.where"] for f in found} == {None}
    assert [f["id"] for f in found] == [1, 2, 3, 4, 5]


def test_a_column_that_is_there_is_not_looked_for_elsewhere() -> None:
    assert rows(read([{"a": '{"b":1}', "a.b": "own"}], ["a.b"])) == [{"a": '{"b":1}', "a.b": "own"}]


def test_every_entry_of_a_list_is_a_record() -> None:
    batches = read(ORDERS, ["lines.sku", "lines.more", "to.city"], "lines")
    found = rows(batches)
    assert [(f["id"], f["to.city"], f["lines.sku"], f["lines.n"], f["lines.more"]) for f in found] == [
        (1, "Bern", "x", "1.10", None), (1, "Bern", "y", None, "[1, 2]"), (3, None, "alone", None, None), (5, None, None, None, None),
        (5, None, None, None, None), (5, None, None, None, None), (5, None, None, None, None),
    ]  # fmt: skip
    assert [f["lines"] for f in found] == [
        '{"sku":"x","n":1.10}',
        '{"sku":"y","more":[1, 2]}',
        '{"sku":"alone"}',
        "text",
        "7",
        None,
        "true",
    ]
    assert [o for b in batches for o in b.ordinals] == list(range(7))


def test_records_with_nothing_in_the_list_are_said() -> None:
    table = pa.Table.from_pylist(ORDERS)
    scan = Nested(RecordsSource(table), [], "lines").open(RecordsSource(table).partitions()[0])
    list(scan.batches())
    assert scan.findings["notes"] == ["2 records have nothing in lines, and so gave none"]
    list(scan.batches())
    assert scan.findings["notes"] == ["2 records have nothing in lines, and so gave none"]


def test_a_list_may_be_within_a_value() -> None:
    found = rows(
        read(
            [{"id": 1, "order": '{"nr":7,"lines":[{"sku":"x"},{"sku":"y"}]}'}],
            ["order.nr", "order.lines.sku"],
            "order.lines",
        )
    )
    assert [(f["order.nr"], f["order.lines.sku"]) for f in found] == [("7", "x"), ("7", "y")]


def test_what_is_no_json_is_a_fault_of_its_record() -> None:
    records = [{"id": i, "v": v} for i, v in enumerate(['[{"a":1}]', "[{", '[{"a":2}]', "plain", '{"a"'])]
    batches = read(records, ["v.a"], "v")
    assert [(f.ordinal, f.problem.code, f.problem.column, f.problem.value) for b in batches for f in b.faults] == [
        (1, "RD05", "v", "[{"), (4, "RD05", "v", '{"a"'),
    ]  # fmt: skip
    assert [(r["id"], r["v"], r["v.a"]) for r in rows(batches)] == [
        (0, '{"a":1}', "1"),
        (2, '{"a":2}', "2"),
        (3, "plain", None),
    ]
    assert [o for b in batches for o in b.ordinals] == [0, 2, 3]


def test_a_list_that_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(SourceError, match="no column 'line'") as said:
        read(ORDERS, [], "line")
    assert "id, to, lines" in said.value.hint


def test_a_record_may_have_more_entries_than_a_batch_holds() -> None:
    table = pa.Table.from_pylist([{"id": i, "v": json.dumps(list(range(70_000 * i)))} for i in range(3)])
    scan = Nested(RecordsSource(table), [], "v").open(RecordsSource(table).partitions()[0])
    batches = list(scan.batches())
    assert max(map(len, batches)) <= 65_536
    assert [o for b in batches for o in b.ordinals] == list(range(210_000))
    assert [r.row for r in scan.locate([0, 69_999, 70_000, 209_999])] == [2, 2, 3, 3]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.none() | st.lists(st.none() | st.integers() | st.text(st.characters(exclude_characters="\0", codec="utf-8")) | st.dictionaries(st.text("ab.", max_size=2), st.integers(), max_size=2), max_size=4), min_size=1, max_size=8))  # fmt: skip
def test_entries_come_as_json_has_them(lists: list[Any]) -> None:
    found = rows(
        read([{"id": i, "v": None if v is None else json.dumps(v)} for i, v in enumerate(lists)], [], "v", size=3)
    )
    wanted = [(i, entry) for i, v in enumerate(lists) for entry in v or []]
    assert [f["id"] for f in found] == [i for i, _ in wanted]
    for f, (_, entry) in zip(found, wanted, strict=True):
        assert f["v"] == entry if entry is None or isinstance(entry, str) else json.loads(f["v"]) == entry


class TestPaths(SourceConformance):
    @pytest.fixture
    def make(self) -> Make:
        self.expected = [{"id": i, "v": f'{{"a":{i}}}', "v.a": str(i)} for i in range(100)]
        table = pa.Table.from_pylist([{"id": i, "v": f'{{"a":{i}}}'} for i in range(100)])
        return lambda: Nested(RecordsSource(table, batch_rows=7), ["v.a"], None)
