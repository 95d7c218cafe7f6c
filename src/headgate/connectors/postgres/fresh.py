"""Loading a table that this run makes: straight into it, its key afterwards.

The key is added optimistically. Where that fails, records with one key are found in the table itself: it is new and was
filled by a single COPY, so the order of its rows is the order in which records were sent, and the numbers of the records
are kept as runs of consecutive ones.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.sql import Refused

from .connection import PostgresSession, identifier

_SURELY_TAKEN: Final = 2_000
"""Bytes of a key that fit into an index without being compressed."""


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


@dataclass(frozen=True, slots=True)
class Removed:
    """Records that stood in the way of a key, by the position at which they were sent, increasing.

    Attributes:
        repeated: another record with their key stays.
        refused: their key is too long for an index; in the server's words.
    """

    repeated: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def add_key(session: PostgresSession, table: str, key: tuple[str, ...], duplicates: str) -> Removed:
    """Make `key` the primary key, removing records that stand in its way.

    Args:
        session: the transaction that made the table.
        table: its name for statements.
        key: the columns.
        duplicates: which of several records with one key stays (`WriteSpec.duplicates`).

    Raises:
        DestinationError: the key cannot be made.
    """
    columns = ", ".join(identifier(k) for k in key)
    statement = f"alter table {table} add primary key ({columns})"
    try:
        session.attempt(statement)
    except Refused:
        session.run("create temporary table _hg_losers (at tid, why text) on commit drop")
        order = "desc" if duplicates == "last" else "asc"
        repeated = f"select {columns} from {table} group by {columns} having count(*) > 1"
        session.run(
            "insert into pg_temp._hg_losers select at from (select ctid as at, row_number() over "
            f"(partition by {columns} order by ctid {order}) as r from {table} where ({columns}) in ({repeated})) x where r > 1"
        )
        _find_too_long(session, table, key, columns)
        session.run("set local max_parallel_workers_per_gather = 0")
        found = session.rows(
            f"select p - 1, l.why from (select ctid as at, row_number() over () as p from {table}) x "
            "join pg_temp._hg_losers l on l.at = x.at order by 1"
        )
        session.run(f"delete from {table} t using pg_temp._hg_losers s where t.ctid = s.at")
        refused = {int(p): str(why) for p, why in found if why is not None}
        if refused:
            _forget_deleted(session, table)
        session.run(statement)
        return Removed([int(p) for p, why in found if why is None], refused)
    return Removed()


def _find_too_long(session: PostgresSession, table: str, key: tuple[str, ...], columns: str) -> None:
    """Add the records that no index takes. How long a key may be depends on how well it can be compressed, so it is tried."""
    long = " + ".join(f"octet_length({identifier(k)}::text)" for k in key) + f" > {_SURELY_TAKEN}"
    if not session.rows(f"select 1 from {table} where {long} limit 1"):
        return
    session.run(f"create temporary table _hg_probe on commit drop as select {columns} from {table} limit 0")
    session.run(f"alter table pg_temp._hg_probe add primary key ({columns})")
    session.run(
        "do $hg$ declare r record; begin "
        f"for r in select ctid as at from {table} where {long} and ctid not in (select at from pg_temp._hg_losers) loop "
        f"begin insert into pg_temp._hg_probe select {columns} from {table} where ctid = r.at; "
        "exception when program_limit_exceeded then insert into pg_temp._hg_losers values (r.at, sqlerrm); "
        "end; end loop; end $hg$"
    )


def _forget_deleted(session: PostgresSession, table: str) -> None:
    """Fill the table anew: an index is also made of rows that this very transaction has deleted."""
    session.run(f"create temporary table _hg_kept on commit drop as select * from {table} order by ctid")
    session.run(f"truncate {table}")
    session.run(f"insert into {table} select * from pg_temp._hg_kept order by ctid")
