from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql
import pytest

from headgate.connectors.mysql import MysqlDestination
from headgate.connectors.mysql.catalog import split
from headgate.connectors.mysql.connection import Access, identifier
from headgate.model.write import WriteField
from headgate.spi.destination import Destination
from headgate.testing.destination import DestinationConformance
from headgate.testing.place import Connect
from headgate.testing.runs import Row


class TestMysql(DestinationConformance):
    @pytest.fixture
    def connect(self, either_db: str) -> Iterator[Connect]:
        self.params = Access.read({"url": either_db}).params
        self._set_zone("-05:30")
        yield lambda: MysqlDestination({"url": either_db}, Path())
        self._set_zone("SYSTEM")

    def _set_zone(self, zone: str) -> None:
        """Of sessions to come, so that a moment which goes through local time anywhere is another one."""
        with pymysql.connect(ssl_disabled=True, **self.params) as connection, connection.cursor() as cursor:
            cursor.execute(f"set global time_zone = '{zone}'")

    def table_name(self, name: str) -> str:
        return identifier(name) if "`" in name or "." in name else name

    def read(self, destination: Destination, table: str, fields: Sequence[WriteField]) -> list[Row]:
        """With the driver alone: it waits for nobody, and says what is there whatever the connector thinks."""
        columns = ", ".join(identifier(f.name) for f in fields)
        with (
            pymysql.connect(ssl_disabled=True, **self.params, charset="utf8mb4") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"select {columns} from {identifier(split(table)[1])}")
            rows = cursor.fetchall()
        return [{f.name: _value(f.type.kind, v) for f, v in zip(fields, row, strict=True)} for row in rows]


def _value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "boolean":
            return bool(value)
        case "time":
            return (dt.datetime.min + value).time()  # noqa: DTZ901
        case "timestamptz":
            return value.replace(tzinfo=dt.UTC)
        case _:
            return value
