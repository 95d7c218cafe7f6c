"""Cells written with random runs of blanks between them come back as they were, with the lines they were on."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from headgate.connectors.files import FileSource
from headgate.connectors.files.blanks import splitter
from headgate.connectors.files.dialect import Dialect
from headgate.model.spec import SourceSpec

WIDTH = 3
RUN = st.text(" \t", min_size=1, max_size=4)
AROUND = st.text(" \t", max_size=3)
CELL = st.one_of(st.text("ab,5é'", min_size=1, max_size=4), st.text("a \"\t\n'", max_size=6))
RECORD = st.lists(CELL, min_size=WIDTH, max_size=WIDTH)
NEWLINE = st.sampled_from(["\n", "\r\n"])


def _written(cell: str, *, quoted: bool) -> str:
    plain = cell and not quoted and not set(cell) & set(' "\t\n')
    return cell if plain else '"' + cell.replace('"', '""') + '"'


@st.composite
def _texts(draw: st.DrawFn) -> tuple[str, list[list[str]], list[int]]:
    """A text, its records and the line each begins on."""
    records = draw(st.lists(RECORD, min_size=1, max_size=12))
    newline = draw(NEWLINE)
    text, lines, line = f"a{draw(RUN)}b{draw(RUN)}c{newline}", [], 2
    for record in records:
        for _ in range(draw(st.integers(0, 2))):
            text += draw(AROUND) + newline
            line += 1
        lines.append(line)
        cells = [_written(cell, quoted=draw(st.booleans())) for cell in record]
        joined = cells[0] + "".join(draw(RUN) + cell for cell in cells[1:])
        text += draw(AROUND) + joined + draw(AROUND) + newline
        line += 1 + joined.count("\n")
    return text, records, lines


@given(_texts())
def test_what_was_written_is_read(given_text: tuple[str, list[list[str]], list[int]]) -> None:
    text, records, lines = given_text
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.txt").write_bytes(text.encode())
        source = FileSource(SourceSpec(path="a.txt", delimiter="whitespace", quote='"', header=1, header_rows=1, footer=0, encoding="utf-8"), Path(folder))  # fmt: skip
        scan = source.open(source.partitions()[0])
        batches = list(scan.batches())
        assert [f for b in batches for f in b.faults] == []
        assert [list(r.values()) for b in batches for r in b.records.to_pylist()] == records
        assert [o.line for o in scan.locate(range(len(records)))] == lines
        scan.close()
        source.close()


@given(st.lists(st.text('a \t"', max_size=12), max_size=8))
def test_places_are_those_of_the_records_whatever_is_written(text: list[str]) -> None:
    reader = splitter(Dialect("whitespace"), WIDTH)
    lines, raw = reader.lines("\n".join(text))
    read, told = reader.records(lines, raw, last=True), reader.bounds(lines, raw, last=True)
    assert (read.count, read.breaks, read.lines, read.blanks) == (told.count, told.breaks, told.lines, told.blanks)
