"""Loading a table that this run makes: straight into it, its key afterwards.

The key is added optimistically. Where that fails, records with one key are found in the table itself: it is new and was
filled by a single COPY, so the order of its rows is the order in which records were sent, and the numbers of the records
are kept as runs of consecutive ones.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from headgate.sql import Refused

from .connection import PostgresSession, identifier


class Numbers:
    """Numbers of records in the order in which they were sent, as runs of consecutive ones."""

    def __init__(self) -> None:
        self._at = array("q")  # position of each run's first record
        self._first = array("q")  # its number
        self.count = 0

    def add(self, numbers: pa.Array) -> None:
        """Take the numbers of a batch."""
        count = len(numbers)
        if not count:
            return
        starts = [0]
        if numbers[count - 1].as_py() - numbers[0].as_py() != count - 1:
            jumps = pc.not_equal(pc.subtract(numbers[1:], numbers[:-1]), 1)
            starts += [i + 1 for i in pc.indices_nonzero(jumps).to_pylist()]
        for i in starts:
            number = numbers[i].as_py()
            if self._at and number - self._first[-1] == self.count + i - self._at[-1]:
                continue
            self._at.append(self.count + i)
            self._first.append(number)
        self.count += count

    def __getitem__(self, position: int) -> int:
        """The number of the record sent as the `position`-th, from 0."""
        run = bisect_right(self._at, position) - 1
        return self._first[run] + position - self._at[run]

    def __iter__(self) -> Iterator[int]:
        """All numbers."""
        for run, (at, first) in enumerate(zip(self._at, self._first, strict=True)):
            end = self._at[run + 1] if run + 1 < len(self._at) else self.count
            yield from range(first, first + end - at)


def add_key(session: PostgresSession, table: str, key: tuple[str, ...], duplicates: str) -> list[int]:
    """Make `key` the primary key, removing records that stand in its way.

    Args:
        session: the transaction that made the table.
        table: its name for statements.
        key: the columns.
        duplicates: which of several records with one key stays (`WriteSpec.duplicates`).

    Returns:
        Positions of the records removed, increasing.

    Raises:
        DestinationError: the key cannot be made.
    """
    columns = ", ".join(identifier(k) for k in key)
    statement = f"alter table {table} add primary key ({columns})"
    try:
        session.attempt(statement)
    except Refused:
        order = "desc" if duplicates == "last" else "asc"
        repeated = f"select {columns} from {table} group by {columns} having count(*) > 1"
        session.run(
            "create temporary table _hg_losers on commit drop as select at from (select ctid as at, row_number() over "
            f"(partition by {columns} order by ctid {order}) as r from {table} where ({columns}) in ({repeated})) x where r > 1"
        )
        session.run("set local max_parallel_workers_per_gather = 0")
        found = session.rows(
            f"select p - 1 from (select ctid as at, row_number() over () as p from {table}) x "
            "where at in (select at from pg_temp._hg_losers) order by 1"
        )
        session.run(f"delete from {table} t using pg_temp._hg_losers s where t.ctid = s.at")
        session.run(statement)
        return [int(p) for (p,) in found]
    return []
