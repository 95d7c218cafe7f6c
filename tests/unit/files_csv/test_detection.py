from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.files import FileSource
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from .conftest import Read, Reading

DATA = Path(__file__).parents[2] / "data" / "csv"


def _reading(name: str) -> Reading:
    source = FileSource(SourceSpec(path=name), DATA)
    return Reading(source.open(source.partitions()[0]))


@pytest.mark.parametrize(
    ("name", "delimiter", "header", "columns", "records", "line_end"),
    [
        ("Product.csv", "\t", False, 25, 40, "lf"),
        ("ProductCategory.csv", "\t", False, 4, 4, "lf"),
        ("ProductDescription.csv", "\t", False, 4, 26, "lf"),
        ("Store.csv", "+|", False, 6, 5, "&|\\n"),
        ("Vendor.csv", "\t", False, 8, 104, "lf"),
        ("constituents-2021-03-03.csv", ",", 1, 3, 505, "lf"),
        ("constituents-2026-08-08.csv", ",", 1, 8, 59, "lf"),
        ("country-codes.csv", ",", 1, 56, 29, "lf"),
        ("customer.csv", ",", False, 5, 40, "lf"),
        ("orders-2019.csv", ",", False, 9, 40, "lf"),
        ("prices-2022-05-30.csv", ",", 1, 5, 72, "crlf"),
        ("products.csv", ",", 1, 4, 295, "lf"),
        ("stock-2025-06-20.csv", ",", 1, 10, 24, "crlf"),
    ],
)
def test_real_files_are_judged_right(
    name: str, delimiter: str, header: Any, columns: int, records: int, line_end: str
) -> None:
    got = _reading(name)
    found = got.findings
    assert (found["delimiter"], found["header"], found["columns"], found["line_end"]) == (
        delimiter,
        header,
        columns,
        line_end,
    )
    assert found["encoding"] == "utf-8"
    assert (len(got.rows), got.faults) == (records, [])


def test_a_byte_order_mark_is_no_part_of_the_first_value() -> None:
    assert _reading("customer.csv").rows[0][0] == "1"


def test_values_of_bulk_exports_end_before_their_record_end() -> None:
    assert _reading("Store.csv").rows[0][-1] == "2025-09-11 11:15:07.497"


TABLE = [["id", "name", "price"], ["1", "Lamp", "12.50"], ["2", "Chair, blue", "7.00"], ["3", "Desk", "99.00"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "||"])
def test_delimiters(read: Read, delimiter: str) -> None:
    text = "".join(delimiter.join(f'"{v}"' if "," in v else v for v in row) + "\n" for row in TABLE)
    got = read(text)
    assert got.names == TABLE[0]
    assert got.rows == [tuple(r) for r in TABLE[1:]]


def test_single_quotes(read: Read) -> None:
    got = read("id,name,x\n1,'Lamp, red','it''s'\n2,'Chair, blue','y'\n3,'Desk, old','z'\n")
    assert got.findings["quote"] == "'"
    assert got.rows[0] == ("1", "Lamp, red", "it's")


def test_apostrophes_are_no_quotes(read: Read) -> None:
    got = read("id,name\n1,'t Hooft\n2,O'Neill\n3,'s Gravenhage\n")
    assert got.findings["quote"] == '"'
    assert [r[1] for r in got.rows] == ["'t Hooft", "O'Neill", "'s Gravenhage"]


