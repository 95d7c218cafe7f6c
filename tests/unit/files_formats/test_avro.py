"""Avro: logical types exact, nested values as JSON, blocks unpacked one by one and no further than is sensible."""

from __future__ import annotations

import builtins
import datetime as dt
import io
import json
import zlib
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pytest

from headgate.connectors.files import FileSource, avro_blocks
from headgate.connectors.files.avro_blocks import as_long
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec
from headgate.spi.source import BATCH_ROWS


def field(name: str, type: Any, /, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": {"type": type, **more} if more else type}


def written(fields: list[dict[str, Any]], records: list[dict[str, Any]], codec: str = "null", **options: Any) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, {"type": "record", "name": "shop.R", "fields": fields}, records, codec=codec, **options)
    return out.getvalue()


def container(schema: object, *blocks: tuple[int, bytes], codec: bytes = b"null") -> bytes:
    """A file by hand."""
    meta = {b"avro.schema": json.dumps(schema).encode(), b"avro.codec": codec}
    head = b"Obj\x01" + as_long(len(meta)) + b"".join(as_long(len(x)) + x for i in meta.items() for x in i) + b"\0"
    sync = bytes(range(16))
    return head + sync + b"".join(as_long(n) + as_long(len(data)) + data + sync for n, data in blocks)


ONE = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_many_records_come_in_bounded_batches_and_again(read, codec):
    records = [{"n": n, "t": None if n % 3 else f"text {n}"} for n in range(BATCH_ROWS + 5000)]
    got = read("avro", written([field("n", "int"), field("t", ["null", "string"])], records, codec))
    assert got.records == records
    assert max(map(len, got.batches)) <= BATCH_ROWS
    assert got.ordinals == list(range(len(records)))
    assert got.rows[-1] == len(records)
    assert [b.ordinals for b in got.scan.batches()] == [b.ordinals for b in got.batches]
    assert (got.scan.progress(), got.scan.findings["codec"]) == (1.0, codec)


def test_codecs_of_other_libraries(read):
    data = b"".join(as_long(n) for n in range(-5000, 5000))
    snappy = pa.Codec("snappy").compress(data, asbytes=True) + zlib.crc32(data).to_bytes(4, "big")
    zstd = pa.Codec("zstd").compress(data, asbytes=True)
    for codec, packed in ((b"snappy", snappy), (b"zstandard", zstd)):
        got = read("avro", container(ONE, (10_000, packed), codec=codec))
        assert [r["n"] for r in got.records] == list(range(-5000, 5000))
    with pytest.raises(SourceError, match="checksum"):
        read("avro", container(ONE, (10_000, snappy[:-1] + b"\0"), codec=b"snappy"))
    with pytest.raises(SourceError, match="compressed with 'brotli', which is not known"):
        read("avro", container(ONE, (1, b"x"), codec=b"brotli"))


def test_logical_types_are_exact(read):
    fields = [
        field("price", "bytes", logicalType="decimal", precision=12, scale=2),
        field("fixed", "fixed", name="F", size=8, logicalType="decimal", precision=18, scale=4),
        field("huge", "bytes", logicalType="decimal", precision=60, scale=2),
        field("day", "int", logicalType="date"),
        field("ms", "int", logicalType="time-millis"),
        field("us", "long", logicalType="time-micros"),
        field("at", "long", logicalType="timestamp-micros"),
        field("at_ms", "long", logicalType="timestamp-millis"),
        field("local", "long", logicalType="local-timestamp-micros"),
        field("uuid", "string", logicalType="uuid"),
        field("kind", "enum", name="K", symbols=["A", "B"]),
    ]
    zone = dt.timezone(dt.timedelta(hours=2))
    first = {
        "price": Decimal("-1234567890.10"), "fixed": Decimal("0.0001"), "huge": Decimal("1" * 50 + ".05"),
        "day": dt.date(1969, 12, 31), "ms": dt.time(23, 59, 59, 999_000), "us": dt.time(1, 2, 3, 4),
        "at": dt.datetime(2024, 1, 2, 3, 4, 5, 6, zone), "at_ms": dt.datetime(1960, 1, 1, 0, 0, 0, 1000, dt.UTC),
        "local": dt.datetime(2024, 1, 2, 3, 4, 5, 6), "uuid": UUID(int=7), "kind": "B",  # noqa: DTZ001
    }  # fmt: skip
    fields += [
        {"name": f"{f['name']}_or_not", "type": ["null", f["type"] if "name" not in f["type"] else f["type"]["name"]]}
        for f in fields
    ]
    record = first | {f"{k}_or_not": None for k in first}
    got = read("avro", written(fields, [record, record | {f"{k}_or_not": v for k, v in first.items()}]))
    types = {f.name: str(f.type) for f in got.scan.schema}
    assert [types[n] for n in first] == [
        "decimal128(12, 2)", "decimal128(18, 4)", "string", "date32[day]", "time32[ms]", "time64[us]",
        "timestamp[us, tz=UTC]", "timestamp[ms, tz=UTC]", "timestamp[us]", "string", "string",
    ]  # fmt: skip
    assert [types[f"{n}_or_not"] for n in first] == [types[n] for n in first]
    expected = first | {"huge": str(first["huge"]), "uuid": str(first["uuid"])}
    assert {k: got.records[0][k] for k in first} == expected
    assert {k: got.records[1][f"{k}_or_not"] for k in first} == expected
    assert all(got.records[0][f"{k}_or_not"] is None for k in first)


