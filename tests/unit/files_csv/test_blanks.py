"""Values separated by runs of blanks: `delimiter: whitespace`."""

from __future__ import annotations

import pytest

from headgate.model.errors import SourceError

from .conftest import Read

RUNS = {"delimiter": "whitespace"}


def test_any_run_of_blanks_and_tabs_separates_and_those_around_a_line_do_not(read: Read) -> None:
    got = read("  sku name\t price \nA-1   Lamp \t12.50\n\tA-2 Pipe 7\t\nA-3\tDesk  1  ", **RUNS)
    assert got.names == ["sku", "name", "price"]
    assert got.rows == [("A-1", "Lamp", "12.50"), ("A-2", "Pipe", "7"), ("A-3", "Desk", "1")]
    assert got.lines() == [2, 3, 4]


def test_quotes_hold_blanks_line_ends_and_nothing(read: Read) -> None:
    got = read(
        'sku   name  note\n  "A 1"  "a  \tb"\t\t"say ""hi"""  \nA-2  "first  line\n   second  line "  ""\nA-3 x y\n',
        **RUNS,
    )
    assert got.rows == [
        ("A 1", "a  \tb", 'say "hi"'),
        ("A-2", "first  line\n   second  line ", ""),
        ("A-3", "x", "y"),
    ]
    assert got.lines() == [2, 3, 5]


def test_a_quote_that_opens_at_an_indented_line_goes_over_its_end(read: Read) -> None:
    assert read('a b\n   "x\n  y"   1\n', header=1, **RUNS).rows == [("x\n  y", "1")]


def test_escaped_quotes_and_words_for_nothing(read: Read) -> None:
    got = read('a  b\n"x \\" y"   NA\n"NA"  -\n', header=1, escape="\\", nulls=["NA", "-"], **RUNS)
    assert got.rows == [('x " y', None), ("NA", None)]


def test_faults_know_their_lines_beside_blank_ones(read: Read) -> None:
    got = read(
        b"a  b  c\r\n1  2  3\r\n   \t\r\n4   5\r\n\r\n6  7 \t 8  9\r\nx \"y\"z 1\r\nq \xff 1\r\n\"open 1 2\r\n 10 11   12\r\n",
        header=1, encoding="utf-8", **RUNS,
    )  # fmt: skip
    assert got.rows == [("1", "2", "3"), ("10", "11", "12")]
    assert got.codes == [(1, "RD01"), (2, "RD02"), (3, "RD03"), (4, "RD04"), (5, "RD03")]
    assert got.lines() == [2, 4, 6, 7, 8, 9, 10]
    assert got.faults[0].raw == {"a": "4", "b": "5"}
    assert got.faults[1].raw == {"a": "6", "b": "7", "c": "8", "column_4": "9"}


def test_ragged_records_are_filled_and_stray_quotes_kept(read: Read) -> None:
    got = read(
        'a b  c\n1  2\n"Chair   99 1\n5" "two  words"x" 3\n', header=1, ragged="fill", stray_quotes="keep", **RUNS
    )
    assert got.rows == [("1", "2", None), ('"Chair', "99", "1"), ('5"', 'two  words"x', "3")]
    assert got.faults == []


def test_titles_are_left_out_and_a_footer_is(read: Read) -> None:
    got = read("Readings\n\nstation   value\nnorth  1\nsouth    22\neast 3\nend of it\n", footer=1, **RUNS)
    assert got.names == ["station", "value"]
    assert got.rows == [("north", "1"), ("south", "22"), ("east", "3")]
    assert got.lines() == [4, 5, 6]


def test_a_header_one_name_short_leaves_out_the_first(read: Read) -> None:
    got = read('  "height"  "weight"\n"one" 1.2   30\n"two"   1.45   41\n', header=1, **RUNS)
    assert got.names == ["column_1", "height", "weight"]
    assert got.rows[0] == ("one", "1.2", "30")


def test_text_without_line_feeds_and_in_other_encodings(read: Read) -> None:
    assert read("a  b\r1   2\r3 4\r", header=1, **RUNS).rows == [("1", "2"), ("3", "4")]
    assert read("a  b\n1 \t é\n".encode("utf-16"), header=1, **RUNS).rows == [("1", "é")]


def test_no_other_space_separates(read: Read) -> None:
    assert read("a  b\nx\u00a0y   z\u2003w\n", header=1, **RUNS).rows == [("x\u00a0y", "z\u2003w")]


UNALIGNED = "".join(
    f"{' ' * (i % 3)}station-{i * 37 % 1000}{' ' * (1 + i % 5)}{i * i}{' ' * (1 + i % 4)}{i}.5\n" for i in range(40)
)


def test_it_is_proposed_where_nothing_else_fits(read: Read) -> None:
    got = read("name  count   share\n" + UNALIGNED, name="a.txt")
    assert (got.findings["delimiter"], got.findings["header"]) == ("whitespace", 1)
    assert got.findings["sure"]["delimiter"] >= 0.7
    assert "3 columns, separated by runs of blanks" in got.findings["notes"]
    assert (len(got.rows), got.faults) == (40, [])
    assert got.rows[1] == ("station-37", "1", "1.5")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n" + "".join(f"x{i},   y{i}\n" for i in range(20)), ","),
        ("a;b\n" + "".join(f"x{i}  {i};y{'  ' * i}z\n" for i in range(20)), ";"),
        ("a\tb\n" + "".join(f"x{i}{' ' * (i % 3)}\ty{i}\n" for i in range(20)), "\t"),
        ("a b c\n" + "".join(f"x{i} {i if i % 2 else ''} y{i}\n" for i in range(20)), " "),
    ],
)
def test_it_is_not_proposed_where_something_else_fits(read: Read, text: str, delimiter: str) -> None:
    assert str(read(text, name="a.txt").findings["delimiter"])[0] == delimiter


def test_one_row_of_another_width_is_doubt_enough(read: Read) -> None:
    assert read("name  count   share\n" + UNALIGNED + "one   two\n", name="a.txt").findings["delimiter"] != "whitespace"


def test_columns_with_fixed_places_are_left_to_a_person_who_is_told(read: Read) -> None:
    text = "".join(f"{name:<12}{count:>8}  {city:<10}\n" for name, count, city in [("name", "count", "city"), *((f"n{i}", i * 91, "Ghent") for i in range(20))])  # fmt: skip
    got = read(text, name="a.txt")
    assert got.findings["delimiter"] != "whitespace"
    assert any("ruler" in note for note in got.findings["notes"])
    assert read(text, name="a.txt", **RUNS).rows[3] == ("n3", "273", "Ghent")


def test_a_file_of_blanks_has_only_blank_lines(read: Read) -> None:
    with pytest.raises(SourceError, match="only blank lines"):
        read("  \n\t\n", **RUNS)
