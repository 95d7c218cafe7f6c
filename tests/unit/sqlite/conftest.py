from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from headgate.connectors.sqlite import SqliteDestination
from headgate.model.types import FieldType
from headgate.model.write import NUMBER, Matched, Operation, WriteField, WriteSpec

Record = Sequence[object]


class Shop:
    """One database file, and short ways of doing things to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "shop.db"
        self.destination = SqliteDestination({"url": "sqlite:///shop.db", "timeout": 0.1}, folder)

    def sql(self, script: str) -> None:
        with closing(sqlite3.connect(self.path)) as con:
            con.executescript(script)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as con:
            return con.execute(query).fetchall()

    def spec(self, table: str, fields: str, operation: str = "upsert", key: str = "id", **more: Any) -> WriteSpec:
        """`fields` as in ``id bigint, name text``."""
        pairs = [f.strip().split(" ", 1) for f in fields.split(", ")]
        made = tuple(WriteField(name, FieldType.parse(kind)) for name, kind in pairs)
        return WriteSpec(table, made, tuple(key.split()), Operation(operation), **more)

    def run(self, spec: WriteSpec, records: Iterable[Record], *, batch: int = 1000) -> Matched:
        """A whole run; records are values in field order."""
        writer = self.destination.open(spec)
        try:
            for b in batches(spec, records, batch):
                writer.write(b)
            writer.match()
            matched = writer.apply()
            writer.commit()
        finally:
            writer.abort()
        matched.account.check("run")
        return matched

    def changes(self, spec: WriteSpec, records: Iterable[Record]) -> list[dict[str, Any]]:
        """What a plan would show."""
        writer = self.destination.open(spec)
        try:
            for b in batches(spec, records):
                writer.write(b)
            writer.match()
            return [row for b in writer.changes() for row in b.to_pylist()]
        finally:
            writer.abort()


def batches(spec: WriteSpec, records: Iterable[Record], size: int = 1000) -> list[pa.RecordBatch]:
    rows = [(n, *r) for n, r in enumerate(records)]
    schema = pa.schema([(NUMBER, pa.int64()), *((f.name, f.type.arrow) for f in spec.fields)])
    made = []
    for i in range(0, len(rows), size):
        columns = zip(*rows[i : i + size], strict=True)
        made.append(
            pa.RecordBatch.from_arrays(
                [pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)], schema=schema
            )
        )
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
