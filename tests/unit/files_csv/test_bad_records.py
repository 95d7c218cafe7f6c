from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from headgate.connectors.files import FileSource
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from .conftest import Read


def test_ragged_rows_are_faults_with_their_values(read: Read) -> None:
    got = read("id,name,price\n1,Lamp,2\n2,Chair\n3,Desk,4,x\n4,Bed,5\n")
    assert got.rows == [("1", "Lamp", "2"), ("4", "Bed", "5")]
    assert got.codes == [(1, "RD01"), (2, "RD02")]
    assert got.ordinals == [0, 3]
    assert got.faults[0].raw == {"id": "2", "name": "Chair"}
    assert got.faults[1].raw == {"id": "3", "name": "Desk", "price": "4", "column_4": "x"}
    assert got.lines() == [2, 3, 4, 5]


def test_a_delimiter_too_many_is_not_dropped_in_silence(read: Read) -> None:
    assert read("id,name\n1,a\n2,b,\n3,c\n").codes == [(1, "RD02")]


def test_an_unterminated_quote_costs_its_own_line_only(read: Read) -> None:
    got = read('id,name,n\n1,a,x\n2,"b,x\n3,c,x\n4,"d, e",x\n5,f,x\n')
    assert got.codes == [(1, "RD03")]
    assert [r[0] for r in got.rows] == ["1", "3", "4", "5"]
    assert got.lines() == [2, 3, 4, 5, 6]


def test_an_unterminated_quote_at_the_end_loses_nothing(read: Read) -> None:
    got = read('id,name\n1,a\n2,"b\n3,c\n')
    assert (got.rows, got.codes) == ([("1", "a"), ("3", "c")], [(1, "RD03")])


def test_text_after_a_closing_quote(read: Read) -> None:
    got = read('id,name\n1,"a"b\n2,"c"\n')
    assert (got.rows, got.codes) == ([("2", "c")], [(0, "RD03")])


def test_a_quote_within_a_value_is_text(read: Read) -> None:
    got = read('id,name\n1,5" pipe\n2,6",\n', header=True)
    assert got.rows == [("1", '5" pipe')]
    assert got.codes == [(1, "RD02")]


def test_latin_1_in_a_utf8_file(read: Read) -> None:
    good = "id,name\n" + "".join(f"{i},Zürich à côté\n" for i in range(50))
    got = read(good.encode() + b"50,caf\xe9\n51,end\n")
    assert got.codes == [(50, "RD04")]
    assert got.faults[0].raw["name"] == "caf\\xe9"
    assert "\\xe9" in got.faults[0].problem.reason
    assert got.rows[-1] == ("51", "end")


def test_bytes_an_encoding_does_not_have(read: Read) -> None:
    got = read("id,name\n1,é\n".encode("cp1252") + b"2,\x81\n3,ok\n", encoding="cp1252")
    assert (got.rows, got.codes) == ([("1", "é"), ("3", "ok")], [(1, "RD04")])
    assert got.faults[0].raw["name"] == "\\x81"


def test_bytes_that_would_be_text_by_chance_are_still_told(read: Read) -> None:
    got = read("id,name\n1,é\n2,x\n", encoding="ascii")
    assert got.codes == [(0, "RD04")]


def test_nul_is_delivered_as_written(read: Read) -> None:
    assert read("id,name\n1,a\0b\n2,c\n").rows[0] == ("1", "a\0b")


@pytest.mark.parametrize("text", ["id,n\r\n1,a\n2,b\r\n3,c\n", "id,n\n1,a\r\n2,b\n3,c\r\n", "id,n\r1,a\n2,b\r3,c\r"])
def test_mixed_line_ends(read: Read, text: str) -> None:
    got = read(text)
    assert (got.rows, got.faults) == ([("1", "a"), ("2", "b"), ("3", "c")], [])
    assert got.lines() == [2, 3, 4]


def test_old_macintosh_line_ends(read: Read) -> None:
    got = read("id,n\r1,a\r2,b\r")
    assert (got.rows, got.findings["line_end"]) == ([("1", "a"), ("2", "b")], "cr")


def test_line_ends_inside_quotes_stay(read: Read) -> None:
    got = read('id,n\r\n1,"a\nb"\r\n2,"c\r\nd"\r\n')
    assert got.rows == [("1", "a\nb"), ("2", "c\r\nd")]
    assert got.lines() == [2, 4]


def test_a_header_over_two_lines(read: Read) -> None:
    got = read('id,"unit\nprice"\r\n1,2.5\r\n2,3.5\r\n')
    assert (got.names, len(got.rows)) == (["id", "unit price"], 2)
    assert got.lines() == [3, 4]