def test_backslash_escapes(read: Read) -> None:
    got = read('id,name\n1,"say \\"hi\\", he said"\n2,"C:\\new"\n3,"a\\\\b"\n')
    assert got.findings["escape"] == "\\"
    assert [r[1] for r in got.rows] == ['say "hi", he said', "C:\\new", "a\\b"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252", "cp1251", "shift_jis", "cp850"])
def test_encodings(read: Read, encoding: str) -> None:
    city = {"cp1251": "Москва", "shift_jis": "カタカナ東京"}.get(encoding, "Zürich à côté")
    text = "id,city,n\n" + "".join(f"{i},{city} {i},{i}\n" for i in range(30))
    got = read(text.encode(encoding))
    assert got.rows[3] == ("3", f"{city} 3", "3")


def test_a_character_cut_by_the_end_of_the_sample_is_no_reason_to_doubt_utf8(read: Read) -> None:
    for shift in range(3):
        got = read("id,t\n" + "x" * shift + ",é\n" + "1,€€€€€€€€€€€€€€\n" * 9000)
        assert got.findings["encoding"] == "utf-8"


def test_an_encoding_that_shows_late_is_seen(read: Read) -> None:
    text = "id,t\n" + "1,plain\n" * 80_000 + "2,café à Zürich\n" * 8000
    assert read(text.encode("cp1252")).findings["encoding"] == "cp1252"


@pytest.mark.parametrize(
    ("body", "guessed"),
    [
        ("macedoński\n2,x".encode("cp1250"), True),  # macedoñski in the western encoding
        ("café\n2,".encode() + b"caf\xe9", True),
        ("café\n2,à côté".encode("cp1252"), False),  # the other encodings that fit make the same of it
        ("café\n2,à côté".encode(), False),
    ],
)
def test_a_run_warns_of_an_encoding_that_is_a_guess(body: bytes, guessed: bool, read: Read) -> None:
    warnings = read(b"id,t\n1," + body + b"\n").findings["warnings"]
    assert warnings == (
        ["read as cp1252, which is a guess: check the accented letters, and say source.encoding"] if guessed else []
    )


@pytest.mark.parametrize(
    "text", ["don’t, it’s", "“big” lamp", "5 – 10 m", "50 µm ± 3°", "12 m²", "«bonjour» ½ l", "ø 20 × 4", "3 € – café"]
)
def test_signs_that_offices_write_are_told_from_letters_of_older_machines(text: str, read: Read) -> None:
    got = read(f"id,t\n1,{text}\n".encode("cp1252"))
    assert got.findings["encoding"] == "cp1252"
    assert text.startswith(got.rows[0][1])


def test_no_encoding_is_a_guess_that_is_said(read: Read) -> None:
    assert read("id,t\n1,Łódź\n".encode("iso8859-2"), encoding="iso8859-2").findings["warnings"] == []


@pytest.mark.parametrize("between", ["", "\n\n"])
def test_a_header_that_stands_there_once_more_is_still_a_header(between: str, read: Read) -> None:
    got = read(f"sku,name,price\nA-1,x,1\nA-2,y,2\n{between}sku,name,price\nA-3,z,3\n")
    assert got.findings["header"] == 1
    assert [r[0] for r in got.rows] == ["A-1", "A-2", "sku", "A-3"]


@pytest.mark.parametrize("text", ["Bob,Nice\nAnn,Paris\nBob,Nice\n", "7,Nice,3\n8,Paris,4\n7,Nice,3\n"])
def test_a_first_record_that_comes_again_is_no_header(text: str, read: Read) -> None:
    assert read(text).findings["header"] is False


@pytest.mark.parametrize("told", [{"delimiter": "\x01"}, {"encoding": "utf-8"}])
def test_control_characters_that_are_meant_are_text(told: dict[str, str], read: Read) -> None:
    text = "a\x01b\x01c\n1\x012\x013\n4\x015\x016\n"
    assert read(text, **told).rows == [("1", "2", "3"), ("4", "5", "6")]
    with pytest.raises(SourceError, match="is not text"):
        read(text)


def test_titles_above_the_header_are_left_out_and_told(read: Read) -> None:
    got = read("Sales report\n\nid;name;price\n1;Lamp;12,50\n2;Chair;7,00\n")
    assert (got.findings["header"], got.findings["skip"], got.names) == (3, 2, ["id", "name", "price"])
    assert any("Sales report" in n for n in got.findings["notes"])
    assert [(o.row, o.line) for o in got.scan.locate([0, 1])] == [(4, 4), (5, 5)]


def test_titles_padded_with_delimiters(read: Read) -> None:
    got = read("Report 2024,,,,\n,,,,\nid,name,price,a,b\n1,Lamp,2,3,4\n2,Chair,3,4,5\n3,Desk,3,4,5\n")
    assert (got.findings["header"], len(got.rows)) == (3, 3)


def test_blank_and_repeated_header_names_are_numbered_and_told(read: Read) -> None:
    got = read("id,name,,Name\n1,a,b,c\n2,d,e,f\n")
    assert got.names == ["id", "name", "column_3", "Name_2"]
    assert len([n for n in got.findings["notes"] if "is called" in n]) == 2


def test_one_column_is_told(read: Read) -> None:
    got = read("name\nLamp\nChair\n")
    assert got.rows == [("Lamp",), ("Chair",)]
    assert any("nothing separates" in n for n in got.findings["notes"])


def test_a_header_alone_has_no_records(read: Read) -> None:
    got = read("id,name,price\n")
    assert (got.names, got.rows) == (["id", "name", "price"], [])


@pytest.mark.parametrize(
    ("options", "names", "first"),
    [
        ({"header": False}, ["column_1", "column_2"], ("id", "name")),
        ({"columns": ["a", "b"]}, ["a", "b"], ("id", "name")),
        ({"columns": ["a", "b"], "header": True}, ["a", "b"], ("1", "x")),
        ({"columns": ["id", "name"]}, ["id", "name"], ("1", "x")),
        ({"header": 2}, ["1", "x"], ("2", "y")),
        ({"skip": 1, "header": False}, ["column_1", "column_2"], ("1", "x")),
        ({"delimiter": ";"}, ["id,name"], ("1,x",)),
        ({"quote": ""}, ["id", "name"], ("1", "x")),
    ],
)
def test_what_the_definition_says_is_believed(
    read: Read, options: dict[str, Any], names: list[str], first: tuple[str, ...]
) -> None:
    got = read("id,name\n1,x\n2,y\n3,x\n4,x\n5,y\n6,y\n7,x\n8,y\n", **options)
    if options == {"columns": ["a", "b"]}:
        # The first row is so much a header that giving names does not make it a record; that is told.
        first = ("1", "x")
        assert any("replaced" in n for n in got.findings["notes"])
    assert (got.names, got.rows[0]) == (names, first)


def test_decisions_say_how_sure_they_are(read: Read) -> None:
    sure = read("id,name\n1,x\n").findings["sure"]
    assert set(sure) == {"encoding", "delimiter", "header"}
    assert all(0 <= s <= 1 for s in sure.values())


def test_a_copy_under_any_name_reads_the_same(tmp_path: Path) -> None:
    shutil.copy(DATA / "products.csv", tmp_path / "odd [1] 'name'.csv")
    source = FileSource(SourceSpec(path="odd [1] 'name'.csv"), tmp_path)
    assert len(Reading(source.open(source.partitions()[0])).rows) == 295
