"""Programs over typed columns, faults, several batches; what inference tells of types."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from headgate.mapping import Inference, Program, compile_program, effective_types, plan_fields
from headgate.model.errors import UsageError
from headgate.model.record import Batch, Fault, Problem, record_number
from headgate.model.spec import ImportSpec
from headgate.model.table import Column, TableSchema
from headgate.model.types import FieldType

STARTED = datetime(2026, 3, 1, tzinfo=UTC)
NOON = datetime.fromisoformat("2024-01-02T12:00:00")


def program(fields: dict[str, Any], schema: pa.Schema, table: TableSchema | None = None, **more: Any) -> Program:
    spec = ImportSpec.model_validate(
        {
            "source": "x",
            "operation": "append",
            "destination": {"connection": "c", "table": "t"},
            "fields": fields,
            **more,
        }
    )
    planned = plan_fields(spec, schema.names, table)
    return compile_program(spec, planned, effective_types(planned, table, {}), schema, {}, STARTED)


def batch(columns: dict[str, Any], start: int = 0, faults: tuple[Fault, ...] = ()) -> Batch:
    records = pa.record_batch(columns)
    return Batch(records, range(start, start + records.num_rows), faults)


def test_typed_columns_pass_exactly_or_are_refused() -> None:
    data = {
        "i": pa.array([1, 70000], pa.int64()),
        "d": pa.array([0.1, 1.5], pa.float64()),
        "m": pa.array([Decimal("1.50"), Decimal("2.25")], pa.decimal128(10, 2)),
        "s": pa.array([NOON, None], pa.timestamp("ns")),
        "b": pa.array([True, None]),
        "w": pa.array([b"\x00\xff", b""], pa.binary()),
        "l": pa.array([[1, 2], None], pa.list_(pa.int64())),
        "c": pa.array(["x", "y"]).dictionary_encode(),
    }
    fields = {
        "i": {"type": "smallint"}, "big": {"from": "i", "type": "bigint"}, "d": {"type": "decimal(4,1)"}, "m": {"type": "decimal(12,4)"},
        "s": {"type": "timestamp"}, "b": None, "w": {"type": "binary"}, "l": {"type": "json"}, "c": None, "sum": {"expr": "i + m", "type": "decimal(9,2)"},
    }  # fmt: skip
    p = program(fields, pa.record_batch(data).schema)
    answer = p.map(batch(data), 3)
    p.close()
    assert answer.accepted.to_pylist() == [
        {
            "_n": record_number(3, 0), "i": 1, "big": 1, "d": Decimal("0.1"), "m": Decimal("1.5000"), "s": NOON,
            "b": "true", "w": b"\x00\xff", "l": "[1,2]", "c": "x", "sum": Decimal("2.50"),
        }
    ]  # fmt: skip
    (problems,) = answer.rejects.problems
    assert [(q.code, q.column, q.value) for q in problems] == [("TY11", "i", "70000")]
    assert answer.rejects.raw.to_pylist()[0]["i"] == "70000"


def test_what_the_destination_takes_is_what_batches_hold() -> None:
    table = TableSchema(
        "t", (Column("n", FieldType("bigint")), Column("s", FieldType("text")), Column("z", FieldType("text")))
    )
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    fields = {
        "n": {"from": "a", "type": "integer"},
        "s": {"from": "a", "type": "integer"},
        "z": {"from": "b", "type": "timestamptz"},
    }
    p = program(fields, schema, table)
    answer = p.map(batch({"a": ["007"], "b": ["2024-01-02T03:04:05+01:00"]}), 0)
    assert [str(f.type) for f in p.fields] == ["bigint", "text", "text"]
    p.close()
    assert answer.accepted.schema.field("n").type == pa.int64()
    assert answer.accepted.to_pylist()[0] == {"_n": 0, "n": 7, "s": "7", "z": "2024-01-02T02:04:05Z"}


def test_faults_are_rejects_in_their_place() -> None:
    p = program({"x": {"from": "a", "type": "integer"}}, pa.schema([("a", pa.string())]))
    fault = Fault(1, Problem("RD01", "too few values"), {"a": "1", "more": "2"})
    records = pa.record_batch({"a": ["7", "x", "8"]})
    read = Batch(records, [0, 2, 3], (fault,))
    answer = p.map(read, 0)
    p.close()
    assert answer.accepted["_n"].to_pylist() == [0, 3]
    assert answer.rejects.ordinals == [1, 2]
    assert [q[0].code for q in answer.rejects.problems] == ["RD01", "TY01"]
    assert answer.rejects.raw.to_pylist() == [{"a": "1", "more": "2"}, {"a": "x", "more": None}]
    assert answer.accepted.num_rows + answer.skipped + len(answer.rejects) == len(read)


def test_nothing_but_faults_and_no_records_at_all() -> None:
    p = program({"x": {"from": "a", "unique": True}}, pa.schema([("a", pa.string())]))
    fault = Fault(0, Problem("RD03", "open quote"), {"a": "1"})
    assert len(p.map(Batch(pa.record_batch({"a": pa.array([], pa.string())}), range(0), (fault,)), 0).rejects) == 1
    assert p.map(Batch(pa.record_batch({"a": pa.array([], pa.string())}), range(0)), 0).accepted.num_rows == 0
    p.close()


def test_unique_holds_across_batches() -> None:
    p = program({"x": {"from": "a", "type": "integer", "unique": True}}, pa.schema([("a", pa.string())]))
    assert p.map(batch({"a": ["1", "2", "01"]}), 0).rejects.ordinals == [2]
    answer = p.map(batch({"a": ["3", "2.0"]}, start=3), 0)
    p.close()
    assert answer.accepted["x"].to_pylist() == [3]
    (problem,) = answer.rejects.problems[0]
    assert (problem.code, problem.field, problem.value) == ("RU03", "x", "2.0")
    assert answer.rejects.ordinals == [4]


def test_a_batch_of_other_columns_is_refused() -> None:
    p = program({"x": {"from": "a"}}, pa.schema([("a", pa.string())]))
    with pytest.raises(UsageError, match="not what was compiled for"):
        p.map(batch({"b": ["1"]}), 0)
    p.close()


def test_reasons_are_for_people() -> None:
    p = program(
        {"price": {"from": "List price", "type": "decimal(12,2)", "transform": "trim"}},
        pa.schema([("List price", pa.string())]),
    )
    (problem,) = p.map(batch({"List price": [" 12,5O"]}), 0).rejects.problems[0]
    p.close()
    assert problem == Problem("TY02", '"12,5O" is not a decimal(12,2)', "price", "List price", " 12,5O")


def test_a_large_batch_keeps_its_order() -> None:
    n = 5000
    spec = ImportSpec.model_validate({
        "source": "x", "operation": "append", "destination": {"connection": "c", "table": "t"}, "lookups": {"l": {"values": {}}},
        "fields": {"x": {"from": "a", "lookup": "l", "type": "integer"}},
    })  # fmt: skip
    planned = plan_fields(spec, ["a"], None)
    table = pa.table({"match": [f"v{i}" for i in range(n)], "take": [str(i) for i in range(n)]})
    schema = pa.schema([("a", pa.string())])
    p = compile_program(spec, planned, effective_types(planned, None, {}), schema, {"l": table}, STARTED)
    values = [(i * 7919) % n for i in range(n)]
    answer = p.map(batch({"a": [f"v{v}" for v in values]}), 0)
    p.close()
    assert answer.accepted["_n"].to_pylist() == list(range(n))
    assert answer.accepted["x"].to_pylist() == values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2", None, ""], "bigint"), (["1", "00501"], "text"), (["12.50", "3.00"], "decimal(18,2)"), (["12.50", "3.0"], "text"),
        (["12.50", "3"], "text"), (["true", "false"], "boolean"), (["True"], "text"), (["2024-01-02"], "date"), (["2024-1-2"], "text"),
        (["2024-01-02 03:04:05"], "timestamp"), (["2024-01-02T03:04:05Z"], "timestamptz"), (["2024-01-02T03:04:05Z", "2024-01-02T03:04:05+01:00"], "text"),
        ([None, ""], "text"), (["1E5"], "text"), (["-0.00"], "text"), (["99999999999999999999"], "text"), (["NA", "1"], "text"), (["10:00:00"], "time"),
    ],
)  # fmt: skip
def test_inference_is_certain_or_text(values: list[str | None], expected: str) -> None:
    schema = pa.schema([("a", pa.string()), ("b", pa.date32())])
    inference = Inference(schema)
    for v in values:
        inference.add(
            Batch(pa.record_batch([pa.array([v], pa.string()), pa.array([date(2024, 1, 1)])], schema=schema), range(1))
        )
    found = inference.types()
    inference.close()
    assert (str(found["a"]), str(found["b"])) == (expected, "date")


@pytest.mark.parametrize(
    ("fields", "more", "planned"),
    [
        ({"n": {"type": "integer", "required": True}}, {}, False),
        ({"n": {"expr": "n || '0'", "type": "integer"}}, {}, True),
        ({"n": {"type": "integer", "check": "n > 0"}}, {}, True),
        ({"n": {"type": "integer", "transform": ["trim"]}}, {}, True),
        ({"n": {"type": "date", "format": "%d.%m.%Y"}}, {}, True),
        ({"n": {"type": "integer"}}, {"filter": "n <> ''"}, True),
    ],
)
def test_why_a_record_is_bad_is_asked_beforehand_only_in_words_that_somebody_wrote(
    fields: dict[str, Any], more: dict[str, Any], planned: bool
) -> None:
    p = program(fields, pa.schema([("n", pa.string())]), **more)
    assert [q._planned for q in p._queries.why] == [planned]
    answer = p.map(batch({"n": ["x"]}), 0)
    assert len(answer.rejects) == 1
    p.close()
