"""Which row of a sheet is the header."""

from __future__ import annotations

import datetime as dt

import pytest

from headgate.connectors.files.xlsx_header import find_header, letters, unique
from headgate.model.errors import SourceError

DATA = [["A-1", "Lamp", 12.5, dt.date(2024, 1, 2)], ["A-2", "Desk", 99.0, dt.date(2024, 1, 3)]]
HEAD = ["sku", "name", "price", "from"]
EMPTY = ["", "", "", ""]


def found(rows, wanted=None, skip=None, named=None):
    return find_header("b.xlsx, sheet S", rows, wanted, skip, named)


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        ([HEAD, *DATA], 0),
        ([["Price list", "", "", ""], EMPTY, HEAD, *DATA], 2),
        ([["Price list", "", "", ""], ["as of", dt.date(2024, 1, 1), "", ""], ["by", "Ann", "", ""], HEAD, *DATA], 3),
        ([HEAD, *[["A-1", "", "", ""]] * 3], 0),
        ([["region", 2022.0, 2023.0, "sum"], ["North", 1.0, 2.0, 3.0], ["South", 1.0, 2.0, 3.0]], 0),
        ([["region", 2022, 2023, "sum"], ["North", 1, 2, 3], ["South", 1, 2, 3]], 0),
        ([["code", "name", "group", "kind"], ["00501", "Lamp", "Home", "x"], ["00502", "Desk", "Home", "x"]], 0),
        ([["sku", "name", "", "from"], *DATA], 0),
        ([HEAD, *DATA, HEAD, *DATA], 0),
        ([["only"], ["a"], ["b"]], 0),
        (DATA, None),
        ([["00501", "Lamp", "x", "y"], ["00502", "Desk", "x", "y"]], None),
        ([["Bikes", "Road", "EUR", "yes"], ["Bikes", "Road", "EUR", "no"], ["Bikes", "City", "EUR", "no"]], None),
        ([], None),
        ([EMPTY, EMPTY], None),
    ],
)
def test_the_header_is_found_or_known_to_be_missing(rows, row):
    header = found(rows)
    assert header.row == row
    assert header.first == (0 if row is None else row + 1)


def test_titles_left_out_are_said():
    (note,) = found([["Price list", "", "", ""], EMPTY, HEAD, *DATA]).notes
    assert '2 rows above the header left out: "Price list"' in note
    assert found([HEAD, *DATA]).notes == ()


def test_the_definition_is_believed():
    rows = [["Prices", "", "", ""], HEAD, *DATA]
    assert found(rows, wanted=2).names == tuple(HEAD)
    assert found(rows, wanted=3).names[0] == "A-1"
    assert found(rows, wanted=True).row == 0
    assert found(rows, wanted=True, skip=1).row == 1
    assert found(rows, wanted=False, skip=2) == found(rows, wanted=False, skip=2, named=HEAD)
    assert (found(rows, wanted=False, skip=2).row, found(rows, wanted=False, skip=2).first) == (None, 2)


def test_named_columns_are_a_header_only_if_the_sheet_has_them():
    assert found([HEAD, *DATA], named=["SKU", "name", "cost", "from"]).row == 0
    assert found(DATA, named=HEAD).row is None


@pytest.mark.parametrize(("wanted", "skip"), [(9, None), (0, None), (1, 1)])
def test_a_header_that_is_not_there_is_refused(wanted, skip):
    with pytest.raises(SourceError, match=rf"row {wanted} cannot"):
        found([HEAD, *DATA], wanted=wanted, skip=skip)


def test_letters_and_names():
    assert [letters(n) for n in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
    assert unique(["a", "a_2", "a", "b", "a"]) == ["a", "a_2", "a_3", "b", "a_4"]
