from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from headgate.connectors.tofiles.naming import Naming, escaped, naming, numbered, table_of
from headgate.connectors.tofiles.options import read
from headgate.model.errors import DestinationError, UsageError

NOW = datetime(2024, 2, 29, 23, 5, tzinfo=UTC)


def named(table: str, **options: Any) -> Naming:
    return naming(table, read({"url": "file://out", **options}), ["country", "day"], NOW)


@pytest.mark.parametrize(
    ("table", "options", "file", "format", "compression"),
    [
        ("a.csv", {}, "a.csv", "csv", "none"),
        ("a.b.csv.gz", {}, "a.b.csv.gz", "csv", "gzip"),
        ("A.TSV", {}, "A.TSV", "csv", "none"),
        ("a.ndjson.zst", {}, "a.ndjson.zst", "jsonl", "zstd"),
        ("in/b/a.json.xz", {}, "in/b/a.json.xz", "json", "xz"),
        ("a.xml.bz2", {}, "a.xml.bz2", "xml", "bzip2"),
        ("a.xlsx", {"compression": "gzip"}, "a.xlsx", "xlsx", "gzip"),
        ("a.parquet", {}, "a.parquet", "parquet", "zstd"),
        ("a", {"format": "csv"}, "a.csv", "csv", "none"),
        ("a", {"format": "jsonl", "compression": "gzip"}, "a.jsonl.gz", "jsonl", "gzip"),
        ("a.txt", {"format": "csv"}, "a.txt", "csv", "none"),
        ("a-{date}.csv", {}, "a-2024-02-29.csv", "csv", "none"),
        ("{date:%Y/%m}/a.{date:%d}.csv", {}, "2024/02/a.29.csv", "csv", "none"),
    ],
)
def test_the_name_says_what_the_file_is(
    table: str, options: dict[str, Any], file: str, format: str, compression: str
) -> None:
    found = named(table, **options)
    assert (found.name(), found.format, found.compression, found.single) == (file, format, compression, True)


def test_parts_and_values_have_their_places() -> None:
    parts = named("a.csv.gz", split={"rows": 10})
    assert (parts.rows, parts.name(part=3), parts.single) == (10, "a-0003.csv.gz", False)
    assert named("{part}/a.csv", split={"rows": 10}).name(part=12) == "12/a.csv"
    by = named("a.csv", split={"by": "country"})
    assert (by.by, by.name(("FR",))) == (("country",), "a-FR.csv")
    both = named("{country}/{day}.csv", split={"rows": 5})
    assert both.name(("FR", None), 2) == "FR/(none)-0002.csv"


def test_different_values_are_different_files_that_stay_in_their_folder() -> None:
    values = [
        None,
        "",
        "a/b",
        "..",
        ".a",
        "a b",
        " a",
        "a ",
        "a%2Fb",
        "(none)",
        "a\\b",
        "a:b",
        "a\nb",
        "é",
        "日本",
        "A",
        "a",
        ".",
    ]
    names = [escaped(v) for v in values]
    assert len(set(names)) == len(values)
    assert not any("/" in n or "\\" in n or n.startswith(".") or "\n" in n for n in names)


@pytest.mark.parametrize(
    "table",
    ["a", "a.txt", "a.csv.zip", "../a.csv", "/a.csv", "b//a.csv", "./a.csv", ".headgate-files/a.csv", "a-{nobody}.csv",
     "a-{part}.csv", "a.xlsx.gz", "a.parquet.gz", "a-{country:%Y}.csv", "a-{date:%Q}.csv"],
)  # fmt: skip
def test_what_names_no_file_is_refused(table: str) -> None:
    with pytest.raises(DestinationError) as caught:
        named(table)
    assert table.partition("{")[0] in caught.value.message


def test_parquet_has_codecs_of_its_own() -> None:
    assert named("a.parquet", compression="none").compression == "none"
    with pytest.raises(DestinationError, match="no xz"):
        named("a.parquet", compression="xz")


def test_a_number_comes_before_the_ending() -> None:
    assert numbered("in/a.b.csv.gz", 2) == "in/a.b-2.csv.gz"


def test_tables_are_files_as_definitions_name_them() -> None:
    plain, csv = read({"url": "file://out"}), read({"url": "file://out", "format": "csv"})
    assert [table_of(f, plain) for f in ("a.csv", "a.csv.gz", "notes.txt", ".a.csv")] == [
        "a.csv",
        "a.csv.gz",
        None,
        None,
    ]
    assert [table_of(f, csv) for f in ("a.csv", "a.csv.gz", "a.b.csv")] == ["a", "a.csv.gz", "a.b.csv"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"existing": "overwrite"}, "existing"),
        ({"delimeter": ";"}, "delimeter"),
        ({"encoding": "base64"}, "no character set"),
        ({"encoding": "klingon"}, "no character set"),
        ({"existing": "add", "split": {"rows": 5}}, "split.rows"),
        ({"delimiter": '"'}, "delimiter"),
        ({"null": "a,b"}, "null"),
        ({"split": {"rows": 0}}, "split.rows"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read({"url": "file://out", **options})
    assert said in str(caught.value)
