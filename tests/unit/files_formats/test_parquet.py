"""Parquet: its own types, nested columns as JSON."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headgate.model.errors import SourceError
from headgate.spi.source import BATCH_ROWS


def test_orders_are_read_over_row_groups(read, data):
    got = read("parquet", data / "orders-2019.parquet")
    assert got.ordinals == list(range(100))
    assert got.rows == list(range(1, 101))
    assert got.records == pq.read_table(data / "orders-2019.parquet").to_pylist()
    assert got.scan.findings["row_groups"] == 3
    assert [b.ordinals for b in got.scan.batches()] == [b.ordinals for b in got.batches]
    assert got.scan.progress() == 1.0


def test_types_are_kept_and_nested_ones_become_json(read, tmp_path):
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "price": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
            "day": pa.array([dt.date(2024, 1, 2), None], pa.date32()),
            "at": pa.array([dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
            "word": pa.array(["x", "NA"]).dictionary_encode(),
            "big": pa.array(["NA", "y"], pa.large_string()),
            "none": pa.nulls(2),
            "list": pa.array([[Decimal("1.10")], None], pa.list_(pa.decimal128(10, 2))),
            "struct": pa.array([{"d": dt.date(2024, 1, 2), "b": b"\x00\xff"}, {"d": None, "b": None}]),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    got = read("parquet", tmp_path / "t.parquet", nulls=["NA"])
    types = {f.name: str(f.type) for f in got.scan.schema}
    assert types == {
        "id": "int32", "price": "decimal128(10, 2)", "day": "date32[day]", "at": "timestamp[us, tz=UTC]", "word": "string",
        "big": "string", "none": "string", "list": "string", "struct": "string",
    }  # fmt: skip
    first, second = got.records
    assert (first["price"], first["word"], first["big"], first["none"]) == (Decimal("1.10"), "x", None, None)
    assert (json.loads(first["list"]), json.loads(first["struct"])) == (["1.10"], {"d": "2024-01-02", "b": "AP8="})
    assert (second["list"], second["word"], second["big"]) == (None, None, "y")


def test_columns_may_be_chosen(read, opened, data):
    got = read("parquet", data / "orders-2019.parquet", columns=["Item", "SalesOrderNumber"])
    assert got.scan.schema.names == ["Item", "SalesOrderNumber"]
    with pytest.raises(SourceError, match="Items") as e:
        opened("parquet", data / "orders-2019.parquet", columns=["Items"])
    assert "SalesOrderNumber" in e.value.hint


def test_batches_are_bounded(read, tmp_path):
    pq.write_table(pa.table({"n": range(BATCH_ROWS * 2 + 5)}), tmp_path / "n.parquet")
    got = read("parquet", tmp_path / "n.parquet")
    assert max(map(len, got.batches)) <= BATCH_ROWS
    assert [r["n"] for r in got.records] == list(range(BATCH_ROWS * 2 + 5))


def test_what_is_damaged_is_refused(opened, read, data):
    whole = (data / "orders-2019.parquet").read_bytes()
    for content in (b"", b"a,b\n1,2\n", whole[:5000], whole[:-9]):
        with pytest.raises(SourceError, match=r"input\.parquet"):
            opened("parquet", content)
    with pytest.raises(SourceError, match="damaged after record 0"):
        read("parquet", whole[:4] + b"\xff" * 3000 + whole[3004:])


def test_a_nul_in_a_text_is_a_fault(read, tmp_path):
    pq.write_table(pa.table({"n": [1, 2, 3], "t": ["x", "a\0b", None]}), tmp_path / "nul.parquet")
    got = read("parquet", tmp_path / "nul.parquet")
    assert got.records == [{"n": 1, "t": "x"}, {"n": 3, "t": None}]
    assert got.ordinals == [0, 2]
    assert [(f.ordinal, f.problem.code, f.problem.column, f.raw) for f in got.faults] == [
        (1, "RD07", "t", {"n": "2", "t": "a\0b"})
    ]
