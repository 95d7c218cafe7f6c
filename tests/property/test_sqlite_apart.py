"""A table read by a process of its own gives what Python's module gives, whatever classes of values are in its columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.connectors.sqlite import apart
from headgate.connectors.sqlite.source import SqliteSnapshot
from headgate.model.errors import SourceError
from headgate.sql.source import Wanted
from headgate.sql.typed import page

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DECLARED = (
    "integer",
    "text",
    "real",
    "decimal(9,2)",
    "timestamp",
    "boolean",
    "blob",
    "varbinary(9)",
    "",
    "varchar(9) collate nocase",
)
TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=4) | st.sampled_from(
    ["1", "1.50", "1e5", "", "t", "ff", "a\0b", "7 real 1\n"]
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.sampled_from([0.1, 1e300, 5e-324, 9.2e18, -0.0]),
)
VALUES = st.one_of(st.none(), TEXTS, NUMBERS, st.binary(max_size=4))
USUAL = {
    "integer": st.integers(-9, 9), "text": TEXTS, "real": st.floats(allow_nan=False), "decimal(9,2)": NUMBERS, "timestamp": TEXTS,
    "boolean": st.integers(0, 1), "blob": st.binary(max_size=4), "varbinary(9)": st.binary(max_size=4), "": NUMBERS,
    "varchar(9) collate nocase": TEXTS,
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Declared types and records, most of them as they should be."""
    declared = draw(st.lists(st.sampled_from(DECLARED), min_size=1, max_size=4))
    odd = draw(st.integers(0, 12))
    usual = draw(st.lists(st.tuples(*(st.none() | USUAL[d] for d in declared)), max_size=12))
    strange = draw(st.lists(st.tuples(*(VALUES for _ in declared)), max_size=2))
    return declared, usual[:odd] + strange + usual[odd:]


def both(path: Path, declared: list[str], records: list[tuple[Any, ...]], rows: int) -> tuple[list[Any], list[Any]]:
    """What the two ways give: the records, and the faults with their places."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as con, con:
        con.execute(f"create table t ({', '.join(f'c{i} {d}' for i, d in enumerate(declared))})")
        con.executemany(f"insert into t values ({', '.join('?' * len(declared))})", records)
    with closing(SqliteSnapshot(path, Wanted(table="t"))) as there, pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "_ROWS", rows)
        other = apart.Apart(path, there._asked(), '"t"').pages()
        return told(there, other), told(there, there._here())


def told(there: SqliteSnapshot, pages: Iterator[list[Any]]) -> list[Any]:
    found: list[Any] = []
    for arrays in pages:
        one = page(arrays, there.schema)
        found += [one.records.to_pylist(), one.kept, one.faults]
    return [repr(f) for f in found]


@given(tables(), st.sampled_from([1, 2, 3, 100]))
@SETTINGS
def test_both_ways_of_reading_a_table_give_the_same(
    tmp_path: Path, table: tuple[list[str], list[tuple[Any, ...]]], rows: int
) -> None:
    other, here = both(tmp_path / "t.db", *table, rows)
    assert other == here


@given(st.lists(st.floats(allow_nan=False), min_size=200, max_size=500))
@settings(SETTINGS, max_examples=5)
def test_no_digit_of_a_number_in_a_wrong_place_is_lost(tmp_path: Path, numbers: list[float]) -> None:
    """They are faults of their records, which show them."""
    other, here = both(tmp_path / "t.db", ["integer"], [(n,) for n in numbers], 100)
    assert other == here


def test_a_text_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (id integer primary key, name text)")
        con.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000) insert into t select i, 'a' from n"
        )
        con.execute("update t set name = cast(x'ff41' as text) where id = 29000")
    with (
        closing(SqliteSnapshot(path, Wanted(table="t"))) as there,
        pytest.raises(SourceError, match="UTF-8 column 'name'"),
    ):
        list(there.pages())
