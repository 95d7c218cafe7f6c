"""Records that are appended become rows when their turn to be sent comes, and are sent as if they had been decided one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.connectors.http.client import Client
from headgate.connectors.http.exchange import Call
from headgate.connectors.http.rest import RestDestination
from headgate.connectors.http.rest import records as module
from headgate.connectors.http.rest.writer import RestWriter
from headgate.model.outcome import Account
from headgate.model.types import FieldType
from headgate.model.write import NUMBER, Matched, Operation, Ticket, WriteField, WriteSpec
from headgate.spi.outbox import MemoryOutbox

TYPES = {"sku": "text", "price": "decimal(8,2)", "ratio": "double", "at": "timestamptz", "more": "json", "own": "text"}
ALWAYS = tuple(WriteField(n, FieldType.parse(t)) for n, t in TYPES.items())
FIELDS = (ALWAYS, (*ALWAYS[:-1], replace(ALWAYS[-1], when="updated")))
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "sku": st.sampled_from(["", "A-1", "B", "no"]),
    "price": st.sampled_from([Decimal("1.10"), Decimal(2)]),
    "ratio": st.sampled_from([0.5, float("nan")]),
    "at": st.sampled_from([datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)]),
    "more": st.sampled_from(['{"a": 1.10}', "[]"]),
    "own": st.just("x"),
}
NAMED = {"body": [{"$each": {"what": "{record}", "share": "{ratio}", "of": "{sku}"}}]}
RESOURCES: list[dict[str, Any]] = [
    {},
    {"required": ["sku"]},
    {"texts": True, "lowercase": ["sku"]},
    {"fields": TYPES, "read_only": ["price"], "blanks": ["sku"]},
    {"fields": TYPES, "write_only": ["ratio"], "create": NAMED},
    {"fields": TYPES, "apart": ["sku", "at"], "create": NAMED},
]
Answer = Callable[[bytes], int]


def good(_: bytes) -> int:
    return 200


@pytest.fixture(scope="module")
def sent() -> Iterator[list[bytes]]:
    """The bodies of what is sent, in no order; one with `no` in it is refused."""
    bodies: list[bytes] = []
    lock = threading.Lock()

    def exchange(_: Client, call: Call, wait: object) -> tuple[int, Mapping[str, str], bytes]:
        body = call.body
        assert isinstance(body, bytes)
        with lock:
            bodies.append(body)
        return (422, {}, b'{"message": "no"}') if b'"no"' in body else (200, {}, b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "exchange", exchange)
        yield bodies


def writer_of(
    resource: Mapping[str, Any], batch: int, fields: tuple[WriteField, ...] = ALWAYS
) -> tuple[RestDestination, RestWriter]:
    create = {"path": "/orders", "batch": batch, **resource.get("create", {})}
    options = {
        "url": "https://api.example.com",
        "concurrency": 2,
        "resources": {"orders": {**resource, "create": create}},
    }
    destination = RestDestination(options, Path())
    destination.remember(MemoryOutbox())
    ticket = Ticket("orders", 1)
    destination.claim(ticket)
    spec = WriteSpec("orders", fields, (), Operation.APPEND, batched=True, ticket=ticket)
    return destination, destination.open(spec)


def batch_of(records: list[dict[str, Any]]) -> pa.RecordBatch:
    schema = pa.schema([(NUMBER, pa.int64()), *((f.name, f.type.arrow) for f in ALWAYS)])
    return pa.RecordBatch.from_pylist([{NUMBER: n, **r} for n, r in enumerate(records)], schema=schema)


@given(
    st.sampled_from(RESOURCES),
    st.sampled_from(FIELDS),
    st.integers(1, 3),
    st.lists(st.fixed_dictionaries({n: st.none() | v for n, v in VALUES.items()}), max_size=6),
)
def test_they_are_sent_as_if_each_had_been_decided(
    sent: list[bytes],
    resource: dict[str, Any],
    fields: tuple[WriteField, ...],
    batch: int,
    records: list[dict[str, Any]],
) -> None:
    def done(*, at_once: bool) -> tuple[list[bytes], list[object], list[pa.RecordBatch]]:
        sent.clear()
        destination, writer = writer_of(resource, batch, fields)
        with closing(destination):
            writer._appends = not at_once
            writer.write(batch_of(records))
            matched = writer.match()
            shown = [b.to_pylist() for b in writer.changes()]
            applied = writer.apply()
            writer.commit("so far")
            writer.abort()
        return sorted(sent), [said(matched), said(applied)], shown

    assert done(at_once=False) == done(at_once=True)


def said(matched: Matched) -> tuple[object, ...]:
    account: Account = matched.account
    return account.as_dict(), matched.refusals, matched.in_scope, matched.left


def test_the_first_are_sent_before_the_last_are_rows(sent: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    at_first: list[int] = []
    columns_of, exchange = module.columns_of, Client.exchange

    def counted(batch: pa.RecordBatch) -> list[list[Any]]:
        made.append(batch.num_rows)
        return columns_of(batch)

    def noted(client: Client, call: Call, wait: Any) -> Any:
        at_first.append(sum(made))
        return exchange(client, call, wait)

    monkeypatch.setattr(module, "columns_of", counted)
    monkeypatch.setattr(Client, "exchange", noted)
    destination, writer = writer_of({}, 10)
    with closing(destination):
        writer.write(batch_of([{"sku": str(n)} for n in range(10_000)]))
        assert writer.match().account.outcomes["created"] == 10_000  # type: ignore[index]
        assert not made
        assert writer.apply().account.outcomes["created"] == 10_000  # type: ignore[index]
        writer.abort()
    assert at_first[0] < sum(made) == 10_000
