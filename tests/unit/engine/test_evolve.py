"""What a column needs to hold its values, and which column was renamed."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine.evolve import _measured, _renamed
from headgate.model.record import Batch
from headgate.model.types import FieldType
from headgate.spi.source import Partition

TYPES = [
    FieldType.parse(t)
    for t in (
        "smallint", "integer", "bigint", "decimal(3,1)", "decimal(12,4)", "decimal(38,0)", "decimal(38,20)", "text", "text(3)",
        "text(9)", "double", "boolean", "date", "timestamp", "timestamptz", "json", "uuid", "binary",
    )
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), list(itertools.product(TYPES, TYPES)), ids=str)
def test_a_widened_type_holds_both(a: FieldType, b: FieldType) -> None:
    wide = a.widened(b)
    if wide is None:
        assert not a.holds(b)
        return
    assert wide.holds(a)
    assert wide.holds(b)
    assert (wide == a) == a.holds(b)


@pytest.mark.parametrize(
    ("a", "b", "wide"),
    [
        ("smallint", "integer", "integer"), ("integer", "decimal(3,2)", "decimal(12,2)"), ("decimal(4,2)", "decimal(4,3)", "decimal(5,3)"),
        ("bigint", "decimal(38,20)", None), ("text(3)", "text(9)", "text(9)"), ("integer", "text", None), ("date", "timestamp", None),
    ],
)  # fmt: skip
def test_a_type_grows_no_more_than_it_must(a: str, b: str, wide: str | None) -> None:
    found = FieldType.parse(a).widened(FieldType.parse(b))
    assert (str(found) if found else None) == wide


class _Scan:
    def __init__(self, batches: list[list[str | None]]) -> None:
        self._batches = batches
        self.schema = pa.schema([("v", pa.string())])

    def batches(self) -> Any:
        for values in self._batches:
            yield Batch(pa.RecordBatch.from_pydict({"v": pa.array(values, pa.string())}), range(len(values)))

    def close(self) -> None:
        pass


class _Source:
    def __init__(self, batches: list[list[str | None]]) -> None:
        self._batches = batches

    def open(self, partition: Partition) -> Any:
        return _Scan(self._batches)


def measured(batches: list[list[str | None]]) -> Any:
    return _measured(["v"], _Source(batches), [Partition("a", {})])["v"]  # type: ignore[arg-type]


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str), st.decimals(-(10**9), 10**9, places=4).map(lambda d: f"{d:f}"), st.none()
)


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_needed_holds_every_number(batches: list[list[str | None]]) -> None:
    values = [Decimal(v) for b in batches for v in b if v is not None]
    needed = measured(batches).number
    if not values:
        assert needed is None
        return
    assert needed is not None
    for v in values:
        kept = (
            pa.scalar(v, pa.decimal128(38, 10)).cast(needed.arrow, safe=False) if needed.kind == "decimal" else int(v)
        )
        assert (kept.as_py() if needed.kind == "decimal" else kept) == v
    if needed.kind in ("smallint", "integer", "bigint"):
        bits = {"smallint": 16, "integer": 32, "bigint": 64}[needed.kind]
        assert all(-(2 ** (bits - 1)) <= v < 2 ** (bits - 1) for v in values)


def test_what_is_no_number_and_how_long_texts_are() -> None:
    found = measured([["x", None], ["12", "longest!"]])
    assert str(found.text) == "text(8)"
    assert str(found.number) == "smallint"
    assert measured([["x"]]).number is None


@pytest.mark.parametrize(
    ("before", "now", "pairs"),
    [
        (["a", "price"], ["a", "unit price"], {"price": "unit price"}),
        (["id", "name", "q"], ["id", "name", "zzz"], {"q": "zzz"}),
        (["id", "q"], ["id", "name", "zzz"], {}),
        (["Price"], ["price "], {"Price": "price "}),
        (["price1", "price2"], ["price3", "x"], {"price1": "price3", "price2": "x"}),
    ],
)
def test_names_or_places_that_are_alike_may_be_one_column(
    before: list[str], now: list[str], pairs: dict[str, str]
) -> None:
    gone, new = [b for b in before if b not in now], [n for n in now if n not in before]
    assert dict(_renamed(gone, new, before, now)) == pairs
