"""Text of fixed width: columns by their places, and lines that are not as long as they must be."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from .conftest import Read

WIDTHS = {"sku": 5, "name": 8, "price": 6}
LINES = ["A-1  Lamp     12.50", "A-2  Table   249.00", "A-3            7.00"]
ROWS = [("A-1", "Lamp", "12.50"), ("A-2", "Table", "249.00"), ("A-3", None, "7.00")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_columns_by_widths(read: Read, end: str, last: bool) -> None:
    got = read(end.join(LINES) + end * last, widths=WIDTHS)
    assert got.names == ["sku", "name", "price"]
    assert got.rows == ROWS
    assert got.lines() == [1, 2, 3]
    assert (got.findings["format"], got.findings["width"], got.findings["header"]) == ("fixed", 19, False)
    assert got.scan.progress() == 1.0


def test_columns_by_a_ruler_with_names_gaps_and_neighbours(read: Read) -> None:
    ruler = "---  -----=== ------"
    assert len(LINES[0]) == 19
    got = read("\n".join(line[:13] + " " + line[13:] for line in LINES), ruler=ruler, columns=["a", "b", "c", "d"])
    assert got.rows == [("A-1", "Lamp", None, "12.50"), ("A-2", "Table", None, "249.00"), ("A-3", None, None, "7.00")]
    got = read("abcdefg\n", ruler="--===-")
    assert (got.names, got.rows) == (["column_1", "column_2", "column_3"], [])
    assert got.codes == [(0, "RD02")]


def test_a_header_names_the_columns_of_a_ruler_and_a_line_under_it_is_left_out(read: Read) -> None:
    text = "Price list\n\nsku  name     price\n---  -------- ------\n" + "A-1  Lamp      12.50\nA-2  Table    249.00\n"
    got = read(text, ruler="---- -------- ------", header=3)
    assert got.names == ["sku", "name", "price"]
    assert got.rows == [("A-1", "Lamp", "12.50"), ("A-2", "Table", "249.00")]
    assert (got.lines(), got.findings["header"]) == ([5, 6], 3)
    assert read(text, ruler="---- -------- ------", header=True, skip=1).names == got.names
    assert read(text, widths={"a": 5, "b": 9, "c": 6}, skip=4).rows == got.rows


def test_lines_too_short_or_too_long_are_faults(read: Read) -> None:
    got = read(
        "\n".join([LINES[0], LINES[1][:-1], LINES[1] + "   ", LINES[1] + " x ", "", LINES[2], "A-4"]), widths=WIDTHS
    )
    assert got.rows == ROWS
    assert got.codes == [(1, "RD01"), (3, "RD02"), (5, "RD01")]
    assert got.lines() == [1, 2, 3, 4, 6, 7]
    assert got.faults[0].problem.reason == "the line has 18 characters, 19 are expected"
    assert got.faults[0].raw == {"sku": "A-2", "name": "Table", "price": "249.0"}
    assert got.faults[1].raw == {"sku": "A-2", "name": "Table", "price": "249.00", "column_4": "x"}
    assert got.faults[2].raw == {"sku": "A-4", "name": None, "price": None}


def test_a_last_column_that_goes_to_the_end_of_the_line(read: Read) -> None:
    lines = ["A-1  Lamp    a long remark", "A-2", "A-3  Table", "A-4  Chair   x   "]
    for options in (
        {"widths": {"sku": 5, "name": 8, "note": "rest"}},
        {"ruler": "-----========->", "columns": ["sku", "name", "note"]},
    ):
        got = read("\n".join(lines), **options)
        assert got.rows == [
            ("A-1", "Lamp", "a long remark"), ("A-2", None, None), ("A-3", "Table", None), ("A-4", "Chair", "x"),
        ]  # fmt: skip
        assert not got.faults


def test_only_spaces_at_the_ends_of_a_value_are_taken_off(read: Read) -> None:
    got = read(" a b \t x\u00a0NA \n", widths={"a": 5, "b": 4, "c": 3}, nulls=["NA"])
    assert got.rows == [("a b", "\t x\u00a0", None)]


def test_widths_count_characters_in_any_encoding(read: Read) -> None:
    lines = ["Größe Äpfel", "日本語   abcde", "👩🏽 xx fghij"]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le"):
        got = read("\r\n".join(lines).encode(encoding), widths={"a": 6, "b": 5}, encoding=encoding)
        assert got.rows == [("Größe", "Äpfel"), ("日本語", "abcde"), ("👩🏽 xx", "fghij")]
    got = read("Größe Äpfel\n".encode("cp1252") * 20, widths={"a": 6, "b": 5})
    assert (got.rows[0], got.findings["encoding"]) == (("Größe", "Äpfel"), "cp1252")


def test_bytes_that_are_no_text_and_nuls_cost_their_own_line(read: Read) -> None:
    data = b"aaa bbb\nca\xe9 ddd\neee f\0f\nggg hhh\n"
    got = read(data, widths={"a": 4, "b": 3}, encoding="utf-8")
    assert got.rows == [("aaa", "bbb"), ("ggg", "hhh")]
    assert got.codes == [(1, "RD04"), (2, "RD07")]
    assert got.faults[0].raw == {"a": "ca\\xe9", "b": "ddd"}
    assert (got.faults[1].problem.column, got.faults[1].raw) == ("b", {"a": "eee", "b": "f\0f"})


def test_a_file_of_a_large_computer_has_no_line_ends(read: Read) -> None:
    records = "".join(LINES).encode("cp037")
    got = read(records, widths=WIDTHS, encoding="cp037")
    assert got.rows == ROWS
    assert [str(o) for o in got.scan.locate([0, 2])] == ["a.csv, row 1", "a.csv, row 3"]
    assert "no line ends" in got.findings["notes"][0]
    got = read(records[:-1], widths=WIDTHS, encoding="cp037")
    assert (got.rows, got.codes) == (ROWS[:2], [(2, "RD01")])
    many = read("".join(LINES * 30_000), widths=WIDTHS)
    assert many.rows == ROWS * 30_000
    with pytest.raises(SourceError, match="has no lines"):
        read(records, widths=WIDTHS, encoding="cp037", skip=1)
    assert read("\x85".join(LINES).encode("cp037"), widths=WIDTHS, encoding="cp037").lines() == [1, 2, 3]


def test_a_line_longer_than_the_longest_record_is_a_fault_and_not_held(read: Read) -> None:
    got = read("\n".join([LINES[0], " " * 5_000_000, "x" * 5_000_000, LINES[1]]), widths=WIDTHS, max_record=100_000)
    assert got.rows == ROWS[:2]
    assert got.codes == [(1, "RD08"), (2, "RD08")]
    assert got.lines() == [1, 2, 3, 4]


def test_many_lines_come_in_bounded_batches_and_again(read: Read) -> None:
    lines = [f"{n:06d}{n * 7:>10}" for n in range(150_000)]
    lines[70_000] = "short"
    got = read("\n".join(lines), widths={"n": 6, "m": 10})
    assert got.rows == [(f"{n:06d}", str(n * 7)) for n in range(150_000) if n != 70_000]
    assert max(map(len, got.scan.batches())) <= 65_536
    assert [o.line for o in got.scan.locate([0, 69_999, 70_000, 149_999])] == [1, 70_000, 70_001, 150_000]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "fixed"}, "format: fixed needs widths, or a ruler"),
        ({"format": "csv", "widths": {"a": 1}}, "widths goes with format: fixed"),
        ({"widths": {"a": 1}, "ruler": "-"}, "not by both"),
        ({"widths": {"a": "rest", "b": 1}}, "only the last column"),
        ({"widths": {"a": 0}}, "greater than or equal to 1"),
        ({"widths": {"a": 1}, "columns": ["b"]}, "widths names the columns"),
        ({"ruler": "abc"}, "a ruler has dashes"),
        ({"ruler": ""}, "a ruler has dashes"),
        ({"ruler": "-->--"}, "a ruler has dashes"),
    ],
)
def test_definitions_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SourceSpec.model_validate({"path": "a", **options})


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {"widths": WIDTHS}, "is empty"),
        ("\n \n", {"widths": WIDTHS}, "only blank lines"),
        ("abc\n", {"ruler": "---", "columns": ["a", "b"]}, "columns has 2 names, the ruler has 1 column"),
        ("abc\n", {"ruler": "-=-", "columns": ["a", "b", "a"]}, "names a column twice"),
        ("abc\n", {"ruler": "---", "header": 9}, "no row 9 for a header"),
        ("a\nb\n", {"ruler": "---", "header": 1, "skip": 1}, "no row 1 for a header behind 1 left out"),
        (b"PAR1" + b"\0" * 99, {"widths": WIDTHS}, "a Parquet file, not text of fixed width"),
        (bytes(range(32)) * 200, {"widths": WIDTHS}, "not text"),
    ],
)
def test_files_that_do_not_fit(read: Read, content: str | bytes, options: dict[str, object], message: str) -> None:
    with pytest.raises(SourceError, match=message) as e:
        read(content, **options)
    assert "a.csv" in e.value.message
    assert e.value.hint
