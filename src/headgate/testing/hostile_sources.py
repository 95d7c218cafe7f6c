"""Tests of inputs that sources stumble over: odd, repeated and missing names, no record, one record, very many columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final

import pyarrow as pa
import pytest

from headgate.model.errors import SourceError
from headgate.spi.source import Source

from .hostile import NAMES, WIDEST

MakeOf = Callable[[Sequence[str], Sequence[Sequence[str]]], Source | None]
TEXTS: Final = [
    "a", "", " ", " a ", "NULL", "null", "NA", "NaN", "true", "00501", "1E5", "1.10", "0x1F", "2024-02-30", "-", "=1+1", "@a", "'", "''", '"',
    '""', "a,b", "a;b", "a|b", "a\tb", "a\nb", "\\", "\\N", "a\\", "#", "# a", "--", "{}", "[1]", "<a>", "&amp;", "%s", "é", "e\u0301", "ß",
    "İ", "日本語", "العربية", "👩‍🚀🏳️‍🌈", "\U0010ffff", "\u200b", "\u2028", "\u00a0", "12345678901234567890123456789012345678901", "x" * 20_000,
]  # fmt: skip
ODD_NAMES: Final = [*NAMES, "👩‍🚀", "\U00020000", "x" * 300, "column_2"]


def _tidy(name: str) -> str:
    """A source may take blanks around a name for none, and a line break in it for a blank."""
    return " ".join(name.split())


class HostileInputTests:
    """Every record has a value of every column, under a name that is its own."""

    @pytest.fixture
    def make_of(self) -> MakeOf | None:
        """Override: a function that makes a source of a new input with this header and these records, all text.

        It may return None for what such an input cannot have at all: one name twice, or a column without a name.
        """
        return None

    @staticmethod
    def _read(make_of: MakeOf | None, names: Sequence[str], rows: Sequence[Sequence[str]]) -> pa.Table:
        """All records."""
        if make_of is None:
            pytest.skip("not stated: inputs with a given header and records")
        source = make_of(names, rows)
        if source is None:
            pytest.skip("not stated: an input with such names")
        with closing(source):
            (partition,) = source.partitions()
            with closing(source.open(partition)) as scan:
                batches = list(scan.batches())
                assert not [f for b in batches for f in b.faults]
                return pa.Table.from_batches([b.records for b in batches], schema=scan.schema)

    @staticmethod
    def _values(read: pa.Table) -> list[tuple[str, ...]]:
        return [tuple(v or "" for v in row) for row in zip(*(c.to_pylist() for c in read.columns), strict=True)]

    def test_names_are_given_as_they_are(self, make_of: MakeOf | None) -> None:
        rows = [[f"{i} {n}" for n in ODD_NAMES] for i in range(3)]
        read = self._read(make_of, ODD_NAMES, rows)
        assert [_tidy(n) for n in read.schema.names] == [_tidy(n) for n in ODD_NAMES]
        assert self._values(read) == [tuple(r) for r in rows]

    def test_names_that_repeat_are_told_apart_or_refused(self, make_of: MakeOf | None) -> None:
        names = ["a", "b", "a", "a_2", "a", "b"]
        self._has_distinct_names(make_of, names, kept={"a", "b", "a_2"})

    def test_columns_without_a_name_are_given_one_or_refused(self, make_of: MakeOf | None) -> None:
        names = ["", "a", " ", "column_1", ""]
        self._has_distinct_names(make_of, names, kept={"a", "column_1"})

    def _has_distinct_names(self, make_of: MakeOf | None, names: Sequence[str], kept: set[str]) -> None:
        rows = [[f"{i}.{j}" for j in range(len(names))] for i in range(3)]
        try:
            read = self._read(make_of, names, rows)
        except SourceError as e:
            assert e.message
            return
        found = read.schema.names
        assert len(set(found)) == len(names)
        assert all(n.strip() for n in found)
        assert kept <= set(found)
        assert self._values(read) == [tuple(r) for r in rows]

    def test_an_input_without_records_has_none_or_is_refused(self, make_of: MakeOf | None) -> None:
        try:
            read = self._read(make_of, ["id", "name"], [])
        except SourceError as e:
            assert e.message
            return
        assert read.num_rows == 0
        assert read.schema.names in (["id", "name"], [])  # some formats name columns in their records

    def test_an_input_of_one_record_has_one(self, make_of: MakeOf | None) -> None:
        read = self._read(make_of, ["id", "name"], [["1", "lamp"]])
        assert read.to_pylist() == [{"id": "1", "name": "lamp"}]

    def test_texts_are_given_as_written(self, make_of: MakeOf | None) -> None:
        rows = [[str(i), t, "end"] for i, t in enumerate(TEXTS)]
        read = self._read(make_of, ["id", "text", "end"], rows)
        assert self._values(read) == [tuple(r) for r in rows]

    def test_an_input_may_have_very_many_columns(self, make_of: MakeOf | None) -> None:
        names = [f"name_{i}" for i in range(WIDEST)]
        rows = [[f"{r}.{i}" for i in range(WIDEST)] for r in range(3)]
        read = self._read(make_of, names, rows)
        assert read.schema.names == names
        assert self._values(read) == [tuple(r) for r in rows]