def test_types_the_library_does_not_know_are_exact_too(opened):
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            field("ns", "long", logicalType="timestamp-nanos"),
            field("far", "long", logicalType="timestamp-micros"),
            field("uuid", "fixed", name="U", size=16, logicalType="uuid"),
            field("span", "fixed", name="D", size=12, logicalType="duration"),
        ],
    }
    far, farther = 2_932_896 * 86_400 * 1_000_000, 200_000 * 366 * 86_400 * 1_000_000
    span = b"".join(n.to_bytes(4, "little") for n in (1, 2, 3004))
    data = [as_long(1_700_000_000_123_456_789) + as_long(n) + UUID(int=7).bytes + span for n in (far, farther)]
    scan = opened("avro", container(schema, (2, b"".join(data))))
    batch = next(scan.batches())
    records = batch.records
    assert [(f.problem.code, f.problem.column, f.raw["far"]) for f in batch.faults] == [("RD09", "far", str(farther))]
    assert records.column("ns").cast(pa.int64()).to_pylist() == [1_700_000_000_123_456_789]
    assert records.column("far").cast(pa.int64()).to_pylist() == [far]
    assert records.column("uuid").to_pylist() == [str(UUID(int=7))]
    assert records.column("span").to_pylist() == ["P1M2DT3.004S"]


