"""Whatever records hold, they are read from files as they were written, in every format and however they come in batches."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headgate.connectors.tofiles.values import texts, typed
from headgate.model.text import text_form
from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteSpec
from headgate.testing.runs import Row, exact, fields, run
from headgate.testing.values import VALUES
from support.tofiles import READING, read, to, write

FIELDS = fields(
    id="integer", note="text", serial="bigint", price="decimal(20,4)", ratio="double", open="boolean", day="date",
    at="timestamp", seen="timestamptz", data="binary",
)  # fmt: skip
HARD = st.sampled_from([
    "", " a ", '"', '""', "a,b", "a;b", "a\tb", "x\r\ny", "x\ny", "x\ry", "00501", "1E5", "=1+1", "@x", "👩‍🚀", "\u2028", "\ufeffa", "\\", "NA",
    "null", "<a&b>", "]]>", "\x85", "12345678901234567890123", "_x0041_", "'", "#", "-", "&#13;", "{}", "1.10", "true",
])  # fmt: skip
PLAIN = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), max_size=12)
ROW = st.fixed_dictionaries({
    "note": st.none() | HARD | PLAIN,
    "serial": st.none() | st.integers(-(2**63), 2**63 - 1),
    "price": st.none() | st.decimals(Decimal(-(10**16)) + 1, Decimal(10**16) - 1, places=4, allow_nan=False),
    "ratio": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "open": st.none() | st.booleans(),
    "day": st.none() | st.dates(),
    "at": st.none() | st.datetimes(),
    "seen": st.none() | st.datetimes(timezones=st.just(dt.UTC)),
    "data": st.none() | st.binary(max_size=5),
})  # fmt: skip
WITHOUT_EMPTY = {"xml", "xlsx"}
"""Formats in which our readers take an empty text for none."""


def _said(kind: str, field: str, value: Any) -> str | None:
    text = text_form(value)
    return None if text == "" and (kind in WITHOUT_EMPTY or field == "data") else text


def _seen(kind: str, field: str, text: str | None) -> str | None:
    if text is None or (text == "" and field == "data"):
        return None
    if kind == "xlsx" and field == "at":  # a cell of midnight is read as one of its day
        return f"{text}T00:00:00" if len(text) == len("2000-01-01") else text.replace(" ", "T")
    if kind == "xlsx" and field == "price":  # a cell is a number, whose zeros its format shows
        return f"{Decimal(text):.4f}"
    if kind == "xlsx" and field == "ratio":
        return text_form(float(text))
    return text


@pytest.mark.parametrize("kind", READING)
@given(rows=st.lists(ROW, min_size=1, max_size=8))
@example(rows=[dict.fromkeys((f.name for f in FIELDS[1:]), None) | {"at": dt.datetime(2000, 1, 1)}])  # noqa: DTZ001
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_are_read_as_they_were_written(kind: str, rows: list[Row]) -> None:
    rows = [{"id": i, **row} for i, row in enumerate(rows)]
    folder = Path(tempfile.mkdtemp())
    try:
        ran = write(folder, f"records.{kind}", FIELDS, rows)
        assert ran.counts == {"created": len(rows)}
        found = [
            {f.name: _seen(kind, f.name, r.get(f.name)) for f in FIELDS} for r in read(folder / f"records.{kind}", kind)
        ]
    finally:
        shutil.rmtree(folder)
    assert found == [{n: _said(kind, n, v) for n, v in row.items()} for row in rows]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "xml"])
@given(cut=st.integers(1, 7))
@settings(max_examples=7, deadline=None)
def test_batches_make_no_difference(kind: str, cut: int) -> None:
    rows = [{"id": i, **dict.fromkeys(f.name for f in FIELDS[1:])} for i in range(7)]
    folder = Path(tempfile.mkdtemp())
    try:
        for name, size in (("one", 100), ("cut", cut)):
            spec = WriteSpec(f"{name}.{kind}", FIELDS, (), Operation.APPEND, create=True)
            run(to(folder).open(spec), spec, rows, size=size)
        assert (folder / f"one.{kind}").read_bytes() == (folder / f"cut.{kind}").read_bytes()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", VALUES)
def test_a_column_as_text_is_every_value_as_text_and_comes_back(kind: str) -> None:
    of = FieldType.parse(kind)
    values = [None, *VALUES[kind], None]
    column = pa.array(values, of.arrow)
    assert texts(column).to_pylist() == [text_form(v) for v in values]
    assert [exact(v) for v in typed(texts(column), of).to_pylist()] == [exact(v) for v in values]
    for start in (1, 2):
        assert texts(column.slice(start)).to_pylist() == [text_form(v) for v in values[start:]]
