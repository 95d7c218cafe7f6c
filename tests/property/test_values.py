"""Any typed records round-trip on every destination within what it states: written, read back equal, written again unchanged,
undone gone. HEADGATE_TEST_EXAMPLES=1000 looks further."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import string
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headgate.connectors.duckdb import DuckdbDestination
from headgate.connectors.memory import MemoryDestination
from headgate.connectors.mysql import MysqlDestination
from headgate.connectors.postgres import PostgresDestination
from headgate.connectors.sqlite import SqliteDestination
from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteField, WriteSpec
from headgate.spi.destination import Capabilities, Destination
from headgate.spi.reversal import Written, reversal, reversed_batch
from headgate.testing.place import read_by_mirror
from headgate.testing.runs import Ran, Row, batches, check_account, exact, run
from headgate.testing.values import as_compared

EXAMPLES = int(os.environ.get("HEADGATE_TEST_EXAMPLES", "25"))
numbers = itertools.count()
MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999))  # noqa: DTZ001
LETTERS = st.one_of(
    st.sampled_from("\0aA \t\n'\"\\%_`{}:?$,;-é\u0301ßİı日👩\u200d\U0010ffff\ufeff"), st.characters(codec="utf-8")
)
PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(st.sampled_from("aé'\"\\👩 "), max_size=5),
    lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text("abc'", max_size=2), c, max_size=3),
    max_leaves=6,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(LETTERS, max_size=12) | st.sampled_from(["", "0", "NULL", "\\N", "NaN", "00501", "1E5", "a\0"]),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double": st.one_of(
        st.floats(), st.sampled_from([float("nan"), float("nan"), float("inf"), -float("inf"), -0.0, 5e-324])
    ),
    "boolean": st.booleans(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS.map(lambda m: m.replace(tzinfo=dt.UTC)),
    "uuid": st.uuids().map(str),
    "json": PLAIN_JSON.map(lambda v: json.dumps(v, ensure_ascii=False)),
    "binary": st.binary(max_size=12),
}
NAMES = st.text(st.sampled_from(string.ascii_letters + "é日 '\"`.%$_-0"), min_size=1, max_size=8).map(
    lambda n: f"{n.strip()}_"
)


@st.composite
def decimals(draw: st.DrawFn) -> tuple[FieldType, st.SearchStrategy[Any]]:
    precision = draw(st.integers(1, 38))
    scale = draw(st.integers(0, precision))
    values = st.integers(-(10**precision) + 1, 10**precision - 1).map(lambda n: Decimal(f"{n}E-{scale}"))
    return FieldType("decimal", precision=precision, scale=scale), values


@dataclass(frozen=True)
class Records:
    """Fields of any types, and two versions of records of them."""

    fields: tuple[WriteField, ...]
    first: list[Row]
    second: list[Row]


@st.composite
def records(draw: st.DrawFn) -> Records:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique_by=str.casefold))
    made, values = [WriteField("id", FieldType("integer"))], {}
    for name in names:
        kind = draw(st.sampled_from([*VALUES, "decimal", "decimal", "double", "double", "text"]))
        of, values[name] = draw(decimals()) if kind == "decimal" else (FieldType(kind), VALUES[kind])
        made.append(WriteField(name, of))
    row = st.fixed_dictionaries({n: st.none() | v for n, v in values.items()})
    lists = [[{"id": i, **r} for i, r in enumerate(draw(st.lists(row, min_size=1, max_size=6)))] for _ in range(2)]
    return Records(tuple(made), *lists)


@pytest.fixture(scope="module", params=("memory", "sqlite", "duckdb", "postgres", "maria", "mysql"))
def destination(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Destination]:
    made: Any
    if request.param == "memory":
        made = MemoryDestination({"url": f"memory://{uuid.uuid4()}"}, Path())
    elif request.param == "sqlite":
        made = SqliteDestination({"url": f"sqlite:///{tmp_path_factory.mktemp('values')}/place.db"}, Path())
    elif request.param == "duckdb":
        made = DuckdbDestination({"url": f"duckdb:///{tmp_path_factory.mktemp('values')}/place.duckdb"}, Path("/"))
    elif request.param == "postgres":
        made = PostgresDestination({"url": request.getfixturevalue("pg_database")}, Path())
    else:
        server = request.getfixturevalue(request.param)
        made = MysqlDestination({"url": server.url_of("test_values")}, Path())
        _make_database(server.url)
    yield made
    made.close()


def _make_database(url: str) -> None:
    from headgate.connectors.mysql.connection import Access

    with Access.read({"url": url}).connect() as connection, connection.cursor() as cursor:
        cursor.execute("create database if not exists test_values character set utf8mb4")


def _refused(can: Capabilities, value: object) -> bool:
    """Whether the destination states that it cannot hold it."""
    if isinstance(value, float):
        hard = "nan" if value != value else "infinity" if abs(value) == float("inf") else ""
    else:
        hard = "nul" if isinstance(value, str) and "\0" in value else ""
    return hard in can.refuses


def _shown(destination: Destination, fields: tuple[WriteField, ...], rows: list[Row]) -> list[Row]:
    """Rows with values in which equal is equal."""
    signed = "test_zero_keeps_its_sign" not in destination.capabilities.gaps
    shown = []
    for row in sorted(rows, key=lambda r: r["id"]):
        values = {f.name: as_compared(f.type.kind, row[f.name]) for f in fields}
        shown.append({n: exact(v if signed or v != 0.0 else abs(v)) for n, v in values.items()})
    return shown


def _run(destination: Destination, spec: WriteSpec, given_: list[pa.RecordBatch]) -> tuple[Ran, list[pa.RecordBatch]]:
    """A run with a journal; what it came to, and the journal."""
    writer = destination.open(spec)
    try:
        for b in given_:
            writer.write(b)
        matched = writer.match()
        kept = list(writer.before())
        applied = writer.apply()
        check_account(applied, sum(b.num_rows for b in given_))
        kept += list(writer.after())
        writer.commit()
    finally:
        writer.abort()
    return Ran(matched, [], applied), [b for b in kept if b.num_rows]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="HEADGATE_TEST_EXAMPLES" not in os.environ and "HEADGATE_TEST_RANDOM" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(given_=records())
def test_any_records_come_back_stay_and_are_taken_back(destination: Destination, given_: Records) -> None:
    can, fields = destination.capabilities, given_.fields
    most = 30 if "test_decimals_of_every_scale_come_back_as_written" in can.gaps else 38
    assume(all((f.type.scale or 0) <= most for f in fields))
    upsert = WriteSpec(f"values_{next(numbers)}", fields, ("id",), Operation.UPSERT)

    def held(rows: list[Row]) -> list[Row]:
        return [r for r in rows if not any(_refused(can, v) for v in r.values())]

    def back() -> list[Row]:
        return _shown(destination, fields, read_by_mirror(destination, upsert.table, fields))

    def expect(ran: Ran, rows: list[Row], **counts: int) -> None:
        wanted = {**counts, "rejected": len(rows) - len(held(rows))}
        assert ran.counts == {k: v for k, v in wanted.items() if v}
        assert set(ran.codes.values()) <= {"DE05"}

    first, second = given_.first, given_.second
    made = replace(upsert, create=True)
    expect(run(destination.open(made), made, first), first, created=len(held(first)))
    there = _shown(destination, fields, held(first))
    assert back() == there
    expect(run(destination.open(upsert), upsert, first), first, unchanged=len(held(first)))

    journaled = replace(upsert, journal=True)
    ran, kept = _run(destination, journaled, batches(journaled, second))
    assert ran.count("rejected") == len(second) - len(held(second))
    after = {r["id"]: r for r in there} | {r["id"]: r for r in _shown(destination, fields, held(second))}
    assert back() == [after[i] for i in sorted(after)]
    expect(run(destination.open(upsert), upsert, second), second, unchanged=len(held(second)))

    images = _images(destination, journaled)
    first_number, turned = 0, []
    for batch in kept:
        turned.append(reversed_batch(Written(journaled, images), batch, first_number))
        first_number += batch.num_rows
    undone, _ = _run(destination, reversal(Written(journaled, images)), turned)
    assert undone.count("held") == 0
    assert back() == there


def _images(destination: Destination, spec: WriteSpec) -> Any:
    writer = destination.open(spec)
    try:
        writer.match()
        return writer.images()
    finally:
        writer.abort()
