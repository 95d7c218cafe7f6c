from __future__ import annotations

import uuid
from pathlib import Path

import pyarrow as pa
import pytest

from headgate.connectors.memory import MemoryDestination
from headgate.model.errors import Cancelled, DestinationError, UsageError
from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteField, WriteSpec

FIELDS = (WriteField("id", FieldType("integer")), WriteField("name", FieldType("text", length=3)))


def at(name: str) -> MemoryDestination:
    return MemoryDestination({"url": f"memory://{name}"}, Path())


@pytest.fixture
def name() -> str:
    return str(uuid.uuid4())


def make(destination: MemoryDestination) -> None:
    writer = destination.open(WriteSpec("item", FIELDS, ("id",), Operation.INSERT, create=True))
    writer.match()
    writer.apply()
    writer.commit()


def test_a_name_is_one_store_and_another_name_another(name: str) -> None:
    make(at(name))
    assert at(name).tables() == ["item"]
    assert at(name + "2").tables() == []


def test_a_url_of_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="memory://NAME"):
        MemoryDestination({"url": "sqlite:///x.db"}, Path())


def test_the_table_to_be_made_must_not_be_there(name: str) -> None:
    make(at(name))
    with pytest.raises(DestinationError, match="item already"):
        make(at(name))


def test_a_column_that_is_not_there_is_an_error_before_anything_is_written(name: str) -> None:
    make(at(name))
    fields = (*FIELDS, WriteField("prise", FieldType("text")))
    with pytest.raises(DestinationError, match="no column 'prise'"):
        at(name).open(WriteSpec("item", fields, ("id",), Operation.UPSERT))


def test_text_that_is_too_long_is_refused(name: str) -> None:
    make(at(name))
    long = (FIELDS[0], WriteField("name", FieldType("text")))
    writer = at(name).open(WriteSpec("item", long, ("id",), Operation.INSERT))
    writer.write(pa.RecordBatch.from_pylist([{"_n": 0, "id": 1, "name": "abc"}, {"_n": 1, "id": 2, "name": "abcd"}]))
    writer.match()
    assert [(r.number, r.code, r.field) for r in writer.apply().refusals] == [(1, "DE05", "name")]


def test_a_number_that_is_none_is_equal_to_itself(name: str) -> None:
    fields = (FIELDS[0], WriteField("price", FieldType("double")))
    outcomes = []
    for create in (True, False):
        writer = at(name).open(WriteSpec("item", fields, ("id",), Operation.UPSERT, create=create))
        writer.write(pa.RecordBatch.from_pylist([{"_n": 0, "id": 1, "price": float("nan")}]))
        outcomes.append(writer.match().account.outcomes)
        writer.apply()
        writer.commit()
    assert outcomes == [{"created": 1}, {"unchanged": 1}]


def test_a_cancelled_writer_says_so(name: str) -> None:
    make(at(name))
    writer = at(name).open(WriteSpec("item", FIELDS, ("id",), Operation.UPSERT))
    writer.cancel()
    with pytest.raises(Cancelled):
        writer.match()
