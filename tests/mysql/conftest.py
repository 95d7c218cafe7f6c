"""A database of the test's own, and what writing to it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest

from headgate.connectors.mysql import MysqlDestination
from headgate.connectors.mysql.connection import Access
from headgate.connectors.mysql.writer import MysqlWriter
from headgate.model.types import FieldType
from headgate.model.write import Matched, Operation, WriteField, WriteSpec


@dataclass
class Database:
    """A connection to look and prepare with, and destinations to write with."""

    url: str
    connection: pymysql.Connection[Any]
    opened: list[MysqlDestination] = field(default_factory=list)

    @property
    def mariadb(self) -> bool:
        return "MariaDB" in str(self.sql("select version()"))

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    def destination(self, **options: object) -> MysqlDestination:
        made = MysqlDestination({"url": self.url, **options}, Path())
        self.opened.append(made)
        return made

    def writer(self, spec: WriteSpec, **options: object) -> MysqlWriter:
        return self.destination(**options).open(spec)

    def write(self, spec: WriteSpec, *records: Sequence[object], **options: object) -> Matched:
        """One whole life of a writer."""
        writer = self.writer(spec, **options)
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


def spec(table: str, operation: str, key: str = "", /, *, create: bool = False, **fields: str) -> WriteSpec:
    """A spec from types as a definition writes them; an unknown type is one of the database's own."""
    made = tuple(WriteField(name, _type(text)) for name, text in fields.items())
    return WriteSpec(table, made, tuple(key.split()), Operation(operation), create=create)


def _type(text: str) -> FieldType:
    try:
        return FieldType.parse(text)
    except ValueError:
        return FieldType("other", native=text)


@pytest.fixture
def db(either_db: str) -> Iterator[Database]:
    connection = pymysql.connect(
        ssl_disabled=True, **Access.read({"url": either_db}).params, charset="utf8mb4", autocommit=True
    )
    made = Database(either_db, connection)
    yield made
    for destination in made.opened:
        destination.close()
    connection.close()
