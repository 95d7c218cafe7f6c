"""Tables that are not alone in their file, or not written the usual way."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Read, Reading

TABLE = "id,name,price,day\n1,Lamp,12.50,2024-01-05\n2,Chair,7.00,2024-01-06\n3,Desk,99.00,2024-01-07\n"
ROWS = [
    ("1", "Lamp", "12.50", "2024-01-05"),
    ("2", "Chair", "7.00", "2024-01-06"),
    ("3", "Desk", "99.00", "2024-01-07"),
]


def _left(got: Reading) -> list[tuple[str, int | None, int | None]]:
    return [(one["what"], one["first"], one["last"]) for one in got.findings["left_out"]]


# ---- the header --------------------------------------------------------------------------------------------------------


def test_names_in_several_rows_are_joined(read: Read) -> None:
    got = read("Item,Order,Order,Price\nname,number,date,in euros\n" + TABLE.partition("\n")[2].replace("1,", "x1,", 1))
    assert got.findings["header"] == 1
    got = read("Item,Order,Order,Price\nname,date,number,in euros\nLamp,2024-01-05,17,1.50\nDesk,2024-01-06,18,2.50\n")
    assert got.names == ["Item name", "Order date", "Order number", "Price in euros"]
    assert (got.findings["header"], got.findings["header_rows"]) == (1, 2)
    assert got.rows == [("Lamp", "2024-01-05", "17", "1.50"), ("Desk", "2024-01-06", "18", "2.50")]
    assert got.lines() == [3, 4]
    assert got.findings["sure"]["header"] <= 0.7
    assert any("header_rows: 1" in n for n in got.findings["notes"])


@pytest.mark.parametrize(
    "first",
    ["0,unknown,n/a,unknown", "0,Stool,on request,2024-01-01", "0,Lamp,to be,announced", "zero,Bed,on request,soon"],
)
def test_a_record_with_words_in_place_of_a_number_is_no_header(read: Read, first: str) -> None:
    head, _, body = TABLE.partition("\n")
    rows = "".join(f"{i},Lamp,{i}.50,2024-02-0{i % 9 + 1}\n" for i in range(10, 30))
    got = read(f"{head}\n{first}\n{body}{rows}")
    if first.startswith("zero"):  # three words under each other, and nothing like them below: told, and can be undone
        assert got.findings["header_rows"] == 2
        got = read(f"{head}\n{first}\n{body}{rows}", header_rows=1)
    assert (got.findings["header_rows"], got.rows[0]) == (1, tuple(first.split(",")))


def test_two_words_in_place_of_numbers_are_not_enough_for_a_header(read: Read) -> None:
    got = read("name,price,day\nStool,on request,soon\nLamp,12.50,2024-01-05\nChair,7.00,2024-01-06\n")
    assert (got.findings["header_rows"], got.rows[0]) == (1, ("Stool", "on request", "soon"))


def test_a_name_above_several_columns_is_the_name_of_all_of_them(read: Read) -> None:
    got = read("item,2023,,2024,\n,Q1,Q2,Q1,Q2\nLamp,1,2,3,4\n", header=1, header_rows=2)
    assert got.names == ["item", "2023 Q1", "2023 Q2", "2024 Q1", "2024 Q2"]
    assert got.rows == [("Lamp", "1", "2", "3", "4")]


@pytest.mark.parametrize("at", range(4))
def test_one_blank_name_too_many_is_left_out(read: Read, at: int) -> None:
    names = TABLE.split("\n", 1)[0].split(",")
    got = read(",".join([*names[:at], "", *names[at:]]) + "\n" + TABLE.partition("\n")[2])
    assert (got.names, got.rows) == (names, ROWS)


def test_a_header_with_an_odd_quote_is_a_header(read: Read) -> None:
    got = read('id,"name,"full price",day\n' + TABLE.partition("\n")[2])
    assert (got.names, got.rows) == (["id", '"name', "full price", "day"], ROWS)


# ---- what stands below -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [
        "\nAll prices without tax\n",
        "\n\nprepared by hand\nthe shop",
        "Source: the shop, 2024\n",
        "* estimated,,,\n\n",
        "3 rows\n",
    ],
)
def test_footnotes_are_left_out_and_told(read: Read, end: str) -> None:
    got = read(TABLE + end)
    assert (got.rows, got.faults) == (ROWS, [])
    assert _left(got)[0][:2] == ("after the table", 5)
    assert any("after the table left out" in n for n in got.findings["notes"])
    again = read(TABLE + end, footer=0)
    assert len(again.rows) + len(again.faults) > 3


@pytest.mark.parametrize(
    "end", ["4,Bed,1.50", "4,Be", "4", "Bedside", "\n4,Bed,2.00,2024-01-08\n", "\n4\n", "\n,Bed,,\n"]
)
def test_what_may_be_a_record_is_no_footnote(read: Read, end: str) -> None:
    got = read(TABLE + end)
    assert _left(got) == []
    assert len(got.rows) + len(got.faults) == 4


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 99])
def test_so_many_lines_are_left_out_at_the_end(read: Read, count: int) -> None:
    got = read(TABLE + "sum,,118.50,\nend of list\n", footer=count)
    assert len(got.rows) + len(got.faults) == max(0, 5 - count)
    assert got.rows == ROWS[: max(0, 5 - count)] or count == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("options", [{}, {"footer": 2}])
def test_the_end_of_a_large_file_is_looked_at(read: Read, encoding: str, newline: str, options: dict[str, Any]) -> None:
    rows = "".join(f"{i},Café Zürich no {i},{i}.50\n" for i in range(90_000))
    text = ("id,name,price\n" + rows + "\nSource: à la carte\n").replace("\n", newline)
    got = read(text.encode(encoding), **options)
    assert (len(got.rows), got.faults) == (90_000, [])
    assert got.rows[-1] == ("89999", "Café Zürich no 89999", "89999.50")
    assert [o.line for o in got.scan.locate([0, 89_999])] == [2, 90_001]
    assert [one["text"] for one in got.findings["left_out"]] == ['"Source: à la carte"']


def test_lines_at_the_end_are_counted_back_over_more_than_a_glance(read: Read) -> None:
    rows = "".join(f"{i},some name that is long enough {i},{i}.50\n" for i in range(20_000))
    got = read("id,name,price\n" + rows, footer=15_000)
    assert (len(got.rows), got.rows[-1][0]) == (5_000, "4999")


@pytest.mark.parametrize("gap", ["", "\n", "\n\n"])
def test_another_table_below_is_left_out_and_told(read: Read, gap: str) -> None:
    second = "region,manager\nnorth,Ann\nsouth,Bob\neast,Eve\n"
    got = read(TABLE + gap + second)
    assert (got.rows, got.faults) == (ROWS, [])
    row = 5 + len(gap)
    assert _left(got) == [("another table", row, None)]
    assert len(read(TABLE + gap + second, footer=0).faults) == 4
    assert read(TABLE + gap + second, skip=row - 1).rows == [("north", "Ann"), ("south", "Bob"), ("east", "Eve")]


def test_another_table_of_the_same_width_is_told_by_its_header(read: Read) -> None:
    got = read(TABLE + "\nregion,manager,town,street\nnorth,Ann,Ulm,Main Street\nsouth,Bob,Bonn,Elm Street\n")
    assert (got.rows, _left(got)) == (ROWS, [("another table", 6, None)])


def test_the_same_header_once_more_begins_no_other_table(read: Read) -> None:
    got = read(TABLE + TABLE)
    assert (len(got.rows), _left(got)) == (7, [])
    assert any("row 5 is the header once more" in n for n in got.findings["notes"])


@pytest.mark.parametrize("slip", ["4,Bed,1.00\n", "4,Bed,1.00\n5,Stool,2.00\n", "Bed,Bath,Table\nBeds,Baths,Tables\n"])
def test_a_few_rows_of_another_width_are_no_other_table(read: Read, slip: str) -> None:
    got = read(TABLE + slip + TABLE.partition("\n")[2])
    assert (len(got.rows), len(got.faults), _left(got)) == (6, slip.count("\n"), [])


def test_rows_of_another_width_at_the_end_of_what_is_looked_at_are_no_other_table(read: Read) -> None:
    good = "".join(f"{i},Lamp,1.50,2024-01-05\n" for i in range(1995))
    got = read("id,name,price,day\n" + good + "name,price\nx,1\ny,2\nz,3\n" + good)
    assert (len(got.rows), len(got.faults)) == (2 * 1995, 4)


def test_tables_beside_each_other_and_blanks_are_told(read: Read) -> None:
    got = read("id,name,,id,town\n1,Lamp,,7,Ulm\n\n2,Desk,,8,Bonn\n")
    assert got.names == ["id", "name", "column_3", "id_2", "town"]
    notes = " / ".join(got.findings["notes"])
    assert "columns 4 to 5 may be another table" in notes
    assert "column 3 has neither a name nor a value" in notes
    assert "1 blank row within the table" in notes


@pytest.mark.parametrize("count", [3, 70_000])
def test_rows_of_delimiters_alone_are_no_records(read: Read, count: int) -> None:
    rows = "".join(f"{i},Lamp {i},\n" for i in range(count))
    got = read("id,name,price\n,,\n" + rows + ',,\n\n7,"",\n"",,\n,,\n8,"a\n,,\nb",\n' + ",,\n" * 9, header=1)
    assert got.rows[count:] == [("7", "", None), ("", None, None), ("8", "a\n,,\nb", None)]
    assert (len(got.rows), got.faults) == (count + 3, [])
    assert got.lines()[-3:] == [count + 5, count + 6, count + 8]
    assert got.lines()[:2] == [3, 4]


# ---- quotes and widths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('1,"Lamp,x', ("1", '"Lamp', "x")),
        ('"1,Lamp,x', ('"1', "Lamp", "x")),
        ('1,Lamp,"', ("1", "Lamp", '"')),
        ('1,"Lamp" 5,x', ("1", '"Lamp" 5', "x")),
        ('1,""Lamp, red",x', ("1", '"Lamp, red', "x")),
        ('1,"12" wide, red",x', ("1", '12" wide, red', "x")),
        ('1,"12"","a, b"', ("1", '12"', "a, b")),
        ('1,"say "hi", he said","y"', ("1", 'say "hi", he said', "y")),
        ('"1,Lamp,"x ""y"" z"', ('"1', "Lamp", 'x "y" z')),
    ],
)
def test_odd_quotes_are_text_where_that_is_wanted(read: Read, line: str, values: tuple[str, ...]) -> None:
    text = f'id,name,n\n0,Bed,"a\nb"\n{line}\n2,"Desk, old",y\n'
    kept = read(text, stray_quotes="keep", delimiter=",", quote='"')
    assert (kept.rows, kept.faults) == ([("0", "Bed", "a\nb"), values, ("2", "Desk, old", "y")], [])
    assert kept.lines() == [2, 4, 5]
    refused = read(text, delimiter=",", quote='"')
    assert (refused.codes, len(refused.rows)) == ([(1, "RD03")], 2)
    assert any("stray_quotes: keep" in n for n in refused.findings["notes"])


@pytest.mark.parametrize("line", ['1,"a","b","c"x,d', '1,"a', '"a,"b,c"d,"e', '1,"aa,","'])
def test_what_can_be_read_in_no_way_or_in_several_is_refused_all_the_same(read: Read, line: str) -> None:
    got = read(f"id,name,n\n0,Bed,x\n{line}\n2,Desk,y\n", stray_quotes="keep", delimiter=",", quote='"', header=1)
    assert [c for _, c in got.codes] == ["RD03"]
    assert got.rows == [("0", "Bed", "x"), ("2", "Desk", "y")]


def test_well_formed_records_of_another_width_are_never_read_otherwise(read: Read) -> None:
    got = read('id,name,n\n1,"a","b",c\n2,"a"\n3,"x","y"\n', stray_quotes="keep")
    assert (got.codes, got.rows) == ([(0, "RD02"), (1, "RD01")], [("3", "x", "y")])


def test_odd_quotes_with_a_backslash_as_escape(read: Read) -> None:
    got = read('id,name\n1,"a \\"b\\" c"\n2,"5" pipe"\n', stray_quotes="keep", escape="\\")
    assert [r[1] for r in got.rows] == ['a "b" c', '5" pipe']


def test_ragged_records_are_filled_where_that_is_wanted(read: Read) -> None:
    text = 'id,name,price\n1,Lamp\n2\n3,"Desk, old",4\n4,"Bed",5,,\n5,Stool,6,x\n6,"two\nlines"\n'
    got = read(text, ragged="fill")
    filled = [
        ("1", "Lamp", None),
        ("2", None, None),
        ("3", "Desk, old", "4"),
        ("4", "Bed", "5"),
        ("6", "two\nlines", None),
    ]
    assert got.rows == filled
    assert got.codes == [(4, "RD02")]
    assert got.lines() == [2, 3, 4, 5, 6, 7]


# ---- delimiters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [", ", "; ", " | ", "<|>", "||", "|||", "\t\t", "§", "\x1f", "::", "~|~"])
def test_delimiters_of_several_characters(read: Read, delimiter: str) -> None:
    rows = [
        ["id", "name", "price"],
        ["1", "Lamp", "12.50"],
        ["2", f"Chair{delimiter}blue", "7.00"],
        ["3", "Desk", "9.00"],
    ]
    text = "".join(delimiter.join(f'"{v}"' if delimiter in v else v for v in row) + "\n" for row in rows)
    got = read(text)
    assert got.findings["delimiter"] == delimiter
    assert (got.names, got.rows, got.faults) == (rows[0], [tuple(r) for r in rows[1:]], [])


def test_blanks_behind_some_delimiters_only_are_values(read: Read) -> None:
    got = read("id, name, price\n1, Lamp, 2\n2,Chair,3\n3, Desk, 4\n")
    assert got.findings["delimiter"] == ","
    assert got.rows[1] == ("2", "Chair", "3")


@pytest.mark.parametrize("sign", ["%", "-", "+", "€", ")"])
def test_a_sign_at_the_end_of_every_first_value_is_no_part_of_the_delimiter(read: Read, sign: str) -> None:
    got = read(f"5{sign},a\n7{sign},b\n9{sign},c\n")
    assert (got.findings["delimiter"], got.rows[0]) == (",", (f"5{sign}", "a"))
