"""OpenAPI documents of tests: written in YAML or as data, read, and what is proposed from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from headgate.app.openapi import Api, ApiDraft, choose, propose_api, read_api
from headgate.app.project import Project

CUSTOMER = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer", "format": "int64"},
        "name": {"type": "string", "maxLength": 80},
        "credit": {"type": "string", "format": "decimal"},
        "born": {"type": "string", "format": "date"},
        "updated_at": {"type": "string", "format": "date-time"},
        "active": {"type": "boolean"},
        "address": {"$ref": "#/components/schemas/Address"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
ADDRESS = {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": ["string", "null"]}}}


def listing(schema: object, *parameters: dict[str, Any], headers: object = None, **more: Any) -> dict[str, Any]:
    """A path with a GET request that answers with this."""
    response = {"description": "well", "content": {"application/json": {"schema": schema}}}
    if headers is not None:
        response["headers"] = headers
    return {"get": {"parameters": list(parameters), "responses": {"200": response}} | more}


def query(name: str, *, required: bool = False, about: str = "", **schema: Any) -> dict[str, Any]:
    """A parameter of the URL, a whole number where nothing else is said."""
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": about,
        "schema": schema or {"type": "integer"},
    }


def items(entry: object = None, **beside: object) -> dict[str, Any]:
    """An answer with a list `items` in it, and what is beside it."""
    entry = entry or {"$ref": "#/components/schemas/Customer"}
    return {"type": "object", "properties": {"items": {"type": "array", "items": entry}, **beside}}


def document(paths: dict[str, Any], schemas: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "CRM API", "version": "1"},
        "servers": [{"url": "https://crm.example.com/v1"}],
        "paths": paths,
        "components": {
            "schemas": {"Customer": CUSTOMER, "Address": ADDRESS} | (schemas or {}),
            **more.pop("components", {}),
        },
    } | more


def read(folder: Path, data: object, name: str = "openapi.yaml") -> Api:
    """A document from a file."""
    file = folder / name
    file.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False))
    return read_api(Project(folder, None), str(file))


def proposed(
    folder: Path, data: object, path: str | None = None, *, into: str = "sqlite:///shop.db#customer", key: tuple[str, ...] = (),
    operation: str | None = None, connection: str | None = None,
) -> ApiDraft:  # fmt: skip
    """What is proposed from a document."""
    api = read(folder, data)
    chosen = choose(api, path)
    assert chosen is not None, "there are several"
    return propose_api(Project(folder, None), api, chosen, into, key=key, operation=operation, name=connection)
