"""An API for tests that has people, and a project that sends them to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from headgate.testing.crud import CrudServer

PEOPLE = [{"email": f"p{i}@example.com", "name": f"Person {i}", "city": "Paris" if i % 2 else "Rome"} for i in range(7)]
FIND = {
    "method": "POST",
    "path": "/people/find",
    "body": {"any": {"$each": "{record}"}},
    "records": "items",
    "batch": 3,
}
RESULTS = {"records": "results", "failed": {"error": True}, "record": "record", "status": "status", "field": "field"}
PLAIN: dict[str, Any] = {
    "find": FIND,
    "create": "POST /people",
    "update": "PATCH /people/{id}",
    "delete": "DELETE /people/{id}",
}
BATCHED: dict[str, Any] = {
    "find": FIND,
    "create": {"path": "/people/batch", "batch": 4, "answer": RESULTS},
    "update": {
        "method": "POST",
        "path": "/people/change",
        "batch": 4,
        "body": {"$each": {"id": "{id}", "set": "{record}"}},
        "answer": RESULTS,
    },
    "delete": {"method": "POST", "path": "/people/remove", "body": {"$each": "{id}"}, "batch": 4, "answer": RESULTS},
}


def write_people(
    folder: Path,
    api: CrudServer,
    resource: dict[str, Any] = PLAIN,
    people: list[dict[str, Any]] = PEOPLE,
    **definition: Any,
) -> None:
    """A project that sends people.csv to the API; its token is in API_TOKEN."""
    ours = ("url", "private", "retries", "timeout", "concurrency", "auth", "rate")
    options = {k: definition.pop(k) for k in ours if k in definition}
    crm = {
        "url": api.url,
        "private": True,
        "auth": {"type": "bearer", "token": "${env:API_TOKEN}"},
        "retries": 1,
        "resources": {"people": resource},
    } | options
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"crm": crm}}))
    (folder / "imports").mkdir(exist_ok=True)
    columns = list(people[0])
    lines = [",".join(columns), *(",".join(str(p.get(c, "")) for c in columns) for p in people)]
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    whole = {
        "source": "people.csv",
        "key": "email",
        "operation": "upsert",
        "destination": {"connection": "crm", "table": "people"},
    } | definition
    (folder / "imports" / "people.yaml").write_text(yaml.safe_dump(whole))


def held(api: CrudServer) -> list[dict[str, Any]]:
    """The people that the API has, without its own ids, by their addresses."""
    return sorted(({k: v for k, v in r.items() if k != "id"} for r in api.records("people")), key=lambda r: r["email"])


def changes(api: CrudServer) -> int:
    """How many requests came that write."""
    return sum(c.method != "GET" and not c.path.endswith("/find") for c in api.calls)
