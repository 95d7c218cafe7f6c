"""A database of the test's own, and what writing to it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from headgate.connectors.postgres import PostgresDestination
from headgate.connectors.postgres.writer import PostgresWriter
from headgate.model.types import FieldType
from headgate.model.write import Matched, Operation, WriteField, WriteSpec


@dataclass
class Database:
    """A connection to look and prepare with, and destinations to write with."""

    url: str
    connection: psycopg.Connection[tuple[Any, ...]]
    opened: list[PostgresDestination]

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(text.encode())
        return cursor.fetchall() if cursor.description else []

    def destination(self, **options: object) -> PostgresDestination:
        made = PostgresDestination({"url": self.url, **options}, Path())
        self.opened.append(made)
        return made

    def writer(self, spec: WriteSpec, **options: object) -> PostgresWriter:
        return self.destination(**options).open(spec)

    def write(self, spec: WriteSpec, *records: Sequence[object], numbers: Sequence[int] | None = None) -> Matched:
        """One whole life of a writer."""
        writer = self.writer(spec)
        try:
            writer.write(batch(spec, records, numbers))
            writer.match()
            matched = writer.apply()
            matched.account.check("the run")
            writer.commit()
            return matched
        finally:
            writer.abort()

    def changes(self, spec: WriteSpec, *records: Sequence[object]) -> pa.Table:
        writer = self.writer(spec)
        try:
            writer.write(batch(spec, records))
            writer.match()
            return pa.Table.from_batches(list(writer.changes()))
        finally:
            writer.abort()


def batch(spec: WriteSpec, records: Sequence[Sequence[object]], numbers: Sequence[int] | None = None) -> pa.RecordBatch:
    columns = [pa.array(numbers if numbers is not None else range(len(records)), pa.int64())]
    columns += [pa.array([r[i] for r in records], f.type.arrow) for i, f in enumerate(spec.fields)]
    return pa.RecordBatch.from_arrays(columns, names=["_n", *(f.name for f in spec.fields)])


def spec(table: str, operation: str, key: str = "", /, *, create: bool = False, **fields: str) -> WriteSpec:
    """A spec from types as a definition writes them; an unknown type is one of PostgreSQL's own."""
    made = tuple(WriteField(name, _type(text)) for name, text in fields.items())
    return WriteSpec(table, made, tuple(key.split()), Operation(operation), create=create)


def _type(text: str) -> FieldType:
    try:
        return FieldType.parse(text)
    except ValueError:
        return FieldType("other", native=text)


@pytest.fixture
def db(pg_db: str) -> Iterator[Database]:
    with psycopg.connect(pg_db, autocommit=True) as connection:
        made = Database(pg_db, connection, [])
        yield made
        for destination in made.opened:
            destination.close()


@pytest.fixture
def login(db: Database) -> Iterator[str]:
    """A login without rights."""
    name = "headgate_test_login"
    db.sql(f"do $$ begin create role {name} login; exception when duplicate_object then null; end $$")
    db.sql(f"grant usage on schema public to {name}")
    yield name
    db.sql(f"drop owned by {name}; drop role {name}")