def test_nested_values_become_json_and_unions_text(read):
    address = {
        "type": "record",
        "name": "Address",
        "fields": [field("city", "string"), field("since", "int", logicalType="date")],
    }
    fields = [
        field("address", address),
        field("other", ["null", "shop.Address"]),
        field("prices", "array", items={"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}),
        field("counts", "map", values="long"),
        field("any", ["null", "string", "long", "double", "boolean", "bytes"]),
        field("number", ["null", "int", "long"]),
    ]
    home = {"city": "Ärö", "since": dt.date(2024, 1, 2)}
    base = {"address": home, "other": home, "prices": [Decimal("1.10")], "counts": {"a": 1}, "number": 1 << 40}
    values = ["5", 5, 0.1, True, b"\0\xff", None]
    got = read("avro", written(fields, [base | {"any": v} for v in values]))
    first = got.records[0]
    assert json.loads(first["address"]) == json.loads(first["other"]) == {"city": "Ärö", "since": "2024-01-02"}
    assert (json.loads(first["prices"]), json.loads(first["counts"]), first["number"]) == (["1.10"], {"a": 1}, 1 << 40)
    assert [r["any"] for r in got.records] == ["5", "5", "0.1", "true", "AP8=", None]
    assert got.scan.findings["notes"] == ["nested values become JSON text: address, other, prices, counts"]


def test_named_types_keep_their_meaning_in_nested_values(read):
    price = {"type": "fixed", "name": "Price", "size": 4, "logicalType": "decimal", "precision": 8, "scale": 2}
    kind = {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}
    line = {"type": "record", "name": "Line", "fields": [field("price", "Price"), field("kind", "Kind")]}
    fields = [
        field("day", "int", logicalType="date"),
        {"name": "price", "type": price},
        field("was", ["null", "Price"]),
        {"name": "kind", "type": kind},
        field("either", ["null", "Kind", "long"]),
        {"name": "lines", "type": {"type": "array", "items": line}},
        field("first", ["null", "Line"]),
        field("child", ["null", "R"]),
    ]
    one = {"price": Decimal("2.20"), "kind": "B"}
    day = dt.date(2024, 2, 29)
    child = {"day": day, "price": Decimal("2.20"), "was": None, "kind": "A", "either": "B", "lines": [one]}
    child |= {"first": None, "child": None}
    got = read("avro", written(fields, [child | {"was": Decimal("3.30"), "either": 7, "first": one, "child": child}]))
    shown = {"price": "2.20", "kind": "B"}
    (record,) = got.records
    nested = {name: json.loads(record.pop(name)) for name in ("lines", "first", "child")}
    assert record == {
        "day": day, "price": Decimal("2.20"), "was": Decimal("3.30"), "kind": "A", "either": "7",
    }  # fmt: skip
    assert nested["lines"] == [nested["first"]] == [shown]
    assert nested["child"] == {
        "day": "2024-02-29", "price": "2.20", "was": None, "kind": "A", "either": "B", "lines": [shown], "first": None, "child": None,
    }  # fmt: skip


def test_columns_may_be_chosen_and_words_mean_nothing(read, opened):
    data = written([field("a", "string"), field("b", "long")], [{"a": "NA", "b": 1}, {"a": "x", "b": 2}])
    assert read("avro", data, columns=["b"]).records == [{"b": 1}, {"b": 2}]
    assert read("avro", data, columns=["a"], nulls=["NA"]).records == [{"a": None}, {"a": "x"}]
    with pytest.raises(SourceError, match="has no column 'c'"):
        opened("avro", data, columns=["c"])


def test_a_nul_in_a_text_is_a_fault(read):
    got = read(
        "avro", written([field("n", "int"), field("t", "string")], [{"n": n, "t": t} for n, t in enumerate("a\0b")])
    )
    assert (got.ordinals, got.codes) == ([0, 2], [(1, "RD07")])


def test_what_is_cut_or_damaged_is_refused_and_never_shorter(read):
    records = [{"n": n, "t": f"text {n}"} for n in range(20_000)]
    whole = written([field("n", "int"), field("t", "string")], records, "deflate", sync_interval=16_000)
    head = len(written([field("n", "int"), field("t", "string")], [], "deflate"))
    for cut in (0, 3, 100, head - 1, head + 1, head + 3, len(whole) // 2, len(whole) - 1, len(whole) - 16):
        with pytest.raises(SourceError, match=r"input\.avro is "):
            read("avro", whole[:cut])
    middle = len(whole) // 2
    with pytest.raises(SourceError, match=r"is damaged after record \d+,\d+: "):
        read("avro", whole[:middle] + b"\xff" * 40 + whole[middle + 40 :])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Obj\x01", "not a whole Avro file: it ends too early"),
        (b"a,b\n1,2\n", "does not begin as Avro files do"),
        (b"Obj\x01" + b"\xff" * 40, "a number in it has no end"),
        (container("string", (1, as_long(1) + b"x")), "values that are no records"),
        (container({"type": "record", "name": "R"}, (0, b"")), "no records with fields"),
        (container({"type": "record", "name": "R", "fields": [field("a", "Lost")]}), "has a schema that is none"),
        (container(ONE, (2, as_long(1))), "damaged after record 1"),
        (container(ONE, (1 << 40, as_long(1))), "says that it has 1,099,511,627,776 records"),
        (container({"type": "record", "name": "R", "fields": [field("t", "int", logicalType="time-millis")]}, (1, as_long(86_400_000))), "column t: a time is none of a day"),
        (container({"type": "record", "name": "R", "fields": [field("d", "bytes", logicalType="decimal", precision=2, scale=0)]}, (1, as_long(4) + b"\x7f" * 4)), "more than the 2 digits"),
        (container(ONE, (1, b"\x08\x00"), codec=b"deflate"), "a block cannot be unpacked"),
    ],
)  # fmt: skip
def test_files_that_are_none(read, content, message):
    with pytest.raises(SourceError, match=message) as e:
        read("avro", content)
    assert "input.avro" in e.value.message
    assert e.value.hint


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz", "zstandard"])
def test_a_block_that_is_a_bomb_is_refused(read, monkeypatch, codec):
    monkeypatch.setattr(avro_blocks, "_LARGEST", 1 << 20)
    data = b"\0" * (8 << 20)
    if codec == "zstandard":
        content = container(ONE, (len(data), pa.Codec("zstd").compress(data, asbytes=True)), codec=b"zstandard")
    else:
        content = written([field("n", "int")], [{"n": 0}] * (2 << 20), codec, sync_interval=8 << 20)
    with pytest.raises(SourceError, match=r"unpacks to more than 1 MiB|cannot be unpacked: Memory"):
        read("avro", content)


def test_without_the_library_there_is_a_way_out(opened, monkeypatch):
    data = written([field("n", "int")], [{"n": 1}])
    there = builtins.__import__

    def lost(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("fastavro"):
            raise ModuleNotFoundError(name=name)
        return there(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", lost)
    with pytest.raises(SourceError, match="needs? the package fastavro") as e:
        opened("avro", data)
    assert "pip install 'headgate[avro]'" in e.value.hint


def test_it_is_told_by_content(tmp_path: Path):
    (tmp_path / "export").write_bytes(written([field("n", "int")], [{"n": 1}]))
    source = FileSource(SourceSpec(path="export"), tmp_path)
    with closing(source), closing(source.open(source.partitions()[0])) as scan:
        assert scan.findings["format"] == "avro"
