"""Batches in smaller ones."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine.resume import end, pieces
from headgate.model.record import Batch, Fault, Problem

BAD = Problem("RD05", "no JSON")


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Records and faults in one order, some numbers left out."""
    numbers = sorted(draw(st.sets(st.integers(0, 60), max_size=40)))
    bad = draw(st.sets(st.sampled_from(numbers))) if numbers else set()
    good = [n for n in numbers if n not in bad]
    records = pa.record_batch({"v": pa.array([str(n) for n in good], pa.string())})
    return Batch(records, good, tuple(Fault(n, BAD, {}) for n in sorted(bad)))


@given(batches(), st.integers(1, 9))
def test_nothing_is_lost_and_the_order_stays(batch: Batch, rows: int) -> None:
    found = list(pieces(batch, rows))
    assert [n for p in found for n in p.ordinals] == list(batch.ordinals)
    assert [f for p in found for f in p.faults] == list(batch.faults)
    assert [v for p in found for v in p.records.column("v").to_pylist()] == batch.records.column("v").to_pylist()
    assert all(p.records.num_rows == len(p.ordinals) <= rows for p in found)
    ends = [end(p) for p in found if len(p)]
    assert ends == sorted(ends)
    for piece, until in zip([p for p in found if len(p)], ends, strict=True):
        assert all(n < until for n in piece.ordinals)
    assert (ends[-1] if ends else 0) == end(batch)
