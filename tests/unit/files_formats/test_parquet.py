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


def test_dates_no_person_could_write_are_faults(read, tmp_path):
    last = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001
    table = pa.table(
        {
            "id": pa.array(range(6)),
            "d": pa.array([2_932_896, 2_932_897, -719_163, 2**31 - 1, 0, 0], pa.date32()),
            "t": pa.array([last, None, None, None, None, None], pa.timestamp("us")),
            "z": pa.array([0, 0, 0, 0, 2**63 - 1, -719_163 * 86_400 * 10**6], pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    got = read("parquet", tmp_path / "t.parquet")
    assert [(r["id"], r["d"], r["t"]) for r in got.records] == [(0, dt.date(9999, 12, 31), last)]
    faults = [f for b in got.batches for f in b.faults]
    assert [(f.ordinal, f.problem.code, f.problem.column, f.problem.value) for f in faults] == [
        (1, "RD09", "d", "10000-01-01"), (2, "RD09", "d", "0000-12-31"), (3, "RD09", "d", "infinity"),
        (4, "RD09", "z", "infinity"), (5, "RD09", "z", "0000-12-31T00:00:00.000000+00:00"),
    ]  # fmt: skip
    assert faults[3].raw == {"id": "4", "d": "1970-01-01", "t": None, "z": "infinity"}


def test_nanoseconds_are_kept_also_beside_a_fault_and_in_lists(opened, tmp_path):
    fine = [1_714_557_600_123_456_789, 1_714_557_600_000_000_001]
    table = pa.table(
        {
            "at": pa.array(fine, pa.timestamp("ns")),
            "list": pa.array([[n] for n in fine], pa.list_(pa.timestamp("ns"))),
            "span": pa.array([1, 2], pa.duration("ns")),
            "text": ["a", "b\0c"],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    (batch,) = opened("parquet", tmp_path / "t.parquet").batches()
    assert batch.records["at"].cast(pa.int64()).to_pylist() == fine[:1]
    assert json.loads(batch.records["list"][0].as_py()) == ["2024-05-01T10:00:00.123456789"]
    assert batch.records["span"].to_pylist() == ["0:00:00.000000001"]
    assert [(f.problem.code, f.raw["at"]) for f in batch.faults] == [("RD07", "2024-05-01T10:00:00.000000001")]
