"""From the description of an API to its records in a database: `headgate new --openapi`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.server import ApiServer
from support.openapi import document, items, listing, query
from support.shop import Ask, Headgate

RECORDS = [
    json.dumps({
        "id": i, "name": f"customer {i}", "credit": f"{i}.10", "born": f"2024-01-{i % 28 + 1:02}", "active": i % 2 == 0,
        "updated_at": "2024-05-01T10:00:00Z", "address": {"city": f"city {i}"} if i != 3 else None, "tags": ["a", "b"],
    })
    for i in range(35)
]  # fmt: skip
PARTS = {
    "type": "object",
    "properties": {"parts": {"type": "array", "items": {"type": "object", "properties": {"no": {"type": "integer"}}}}},
}
META = {"type": "object", "properties": {"next_cursor": {"type": ["string", "null"]}}}
WHOLE = document(
    {
        "/cursor": listing(items(meta=META), query("cursor", type="string"), query("updated_since", type="string")),
        "/page": listing(
            items(total_pages={"type": "integer"}),
            query("page", type="integer", default=1),
            query("per_page", type="integer", maximum=7),
        ),
        "/offset": listing(
            {
                "allOf": [
                    {"type": "object", "properties": {"data": items()}},
                    {"properties": {"total": {"type": "integer"}}},
                ]
            },
            query("offset"),
            query("limit", type="integer", maximum=9),
        ),
        "/link": listing(
            {"type": "array", "items": {"$ref": "#/components/schemas/Customer"}},
            headers={"Link": {"schema": {"type": "string"}}},
        ),
        "/next": listing(items(paging={"type": "object", "properties": {"next": {"type": "string", "format": "uri"}}})),
        "/records": listing(items()),
        "/records/{id}/parts": listing(
            PARTS, {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
        ),
    },
    servers=[{"url": "/"}],
    security=[{"token": []}],
    components={"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
)


@pytest.fixture
def api(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """A server with a login, its document in a file, and a project that knows only its destination."""
    with ApiServer(RECORDS, login="bearer", parts={str(i): [{"no": n} for n in range(2)] for i in range(35)}) as api:
        monkeypatch.setenv("CRM_TOKEN", api.TOKEN)
        (folder / "headgate.yaml").write_text("# mine\nconnections:\n  # the shop\n  shop: sqlite:///shop.db  # here\n")
        _write(folder, WHOLE | {"servers": [{"url": api.url}]})
        yield api


def _write(folder: Path, data: dict[str, Any]) -> None:
    (folder / "crm.json").write_text(json.dumps(data))


@pytest.mark.parametrize("path", ["/cursor", "/page", "/offset", "/link", "/next"])
def test_what_is_proposed_is_checked_planned_and_run_as_it_is(
    path: str, api: ApiServer, headgate: Headgate, rows: Ask
) -> None:
    said = [headgate("new", "--openapi", "crm.json", "--path", path, "--into", "shop#customer", "--name", "customers")]
    assert said[-1].code == 0, said[-1]
    said += [headgate("check", "customers"), headgate("plan", "customers"), headgate("run", "customers")]
    assert [s.code for s in said] == [0, 0, 0, 0], said
    assert "35 read = 35 created" in said[-1].out
    assert rows("select count(*), count(distinct id), count(address_city), sum(active) from customer") == [
        (35, 35, 34, 18)
    ]
    assert rows("select name, born, credit, tags, address_zip from customer where id = 5") == [
        ("customer 5", "2024-01-06", "5.1000000000", '["a","b"]', None)
    ]
    assert "35 read = 35 unchanged" in headgate("run", "customers").out
    assert all(api.TOKEN not in s.out + s.err for s in said)


def test_a_document_and_its_api_are_found_by_url_though_the_address_is_a_private_one(
    api: ApiServer, headgate: Headgate, folder: Path, rows: Ask
) -> None:
    api.login = ""
    api.documents["/docs/openapi.json"] = json.dumps(WHOLE | {"security": []})
    url = f"{api.url}/docs/openapi.json"
    said = headgate("new", "customers", "--openapi", url, "--path", "cursor", "--into", "shop#customer")
    assert said.code == 0, said
    assert (folder / "headgate.yaml").read_text() == (
        f'# mine\nconnections:\n  crm:\n    url: "{api.url}"\n    private: true\n'
        "  # the shop\n  shop: sqlite:///shop.db  # here\n"
    )
    assert [headgate(word, "customers").code for word in ("check", "plan", "run")] == [0, 0, 0]
    assert rows("select count(*) from customer") == [(35,)]


def test_a_document_behind_a_login_is_fetched_with_the_connection_to_its_host(
    api: ApiServer, headgate: Headgate, folder: Path
) -> None:
    api.documents["/openapi.json"] = json.dumps(WHOLE)
    words = ["new", "--openapi", f"{api.url}/openapi.json", "--path", "/next", "--into", "shop#customer"]
    said = headgate(*words)
    assert (said.code, "401 Unauthorized" in said.err) == (1, True)
    auth = "{ type: bearer, token: '${env:CRM_TOKEN}' }"
    text = f"connections:\n  shop: {{ url: 'sqlite:///shop.db' }}\n  mine: {{ url: '{api.url}', private: true, auth: {auth} }}\n"
    (folder / "headgate.yaml").write_text(text)
    said = headgate(*words)
    assert said.code == 0, said
    assert "connection: mine" in said.out
    assert headgate("run", "next").code == 0
    assert (folder / "headgate.yaml").read_text() == text
    said = headgate("new", "--openapi", f"{api.url}/none.json", "--into", "shop#customer")
    assert (said.code, "404 Not Found" in said.err) == (1, True)
    assert api.TOKEN not in said.err


def test_records_of_parents_are_asked_for_parent_by_parent(api: ApiServer, headgate: Headgate, rows: Ask) -> None:
    api.paths = {"/records": "/changed"}
    said = headgate("new", "--openapi", "crm.json", "--path", "/records/{id}/parts", "--into", "shop#part")
    assert said.code == 0, said
    assert headgate("run", "parts").code == 0
    assert rows("select count(*), count(distinct record_id), sum(no) from part") == [(70, 35, 35)]


def test_a_second_import_uses_the_connection_that_is_there(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    assert headgate("new", "--openapi", "crm.json", "--path", "/link", "--into", "shop#customer").code == 0
    before = (folder / "headgate.yaml").read_text()
    assert headgate("new", "--openapi", "crm.json", "--path", "/next", "--into", "shop#other").code == 0
    assert (folder / "headgate.yaml").read_text() == before
    assert headgate("run", "next").code == 0


def test_a_table_that_is_there_says_which_columns_there_are(api: ApiServer, headgate: Headgate, rows: Ask) -> None:
    rows("create table person (id integer primary key, name text, city text, note text)")
    said = headgate("new", "--openapi", "crm.json", "--path", "/link", "--into", "shop#person", "--json")
    assert {f["name"]: f["from"] for f in said.json["fields"]} == {"id": "id", "name": "name", "city": "address.city"}
    assert said.json["uncovered"] == ["note"]
    assert "credit" in said.json["unmatched"]
    assert headgate("run", "link").code == 0
    assert rows("select count(city) from person") == [(34,)]


def test_without_a_path_those_that_there_are_are_listed(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    said = headgate("new", "--openapi", "crm.json")
    assert said.code == 0
    assert "/records/{id}/parts" in said.out
    assert "Choose one: headgate new --openapi crm.json --path /cursor --into" in said.out
    said = headgate("new", "--openapi", "crm.json", "--into", "shop#customer", "--json")
    assert said.code == 2
    assert [o["path"] for o in said.json["operations"]] == list(WHOLE["paths"])
    assert said.json["operations"][2]["records"] == "data.items"
    assert not (folder / "imports").exists()


def test_the_only_list_is_taken(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    _write(folder, WHOLE | {"servers": [{"url": api.url}], "paths": {"/cursor": WHOLE["paths"]["/cursor"]}})
    assert headgate("new", "--openapi", "crm.json", "--into", "shop#customer").code == 0
    assert headgate("run", "cursor").code == 0


def test_printed_only_nothing_is_written(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    before = (folder / "headgate.yaml").read_text()
    said = headgate("new", "--openapi", "crm.json", "--path", "/next", "--into", "shop#customer", "--print")
    assert said.code == 0
    assert "# For headgate.yaml:\n#   connections:\n#     crm:\n" in said.out
    assert (folder / "headgate.yaml").read_text() == before
    assert not (folder / "imports").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["crm.json", "--path", "/nxt"], "Did you mean /next?"),
        (["missing.json"], "missing.json: there is no such file"),
        (["ftp://here/crm.json"], "neither a file nor a URL"),
        (["https://here.example/crm.json?key=a"], "Save the document to a file"),
        (["crm.json", "--path", "/next", "--set", "source.sheet=1"], "only source.request.records"),
        (["crm.json", "--path", "/next", "--key", "nothing"], "the key 'nothing' is not among the fields"),
        (["crm.json", "--path", "/next", "--set", "source.request.records=a.b"], "There are: items"),
    ],
)
def test_what_cannot_be_is_said_with_a_way_out(
    words: list[str], told: str, api: ApiServer, headgate: Headgate, folder: Path
) -> None:
    said = headgate("new", "--openapi", *words, "--into", "shop#customer")
    assert said.code in (1, 2)
    assert told in said.err
    assert not (folder / "imports").exists()
    assert "crm" not in (folder / "headgate.yaml").read_text()


def test_options_that_do_not_go_together(api: ApiServer, headgate: Headgate) -> None:
    assert "go with --openapi" in headgate("new", "a.csv", "--into", "shop#a", "--path", "/next").err
    assert "needs --into" in headgate("new", "a.csv").err
    for words in (["a.csv"], ["a", "--name", "b"]):
        said = headgate("new", *words, "--openapi", "crm.json", "--path", "/next", "--into", "shop#a")
        assert "there is no FILE to read" in said.err
    assert "needs a FILE" in headgate("new", "--into", "shop#a").err
    assert "needs --into" in headgate("new", "--openapi", "crm.json", "--path", "/next").err


def test_nothing_is_written_unless_all_is(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    (folder / "imports").mkdir()
    (folder / "imports" / "next.yaml").write_text("mine")
    before = (folder / "headgate.yaml").read_text()
    said = headgate("new", "--openapi", "crm.json", "--path", "/next", "--into", "shop#customer")
    assert (said.code, "next.yaml is there already" in said.err) == (2, True)
    assert (folder / "headgate.yaml").read_text() == before
    (folder / "headgate.yaml").unlink()
    said = headgate("new", "a", "--openapi", "crm.json", "--path", "/next", "--into", "sqlite:///shop.db#customer")
    assert (said.code, "Make one: headgate init. Or look at it only: --print." in said.err) == (2, True)
    assert [p.name for p in (folder / "imports").iterdir()] == ["next.yaml"]


def test_connections_written_in_one_line_are_left_alone(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    text = "connections: { shop: 'sqlite:///shop.db' }\n"
    (folder / "headgate.yaml").write_text(text)
    said = headgate("new", "--openapi", "crm.json", "--path", "/next", "--into", "shop#customer")
    assert said.code == 2
    assert "go on with --connection crm:\n    crm:\n      url:" in said.err
    assert (folder / "headgate.yaml").read_text() == text
