"""Folding rows that follow each other into one record with a list of lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from itertools import groupby
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from headgate.engine.grouped import Grouped
from headgate.engine.nested import Nested
from headgate.engine.resume import rest
from headgate.model.errors import HeadgateError
from headgate.model.group import GroupSpec
from headgate.model.record import Batch, Fault, Problem
from headgate.model.source import SourceSpec
from headgate.spi.source import Partition
from headgate.testing.source import Make, SourceConformance
from headgate.testing.sources import RecordsScan, RecordsSource

BY: dict[str, Any] = {"by": ["nr"], "as": "lines", "take": ["sku", "qty"]}
HEADER: dict[str, Any] = {"header": "type = 'H'", "as": "lines", "take": {"sku": "a", "qty": "b"}}


def flat(*orders: tuple[Any, Any, list[tuple[Any, Any]]]) -> list[dict[str, Any]]:
    return [{"nr": nr, "who": who, "sku": sku, "qty": qty} for nr, who, lines in orders for sku, qty in lines]


ORDERS = flat(("1", "Ada", [("x", "1.10"), ("y", "2")]), ("2", "Bert", [("x", "3")]), ("3", None, [("y", "4"), ("z", ""), ("x", None)]))  # fmt: skip


def kinds(*rows: str) -> list[dict[str, Any]]:
    return [dict(zip(("type", "a", "b"), r.split(","), strict=True)) for r in rows]


class Broken(RecordsSource):
    """Rows of which some cannot be read."""

    def __init__(self, table: pa.Table, bad: Sequence[int], size: int) -> None:
        super().__init__(table, batch_rows=size)
        self.bad, self.all = bad, table

    def open(self, partition: Partition) -> RecordsScan:
        bad, scan = self.bad, super().open(partition)
        whole = scan.batches

        def batches() -> Any:
            for b in whole():
                good = [i for i, o in enumerate(b.ordinals) if o not in bad]
                lost = [i for i, o in enumerate(b.ordinals) if o in bad]
                faults = [
                    Fault(b.ordinals[i], Problem("RD01", "too short"), b.records.slice(i, 1).to_pylist()[0])
                    for i in lost
                ]
                yield Batch(b.records.take(pa.array(good, pa.int64())), [b.ordinals[i] for i in good], tuple(faults))

        scan.batches = batches  # type: ignore[method-assign]
        return scan


def read(
    records: Sequence[dict[str, Any]],
    group: dict[str, Any],
    size: int = 2,
    bad: Sequence[int] = (),
    longest: int = 1 << 20,
) -> list[Batch]:
    source = Broken(pa.Table.from_pylist(list(records)), bad, size)
    with (
        closing(Grouped(source, GroupSpec(**group), longest)) as made,
        closing(made.open(made.partitions()[0])) as scan,
    ):
        return list(scan.batches())


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [r for b in batches for r in b.records.to_pylist()]


def faults(batches: list[Batch]) -> list[tuple[int, str, str]]:
    return [(f.ordinal, f.problem.code, f.problem.reason) for b in batches for f in b.faults]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_rows_with_one_key_are_one_record_wherever_batches_end(size: int) -> None:
    batches = read(ORDERS, BY, size)
    assert rows(batches) == [
        {"nr": "1", "who": "Ada", "lines": '[{"sku":"x","qty":"1.10"},{"sku":"y","qty":"2"}]'},
        {"nr": "2", "who": "Bert", "lines": '[{"sku":"x","qty":"3"}]'},
        {"nr": "3", "who": None, "lines": '[{"sku":"y","qty":"4"},{"sku":"z","qty":""},{"sku":"x","qty":null}]'},
    ]
    assert [o for b in batches for o in b.ordinals] == [0, 1, 2]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_header_takes_the_lines_below_it(size: int) -> None:
    batches = read(kinds("H,7,Ada", "L,x,1", "L,y,2", "H,8,Bert", "H,9,Cy", "L,x,3"), HEADER, size)
    assert [(r["a"], r["b"], json.loads(r["lines"])) for r in rows(batches)] == [
        ("7", "Ada", [{"sku": "x", "qty": "1"}, {"sku": "y", "qty": "2"}]), ("8", "Bert", []), ("9", "Cy", [{"sku": "x", "qty": "3"}]),
    ]  # fmt: skip


def test_lines_have_what_is_not_in_common_unless_it_is_said() -> None:
    (first, *_) = rows(read(ORDERS, {"by": "nr", "as": "rows"}))
    assert list(first) == ["nr", "rows"]
    assert json.loads(first["rows"])[0] == {"who": "Ada", "sku": "x", "qty": "1.10"}


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_key_that_comes_back_is_refused(size: int) -> None:
    batches = read(
        flat(("1", "A", [("x", "1")]), ("2", "B", [("x", "1")]), ("1", "A", [("y", "1"), ("z", "2")])), BY, size
    )
    assert faults(batches) == [(2, "RD10", "nr '1' came before, in record 1, and rows of another one are between")]
    assert [r["nr"] for r in rows(batches)] == ["1", "2"]
    (fault,) = [f for b in batches for f in b.faults]
    assert fault.raw == {"nr": "1", "who": "A", "lines": '[{"sku":"y","qty":"1"},{"sku":"z","qty":"2"}]'}


@pytest.mark.parametrize("size", [1, 2, 100])
def test_values_that_differ_within_a_record_are_refused_and_shown(size: int) -> None:
    data = [*ORDERS]
    data[1] = data[1] | {"who": "Eva"}
    batches = read(data, BY, size)
    assert faults(batches) == [(0, "RD12", "who is 'Ada' in its first row and 'Eva' in row 2 of it")]
    assert batches[0].faults[0].raw["who"] == '["Ada","Eva"]' if batches[0].faults else True
    assert [r["nr"] for r in rows(batches)] == ["2", "3"]


def test_lines_without_a_header_or_a_key_are_refused() -> None:
    assert faults(read(kinds("L,x,1", "L,y,2", "H,8,Bert"), HEADER)) == [(0, "RD11", "a line before any header")]
    data = flat(("1", "A", [("x", "1")]), (" ", "B", [("x", "1"), ("y", "2")]), ("3", "C", [("x", "1")]))
    batches = read(data, BY)
    assert [f[:2] for f in faults(batches)] == [(1, "RD11")]
    assert [r["nr"] for r in rows(batches)] == ["1", "3"]


def test_a_record_may_not_be_too_large() -> None:
    data = flat(("1", "A", [("x", str(i)) for i in range(500)]), ("2", "B", [("y", "1")]))
    for limit in ({"max_rows": 499}, {"longest": 5_000}):
        longest = limit.pop("longest", 1 << 20)
        batches = read(data, BY | limit, 64, longest=longest)
        assert [f[:2] for f in faults(batches)] == [(0, "RD13")]
        (fault,) = [f for b in batches for f in b.faults]
        assert len(json.loads(fault.raw["lines"] or "")) == 100
        assert [r["nr"] for r in rows(batches)] == ["2"]
    assert not faults(read(data, BY | {"max_rows": 500}, 64))


@pytest.mark.parametrize(("bad", "spoilt"), [(0, "1"), (1, "1"), (2, "2"), (4, "3")])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_row_that_cannot_be_read_spoils_its_record_alone(bad: int, spoilt: str, size: int) -> None:
    batches = read(ORDERS, BY, size, [bad])
    (fault,) = [f for b in batches for f in b.faults]
    assert (fault.problem.code, fault.raw["nr"]) == ("RD01", spoilt)
    assert sorted([*(r["nr"] for r in rows(batches)), spoilt]) == ["1", "2", "3"]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_what_may_have_been_a_header_spoils_the_lines_below_it(size: int) -> None:
    batches = read(kinds("H,7,Ada", "L,x,1", "H,8,Bert", "L,y,2", "H,9,Cy", "L,x,3"), HEADER, size, [2])
    assert [(f.raw["a"], len(json.loads(f.raw["lines"] or ""))) for b in batches for f in b.faults] == [("7", 3)]
    assert [r["a"] for r in rows(batches)] == ["9"]


def test_numbers_are_written_digit_by_digit_or_refused() -> None:
    group = BY | {"numbers": ["qty"]}
    data = flat(("1", "A", [("007", " 1.10"), ("x", "-1E5"), ("y", " "), ("z", None)]), ("2", "B", [("x", "007")]), ("3", "C", [("x", "1,5")]))  # fmt: skip
    batches = read(data, group)
    assert (
        rows(batches)[0]["lines"]
        == '[{"sku":"007","qty":1.10},{"sku":"x","qty":-1E5},{"sku":"y","qty":null},{"sku":"z","qty":null}]'
    )
    assert [f[:2] for f in faults(batches)] == [(1, "RD14"), (2, "RD14")]


def test_typed_values_stay_what_they_are() -> None:
    table = pa.table({
        "nr": pa.array([1, 1], pa.int64()), "at": pa.array([1, 1], pa.timestamp("ns")), "price": pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)),
        "on": [True, False], "f": [0.1, float("nan")], "b": [b"\xff", None], "d": pa.array([1, 2], pa.date32()),
    })  # fmt: skip
    source = Grouped(
        RecordsSource(table, batch_rows=1), GroupSpec(**BY | {"take": ["price", "on", "f", "b", "d"]}), 1 << 20
    )
    (batch,) = source.open(source.partitions()[0]).batches()
    assert batch.records.column("at").cast(pa.int64()).to_pylist() == [1]
    assert batch.records.column("lines")[0].as_py() == (
        '[{"price":1.10,"on":true,"f":0.1,"b":"ff","d":"1970-01-02"},{"price":null,"on":false,"f":"nan","b":null,"d":"1970-01-03"}]'
    )


def test_a_condition_without_an_answer_is_a_fault() -> None:
    batches = read(kinds("H,7,Ada", "L,x,1", "H,8,Bert"), HEADER | {"header": "type = 'H' or b::integer = 2"}, 2)
    assert [f[:2] for f in faults(batches)] == [(0, "RD14")]


def test_places_go_from_the_first_row_to_the_last() -> None:
    source = Grouped(RecordsSource(pa.Table.from_pylist(ORDERS), batch_rows=2), GroupSpec(**BY), 1 << 20)
    scan = source.open(source.partitions()[0])
    list(scan.batches())
    assert list(map(str, scan.locate([0, 1, 2]))) == ["records, row 1 to 2", "records, row 3", "records, row 4 to 6"]
    assert list(map(str, scan.locate([2]))) == ["records, row 4 to 6"]
    assert scan.findings["grouped"] == {"rows": 6, "records": 3}
    assert scan.findings["notes"] == ["6 rows were grouped into 3 records"]


def test_a_run_goes_on_between_two_records() -> None:
    batches = read(ORDERS, BY, 2)
    for done in range(4):
        left = [b for b, due in rest(iter(batches), done) if due]
        assert rows(left) == rows(batches)[done:]


@pytest.mark.parametrize(("group", "said"), [
    (BY | {"by": ["no"]}, "no column 'no'"), (BY | {"as": "who"}, "'who' already"), (HEADER | {"header": "kind = 'H'"}, "kind"),
    ({"by": ["nr"], "as": "l", "numbers": ["no"]}, "'no' among its lines"), ({"by": ["nr", "who", "sku", "qty"], "as": "l"}, "no column for the lines"),
])  # fmt: skip
def test_what_the_rows_do_not_have_is_said(group: dict[str, Any], said: str) -> None:
    with pytest.raises(HeadgateError, match=said):
        read([{**r, "type": "", "a": "", "b": ""} for r in ORDERS] if "header" in group else ORDERS, group)


@pytest.mark.parametrize("group", [
    {"as": "l"}, {"by": ["a"], "header": "b", "as": "l"}, {"by": ["a"]}, BY | {"numbers": ["who"]}, BY | {"take": ["nr"]}, BY | {"by": []},
])  # fmt: skip
def test_definitions_that_cannot_be_meant_are_refused(group: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GroupSpec(**group)


def test_a_record_of_which_only_new_rows_are_read_is_refused() -> None:
    with pytest.raises(ValidationError, match="only the new ones"):
        SourceSpec.model_validate({"connection": "c", "table": "t", "group": BY, "incremental": {"column": "at"}})


TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=3)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4)), min_size=1, max_size=6),
    st.integers(1, 5),
)
def test_what_was_grouped_can_be_taken_apart_again(orders: list[Any], size: int) -> None:
    records = flat(*((str(i), who, lines) for i, (who, lines) in enumerate(orders)))
    table = pa.Table.from_pylist(records, pa.schema([(n, pa.string()) for n in ("nr", "who", "sku", "qty")]))
    source = Nested(Grouped(RecordsSource(table, batch_rows=size), GroupSpec(**BY), 1 << 20), [], "lines")
    found = [r for b in source.open(source.partitions()[0]).batches() for r in b.records.to_pylist()]
    assert [{"nr": f["nr"], "who": f["who"], "sku": f["lines.sku"], "qty": f["lines.qty"]} for f in found] == records


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from("aab "), min_size=1, max_size=12), st.sets(st.integers(0, 11)), st.integers(1, 5))
def test_every_row_is_in_one_record_or_fault(keys: list[str], bad: set[int], size: int) -> None:
    records = [{"nr": k, "who": "w", "sku": str(i), "qty": "1"} for i, k in enumerate(keys)]
    batches = read(records, BY, size, sorted(bad))
    texts = [r["lines"] for r in rows(batches)] + [f.raw["lines"] or "" for b in batches for f in b.faults]
    assert sorted(int(line["sku"]) for t in texts for line in json.loads(t)) == list(range(len(keys)))
    assert not {line["sku"] for r in rows(batches) for line in json.loads(r["lines"])} & {str(i) for i in bad}
    numbers = sorted([o for b in batches for o in b.ordinals] + [f.ordinal for b in batches for f in b.faults])
    assert numbers == list(range(len(list(groupby(keys))))) or bad


class TestGrouped(SourceConformance):
    @pytest.fixture
    def make(self) -> Make:
        data = flat(*((f"{i}", "w", [("x", "1")] * (i % 3 + 1)) for i in range(50)))
        self.expected = [{"nr": f"{i}", "who": "w", "lines": json.dumps([{"sku": "x", "qty": "1"}] * (i % 3 + 1), separators=(",", ":"))} for i in range(50)]  # fmt: skip
        table = pa.Table.from_pylist(data)
        return lambda: Grouped(RecordsSource(table, batch_rows=7), GroupSpec(**BY), 1 << 20)
