"""A database file of the test's own, and what writing to it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from headgate.connectors.duckdb import DuckdbDestination
from headgate.connectors.duckdb.writer import DuckdbWriter
from headgate.model.types import FieldType
from headgate.model.write import Matched, Operation, WriteField, WriteSpec


@dataclass
class Database:
    """A file to look into and to prepare, and destinations to write to it with."""

    path: Path

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(text).fetchall()

    def destination(self, **options: object) -> DuckdbDestination:
        return DuckdbDestination({"url": f"duckdb:///{self.path}", **options}, Path("/"))

    def writer(self, spec: WriteSpec, **options: object) -> DuckdbWriter:
        return self.destination(**options).open(spec)

    def write(self, spec: WriteSpec, *records: Sequence[object]) -> Matched:
        """One whole life of a writer."""
        writer = self.writer(spec)
        try:
            writer.write(batch(spec, records))
            writer.match()
            matched = writer.apply()
            matched.account.check("the run")
            writer.commit()
            return matched
        finally:
            writer.abort()


def batch(spec: WriteSpec, records: Sequence[Sequence[object]]) -> pa.RecordBatch:
    columns = [pa.array(range(len(records)), pa.int64())]
    columns += [pa.array([r[i] for r in records], f.type.arrow) for i, f in enumerate(spec.fields)]
    return pa.RecordBatch.from_arrays(columns, names=["_n", *(f.name for f in spec.fields)])


def spec(table: str, operation: str, key: str = "", /, **fields: str) -> WriteSpec:
    """A spec from types as a definition writes them."""
    made = tuple(WriteField(name, FieldType.parse(text)) for name, text in fields.items())
    return WriteSpec(table, made, tuple(key.split()), Operation(operation))


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return Database(tmp_path / "place.duckdb")
