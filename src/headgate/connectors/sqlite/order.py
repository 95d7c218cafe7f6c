"""Noticing, while they pass by, that records come in the strict order of their key."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


class Rising:
    """Whether keys have only ever risen, which proves that none repeats.

    Sees encoded values, which Arrow puts in the same order as SQLite does with collation BINARY.
    """

    def __init__(self) -> None:
        self.so_far = True
        self._last: list[pa.Array] = []

    def see(self, key: Sequence[pa.Array]) -> None:
        """Look at the next records' values of the key's columns, the first column first."""
        if not self.so_far or not len(key[0]):
            return
        columns = [pa.concat_arrays(pair) for pair in zip(self._last, key, strict=True)] if self._last else list(key)
        self._last = [c[-1:] for c in columns]
        if len(columns[0]) > 1:
            self.so_far = pc.all(_rises(columns), skip_nulls=False).as_py() is True


def _rises(columns: Sequence[pa.Array]) -> pa.Array:
    """For each record but the last, whether the next one's key is greater."""
    first, *rest = columns
    greater = pc.less(first[:-1], first[1:])
    return pc.or_(greater, pc.and_(pc.equal(first[:-1], first[1:]), _rises(rest))) if rest else greater
