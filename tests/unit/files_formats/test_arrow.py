"""Arrow files and streams: their own types, one batch at a time, and nothing lost of what is cut."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pytest

from headgate.connectors.files import FileSource
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec
from headgate.spi.source import BATCH_ROWS


def written(path: Path, table: pa.Table, kind: str, rows: int | None = None, compression: str | None = None) -> Path:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with new(str(path), table.schema, options=options) as out:
        out.write_table(table, max_chunksize=rows)
    return path


KINDS = pytest.mark.parametrize("kind", ["file", "stream"])


@KINDS
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_batches_of_any_size_are_read_and_read_again(read, tmp_path, kind, compression):
    table = pa.table({"n": range(BATCH_ROWS * 2 + 5), "t": [str(n) for n in range(BATCH_ROWS * 2 + 5)]})
    for rows in (None, 1000):
        got = read("arrow", written(tmp_path / "t.arrow", table, kind, rows, compression))
        assert [r["n"] for r in got.records] == table["n"].to_pylist()
        assert max(map(len, got.batches)) <= BATCH_ROWS
        assert got.ordinals == list(range(len(table)))
        assert [b.ordinals for b in got.scan.batches()] == [b.ordinals for b in got.batches]
        assert got.scan.progress() == 1.0
        assert got.scan.findings["kind"] == kind


@KINDS
def test_types_are_kept_or_become_text(read, tmp_path, kind):
    words = pa.array(["a", "a", None])
    table = pa.table(
        {
            "id": pa.array([1, 2, None], pa.uint16()),
            "price": pa.array([Decimal("1.10"), None, None], pa.decimal128(10, 2)),
            "small": pa.array([Decimal("1.10"), None, None], pa.decimal32(5, 2)),
            "huge": pa.array([Decimal("1e-10"), None, None], pa.decimal256(60, 10)),
            "half": pa.array([1.5, None, None], pa.float16()),
            "at": pa.array(
                [dt.datetime(2024, 1, 2, 3, 4, 5, 6, dt.UTC), None, None], pa.timestamp("us", "Europe/Paris")
            ),
            "time": pa.array([dt.time(1, 2, 3, 4), None, None], pa.time64("us")),
            "span": pa.array([dt.timedelta(hours=30, seconds=1), None, None], pa.duration("us")),
            "months": pa.array([pa.MonthDayNano([1, 2, 1_500_000_000]), None, None]),
            "uuid": pa.array([UUID(int=7).bytes, None, None], pa.uuid()),
            "code": words.dictionary_encode(),
            "runs": pc.run_end_encode(words),
            "view": words.cast(pa.string_view()),
            "bytes": pa.array([b"\0x", None, None], pa.binary_view()),
            "list": pa.array([[Decimal("1.10")], None, []], pa.list_(pa.decimal128(10, 2))),
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int8())),
            "null": pa.nulls(3),
        }
    )
    got = read("arrow", written(tmp_path / "t.arrow", table, kind))
    assert {f.name: str(f.type) for f in got.scan.schema} == {
        "id": "uint16", "price": "decimal128(10, 2)", "small": "decimal128(5, 2)", "huge": "string", "half": "float",
        "at": "timestamp[us, tz=Europe/Paris]", "time": "time64[us]", "span": "string", "months": "string",
        "uuid": "string", "code": "string", "runs": "string", "view": "string", "bytes": "binary", "list": "string",
        "map": "string", "null": "string",
    }  # fmt: skip
    first = got.records[0]
    assert (first["price"], first["small"], first["huge"]) == (Decimal("1.10"), Decimal("1.10"), "0.0000000001")
    assert (first["span"], first["months"]) == ("1 day, 6:00:01", "1 months 2 days 1.5 seconds")
    assert (first["uuid"], first["code"], first["runs"], first["view"]) == (str(UUID(int=7)), "a", "a", "a")
    assert (json.loads(first["list"]), json.loads(first["map"]), first["bytes"]) == (["1.10"], [["k", 1]], b"\0x")
    assert [k for k, v in got.records[1].items() if v is not None] == ["id", "code", "runs", "view"]
    assert got.scan.findings["notes"] == ["lists and structs become JSON text: list, map"]


@pytest.mark.parametrize("name", ["t.arrow", "t.feather", "t.ipc", "t.arrows", "export"])
@KINDS
def test_it_is_told_by_content(tmp_path, name, kind):
    written(tmp_path / name, pa.table({"a": [1]}), kind)
    source = FileSource(SourceSpec(path=name), tmp_path)
    scan = source.open(source.partitions()[0])
    assert scan.findings["format"] == "arrow"
    scan.close()
    source.close()


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_another_name_is_an_error(tmp_path, name):
    written(tmp_path / name, pa.table({"a": [1]}), "file")
    source = FileSource(SourceSpec(path=name), tmp_path)
    with pytest.raises(SourceError, match="is an Arrow file, not"):
        source.open(source.partitions()[0])


def test_feather_of_both_versions(read, tmp_path):
    table = pa.table({"a": [1, 2]})
    pyarrow.feather.write_feather(table, tmp_path / "2.feather")
    assert read("arrow", tmp_path / "2.feather").records == [{"a": 1}, {"a": 2}]
    (tmp_path / "1.feather").write_bytes(b"FEA1" + b"\0" * 40)
    source = FileSource(SourceSpec(path="1.feather"), tmp_path)
    with pytest.raises(SourceError, match="a Feather file of the first version"):
        source.open(source.partitions()[0])


def test_columns_may_be_chosen_and_names_must_be_distinct(read, opened, tmp_path):
    table = pa.table([[1], [2], [3]], names=["a", "b", "c"])
    assert read("arrow", written(tmp_path / "t.arrow", table, "file"), columns=["c", "a"]).records == [{"c": 3, "a": 1}]
    with pytest.raises(SourceError, match="has no column 'd'") as e:
        opened("arrow", tmp_path / "t.arrow", columns=["d"])
    assert "a, b, c" in e.value.hint
    with pytest.raises(SourceError, match="several columns of one name"):
        opened("arrow", written(tmp_path / "t.arrow", pa.table([[1], [2]], names=["a", "a"]), "stream"))


@KINDS
def test_what_is_cut_or_damaged_is_refused_and_never_shorter(read, tmp_path, kind):
    table = pa.table({"n": range(5000), "t": [f"text {n}" for n in range(5000)]})
    whole = written(tmp_path / "t.arrow", table, kind, 1000).read_bytes()
    for cut in (0, 5, 300, len(whole) // 2, len(whole) - 1, len(whole) - 8, len(whole) - 30):
        with pytest.raises(SourceError, match=r"input\.arrow"):
            read("arrow", whole[:cut])
    ends = [i for i in range(len(whole)) if whole[i : i + 4] == b"\xff\xff\xff\xff"]
    for cut in ends if kind == "stream" else ():
        with pytest.raises(SourceError, match=r"input\.arrow"):
            read("arrow", whole[:cut])
    place = whole.index(b"text 1000text 1001")
    with pytest.raises(SourceError, match="damaged after record 1,000"):
        read("arrow", whole[:place] + b"\xff" * 64 + whole[place + 64 :])


def test_a_nul_in_a_text_is_a_fault(read, tmp_path):
    got = read("arrow", written(tmp_path / "t.arrow", pa.table({"n": [1, 2, 3], "t": ["x", "a\0b", None]}), "stream"))
    assert got.ordinals == [0, 2]
    assert got.codes == [(1, "RD07")]
    assert got.rows == [1, 3]
