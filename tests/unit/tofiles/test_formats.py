from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.connectors.tofiles import workbook
from headgate.model.errors import DestinationError
from headgate.testing.runs import Row, fields
from support.tofiles import READING, read, write

ITEM = fields(id="integer", name="text", price="decimal(8,2)")
ROWS: list[Row] = [
    {"id": 1, "name": "Lamp", "price": Decimal("19.90")},
    {"id": 2, "name": None, "price": None},
    {"id": 3, "name": "", "price": Decimal("0.10")},
]


def content(folder: Path, table: str, rows: list[Row] = ROWS, **options: Any) -> str:
    """What a run wrote, as text."""
    write(folder, table, ITEM, rows, **options)
    return (folder / table).read_bytes().decode(options.get("encoding", "utf-8"))


def test_csv(tmp_path: Path) -> None:
    assert content(tmp_path, "a.csv") == 'id,name,price\n1,Lamp,19.90\n2,,\n3,"",0.10\n'


def test_csv_as_others_want_it(tmp_path: Path) -> None:
    options = {"delimiter": ";", "line_end": "crlf", "quoting": "all", "quote": "'", "null": "NULL", "bom": True}
    assert content(tmp_path, "a.csv", **options) == (
        "\ufeff'id';'name';'price'\r\n'1';'Lamp';'19.90'\r\n'2';NULL;NULL\r\n'3';'';'0.10'\r\n"
    )


def test_a_text_that_is_the_word_for_nothing_is_quoted(tmp_path: Path) -> None:
    rows: list[Row] = [{"id": 1, "name": "NULL", "price": None}]
    assert content(tmp_path, "a.csv", rows, null="NULL", header=False) == '1,"NULL",NULL\n'


def test_formulas_are_made_harmless_when_asked(tmp_path: Path) -> None:
    rows: list[Row] = [{"id": -1, "name": n, "price": Decimal("-1.00")} for n in ("=1+1", "-5", "@x", "\tx", "x=1")]
    written = content(tmp_path, "a.csv", rows, neutralize=True, header=False).splitlines()
    assert written == ["-1,'=1+1,-1.00", "-1,-5,-1.00", "-1,'@x,-1.00", "-1,'\tx,-1.00", "-1,x=1,-1.00"]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "latin-1", "utf-8"])
def test_csv_in_a_character_set(encoding: str, tmp_path: Path) -> None:
    rows: list[Row] = [{"id": 1, "name": "Café", "price": None}, {"id": 2, "name": "ñ", "price": None}]
    assert content(tmp_path, "a.csv", rows, encoding=encoding) == "id,name,price\n1,Café,\n2,ñ,\n"


def test_what_a_character_set_does_not_have_is_a_reject(tmp_path: Path) -> None:
    rows: list[Row] = [{"id": i, "name": n, "price": None} for i, n in enumerate(("Café", "日本", "x", "Ω"))]
    ran = write(tmp_path, "a.csv", ITEM, rows, encoding="cp1252")
    assert ran.counts == {"created": 2, "rejected": 2}
    assert [(r.number, r.code, r.field, r.reason) for r in ran.applied.refusals] == [
        (1, "DE05", "name", "cp1252 has no '日' (U+65E5)"),
        (3, "DE05", "name", "cp1252 has no 'Ω' (U+03A9)"),
    ]
    assert (tmp_path / "a.csv").read_bytes() == "id,name,price\n0,Café,\n2,x,\n".encode("cp1252")
    with pytest.raises(DestinationError, match="cannot be written in ascii"):
        write(tmp_path, "b.csv", fields(größe="text"), [], encoding="ascii")


