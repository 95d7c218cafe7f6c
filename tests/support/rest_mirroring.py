"""A project that mirrors a list of people into an API, for tests of that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from headgate.testing.crud import CrudServer

from .people import PLAIN

PEOPLE = [{"email": f"p{i}@example.com", "name": f"Person {i}"} for i in range(7)]
GONE = [{"email": f"g{i}@example.com", "name": f"Gone {i}", "tags": [i]} for i in range(2)]
THERE = [*PEOPLE[:3], {**PEOPLE[3], "name": "Somebody"}, *GONE]
PAGES = {"type": "page", "param": "_page", "size": 2, "size_param": "_size", "more": "more"}
LISTING: dict[str, Any] = {"path": "/people", "records": "items", "pagination": PAGES}
RESOURCE: dict[str, Any] = {**PLAIN, "listing": LISTING}
MARKS = {"delete": {"set": {"archived": True}}}
Define = Callable[..., None]


def defining(folder: Path, api: CrudServer) -> Define:
    """What writes the project: people.csv is mirrored into the API."""

    def write(people: list[dict[str, Any]] = PEOPLE, resource: dict[str, Any] | None = None, **more: Any) -> None:
        said = {k: v for k, v in {**RESOURCE, **(resource or {})}.items() if v is not None}
        crm = {"url": api.url, "private": True, "retries": 0, "resources": {"people": said}}
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"crm": crm}}))
        (folder / "imports").mkdir(exist_ok=True)
        lines = ["email,name", *(f"{p['email']},{p['name']}" for p in people)]
        (folder / "people.csv").write_text("\n".join(lines) + "\n")
        definition = {
            "source": "people.csv", "key": "email", "operation": "mirror", "limits": {"deletes": 2},
            "destination": {"connection": "crm", "table": "people"},
        }  # fmt: skip
        (folder / "imports" / "people.yaml").write_text(yaml.safe_dump(definition | more))

    return write


def held(api: CrudServer) -> list[dict[str, Any]]:
    """The people that the API has, without its own ids, by their addresses."""
    return sorted(({k: v for k, v in r.items() if k != "id"} for r in api.records("people")), key=lambda r: r["email"])


def writes(api: CrudServer) -> list[str]:
    """The requests that came and write."""
    return [f"{c.method} {c.path}" for c in api.calls if c.method != "GET" and not c.path.endswith("/find")]
