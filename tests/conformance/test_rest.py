"""The conformance suite on an API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.http.resource import ResourceSpec
from headgate.connectors.http.rest import RestDestination
from headgate.connectors.http.rest.values import take
from headgate.model.table import TableSchema
from headgate.model.write import WriteField
from headgate.spi.destination import Destination
from headgate.spi.outbox import MemoryOutbox
from headgate.testing.crud import CrudServer
from headgate.testing.destination import DestinationConformance

Row = dict[str, Any]


class Growing(RestDestination):
    """A connection whose resources are those that the test has made so far."""

    def __init__(self, api: CrudServer, made: dict[str, tuple[str, ResourceSpec]], outbox: MemoryOutbox) -> None:
        super().__init__({"url": api.url, "private": True, "concurrency": 4, "retries": 1}, Path())
        self.api, self.made = api, made
        self.remember(outbox)

    @property
    def resources(self) -> dict[str, ResourceSpec]:  # type: ignore[override]
        return {name: resource for name, (_, resource) in self.made.items()}

    @resources.setter
    def resources(self, value: object) -> None:
        pass


def resource(slug: str, wanted: TableSchema, more: dict[str, Any]) -> ResourceSpec:
    fields = {c.name: str(c.type) for c in wanted.columns}
    needed = [c.name for c in wanted.columns if not c.nullable]
    return ResourceSpec.model_validate(
        {
            "id": "_id",
            "fields": fields,
            "required": needed,
            "key": list(wanted.key),
            "find": {
                "method": "POST",
                "path": f"/{slug}/find",
                "body": {"any": {"$each": "{record}"}},
                "records": "items",
                "batch": 50,
            },
            "listing": {"path": f"/{slug}", "records": "items"},
            "create": f"POST /{slug}",
            "update": f"PATCH /{slug}/{{id}}",
            "delete": f"DELETE /{slug}/{{id}}",
        }
        | more
    )


class RestConformance(DestinationConformance):
    @pytest.fixture
    def api(self) -> Iterator[CrudServer]:
        with CrudServer() as api:
            yield api

    @pytest.fixture
    def connect(self, api: CrudServer) -> Callable[[], Destination]:
        made: dict[str, tuple[str, ResourceSpec]] = {}
        outbox = MemoryOutbox()
        return lambda: Growing(api, made, outbox)

    def more(self, slug: str) -> dict[str, Any]:
        """What is otherwise than with single requests."""
        del slug
        return {}

    def make_table(self, destination: Destination, wanted: TableSchema) -> None:
        assert isinstance(destination, Growing)
        slug = f"t{len(destination.made)}"
        unique = [wanted.key] if wanted.key else []
        destination.api.add(slug, unique=unique, own="_id")
        destination.made[wanted.name] = (slug, resource(slug, wanted, self.more(slug)))

    def read(self, destination: Destination, table: str, fields: Sequence[WriteField]) -> list[Row]:
        assert isinstance(destination, Growing)
        slug, _ = destination.made[table]
        from headgate.connectors.http.rest.paths import at

        return [{f.name: take(at(r, f.name), f.type) for f in fields} for r in destination.api.records(slug)]


class TestSingle(RestConformance):
    """A request for each record."""


class TestTexts(RestConformance):
    """An API that has every value as a text."""

    def more(self, slug: str) -> dict[str, Any]:
        del slug
        return {"texts": True}

    def read(self, destination: Destination, table: str, fields: Sequence[WriteField]) -> list[Row]:
        rows = super().read(destination, table, fields)
        for f in fields:
            if f.type.kind == "json":
                rows = [{**r, f.name: None if r[f.name] is None else json.loads(r[f.name])} for r in rows]
        return rows


class TestBatches(RestConformance):
    """Several records a request."""

    def more(self, slug: str) -> dict[str, Any]:
        results = {"records": "results", "failed": {"error": True}, "record": "record", "id": "id", "status": "status"}
        return {
            "create": {"path": f"/{slug}/batch", "batch": 30, "answer": results},
            "update": {
                "method": "POST",
                "path": f"/{slug}/change",
                "batch": 30,
                "body": {"$each": {"id": "{id}", "set": "{record}"}},
                "answer": results,
            },
            "delete": {
                "method": "POST",
                "path": f"/{slug}/remove",
                "batch": 30,
                "body": {"$each": "{id}"},
                "answer": results,
            },
        }
