"""A sheet that is read piece by piece is what it is when it is read as a whole."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.connectors.files import xlsx_pieces
from headgate.connectors.files.base import Input
from headgate.connectors.files.xlsx import open_xlsx
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

MEMBER = "xl/worksheets/sheet1.xml"
FORMATS = {dt.datetime: "yyyy-mm-dd hh:mm:ss", dt.date: "dd/mm/yyyy", dt.time: "hh:mm:ss"}
CELLS = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
    st.sampled_from(["line\nbreak", "</row>", "<c r='A1'>", "]]>", " x ", "_x0041_", "a" * 300]),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1)).map(lambda d: d.replace(microsecond=0)),  # noqa: DTZ001
    st.dates(dt.date(1950, 1, 1), dt.date(2100, 1, 1)),
    st.just("#REF!"),  # an error, see `write`
    st.just("="),  # a cell with a format and nothing else
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=40)


def write(path: Path, rows: list[list[Any]], at: tuple[int, int], gaps: dict[int, int], *, shared: bool) -> None:
    """A workbook of one sheet; before row `n` are `gaps[n]` rows without cells."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": not shared})
    sheet = book.add_worksheet("Data")
    formats = {kind: book.add_format({"num_format": words}) for kind, words in FORMATS.items()}
    bold, place = book.add_format({"bold": True}), at[0]
    for n, row in enumerate(rows):
        place += gaps.get(n, 0)
        for c, cell in enumerate(row, at[1]):
            if type(cell) in formats:
                sheet.write_datetime(place, c, cell, formats[type(cell)])
            elif cell == "#REF!":
                sheet.write_formula(place, c, "=#REF!", None, "#REF!")
            elif cell == "=":
                sheet.write_blank(place, c, None, bold)
            elif isinstance(cell, str):
                sheet.write_string(place, c, cell)
            elif cell is not None:
                sheet.write(place, c, cell)
        place += 1
    if shared:  # without, the cells of a merged range would have to come in its order
        sheet.merge_range(place + 3, at[1], place + 4, at[1] + 1, "merged")
        sheet.set_row(place + 6, None, None, {"hidden": True})
    book.close()


def pieced(path: Path) -> xlsx_pieces.PiecedSheet | None:
    return xlsx_pieces.pieced(Input(path.name, path, SourceSpec(path=str(path))), "Data")


def everything(path: Path) -> object:
    """All that is to be had of a file; or what it is refused for."""
    try:
        scan = open_xlsx(Input(path.name, path, SourceSpec(path=str(path))))
    except SourceError as e:
        return str(e)
    batches = list(scan.batches())
    ordinals = sorted(n for b in batches for n in (*b.ordinals, *(f.ordinal for f in b.faults)))
    return (
        scan.schema, [b.records.to_pylist() for b in batches], [b.faults for b in batches], scan.findings,
        scan.locate(ordinals), scan.locate(ordinals[-1:]),
    )  # fmt: skip


def small(size: int = 300) -> Any:
    """Has every sheet read in pieces of about so many bytes."""
    return patch.multiple(xlsx_pieces, _LARGE=0, _PIECE=size, _BLOCK=64, _AHEAD=1)


@settings(max_examples=80)
@given(ROWS, st.tuples(st.integers(0, 4), st.integers(0, 3)), st.dictionaries(st.integers(0, 9), st.integers(1, 30)), st.booleans())  # fmt: skip
def test_pieces_are_the_whole(rows: list[list[Any]], at: tuple[int, int], gaps: dict[int, int], shared: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.xlsx"
        write(path, [["id", "name", "v"], *rows], at, gaps, shared=shared)
        whole = everything(path)
        with small():
            found = pieced(path)
            assert found is not None
            assert len(list(found._sheets())) > len(rows) // 20
            assert everything(path) == whole


def changed(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Write a workbook anew with other XML of its sheet."""
    with zipfile.ZipFile(path) as book:
        members = {m.filename: book.read(m) for m in book.infolist()}
    with zipfile.ZipFile(path, "w") as book:
        for name, data in members.items():
            book.writestr(name, change(data) if name == MEMBER else data)


def prefixed(xml: bytes) -> bytes:
    xml = re.sub(rb"<(/?)(?=\w)", rb"<\1x:", xml)
    return xml.replace(b'xmlns="', b'xmlns:x="')


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(b'<row r="9"', b'<!-- </row> --><row r="9"'),
        lambda xml: re.sub(rb'<row r="\d+"', b"<row", xml),
        lambda xml: re.sub(rb'<c r="\w+"', b"<c", xml),
        lambda xml: re.sub(rb'<c r="(\w+)"', rb"<c r='\1'", xml),
        lambda xml: xml.replace(b'<c r="B5"', b'<c\nr="B5"'),
        lambda xml: re.sub(rb'r="([AB]?)30"', rb'r="\g<1>3"', xml),
        lambda xml: xml.replace(b'<c r="B30"', b'<c r="B3"'),
        prefixed,
        lambda xml: xml.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    ],
    ids=["comment", "rows", "cells", "quotes", "lines", "order", "rows of cells", "prefix", "encoding"],
)
def test_what_is_written_otherwise_is_read_as_a_whole(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "book.xlsx"
    write(path, [["id", "name"], *([n, f"x{n}"] for n in range(60))], (0, 0), {}, shared=True)
    with small():
        assert pieced(path) is not None
        changed(path, change)
        assert pieced(path) is None
        pieces = everything(path)
    assert everything(path) == pieces


def test_a_cell_far_out_is_refused_before_it_is_made(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    rows: list[list[Any]] = [["id", "name"], *([n, "x"] for n in range(4_000))]
    write(path, rows, (0, 0), {}, shared=False)
    changed(path, lambda xml: xml.replace(b'<c r="B3900"', b'<c r="XFD3900"').replace(b"A1:B4001", b"A1:B2"))
    with small(8 << 10):
        assert "spans 4,001 rows and 16,384 columns" in str(everything(path))


def long(path: Path) -> None:
    write(path, [["id", "name"], *([n, f"x{n}"] for n in range(4_000))], (0, 0), {}, shared=False)


def test_what_is_damaged_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    long(path)
    changed(path, lambda xml: xml.replace(b'<c r="B3900"', b'<c r="B3900" t="s"><v>9999999</v></c><c r="C3900"'))
    with small(8 << 10), pytest.raises(SourceError, match=r"book\.xlsx, sheet Data, is damaged: "):
        list(open_xlsx(Input(path.name, path, SourceSpec(path=str(path)))).batches())


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path, other = tmp_path / "book.xlsx", tmp_path / "other.xlsx"
    long(path)
    long(other)
    with small(8 << 10):
        scan = open_xlsx(Input(path.name, path, SourceSpec(path=str(path))))
        other.replace(path)
        with pytest.raises(SourceError, match="sheet Data, was changed while it was read"):
            list(scan.batches())
