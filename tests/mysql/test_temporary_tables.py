"""No statement opens a temporary table twice: MySQL refuses that (error 1137), and MariaDB does not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from headgate.model.write import Operation, WriteSpec

from .conftest import Database, batch, spec

OPERATIONS = [o.value for o in Operation]


class Recorded:
    """The temporary tables there are, and the statements that open one of them twice."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.twice: list[str] = []
        self.opened: set[str] = set()

    def add(self, sql: str) -> None:
        if made := re.match(r"create temporary table (\S+)", sql):
            self.tables.add(made[1])
        if gone := re.match(r"drop temporary table (?:if exists )?(\S+)", sql):
            self.tables.discard(gone[1])
            return
        for name in self.tables:
            times = len(re.findall(rf"\b(?:from|join|update|into) {re.escape(name)}(?!\w)", sql))
            self.opened |= {name} if times else set()
            self.twice += [sql] if times > 1 else []


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    made = Recorded()
    query = pymysql.connections.Connection.query

    def record(self: Any, sql: Any, unbuffered: bool = False) -> int:
        made.add(sql.decode(errors="replace") if isinstance(sql, bytes) else sql)
        return query(self, sql, unbuffered)

    monkeypatch.setattr(pymysql.connections.Connection, "query", record)
    return made


def live(db: Database, asked: WriteSpec, *records: tuple[object, ...]) -> None:
    """One whole life of a writer, everything asked of it."""
    writer = db.writer(asked)
    try:
        writer.write(batch(asked, records))
        writer.match()
        list(writer.changes())
        list(writer.before())
        writer.apply()
        list(writer.after())
        writer.commit()
    finally:
        writer.abort()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("key", ["primary key (id)", "key (id)"])
@pytest.mark.parametrize("duplicates", ["last", "first", "reject"])
def test_a_table_that_is_there(db: Database, recorded: Recorded, operation: str, key: str, duplicates: Any) -> None:
    db.sql(f"create table t (id int, name varchar(9), other int default 3, {key})")
    db.sql("insert into t (id, name) values (1, 'a'), (2, 'b')")
    asked = spec("t", operation, "" if operation == "append" else "id", id="integer", name="text")
    asked = replace(asked, duplicates=duplicates)
    deletable = key.startswith("primary") or operation != "mirror"
    live(db, asked, (1, "x"), (3, "c"), (3, "d"), *([] if deletable else [(2, "b")]))
    assert recorded.opened >= {"_hg_stage", "_hg_decided"}
    assert ("_hg_extra" in recorded.opened) == (operation != "append")
    assert recorded.twice == []


@pytest.mark.parametrize("operation", ["insert", "upsert", "mirror", "append"])
def test_a_table_that_the_run_makes(db: Database, recorded: Recorded, operation: str) -> None:
    asked = spec("t", operation, "" if operation == "append" else "id", create=True, id="integer", name="text")
    live(db, asked, (1, "x"), (3, "c"), (3, "c")) if operation != "append" else live(db, asked, (1, "x"))
    assert recorded.twice == []
    assert [row[0] for row in db.sql("select id from t order by id")] == ([1] if operation == "append" else [1, 3])
