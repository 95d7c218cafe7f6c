from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.singer import SingerSource
from headgate.model.spec import SourceSpec
from headgate.spi.registry import Connected
from headgate.testing.hostile_sources import MakeOf
from headgate.testing.source import Make, SourceConformance
from support.tap import SELF


def source(base: Path, write: list[Any], stream: str = "item") -> SingerSource:
    spec = SourceSpec(connection="tap", table=stream)
    return SingerSource(spec, base, Connected({"command": SELF, "catalog": "none", "config": {"write": write}}))


def messages(names: Sequence[str], records: Sequence[Any], of: str = "string") -> list[Any]:
    schema = {"type": "object", "properties": {n: {"type": of} for n in names}}
    first = {"type": "SCHEMA", "stream": "item", "schema": schema, "key_properties": []}
    return [first, *({"type": "RECORD", "stream": "item", "record": r} for r in records)]


class Singer(SourceConformance):
    @pytest.fixture
    def make_missing(self, tmp_path: Path) -> Make:
        return lambda: source(tmp_path, messages(["id"], [{"id": "1"}]), "other")

    @pytest.fixture
    def make_of(self, tmp_path: Path) -> MakeOf:
        def make(names: Sequence[str], rows: Sequence[Sequence[str]]) -> SingerSource | None:
            if len(set(names)) < len(names):
                return None
            return source(tmp_path, messages(names, [dict(zip(names, row, strict=True)) for row in rows]))

        return make


class TestSinger(Singer):
    expected = [{"id": str(i), "name": f"n{i}" if i % 3 else None} for i in range(200)]  # noqa: RUF012

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        return lambda: source(tmp_path, messages(["id", "name"], self.expected or []))


class TestRefusedRecords(Singer):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        records: list[Any] = [{"id": str(i)} if i % 50 else [i] if i % 100 else {"id": "a\0b"} for i in range(200)]
        return lambda: source(tmp_path, messages(["id"], records))


@pytest.fixture
def read(tmp_path: Path) -> Callable[[list[Any]], tuple[Any, Any, Any]]:
    """Reads what a tap writes: the records, where they came from, the findings."""

    def read(write: list[Any]) -> tuple[Any, Any, Any]:
        with closing(source(tmp_path, write)) as one, closing(one.open(one.partitions()[0])) as scan:
            records = [r for b in scan.batches() for r in b.records.to_pylist()]
            rows = [o.row for o in scan.locate(range(len(records)))]
            return records, rows, dict(scan.findings)

    return read


def test_only_the_streams_own_records_are_read_and_say_which_message_they_were(
    read: Callable[[list[Any]], tuple[Any, Any, Any]],
) -> None:
    first, *records = messages(["id"], [{"id": 1}, {"id": 1.10, "more": 7}], "number")
    other = {"type": "RECORD", "stream": "other", "record": {"id": 9}}
    version = {"type": "ACTIVATE_VERSION", "stream": "item", "version": 1}
    states = [{"type": "STATE", "value": {"at": n}} for n in (1, 2)]
    found, rows, findings = read([first, other, records[0], states[0], "", version, records[1], states[1]])
    assert found == [{"id": "1"}, {"id": "1.1"}]
    assert rows == [3, 7]
    assert findings["state"] == {"at": 2}
    assert findings["left_out"][0]["words"] == "'more' is not in the stream's schema: left out of 1 record"
    assert "other" in findings["notes"][0]


def test_numbers_are_as_they_were_written(read: Callable[[list[Any]], tuple[Any, Any, Any]]) -> None:
    first = messages(["id"], [], "number")[0]
    literals = ["1.10", "1E5", "12345678901234567890.12345678901234567890"]
    lines = ['{"type":"RECORD","stream":"item","record":{"id":%s}}' % n for n in literals]  # noqa: UP031
    assert [r["id"] for r in read([first, *lines])[0]] == literals
