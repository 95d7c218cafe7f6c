"""A single record that takes the short way comes out as it would have on the long one. HEADGATE_TEST_EXAMPLES=1000 looks further."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.mapping import Program, Quick, compile_program, effective_types, plan_fields, quick
from headgate.model.spec import ImportSpec

EXAMPLES = int(os.environ.get("HEADGATE_TEST_EXAMPLES", "150"))
TYPES = (
    "smallint", "integer", "bigint", "decimal(6,2)", "decimal(38,10)", "decimal(5,0)", "decimal(3,3)", "boolean", "date", "timestamp",
    "timestamptz", "uuid", "text(3)", "text",
)  # fmt: skip
DIGITS = st.text("0123456789", min_size=1, max_size=20)
NUMBERS = st.builds(
    "{}{}{}".format, st.sampled_from(["", "-", "+", " "]), DIGITS, st.just("") | DIGITS.map(".{}".format)
)
DATES = st.dates().map(str) | st.builds(
    "{:04}-{:02}-{:02}".format, st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32)
)
CLOCKS = st.builds("{:02}:{:02}:{:02}".format, st.integers(0, 25), st.integers(0, 61), st.integers(0, 61))
ZONES = st.sampled_from(
    ["", "Z", "z", "+00:00", "-00:00", "+02:00", "-13:59", "+14:00", "+19:00", "+0200", "+2", " +01:00"]
)
VALUES = st.one_of(
    NUMBERS, DATES, st.builds("{}{}{}{}".format, DATES, st.sampled_from("Tt "), CLOCKS, ZONES), st.uuids().map(str),
    st.uuids().map(lambda u: str(u).upper()), st.text(max_size=5),
    st.sampled_from(["", " ", "0", "-0", "-0.00", "true", "false", "True", "1e3", "a\0b", "é", " a ", "A\tb", "32768", "2147483648", "x\x7f", "12345678901234567.8"]),
)  # fmt: skip
COLUMNS = ["a", "b"]


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    def field() -> dict[str, Any]:
        made: dict[str, Any] = {"from": draw(st.sampled_from(COLUMNS)), "type": draw(st.sampled_from(TYPES))}
        if draw(st.integers(0, 2)) == 0:
            made["transform"] = draw(st.lists(st.sampled_from(["trim", "upper", "lower"]), min_size=1, max_size=2))
        if draw(st.integers(0, 3)) == 0:
            made["required"] = True
        if draw(st.integers(0, 5)) == 0:
            made["blank"] = draw(st.sampled_from(["null", "reject"]))
        return made

    fields: dict[str, Any] = {"id": field(), "f": field()}
    if draw(st.integers(0, 4)) == 0:
        fields["c"] = {"value": draw(st.sampled_from(["x", "é"]))}
    return {"fields": fields, "key": "id"}


def _both(definition: dict[str, Any]) -> tuple[Program, Quick | None]:
    spec = ImportSpec.model_validate({"source": "x", "destination": {"connection": "shop", "table": "t"}, **definition})
    fields = plan_fields(spec, COLUMNS, None)
    types = effective_types(fields, None, {})
    schema = pa.schema([(c, pa.string()) for c in COLUMNS])
    return compile_program(spec, fields, types, schema, {}, datetime(2026, 3, 1, tzinfo=UTC)), quick(
        spec, fields, types
    )


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="HEADGATE_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    definition=definitions(),
    records=st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, st.none() | VALUES)), min_size=1, max_size=12),
)
def test_the_short_way_gives_what_the_long_one_does_or_nothing(
    definition: dict[str, Any], records: list[dict[str, str | None]]
) -> None:
    program, short = _both(definition)
    try:
        assert short is not None
        for n, record in enumerate(records):
            row = short.map(record)
            if row is not None:
                accepted = program.map_one(record, n).accepted
                assert [tuple(r.values())[1:] for r in accepted.to_pylist()] == [row]
                assert pa.array([row[1]], accepted.schema.field(short.names[1]).type).to_pylist() == [row[1]]
    finally:
        program.close()


GOOD = {
    "smallint": "-7", "bigint": "123456789012345678", "decimal(6,2)": "1234.5", "decimal(38,10)": "12345678901234567.25", "boolean": "true",
    "date": "2024-02-29", "timestamp": "2024-02-29T23:59:59", "timestamptz": "2024-03-07T13:45:10+02:00",
    "uuid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "text": "00501 é", "text(3)": "abc",
}  # fmt: skip


@pytest.mark.parametrize("of", GOOD)
def test_a_plainly_good_value_takes_the_short_way(of: str) -> None:
    program, short = _both({"fields": {"id": {"from": "a"}, "f": {"from": "b", "type": of}}, "key": "id"})
    assert short is not None
    row = short.map({"a": "1", "b": GOOD[of]})
    accepted = program.map_one({"a": "1", "b": GOOD[of]}, 0).accepted.to_pylist()
    program.close()
    assert row is not None
    assert row[1] == accepted[0]["f"]


@pytest.mark.parametrize(
    "field",
    [
        {"from": "b", "check": "f > 1", "type": "integer"},
        {"expr": "b || 'x'"},
        {"from": "b", "transform": "title"},
        {"from": "b", "type": "json"},
        {"from": "b", "format": "%d/%m/%Y", "type": "date"},
        {"from": "b", "blank": "keep"},
    ],
)
def test_what_takes_judgement_has_no_short_way(field: dict[str, Any]) -> None:
    program, short = _both({"fields": {"id": {"from": "a"}, "f": field}, "key": "id"})
    program.close()
    assert short is None


def test_what_was_not_decided_is_not_remembered() -> None:
    """An exception that is raised again and again would keep every frame it went through."""
    import gc

    program, short = _both({"fields": {"id": {"from": "a", "type": "integer"}}, "key": "id"})
    program.close()
    assert short is not None

    class Record(dict[str, str | None]):
        pass

    for _ in range(50):
        assert short.map(Record(a="x")) is None
    gc.collect()
    assert sum(isinstance(o, Record) for o in gc.get_objects()) == 0