def test_blank_lines_are_no_records_but_count_as_rows(read: Read) -> None:
    got = read("id,n\n\n1,a\n\n\n2,b\n\n")
    assert got.rows == [("1", "a"), ("2", "b")]
    assert [(o.row, o.line) for o in got.scan.locate([0, 1])] == [(3, 3), (6, 6)]


def test_blanks_stay_and_null_differs_from_empty(read: Read) -> None:
    got = read('id,a,b\n1, x ,""\n2,,NA\n3,"NA",\n')
    assert got.rows == [("1", " x ", ""), ("2", None, "NA"), ("3", "NA", None)]


def test_words_that_mean_no_value_do_so_unquoted_only(read: Read) -> None:
    got = read('id,a,b\n1,NA,n/a\n2,"NA",na\n3,,x\n', nulls=["NA", "n/a"])
    assert got.rows == [("1", None, None), ("2", "NA", "na"), ("3", None, "x")]


def test_blanks_between_delimiter_and_quote_are_no_part_of_the_value(read: Read) -> None:
    got = read('id, name, n\n1, "Doe, Jane", x\n2, "b" ,"c"\n')
    assert got.rows == [("1", "Doe, Jane", " x"), ("2", "b", "c")]


@pytest.mark.parametrize(("quoted", "first"), [(False, True), (True, False)])
def test_a_field_of_64_mb_is_one_fault_within_bounded_memory(tmp_path: Path, quoted: bool, first: bool) -> None:
    giant = b"x" * (64 << 20)
    giant = b'1,"' + giant + b'"\n' if quoted else b"1," + giant + b"\n"
    with (tmp_path / "giant.csv").open("wb") as out:
        out.write(b"" if first else b"id,name\n0,a\n")
        out.write(giant)
        out.write(b"2,b\n")
    del giant
    source = FileSource(
        SourceSpec(path="giant.csv", max_record=1 << 20, delimiter=",", columns=["id", "name"]), tmp_path
    )
    tracemalloc.start()
    try:
        scan = source.open(source.partitions()[0])
        batches = list(scan.batches())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [f.problem.code for b in batches for f in b.faults] == ["RD08"]
    assert sum(b.records.num_rows for b in batches) == (1 if first else 2)
    assert peak < 24 << 20


def test_a_file_without_any_line_end(read: Read) -> None:
    got = read(b"x" * 3_000_000, max_record=100_000)
    assert (got.rows, got.codes) == ([], [(0, "RD08")])


def test_a_quoted_value_longer_than_a_record_may_be(read: Read) -> None:
    got = read('id,n\n1,a\n2,"' + "line\n" * 2000 + '"\n3,c\n', max_record=4096)
    assert got.codes[0] == (1, "RD03")
    assert got.rows == [("1", "a"), ("3", "c")]


def test_hostile_quotes_cost_no_more_than_the_file_is_long(read: Read) -> None:
    got = read("a,b\n" + 'x","y\n' * 10_000)
    assert len(got.rows) + len(got.faults) > 0


def test_a_file_that_goes_away(read: Read, tmp_path: Path) -> None:
    got = read("id,n\n1,a\n")
    (tmp_path / "a.csv").unlink()
    with pytest.raises(SourceError, match="cannot be read on"):
        list(got.scan.batches())
    assert [o.line for o in got.scan.locate([0])] == [2], "what was read before is known"


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\r\n  \r\n", b"\xef\xbb\xbf"])
def test_empty_files_are_refused(read: Read, content: bytes) -> None:
    with pytest.raises(SourceError, match=r"a\.csv (is empty|has only blank lines)"):
        read(content)


def test_a_header_row_that_is_not_there(read: Read) -> None:
    with pytest.raises(SourceError, match="no row 9"):
        read("a,b\n1,2\n", header=9)


def test_an_encoding_that_does_not_exist(read: Read) -> None:
    with pytest.raises(SourceError, match="no encoding 'utf-9'"):
        read("a,b\n1,2\n", encoding="utf-9")


def test_a_blank_line_does_not_shift_what_follows(read: Read) -> None:
    got = read('x,y,z\n\n,,"\n"\n')
    assert got.rows == [(None, None, "\n")]
    assert got.faults == []


def test_one_latin_line_in_a_short_file_of_utf8_is_that_line_s_fault(read: Read) -> None:
    got = read("sku,n\nA,Größe\nB,Caf".encode() + b"\xe9" + "\nC,Écru\n".encode())
    assert got.rows == [("A", "Größe"), ("C", "Écru")]
    assert got.codes == [(1, "RD04")]
    assert got.findings["encoding"] == "utf-8"
