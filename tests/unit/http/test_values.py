"""Values of fields as they are sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.connectors.http.rest.values import columns_of, give, rows_of
from headgate.model.types import KINDS, FieldType

MOMENTS = st.datetimes()
OF_KIND = {
    "text": st.text(max_size=3),
    "smallint": st.integers(-5, 5),
    "integer": st.integers(-5, 5),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "decimal": st.decimals(-10, 10, places=2),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS.map(lambda v: v.replace(tzinfo=UTC)),
    "binary": st.binary(max_size=3),
}
TYPES = {kind: FieldType.parse("decimal(12,2)" if kind == "decimal" else kind) for kind in KINDS if kind != "other"}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """A few columns of any types, a few rows."""
    kinds = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=4))
    count = draw(st.integers(0, 4))
    columns = [
        draw(st.lists(st.none() | OF_KIND.get(kind, OF_KIND["text"]), min_size=count, max_size=count)) for kind in kinds
    ]
    arrays = [pa.array(c, TYPES[kind].arrow) for c, kind in zip(columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(kinds))])


@given(batches())
def test_rows_are_what_arrow_makes_of_a_batch(batch: pa.RecordBatch) -> None:
    rows = rows_of(batch.schema.names, columns_of(batch))
    assert rows == batch.to_pylist()
    moments = [v for row in rows for v in row.values() if isinstance(v, datetime) and v.tzinfo is not None]
    assert all(v.utcoffset() == timedelta(0) for v in moments)


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        ("text", "a", "a"),
        ("bigint", 2**62, 2**62),
        ("decimal(12,2)", Decimal("1.50"), Decimal("1.50")),
        ("boolean", False, False),
        ("double", 1.5, 1.5),
        ("date", date(2024, 2, 29), "2024-02-29"),
        ("time", time(23, 59, 1), "23:59:01"),
        ("timestamp", datetime.fromisoformat("2024-02-29T01:02:03"), "2024-02-29T01:02:03"),
        ("timestamptz", datetime(2024, 2, 29, 1, 2, 3, 500_000, UTC), "2024-02-29T01:02:03.500000Z"),
        ("binary", b"\x00\xff", "AP8="),
        ("json", '{"a": [1.10]}', {"a": [Decimal("1.10")]}),
        ("image", "[1.10]", [Decimal("1.10")]),
        ("uuid", "6f1c", "6f1c"),
    ],
)
def test_values_are_sent_as_json_has_them(kind: str, value: object, sent: object) -> None:
    of = FieldType("image") if kind == "image" else FieldType.parse(kind)
    assert give(value, of) == sent
    assert give(None, of) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_write_is_said(value: float) -> None:
    with pytest.raises(ValueError, match=f"JSON has no {value}"):
        give(value, FieldType("double"))
