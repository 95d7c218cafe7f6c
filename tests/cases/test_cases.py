"""Runs the rule cases of `*.yaml` beside this file, each through batches and through single records.

A case gives an import's `fields` (and, where needed, `filter`, `key`, `lookups`, …), the `records` read, and for each what is
expected: the mapped values as JSON would show them, ``skipped``, or the codes of its reject. Transform cases are shorter:
a `use` and pairs of text before and after (or a code).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from headgate.mapping import TRANSFORMS, Program, compile_program, effective_types, plan_fields, quick
from headgate.model.codes import CODES
from headgate.model.errors import DefinitionError
from headgate.model.record import Batch, Mapped
from headgate.model.spec import ImportSpec

HERE = Path(__file__).parent
STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _load(pattern: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['name']}")
        for path in sorted(HERE.glob(pattern))
        for case in yaml.safe_load(path.read_text("utf-8"))
    ]


def _spec(case: dict[str, Any]) -> ImportSpec:
    known = {"filter", "lookups", "timezone", "key", "operation", "delete_when"}
    return ImportSpec.model_validate(
        {
            "source": "x.csv",
            "destination": {"connection": "sqlite://", "table": "t"},
            "operation": "append" if "key" not in case else "upsert",
            "fields": case["fields"],
            **{k: case[k] for k in known if k in case},
        }
    )


def _program(case: dict[str, Any], columns: list[str]) -> Program:
    spec = _spec(case)
    lookups = {name: _texts(rows) for name, rows in case.get("tables", {}).items()}
    absent = {
        name: pa.table([*_texts([r[:-2] for r in rows]).columns, [r[-2] for r in rows], [r[-1] for r in rows]], names)
        for name, rows in case.get("absent", {}).items()
        for names in [[f"c{i}" for i in range(len(rows[0]))]]
    }
    fields = plan_fields(spec, columns, None)
    schema = pa.schema([(c, pa.string()) for c in columns])
    return compile_program(spec, fields, effective_types(fields, None, {}), schema, lookups, STARTED, absent)


def _texts(rows: list[list[str | None]]) -> pa.Table:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return pa.table(columns, [f"c{i}" for i in range(len(columns))])


def _shown(value: object) -> object:
    match value:
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return value


def _outcomes(mapped: Mapped, count: int) -> list[object]:
    """For each record: its values, its codes, or 'skipped'."""
    found: list[object] = ["skipped"] * count
    for row in mapped.accepted.to_pylist():
        number = row.pop("_n")
        found[number] = {k: _shown(v) for k, v in row.items()}
    for ordinal, problems in zip(mapped.rejects.ordinals, mapped.rejects.problems, strict=True):
        assert all(p.reason and p.code in CODES for p in problems)
        found[ordinal] = [p.code for p in problems]
    assert mapped.accepted.num_rows + mapped.skipped + len(mapped.rejects) == count
    assert found.count("skipped") == mapped.skipped
    return found


def _both_ways(case: dict[str, Any], records: list[dict[str, str | None]]) -> list[object]:
    columns = list(dict.fromkeys(c for r in records for c in r))
    batch = pa.RecordBatch.from_pylist(records, schema=pa.schema([(c, pa.string()) for c in columns]))
    program = _program(case, columns)
    try:
        together = _outcomes(program.map(Batch(batch, range(len(records))), 0), len(records))
        if any(f.get("unique") for f in case["fields"].values() if isinstance(f, dict)):
            program.close()  # what it has seen is over
            program = _program(case, columns)
        single = [_outcomes_of_one(program.map_one(record, n), n) for n, record in enumerate(records)]
    finally:
        program.close()
    assert together == single
    for record, outcome in zip(records, together, strict=True):
        assert _short_way(case, columns, record) in (None, outcome)
    return together


def _short_way(case: dict[str, Any], columns: list[str], record: dict[str, str | None]) -> object:
    """What becomes of a record that is looked at by itself; None where that takes judgement."""
    spec = _spec(case)
    fields = plan_fields(spec, columns, None)
    made = quick(spec, fields, effective_types(fields, None, {}))
    row = made.map(record) if made is not None else None
    return None if made is None or row is None else {n: _shown(v) for n, v in zip(made.names, row, strict=True)}


def _outcomes_of_one(mapped: Mapped, number: int) -> object:
    if mapped.skipped:
        return "skipped"
    if len(mapped.rejects):
        assert mapped.rejects.ordinals[0] == number
        return [p.code for p in mapped.rejects.problems[0]]
    row = mapped.accepted.to_pylist()[0]
    assert row.pop("_n") == number
    return {k: _shown(v) for k, v in row.items()}


@pytest.mark.parametrize("case", _load("*.yaml"))
def test_rule(case: dict[str, Any]) -> None:
    if "wrong" in case:
        with pytest.raises(DefinitionError, match=case["wrong"]):
            _program(case, case.get("columns", ["a", "b"])).close()
        return
    expected = [r["then"] for r in case["records"]]
    assert _both_ways(case, [r["given"] for r in case["records"]]) == expected


@pytest.mark.parametrize("case", _load("transforms/*.yaml"))
def test_transform(case: dict[str, Any]) -> None:
    pairs = case["cases"]
    spec = {"fields": {"x": {"from": "a", "transform": case["use"]}}}
    found = _both_ways(spec, [{"a": before, **case.get("beside", {})} for before, _ in pairs])
    expected = [[after["code"]] if isinstance(after, dict) else {"x": after} for _, after in pairs]
    assert found == expected


def test_every_transform_has_cases() -> None:
    used = {
        next(iter(use)) if isinstance(use, dict) else use
        for p in _load("transforms/*.yaml")
        for use in _listed(p.values[0]["use"])
    }
    assert used == set(TRANSFORMS)


def _listed(use: Any) -> list[Any]:
    return use if isinstance(use, list) else [use]


@pytest.mark.parametrize(
    ("name", "example"), [pytest.param(n, e, id=f"{n} {e.before}") for n, t in TRANSFORMS.items() for e in t.examples]
)
def test_example_holds(name: str, example: Any) -> None:
    found = _both_ways({"fields": {"x": {"from": "a", "transform": example.use}}}, [{"a": example.before}])
    assert found == [[example.after] if example.after == "TR01" else {"x": example.after}]
