"""Pieces become batches of bounded size, with every record and fault in its place."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headgate.connectors.files.gather import BATCH_BYTES, Batches, Decoded
from headgate.model.record import Problem
from headgate.spi.source import BATCH_ROWS

SCHEMA = pa.schema([("n", pa.string())])


def piece(first: int, count: int, bad: frozenset[int] = frozenset()) -> Decoded:
    kept = [n for n in range(count) if n not in bad] if bad else range(count)
    faults = [(n, Problem("RD05", "bad"), {}) for n in sorted(bad)]
    return Decoded(count, [pa.array([str(first + n) for n in kept], pa.string())], kept, faults)


def gathered(pieces, size=0):
    batches = Batches(SCHEMA)
    got = []
    for p in pieces:
        got += batches.add(p, size)
    return got + list(batches.rest())


@pytest.mark.parametrize("bad", [frozenset(), frozenset({0, 7, 65_536, 140_000})])
def test_a_piece_larger_than_a_batch_is_cut(bad):
    got = gathered([piece(0, 150_000, bad)])
    assert [len(b) for b in got] == [BATCH_ROWS, BATCH_ROWS, 150_000 - 2 * BATCH_ROWS]
    assert [str(n) for b in got for n in b.ordinals] == [v for b in got for v in b.records.column(0).to_pylist()]
    assert {f.ordinal for b in got for f in b.faults} == bad
    for b in got:
        numbers = [*b.ordinals, *(f.ordinal for f in b.faults)]
        assert max(numbers) - min(numbers) + 1 == len(b)


def test_pieces_are_joined_up_to_the_limits_of_rows_and_bytes():
    assert [len(b) for b in gathered([piece(n * 30_000, 30_000) for n in range(5)])] == [60_000, 60_000, 30_000]
    assert [len(b) for b in gathered([piece(n, 1) for n in range(5)], size=BATCH_BYTES // 2)] == [2, 2, 1]


def test_nothing_gives_no_batch_and_only_faults_give_one_without_records():
    assert gathered([]) == []
    (only,) = gathered([piece(0, 3, frozenset({0, 1, 2}))])
    assert (only.records.num_rows, len(only.faults), list(only.ordinals)) == (0, 3, [])
