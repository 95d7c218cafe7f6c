"""Associations by the preset of HubSpot, against a server that behaves as HubSpot's documentation says."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.testing.hubspot import HubspotServer
from headgate.testing.hubspot_associations import TYPES
from support import forked
from support.shop import Headgate

Write = Callable[..., None]
FIRMS = [{"erp_id": f"F{i}", "name": f"Firm {i}"} for i in range(3)]
PEOPLE = [{"email": f"p{i}@example.com", "firstname": f"P {i}", "firm": f"F{i % 3}"} for i in range(6)]
WORKS = [(p["email"], p["firm"]) for p in PEOPLE]
PAIRS = {
    "fields": {"from_id": {"from": "email", "lookup": "people"}, "to_id": {"from": "firm", "lookup": "firms"}},
    "lookups": {"people": {"ids": "people"}, "firms": {"ids": "firms"}},
    "key": ["from_id", "to_id"],
}


@pytest.fixture
def api() -> Iterator[HubspotServer]:
    with HubspotServer(page=2) as api:
        yield ready(api)


def ready(api: HubspotServer) -> HubspotServer:
    """With companies that have a key of their own."""
    api.define("companies", {"erp_id": "string"}, unique=["erp_id"])
    return api


@pytest.fixture
def project(folder: Path, headgate: Headgate) -> Callable[..., None]:
    """Writes a project with the import firms, which is run, the import people, and more of them."""

    def written(api: HubspotServer, rows: Sequence[Mapping[str, str]] = PEOPLE, **more: Mapping[str, Any]) -> None:
        login = {"url": api.url, "private": True, "auth": {"token": api.TOKEN}, "rate": "1000/s", "retries": 1}
        app = {"preset": "hubspot", **login}
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"app": app}}))
        for name, of in (("firms", FIRMS), ("people", rows)):
            lines = [",".join(of[0]), *(",".join(r.values()) for r in of)]
            (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
        imports = {"firms": firms_import(), "people": people_import(), **more}
        for name, definition in imports.items():
            (folder / "imports" / f"{name}.yaml").write_text(yaml.safe_dump(definition))
        assert headgate("run", "firms").code == 0

    return written


def firms_import() -> dict[str, Any]:
    return {"source": "firms.csv", "key": "erp_id", "destination": {"connection": "app", "table": "companies"}}


def people_import(*, when: str = "created", **more: Any) -> dict[str, Any]:
    works = {"from": "firm", "lookup": "firms", "when": when, "missing": "null"}
    return {
        "source": "people.csv",
        "fields": {"email": {}, "firstname": {}, "associations.companies": works},
        "lookups": {"firms": {"ids": "firms"}},
        "key": "email",
        "destination": {"connection": "app", "table": "contacts"},
        **more,
    }


def pairs_import(**more: Any) -> dict[str, Any]:
    to = {"connection": "app", "table": "contacts/companies"}
    return {"source": "people.csv", **PAIRS, "destination": to, **more}


def works(api: HubspotServer) -> list[Any]:
    """Who is associated with which company."""
    return sorted(api.associated("contacts", "companies", "email", "erp_id"))


def part(api: HubspotServer, *emails: str) -> None:
    """Have people associated with no company."""
    for email in emails:
        api.associations.forget("contacts", api.id("contacts", "email", email))


def asked(api: HubspotServer, what: str) -> list[Any]:
    """The inputs of the requests to one of the batch endpoints."""
    return [c.body["inputs"] for c in api.calls if c.path.endswith(f"/batch/{what}")]


def test_new_records_are_made_with_their_associations(
    api: HubspotServer, project: Callable[..., None], headgate: Headgate
) -> None:
    people = [*PEOPLE, {"email": "x@example.com", "firstname": "X", "firm": ""}]
    project(api, people)
    api.add("contacts", [{"email": people[0]["email"], "firstname": "Other"}])
    said = headgate("plan", "people")
    assert "7 read = 6 created + 1 updated" in said.out
    assert "associations.companies 1002" in said.out
    assert works(api) == []
    said = headgate("run", "--plan", "2")
    assert said.code == 0, said
    assert works(api) == WORKS[1:], "what was there is left as it was"
    sent = {i["properties"]["email"]: i.get("associations") for i in asked(api, "create")[-1]}
    assert sent["x@example.com"] is None
    one = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}
    assert sent["p1@example.com"] == [{"to": {"id": "1002"}, "types": [one]}]
    assert "7 read = 7 unchanged" in headgate("run", "people").out
    assert headgate("undo", "3").code == 0
    assert works(api) == []
    assert [r["firstname"] for r in api.records("contacts")] == ["Other"]


def test_several_at_once_are_a_list(api: HubspotServer, project: Callable[..., None], headgate: Headgate) -> None:
    both = {"expr": "to_json(['1001', '1003'])", "type": "json", "when": "created"}
    fields = {"email": {}, "associations.companies": both}
    project(api, PEOPLE[:1], people=people_import(fields=fields, lookups={}))
    assert "1 read = 1 created" in headgate("run", "people").out
    assert works(api) == [("p0@example.com", "F0"), ("p0@example.com", "F2")]
    assert "1 read = 1 unchanged" in headgate("run", "people").out


@pytest.mark.parametrize("operation", ["upsert", "update"])
def test_what_an_update_does_not_write_is_said(
    api: HubspotServer, project: Callable[..., None], headgate: Headgate, operation: str
) -> None:
    project(api, people=people_import(when="always", operation=operation))
    for command in ("check", "run"):
        said = headgate(command, "people")
        assert said.code != 0
        assert "update of the resource contacts does not write associations.companies" in said.out + said.err
        assert "when: created" in said.out + said.err
    assert api.records("contacts") == []


def test_an_insert_needs_no_when(api: HubspotServer, project: Callable[..., None], headgate: Headgate) -> None:
    project(api, people=people_import(when="always", operation="insert"))
    assert "6 read = 6 created" in headgate("run", "people").out
    assert works(api) == WORKS


@pytest.mark.parametrize("apart", [("create",), ()], ids=["by itself", "with its batch"])
def test_an_association_with_what_is_gone_is_a_reject(
    project: Callable[..., None], headgate: Headgate, apart: tuple[str, ...]
) -> None:
    with HubspotServer(apart=apart) as api:
        project(ready(api))
        api.respond("POST", "/crm/v3/objects/companies/batch/archive", {}, _login(api), {"inputs": [{"id": "1002"}]})
        assert "6 read = 4 created + 2 rejected" in headgate("run", "people").out
        rejects = headgate("rejects", "2", "--json").json
        assert [r["raw"]["firm"] for r in rejects] == ["F1", "F1"]
        assert "No companies with ID 1002 exists" in rejects[0]["problems"][0]["reason"]
        assert works(api) == [w for w in WORKS if w[1] != "F1"]


def _login(api: HubspotServer) -> dict[str, str]:
    return {"authorization": f"Bearer {api.TOKEN}"}


@pytest.mark.parametrize(("kind", "to"), [*TYPES])
def test_every_kind_that_may_be_made_with_another(
    api: HubspotServer, write: Write, headgate: Headgate, kind: str, to: str
) -> None:
    for one in {kind, to}:
        api.define(one, {"ref": "string"}, unique=["ref"])
    needs = {"tickets": {"subject": "N", "hs_pipeline_stage": "1"}, "deals": {"dealname": "N", "dealstage": "won"}}
    api.add(to, [{"ref": "there", **needs.get(to, {})}])
    row = {"ref": "new", **needs.get(kind, {}), "other": "1001"}
    field = {f"associations.{to}": {"from": "other", "when": "created"}}
    named: dict[str, Any] = {n: {} for n in row if n != "other"}
    app = {"preset": "hubspot", "url": api.url, "private": True, "auth": {"token": api.TOKEN}}
    write(app, kind, [row], "ref", fields=named | field)
    assert "1 read = 1 created" in headgate("run", "data").out
    assert api.associated(kind, to, "ref", "ref") == [("new", "there")]


def test_what_is_there_is_associated_pair_by_pair(
    api: HubspotServer, project: Callable[..., None], headgate: Headgate
) -> None:
    project(api, works=pairs_import())
    api.add("contacts", [{"email": p["email"], "firstname": p["firstname"]} for p in PEOPLE])
    assert "6 read = 6 unchanged" in headgate("run", "people").out
    api.associations.make("contacts", "1004", "companies", "1001")
    said = headgate("plan", "works")
    assert "6 read = 5 created + 1 unchanged" in said.out, said
    assert works(api) == WORKS[:1]
    assert headgate("run", "--plan", "3").code == 0
    assert works(api) == WORKS
    assert "6 read = 6 unchanged" in headgate("run", "works").out
    assert len(asked(api, "associate/default")) == 1
    assert headgate("undo", "4").code == 0
    assert works(api) == WORKS[:1]


def test_long_lists_are_read_to_their_end(api: HubspotServer, project: Callable[..., None], headgate: Headgate) -> None:
    turned = {"from_id": PAIRS["fields"]["to_id"], "to_id": PAIRS["fields"]["from_id"]}
    to = {"connection": "app", "table": "companies/contacts"}
    people = [{**p, "firm": "F0"} for p in PEOPLE]
    project(api, people, staff=pairs_import(fields=turned, destination=to))
    path = Path("headgate.yaml")
    settings = yaml.safe_load(path.read_text())
    settings["connections"]["app"]["resources"] = {"companies/contacts": {}}
    path.write_text(yaml.safe_dump(settings))
    assert headgate("run", "people").code == 0
    assert "6 read = 6 unchanged" in headgate("run", "staff").out
    assert [i[0].get("after") for i in asked(api, "read") if "after" in i[0]] == ["1005", "1007"]
    firms = [i for c in api.calls if c.path.endswith("companies/contacts/batch/read") for i in [c.body["inputs"]]]
    assert firms[0] == [{"id": "1001"}], "a company is asked for once, however many pairs it is in"


def test_associations_are_taken_away_and_come_back(
    api: HubspotServer, project: Callable[..., None], headgate: Headgate
) -> None:
    project(api, works=pairs_import(operation="delete"))
    assert headgate("run", "people").code == 0
    part(api, "p0@example.com")
    assert "6 read = 5 deleted + 1 skipped" in headgate("run", "works").out
    assert works(api) == []
    assert headgate("undo", "3").code == 0
    assert works(api) == WORKS[1:]


def test_pairs_that_cannot_be_are_rejects(api: HubspotServer, project: Callable[..., None], headgate: Headgate) -> None:
    people = [*PEOPLE, {"email": "nobody@example.com", "firstname": "N", "firm": "F0"}]
    project(api, people, works=pairs_import())
    assert headgate("run", "people").code == 0
    part(api, *(p["email"] for p in people))
    api.respond("POST", "/crm/v3/objects/contacts/batch/archive", {}, _login(api), {"inputs": [{"id": "1010"}]})
    assert "7 read = 6 created + 1 rejected" in headgate("run", "works").out
    (reject,) = headgate("rejects", "3", "--json").json
    assert reject["raw"]["email"] == "nobody@example.com"
    assert "No contacts with ID 1010 exists" in reject["problems"][0]["reason"]
    assert works(api) == WORKS


def test_pairs_cannot_be_mirrored_which_is_said(
    api: HubspotServer, project: Callable[..., None], headgate: Headgate
) -> None:
    project(api, works=pairs_import(operation="mirror"))
    said = headgate("check", "works")
    assert said.code != 0
    assert "does not say how all its records are read" in said.out + said.err


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "status", "status_after"])
@pytest.mark.parametrize("path", [".*/contacts/batch/create", ".*/associate/default"])
def test_nothing_is_done_twice_or_not_at_all_when_an_answer_is_lost(
    api: HubspotServer, project: Callable[..., None], headgate: Headgate, kind: Any, path: str
) -> None:
    project(api, works=pairs_import())
    api.fault(kind, path=path, status=502, times=1)
    assert "6 read = 6 created" in headgate("run", "people").out
    assert works(api) == WORKS
    part(api, "p1@example.com", "p4@example.com")
    assert "6 read = 2 created + 4 unchanged" in headgate("run", "works").out
    assert works(api) == WORKS


@pytest.mark.parametrize("path", [".*/contacts/batch/create", ".*/associate/default", ".*/batch/read"])
def test_the_limit_is_waited_for(project: Callable[..., None], headgate: Headgate, path: str) -> None:
    with HubspotServer(limit=(1, 0.1)) as api:
        project(ready(api), works=pairs_import())
        api.fault("status", status=423, path=path, times=1)
        assert "6 read = 6 created" in headgate("run", "people").out
        part(api, "p1@example.com")
        assert "6 read = 1 created + 5 unchanged" in headgate("run", "works").out
        assert api.refused > 0


@pytest.mark.parametrize(
    ("name", "path"), [("people", ".*/contacts/batch/create"), ("works", ".*/batch/associate/default")]
)
@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
def test_what_a_killed_run_has_done_is_known_to_the_next(
    api: HubspotServer, project: Callable[..., None], headgate: Headgate, name: str, path: str, kind: Any
) -> None:
    project(api, works=pairs_import())
    if name == "works":
        assert headgate("run", "people").code == 0
        part(api, *(p["email"] for p in PEOPLE))
    api.fault(kind, path=path, times=1)
    sent = len(api.calls)
    process = forked.start("run", name, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any(re.fullmatch(path, c.path) for c in api.calls[sent:]) or (kind == "hang_after" and not works(api)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    said = headgate("run", name)
    assert "6 read = 6 created" in said.out, said
    assert works(api) == WORKS
    assert "6 read = 6 unchanged" in headgate("run", name).out
