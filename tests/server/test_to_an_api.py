"""Requests whose records go to an API, for callers who wait."""

from __future__ import annotations

from pathlib import Path

import yaml

from headgate.testing.crud import CrudServer
from support.serving import Serving

PEOPLE = {
    "find": {"path": "/people", "query": {"email": "{email}"}, "records": "items"},
    "create": "POST /people",
    "update": "PATCH /people/{id}",
    "answer": {"message": "error", "field": "field"},
}
RECORDS = [{"email": "a@example.com", "name": "A"}, {"email": "b@example.com", "name": ""}]


def test_every_record_is_answered_with_what_the_api_said(folder: Path) -> None:
    with CrudServer() as api:
        api.add("people", unique=[("email",)], required=["name"])
        crm = {"url": api.url, "private": True, "resources": {"people": PEOPLE}}
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"crm": crm}}))
        people = {
            "source": {"path": "requests", "format": "json"},
            "fields": {"email": "email", "name": "name"},
            "key": "email",
            "destination": {"connection": "crm", "table": "people"},
        }
        (folder / "imports" / "people.yaml").write_text(yaml.safe_dump(people))
        with Serving(folder) as server:
            first = server.post("/api/imports/people/records", RECORDS).json()
            assert first["counts"] == {"created": 1, "rejected": 1}
            assert [o["outcome"] for o in first["outcomes"]] == ["created", "rejected"]
            (problem,) = first["outcomes"][1]["problems"]
            assert (problem["code"], problem["field"]) == ("DE06", "name")
            assert "name is required" in problem["reason"]
            tried = server.post("/api/imports/people/records?dry_run=true", {**RECORDS[0], "name": "AA"}).json()
            assert tried["counts"] == {"updated": 1}
            again = server.post("/api/imports/people/records", RECORDS[0]).json()
            assert again["counts"] == {"unchanged": 1}
        (kept,) = api.records("people")
        assert (kept["email"], kept["name"]) == ("a@example.com", "A")
