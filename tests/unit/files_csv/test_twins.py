"""The fast and the tolerant reading are the same reading."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.connectors.files import blanks, stray
from headgate.connectors.files.base import Input
from headgate.connectors.files.csv_fast import FastReader
from headgate.connectors.files.csv_scan import open_csv
from headgate.connectors.files.csv_tolerant import TolerantReader
from headgate.connectors.files.dialect import WHITESPACE, Dialect
from headgate.connectors.files.lines import Splitter, places, stretches
from headgate.model.errors import SourceError
from headgate.model.record import Batch
from headgate.model.spec import SourceSpec

PLAIN = st.text(st.sampled_from("ab é9\\'"), min_size=1, max_size=5)
QUOTED = st.text(st.sampled_from('ab",\n é'), max_size=6).map(lambda t: '"' + t.replace('"', '""') + '"')
VALUE = st.one_of(PLAIN, QUOTED, st.just(""))
NASTY = st.text(st.sampled_from('ab",\n\r é\0'), max_size=40)
SCHEMA = pa.schema([(n, pa.string()) for n in "xyz"])


def _fast(path: Path, line_end: str, nulls: list[str]) -> tuple[list[pa.RecordBatch], FastReader]:
    reader = FastReader(path, Dialect(), SCHEMA, nulls, 1 << 20)
    return list(reader.batches(0, 0, line_end.encode())), reader


def _slow(path: Path, start: int, nulls: list[str]) -> list[Batch]:
    return list(TolerantReader(path, Dialect(), SCHEMA, Splitter(Dialect(), 3, nulls)).batches(start, 0))


def _write(folder: str, text: str) -> Path:
    path = Path(folder) / "a.csv"
    path.write_bytes(text.encode())
    return path


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([[], ["a"]]),
)
def test_both_give_the_same_batches_of_well_formed_text(
    rows: list[tuple[str, str, str]], line_end: str, nulls: list[str]
) -> None:
    text = "".join(",".join(row) + line_end for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, text)
        fast, reader = _fast(path, line_end, nulls)
        slow = _slow(path, 0, nulls)
        assert [b for s in slow for b in s.faults] == []
        assert sum(len(s) for s in slow) == sum(any(row) for row in rows)
        if reader.done:
            assert [s.records for s in slow] == fast
        else:
            # Only these make it hand over: it vouches for nothing it cannot weigh.
            assert nulls or line_end == "\r\n" or not all(map(any, rows))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["", "a title", 'pipes of 5"', '"over\nlines"', '"a","b",', '"', "a,b,c"]), max_size=2),
    st.tuples(*[st.sampled_from(["b", '"b"', '"over\nlines"', '"a ""\n\n"', '"c', 'c"', ""])] * 3),
    st.lists(st.tuples(*[st.sampled_from(["1", "2", '"3"'])] * 3), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_first_record_is_the_one_behind_the_header_whatever_stands_in_and_before_that(
    before: list[str], header: tuple[str, str, str], rows: list[tuple[str, str, str]], line_end: str
) -> None:
    """Records are so alike that one weighs what another does."""
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, "".join(line + line_end for line in [*before, ",".join(header), *map(",".join, rows)]))
        for options in (
            SourceSpec(path=str(path), header=len(before) + 1, delimiter=",", quote='"', encoding="utf-8"),
            SourceSpec(path=str(path), skip=len(before), delimiter=",", quote='"', encoding="utf-8"),
        ):
            try:
                scan = open_csv(Input("a.csv", path, options))
            except SourceError:
                continue
            dialect, found = scan._found.dialect, scan._found
            splitter = Splitter(dialect, len(scan.schema))
            slow = list(TolerantReader(scan._text.path(), dialect, scan.schema, splitter).batches(found.start, 0))
            assert [r for b in scan.batches() for r in b.records.to_pylist()] == [
                r for b in slow for r in b.records.to_pylist()
            ]
            scan.close()


@settings(max_examples=30, deadline=None)
@given(NASTY, st.sampled_from(["\n", "\r\n"]))
def test_whatever_the_fast_reading_vouches_for_the_tolerant_one_reads_too(text: str, line_end: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, text)
        fast, reader = _fast(path, line_end, [])
        if reader.done:
            slow = _slow(path, 0, [])
            assert [b for s in slow for b in s.faults] == []
            assert [r for s in slow for r in s.records.to_pylist()] == [r for b in fast for r in b.to_pylist()]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.tuples(VALUE, VALUE, VALUE).map(",".join), NASTY.filter(lambda t: "\0" not in t)), max_size=8
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_places_noted_while_reading_are_those_found_by_going_through(rows: list[str], line_end: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, "x,y,z" + line_end + "".join(row + line_end for row in rows))
        options = SourceSpec(path=str(path), header=1, delimiter=",", quote='"', encoding="utf-8")
        read, fresh = (open_csv(Input("a.csv", path, options)) for _ in range(2))
        count = sum(len(batch) for batch in read.batches())
        assert read.locate(range(count)) == fresh.locate(range(count))
        records = [row for batch in read.batches() for row in batch.records.to_pylist()]
        assert read.reread(range(count)) in (records, None)
        read.close()
        fresh.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=8), NASTY, st.sampled_from(["\n", "\r\n"]))
def test_both_end_where_the_table_ends(rows: list[tuple[str, str, str]], behind: str, line_end: str) -> None:
    text = "".join(",".join(row) + line_end for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        path, stop = _write(folder, text + behind), len(text.encode())
        reader = FastReader(path, Dialect(), SCHEMA, [], 1 << 20)
        fast = list(reader.batches(0, 0, line_end.encode(), stop))
        assert reader.at <= stop
        slow = list(TolerantReader(path, Dialect(), SCHEMA, Splitter(Dialect(), 3)).batches(0, 0, stop))
        rest = list(TolerantReader(path, Dialect(), SCHEMA, Splitter(Dialect(), 3)).batches(reader.at, 0, stop))
        assert sum(len(b) for b in slow) == sum(any(row) for row in rows)
        assert [r for b in slow for r in b.records.to_pylist()] == [
            r for b in [*fast, *([] if reader.done else [b.records for b in rest])] for r in b.to_pylist()
        ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.tuples(VALUE, VALUE, VALUE).map(",".join), NASTY), max_size=6))
def test_keeping_odd_quotes_changes_nothing_but_what_was_refused_for_them(rows: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, "".join(row + "\n" for row in rows))

        def read(keep: bool) -> tuple[dict[int, dict[str, str | None]], dict[int, str]]:
            splitter = Splitter(Dialect(), 3, keep=keep)
            found = list(TolerantReader(path, Dialect(), SCHEMA, splitter).batches(0, 0))
            good = {n: r for b in found for n, r in zip(b.ordinals, b.records.to_pylist(), strict=True)}
            return good, {f.ordinal: f.problem.code for b in found for f in b.faults}

        (kept, still), (good, bad) = read(True), read(False)
        assert {n: r for n, r in kept.items() if n not in bad} == good
        assert {n: c for n, c in bad.items() if n not in kept} == still
        assert all(bad[n] == "RD03" for n in kept.keys() - good.keys())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(st.tuples(VALUE, VALUE).map(",".join), NASTY, st.sampled_from(["", " ", "a\udce9,b"])), max_size=6
    ),
    st.sampled_from([Dialect(), Dialect(quote=""), Dialect(WHITESPACE)]),
)
def test_lines_of_unknown_width_read_at_once_are_those_judged_one_by_one(rows: list[str], dialect: Dialect) -> None:
    splitter = blanks.splitter(dialect, None)
    lines, raw = splitter.lines("".join(row + "\n" for row in rows))
    one_by_one = splitter._assemble(lines, raw, list(range(len(lines))), last=True, values=True)
    assert splitter.records(lines, raw, last=True) == one_by_one


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab", '), max_size=25), st.integers(1, 5))
def test_values_with_odd_quotes_are_what_stands_in_the_line(line: str, width: int) -> None:
    values = stray.split(line, Dialect(), width)
    assert len(values) in (0, width)
    if values:
        place = 0
        for value, quoted in values:
            text = f'"{value}"' if quoted else value
            found = line.find(text, place)
            assert line[place:found].strip(" ") == "" if quoted else found == place, (line, values)
            place = found + len(text)
            place = line.find(",", place) + 1 if line.find(",", place) >= 0 else len(line)


@settings(max_examples=150, deadline=None)
@given(NASTY, st.booleans(), st.booleans(), st.one_of(st.none(), st.integers(0, 40)))
def test_places_are_those_of_the_records(text: str, keep: bool, fill: bool, stop: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = _write(folder, text)

        def found(values: bool) -> list[tuple[int, int]]:
            splitter = Splitter(Dialect(), 3, keep=keep, fill=fill)
            parts = [s for s, _ in stretches(path, 0, Dialect(), splitter, values=values, stop=stop)]
            return [p for s in parts for p in places(s, range(s.count))]

        assert found(True) == found(False)


def test_records_over_the_edge_of_blocks_and_batches(tmp_path: Path) -> None:
    rows = [f'{i},"v{i}\n{"x" * (i % 50)}",é{i}\n' for i in range(70_000)]
    path = _write(str(tmp_path), "".join(rows))
    fast, reader = _fast(path, "\n", [])
    slow = _slow(path, 0, [])
    assert reader.done
    assert [s.records for s in slow] == fast
    assert [len(s) for s in slow] == [65_536, 70_000 - 65_536]


def test_reading_goes_on_behind_a_bad_record_in_the_middle(tmp_path: Path) -> None:
    rows = [f"{i},a,b\n" for i in range(140_000)]
    rows[100_000] = "100000,a\n"
    path = _write(str(tmp_path), "".join(rows))
    fast, reader = _fast(path, "\n", [])
    assert not reader.done
    assert reader.at == sum(len(r) for r in rows[: sum(b.num_rows for b in fast)])
    slow = _slow(path, reader.at, [])
    assert sum(b.num_rows for b in fast) + sum(len(s) for s in slow) == 140_000
    assert sum(len(s.faults) for s in slow) == 1