@pytest.mark.parametrize(
    ("ending", "opened"),
    [("gz", gzip.decompress), ("bz2", bz2.decompress), ("xz", lzma.decompress),
     ("zst", lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "xml"])
def test_compressed_files_hold_the_plain_ones(
    kind: str, ending: str, opened: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    write(tmp_path, f"a.{kind}", ITEM, ROWS)
    write(tmp_path, f"a.{kind}.{ending}", ITEM, ROWS)
    assert opened((tmp_path / f"a.{kind}.{ending}").read_bytes()) == (tmp_path / f"a.{kind}").read_bytes()
    assert read(tmp_path / f"a.{kind}.{ending}", kind) == read(tmp_path / f"a.{kind}", kind)


@pytest.mark.parametrize("kind", [*READING, "csv.gz", "jsonl.zst"])
def test_the_same_records_are_the_same_bytes(kind: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, f"{name}.{kind}", ITEM, ROWS)
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_json_and_its_lines(tmp_path: Path) -> None:
    first = '{"id": 1, "name": "Lamp", "price": 19.90}'
    rest = '{"id": 2, "name": null, "price": null}', '{"id": 3, "name": "", "price": 0.10}'
    assert content(tmp_path, "a.jsonl") == "\n".join([first, *rest, ""])
    assert content(tmp_path, "a.json") == "[\n" + ",\n".join([first, *rest]) + "\n]\n"
    assert content(tmp_path, "b.json", []) == "[]\n"
    assert content(tmp_path, "b.jsonl", []) == ""


def test_names_with_dots_are_objects_in_objects(tmp_path: Path) -> None:
    nested = fields(**{"id": "integer", "address.city": "text", "tags": "json", "address.geo.lat": "double"})
    rows: list[Row] = [
        {"id": 1, "address.city": "Lyon", "tags": '["a",\n{"b":1.10}]', "address.geo.lat": 45.75},
        {"id": 2, "address.city": None, "tags": None, "address.geo.lat": None},
    ]
    write(tmp_path, "a.jsonl", nested, rows)
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert lines[0] == '{"id": 1, "address": {"city": "Lyon", "geo": {"lat": 45.75}}, "tags": ["a", {"b":1.10}]}'
    assert json.loads(lines[1]) == {"id": 2, "address": {"city": None, "geo": {"lat": None}}, "tags": None}
    write(tmp_path, "a.xml", nested, rows)
    assert (
        '<address><city>Lyon</city><geo><lat>45.75</lat></geo></address><tags>["a"' in (tmp_path / "a.xml").read_text()
    )
    assert "<record><id>2</id></record>" in (tmp_path / "a.xml").read_text()
    write(tmp_path, "a.csv", nested, rows)
    assert (tmp_path / "a.csv").read_text().startswith("id,address.city,tags,address.geo.lat\n")
    for table in ("b.json", "b.xml"):
        with pytest.raises(DestinationError, match="a value and an object"):
            write(tmp_path, table, fields(**{"a": "text", "a.b": "text"}), [])
        with pytest.raises(DestinationError, match="a value and an object"):
            write(tmp_path, table, fields(**{"a.b": "text", "a": "text"}), [])


def test_xml(tmp_path: Path) -> None:
    rows: list[Row] = [
        *ROWS,
        {"id": 4, "name": "a<b>&\r\n日", "price": None},
        {"id": None, "name": None, "price": None},
    ]
    assert content(tmp_path, "a.xml", rows, root="items", record="item", encoding="iso-8859-1") == (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<items>\n'
        "  <item><id>1</id><name>Lamp</name><price>19.90</price></item>\n"
        "  <item><id>2</id></item>\n"
        "  <item><id>3</id><name></name><price>0.10</price></item>\n"
        "  <item><id>4</id><name>a&lt;b&gt;&amp;&#13;\n&#26085;</name></item>\n"
        "  <item><id></id></item>\n"
        "</items>\n"
    )
    with pytest.raises(DestinationError, match="'List Price' cannot be the name of an element"):
        write(tmp_path, "b.xml", fields(**{"List Price": "text"}), [])


def test_a_workbook_keeps_texts_and_numbers_apart(tmp_path: Path) -> None:
    typed = fields(code="text", big="bigint", price="decimal(20,2)", rule="text", open="boolean")
    row: Row = {"code": "00501", "big": 2**63 - 1, "price": Decimal("12.50"), "rule": "=1+1", "open": True}
    write(tmp_path, "a.xlsx", typed, [row], sheet="Prices")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["Prices"]
    cells = next(iter(book["Prices"].iter_rows(min_row=2)))
    assert [c.value for c in cells] == ["00501", "9223372036854775807", 12.5, "=1+1", True]
    assert [c.data_type for c in cells] == ["s", "s", "n", "s", "b"]
    assert cells[2].number_format == "0.00"


def test_what_a_workbook_has_no_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = [{"id": 1, "name": "x" * n, "price": None} for n in (32_767, 32_768)]
    rows += [{"id": 1, "name": "👩" * n, "price": None} for n in (16_383, 16_384)]
    ran = write(tmp_path, "a.xlsx", ITEM, rows)
    assert ran.codes == {1: "DE05", 3: "DE05"}
    monkeypatch.setattr(workbook, "MAX_ROWS", 3)
    with pytest.raises(DestinationError, match="at most 3 rows") as caught:
        write(tmp_path, "b.xlsx", ITEM, ROWS)
    assert "split" in caught.value.hint
    assert not (tmp_path / "b.xlsx").exists()
    assert write(tmp_path, "c.xlsx", ITEM, ROWS, split={"rows": 2}).counts == {"created": 3}
    with pytest.raises(DestinationError, match="at most 3 rows"):
        write(tmp_path, "d.xlsx", ITEM, [], split={"rows": 3})
    with pytest.raises(DestinationError, match="name of a sheet"):
        write(tmp_path, "e.xlsx", ITEM, [], sheet="a/b")


def test_parquet_has_the_types_of_the_fields(tmp_path: Path) -> None:
    nul: Row = {"id": 4, "name": "a\0b", "price": None}
    assert write(tmp_path, "a.parquet", ITEM, [*ROWS, nul]).counts == {"created": 4}
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.schema.types == [pa.int32(), pa.string(), pa.decimal128(8, 2)]
    assert found.to_pylist() == [*ROWS, nul]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "xml", "xlsx"])
def test_nul_and_numbers_that_are_none_are_rejects(kind: str, tmp_path: Path) -> None:
    made = fields(id="integer", t="text", x="double")
    rows: list[Row] = [
        {"id": i, "t": t, "x": x}
        for i, (t, x) in enumerate([("a\0", 1.0), ("a", float("nan")), ("a", 1e308), ("a", float("-inf"))])
    ]
    ran = write(tmp_path, f"a.{kind}", made, rows)
    assert ran.codes == {0: "DE05", 1: "DE05", 3: "DE05"}
    assert [r["id"] for r in read(tmp_path / f"a.{kind}", kind)] == ["2"]
