"""Types against references in plain Python, and the two paths against each other, on values nobody thought of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.mapping import Inference, Program, compile_program, effective_types, plan_fields
from headgate.model.record import Batch, Mapped
from headgate.model.spec import ImportSpec

STARTED = datetime(2026, 3, 1, tzinfo=UTC)
TYPES = [
    "smallint",
    "integer",
    "bigint",
    "decimal(6,2)",
    "decimal(38,0)",
    "double",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "json",
    "binary",
    "text(3)",
    "text",
]
SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)

numeric = st.one_of(
    st.from_regex(r"[ ]?[+-]?[0-9]{0,12}(\.[0-9]{0,6})?([eE][+-]?[0-9]{1,2})?[ ]?", fullmatch=True),
    st.integers(-(2**63) - 2, 2**63 + 2).map(str),
    st.decimals(allow_nan=True, places=3, min_value=-100000, max_value=100000).map(str),
    st.text("0123456789.-+eE_,x ", max_size=8),
)
stamps = st.one_of(
    st.datetimes().map(lambda d: d.isoformat()),
    st.from_regex(
        r"[ 0-9-][0-9]{3}[-/][01 ][0-9]-[0-3][0-9 ][T ][0-2][0-9]:[0-6 ][0-9]:[0-6][0-9](Z|\+0[0-9]:[0-9 ][0-9]|)",
        fullmatch=True,
    ),
    st.from_regex(
        r"2024-0[1-9]-[0-2][0-9](T[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-][01][0-9](:?[0-5][0-9])?)?)?",
        fullmatch=True,
    ),
)
anything = st.one_of(
    st.none(),
    st.text(max_size=12),
    numeric,
    stamps,
    st.sampled_from(["true", "No", "00ff", "[1]", '{"a":1,}', "inf", "a\0b"]),
)


def program(fields: dict[str, Any], columns: list[str], **more: Any) -> Program:
    spec = ImportSpec.model_validate(
        {
            "source": "x",
            "operation": "append",
            "destination": {"connection": "c", "table": "t"},
            "fields": fields,
            **more,
        }
    )
    planned = plan_fields(spec, columns, None)
    schema = pa.schema([(c, pa.string()) for c in columns])
    return compile_program(spec, planned, effective_types(planned, None, {}), schema, {}, STARTED)


@pytest.fixture(scope="module")
def one_of_each() -> Iterator[dict[str, Program]]:
    made = {t: program({"x": {"from": "a", "type": t}}, ["a"]) for t in TYPES}
    yield made
    for p in made.values():
        p.close()


def mapped(p: Program, values: list[str | None]) -> list[Any]:
    """Each value as mapped, or its code."""
    answer = p.map(Batch(pa.record_batch({"a": pa.array(values, pa.string())}), range(len(values))), 0)
    found: dict[int, Any] = dict(zip(answer.accepted["_n"].to_pylist(), answer.accepted["x"].to_pylist(), strict=True))
    found.update({o: q[0].code for o, q in zip(answer.rejects.ordinals, answer.rejects.problems, strict=True)})
    return [found[i] for i in range(len(values))]


def reference_number(text: str, *, digits: int, scale: int, none: str) -> Any:
    trimmed = text.strip(" \t\r\n\u00a0")
    if not trimmed:
        return None
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", trimmed):
        return none
    value = Decimal(trimmed)
    if value and (value.normalize().as_tuple().exponent or 0) < -scale:
        return "TY12"
    return value if abs(value) < Decimal(10) ** (digits - scale) else "TY11"


@given(st.lists(numeric, min_size=1, max_size=30))
@SETTINGS
def test_decimals_are_exact_or_refused(one_of_each: dict[str, Program], texts: list[str]) -> None:
    assert mapped(one_of_each["decimal(6,2)"], list(texts)) == [
        reference_number(t, digits=6, scale=2, none="TY02") for t in texts
    ]


@given(st.lists(numeric, min_size=1, max_size=30))
@SETTINGS
def test_integers_are_exact_or_refused(one_of_each: dict[str, Program], texts: list[str]) -> None:
    def reference(text: str) -> Any:
        found = reference_number(text, digits=30, scale=0, none="TY01")
        return "TY11" if isinstance(found, Decimal) and not -(2**63) <= found < 2**63 else found

    assert mapped(one_of_each["bigint"], list(texts)) == [reference(t) for t in texts]


@given(st.lists(stamps, min_size=1, max_size=30))
@SETTINGS
def test_moments_are_iso_or_refused(one_of_each: dict[str, Program], texts: list[str]) -> None:
    shape = re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6}0*)?)?)(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
    )

    def reference(text: str) -> Any:
        if not shape.fullmatch(text.strip()) or text.strip().startswith("0000"):
            return "refused"
        cut = re.sub(r"(\.[0-9]{6})0+", r"\1", text.strip())
        try:
            found = datetime.fromisoformat(cut.replace("z", "Z"))
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return "refused"

    found = [f if not isinstance(f, str) else "refused" for f in mapped(one_of_each["timestamptz"], list(texts))]
    assert found == [reference(t) for t in texts]


@given(st.lists(stamps, min_size=1, max_size=30))
@SETTINGS
def test_dates_are_iso_and_whole_or_refused(one_of_each: dict[str, Program], texts: list[str]) -> None:
    def reference(text: str) -> Any:
        m = re.fullmatch(
            r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-][01][0-9](?::?[0-5][0-9])?)?)?",
            text.strip(),
        )
        try:
            return date.fromisoformat(m[1]) if m else "refused"
        except ValueError:
            return "refused"

    found = [f if not isinstance(f, str) else "refused" for f in mapped(one_of_each["date"], list(texts))]
    assert found == [reference(t) for t in texts]


@given(
    st.lists(
        st.one_of(
            st.recursive(
                st.none() | st.booleans() | st.text(max_size=4) | st.integers(),
                lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=3), c, max_size=3),
            ).map(json.dumps),
            st.text('[]{},":1aN \\', min_size=1, max_size=8),
        ),
        min_size=1,
        max_size=20,
    )
)
@SETTINGS
def test_json_is_what_python_reads_as_json(one_of_each: dict[str, Program], texts: list[str]) -> None:
    def no(_: str) -> Any:
        raise ValueError

    def reference(text: str) -> Any:
        if not text.strip(" "):
            return "TY09" if text else None
        try:
            json.loads(text, parse_constant=no)
        except ValueError:
            return "TY09"
        return text

    assert mapped(one_of_each["json"], list(texts)) == [reference(t) for t in texts]


@given(st.lists(anything, min_size=1, max_size=20))
@settings(SETTINGS, max_examples=8)
@pytest.mark.parametrize("kind", TYPES)
def test_every_value_is_mapped_or_refused_and_text_is_kept(
    one_of_each: dict[str, Program], kind: str, values: list[str | None]
) -> None:
    found = mapped(one_of_each[kind], list(values))
    assert len(found) == len(values)
    if kind == "text":
        assert found == [None if not v else "RD07" if "\0" in v else v for v in values]


FIELDS = {
    "k": {"from": "a", "required": True, "transform": ["trim", {"truncate": 8}]},
    "n": {"from": "b", "type": "decimal(8,2)", "check": "n < 500", "default": 1},
    "e": {"expr": "b * 2 + length(a)", "type": "double"},
    "d": {"from": "c", "type": "date", "blank": "reject"},
    "h": {"from": "c", "transform": ["html_to_text", {"split": ["-", 1]}]},
}


@pytest.fixture(scope="module")
def whole() -> Iterator[Program]:
    p = program(FIELDS, ["a", "b", "c"], filter="c IS NULL OR c <> 'skip'")
    yield p
    p.close()


def shown(m: Mapped) -> Any:
    return (
        m.accepted.to_pylist(),
        m.skipped,
        list(m.rejects.ordinals),
        m.rejects.raw.to_pylist(),
        list(m.rejects.problems),
    )


@given(
    st.lists(
        st.fixed_dictionaries({"a": anything, "b": anything, "c": anything | st.just("skip")}), min_size=1, max_size=5
    )
)
@SETTINGS
def test_one_by_one_is_as_all_together(whole: Program, records: list[dict[str, str | None]]) -> None:
    schema = pa.schema([(c, pa.string()) for c in "abc"])
    together = whole.map(Batch(pa.RecordBatch.from_pylist(records, schema=schema), range(len(records))), 0)
    assert together.accepted.num_rows + together.skipped + len(together.rejects) == len(records)
    accepted, skipped, ordinals, raw, problems = [], 0, [], [], []
    for n, record in enumerate(records):
        one = shown(whole.map_one(record, n))
        accepted += one[0]
        skipped += one[1]
        ordinals += one[2]
        raw += one[3]
        problems += one[4]
    assert shown(together) == (accepted, skipped, ordinals, raw, problems)


written = st.one_of(
    st.lists(st.integers(-(10**20), 10**20).map(str), min_size=1),
    st.lists(
        st.decimals(places=2, allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9).map(
            lambda d: format(d, "f")
        ),
        min_size=1,
    ),
    st.lists(st.dates().map(str), min_size=1),
    st.lists(st.datetimes().map(lambda d: d.replace(microsecond=0).isoformat()), min_size=1),
    st.lists(st.sampled_from(["true", "false"]), min_size=1),
    st.lists(numeric, min_size=1),
    st.lists(stamps, min_size=1),
    st.lists(st.uuids().map(str), min_size=1),
)


@given(written)
@SETTINGS
def test_an_inferred_type_gives_every_value_back_as_written(values: list[str]) -> None:
    schema = pa.schema([("a", pa.string())])
    inference = Inference(schema)
    try:
        half = len(values) // 2
        for part in (values[:half], values[half:]):
            inference.add(Batch(pa.record_batch([pa.array(part, pa.string())], schema=schema), range(len(part))))
        found = inference.types()["a"]
    finally:
        inference.close()
    p = program({"x": {"from": "a", "type": str(found)}}, ["a"])
    try:
        back = mapped(p, list(values))
    finally:
        p.close()
    stamp = "T" if any("T" in v for v in values) else " "
    for before, after in zip(values, back, strict=True):
        match after:
            case None:
                assert before == ""
            case bool():
                assert before == str(after).lower()
            case datetime():
                assert before == after.replace(tzinfo=None).isoformat(stamp) + ("Z" if after.tzinfo else "")
            case Decimal():
                assert before == format(after, "f")
            case _:
                assert before == str(after)
