"""From servers and security schemes to a connection, and into headgate.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.app.openapi import Api, choose, propose_api, read_api, with_connection
from headgate.app.openapi.access import Proposed
from headgate.app.project import Project, open_project
from headgate.connectors.http.options import read as options_of_api
from headgate.model.errors import HeadgateError, UsageError
from support.openapi import document, items, listing, proposed, read

ONE = {"/customers": listing(items())}


def url(folder: Path, data: dict[str, Any], at: str = "") -> str:
    """The URL proposed for a document that was fetched from somewhere."""
    api = read(folder, data)
    api = Api(api.file, at)
    chosen = choose(api, None)
    assert chosen is not None
    draft = propose_api(Project(folder, None), api, chosen, "sqlite:///a.db#a", key=(), operation=None, name=None)
    return str(draft.connection.options["url"])


@pytest.mark.parametrize(
    ("servers", "at", "found"),
    [
        ([{"url": "https://api.example.com/v1/"}], "", "https://api.example.com/v1"),
        (
            [{"url": "https://{region}.example.com:{port}/{v}", "variables": {"region": {"default": "eu"}, "port": {"default": "8443"}, "v": {"default": "v2"}}}],
            "", "https://eu.example.com:8443/v2",
        ),
        ([{"url": "/api/v1"}], "https://docs.example.com/open/api.json", "https://docs.example.com/api/v1"),
        ([{"url": "v1"}], "https://docs.example.com/open/api.json", "https://docs.example.com/open/v1"),
        ([{"url": "../v1/"}], "https://docs.example.com/open/api.json", "https://docs.example.com/v1"),
        ([], "https://docs.example.com/open/api.json", "https://docs.example.com"),
        ([], "", "${env:CRM_URL}"),
        ([{"url": "/api"}], "", "${env:CRM_URL}/api"),
        ([None, 5], "", "${env:CRM_URL}"),
    ],
)  # fmt: skip
def test_where_the_api_is(servers: list[Any], at: str, found: str, tmp_path: Path) -> None:
    assert url(tmp_path, document(ONE, servers=servers), at) == found


def test_servers_of_an_operation_and_of_a_path_come_first(tmp_path: Path) -> None:
    of_path = {"/customers": ONE["/customers"] | {"servers": [{"url": "https://path.example.com"}]}}
    assert url(tmp_path, document(of_path)) == "https://path.example.com"
    get = ONE["/customers"]["get"] | {"servers": [{"url": "https://get.example.com"}]}
    assert url(tmp_path, document({"/customers": of_path["/customers"] | {"get": get}})) == "https://get.example.com"


@pytest.mark.parametrize(
    "server",
    [
        "ftp://example.com", "https://user:pass@example.com", "https://example.com/?a=b", "https://example.com:port", "https:///nowhere",
        "https://example.com/${file:/etc/passwd}", "${env:HOME}", "https://[::1", "https://example.com/\x07", "https://{region}.example.com",
    ],
)  # fmt: skip
def test_a_url_that_no_connection_can_have_is_refused(server: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be used") as e:
        proposed(tmp_path, document(ONE, servers=[{"url": server}]))
    assert "openapi.yaml:6:1: " in str(e.value)
    assert "pass@" not in str(e.value)
    assert "--connection NAME" in e.value.hint


@pytest.mark.parametrize(
    ("server", "private"),
    [("http://localhost:8000", True), ("http://10.0.0.7/api", True), ("http://[::1]:80", True), ("http://crm.internal", True), ("https://8.8.8.8", False), ("https://example.com", False)],
)  # fmt: skip
def test_addresses_of_ones_own_network_are_said_to_be(server: str, private: bool, tmp_path: Path) -> None:
    options = proposed(tmp_path, document(ONE, servers=[{"url": server}])).connection.options
    assert options.get("private", False) is private


SCHEMES = {
    "token": {"type": "http", "scheme": "Bearer"},
    "user": {"type": "http", "scheme": "basic"},
    "digest": {"type": "http", "scheme": "digest"},
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "param": {"type": "apiKey", "in": "query", "name": "api_key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
    "evil": {"type": "apiKey", "in": "header", "name": "X-${file:a}"},
    "open": {"type": "openIdConnect", "openIdConnectUrl": "https://login.example.com"},
    "client": {
        "type": "oauth2",
        "flows": {"implicit": {}, "clientCredentials": {"tokenUrl": "https://login.example.com/token"}},
    },
    "person": {"type": "oauth2", "flows": {"authorizationCode": {"tokenUrl": "https://login.example.com/token"}}},
    "implicit": {"type": "oauth2", "flows": {"implicit": {}}},
    "stolen": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://a.example/${env:HOME}"}}},
    "alias": {"$ref": "#/components/securitySchemes/token"},
}
BEARER = {"auth": {"type": "bearer", "token": "${env:CRM_TOKEN}"}}
CLIENT = {"type": "oauth2", "token_url": "https://login.example.com/token", "client_id": "${env:CRM_CLIENT_ID}", "client_secret": "${env:CRM_CLIENT_SECRET}"}  # fmt: skip


@pytest.mark.parametrize(
    ("security", "found"),
    [
        ([{"token": []}], BEARER),
        ([{"alias": []}], BEARER),
        ([{"open": []}], BEARER),
        ([{"implicit": []}], BEARER),
        ([{"user": []}], {"auth": {"type": "basic", "user": "${env:CRM_USER}", "password": "${env:CRM_PASSWORD}"}}),
        ([{"key": []}], {"auth": {"type": "api_key", "name": "X-Key", "key": "${env:CRM_KEY}"}}),
        ([{"param": []}], {"auth": {"type": "api_key", "name": "api_key", "key": "${env:CRM_KEY}", "send": "query"}}),
        ([{"cookie": []}], {"headers": {"Cookie": "sid=${env:CRM_COOKIE}"}}),
        ([{"token": [], "cookie": []}], BEARER | {"headers": {"Cookie": "sid=${env:CRM_COOKIE}"}}),
        ([{"client": ["read", "list"]}], {"auth": CLIENT | {"scope": "read list"}}),
        ([{"person": []}], {"auth": CLIENT | {"refresh_token": "${env:CRM_REFRESH_TOKEN}"}}),
        ([{"digest": []}, {"token": [], "key": []}, {"token": []}], BEARER),
        ([], {}),
        ([{}], {}),
        ([{}, {"token": []}], {}),
        ([{"digest": []}], {}),
        ([{"evil": []}], {}),
        ([{"stolen": []}], {}),
        ([{"client": ["${env:HOME}"]}], {}),
        ([{"unknown": []}], {}),
    ],
)
def test_how_it_is_logged_in(security: list[dict[str, Any]], found: dict[str, Any], tmp_path: Path) -> None:
    data = document(ONE, security=security, components={"securitySchemes": SCHEMES})
    draft = proposed(tmp_path, data)
    options = draft.connection.options
    assert {k: v for k, v in options.items() if k in ("auth", "headers")} == found
    options_of_api(options)
    unclear = bool(security) and {} not in security and not found
    assert bool([r for r in draft.connection.remarks if "How to log in" in r]) is unclear


def test_an_operation_may_be_open_where_others_are_not(tmp_path: Path) -> None:
    paths = {"/customers": {"get": ONE["/customers"]["get"] | {"security": []}}}
    data = document(paths, security=[{"token": []}], components={"securitySchemes": SCHEMES})
    assert "auth" not in proposed(tmp_path, data).connection.options


def test_swagger_2(tmp_path: Path) -> None:
    entry = {"type": "object", "properties": {"id": {"type": "integer"}, "born": {"type": "string", "format": "date"}}}
    data = {
        "swagger": "2.0",
        "info": {"title": "Pets"},
        "host": "pets.example.com",
        "basePath": "/v2/",
        "schemes": ["http", "https"],
        "security": [{"old": ["read"]}],
        "securityDefinitions": {
            "old": {"type": "oauth2", "flow": "application", "tokenUrl": "https://login.example.com/t"}
        },
        "definitions": {"Pet": entry},
        "paths": {
            "/pets": {
                "get": {
                    "parameters": [
                        {"name": "page", "in": "query", "type": "integer", "default": 0},
                        {"name": "limit", "in": "query", "type": "integer", "maximum": 50},
                        {"name": "kind", "in": "query", "type": "string", "required": True, "enum": ["cat"]},
                        {"name": "body", "in": "body", "schema": {}},
                    ],
                    "responses": {"200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Pet"}}}},
                }
            }
        },
    }
    text = yaml.safe_dump(data, sort_keys=False).replace("'2.0'", "2.0")
    draft = proposed(tmp_path, text)
    assert draft.connection.name == "pets"
    assert draft.connection.options["url"] == "https://pets.example.com/v2"
    assert draft.connection.options["auth"]["scope"] == "read"
    assert "pagination: { type: page, param: page, start: 0, size: 50, size_param: limit }" in draft.text
    assert "kind: cat  # required; one of cat" in draft.text
    assert {f.name: str(f.type) for f in draft.fields} == {"id": "bigint", "born": "date"}
    del data["host"], data["schemes"], data["securityDefinitions"]
    assert proposed(tmp_path, data).connection.options["url"] == "${env:PETS_URL}/v2"
    basic = data | {"host": "a.example.com", "securityDefinitions": {"old": {"type": "basic"}}}
    found = proposed(tmp_path, basic).connection.options
    assert (found["url"], found["auth"]["type"]) == ("https://a.example.com/v2", "basic")


@pytest.mark.parametrize(
    ("title", "server", "name"),
    [
        ("The Big Shop API v2", "https://x.example.com", "big_shop"),
        ("", "https://api.example.com", "example"),
        ("API", "", "api"),
    ],
)
def test_the_name_of_a_connection(title: str, server: str, name: str, tmp_path: Path) -> None:
    servers = [{"url": server}] if server else []
    draft = proposed(tmp_path, document(ONE, info={"title": title}, servers=servers))
    assert draft.connection.name == name


def in_project(folder: Path, settings: str, name: str | None = None) -> Proposed:
    (folder / "headgate.yaml").write_text(settings)
    api = read(folder, document(ONE))
    chosen = choose(api, None)
    assert chosen is not None
    return propose_api(
        open_project(folder), api, chosen, "sqlite:///a.db#a", key=(), operation=None, name=name
    ).connection


def test_a_connection_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "https://crm.example.com")
    monkeypatch.delenv("ELSEWHERE", raising=False)
    settings = "connections: { a: 'sqlite:///a.db', b: '${env:ELSEWHERE}', c: '${env:HERE}/', crm: 'https://other.example.com' }"
    found = in_project(tmp_path, settings.replace("'${env:ELSEWHERE}'", "{ url: '${env:ELSEWHERE}' }").replace("'sqlite:///a.db'", "{ url: 'sqlite:///a.db' }").replace("'${env:HERE}/'", "{ url: '${env:HERE}/' }").replace("'https://other.example.com'", "{ url: 'https://other.example.com' }"))  # fmt: skip
    assert (found.name, found.prefix, found.options) == ("c", "/v1", {})
    monkeypatch.setenv("HERE", "https://crm.example.co")
    settings = "connections: { c: { url: '${env:HERE}' }, crm: { url: 'https://other.example.com' } }"
    found = in_project(tmp_path, settings)
    assert (found.name, found.prefix, bool(found.options)) == ("crm_2", "", True)
    assert in_project(tmp_path, settings, "crm").options == {}
    with pytest.raises(UsageError, match="cannot be called so"):
        in_project(tmp_path, settings, "https://crm.example.com")
    assert in_project(tmp_path, settings, "new-one").name == "new-one"


NEW = Proposed("crm", {"url": "https://crm.example.com", "auth": {"type": "bearer", "token": "${env:CRM_TOKEN}"}})


@pytest.mark.parametrize(
    "text",
    [
        "", "# nothing yet\n", "name: shop\n", "name: shop", "connections:\n  shop: sqlite:///a.db\n",
        "connections:\n      shop: sqlite:///a.db", "name: a\nconnections: # all\n  # one\n  shop: {url: 'sqlite:///a.db'}\n\nledger: a.db\n",
        "connections:\r\n  shop:\r\n    url: sqlite:///a.db\r\nname: a\r\n",
    ],
)  # fmt: skip
def test_a_connection_is_added_and_all_else_stays_as_it_is(text: str, tmp_path: Path) -> None:
    new = with_connection(text, NEW, tmp_path / "headgate.yaml")
    before, after = yaml.safe_load(text) or {}, yaml.safe_load(new)
    assert after["connections"].pop("crm") == NEW.options
    assert after == {"connections": {}} | before
    assert [line for line in text.split() if line not in new.split()] == []


@pytest.mark.parametrize("text", ["connections: {}\n", "{name: a}\n", "connections: {a: 'sqlite:///a.db'}\n", "connections:\n  crm: sqlite:///a.db\n"])  # fmt: skip
def test_where_nothing_can_be_added_it_is_said_what_to_add(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as e:
        with_connection(text, NEW, tmp_path / "headgate.yaml")
    assert 'crm:\n      url: "https://crm.example.com"\n      auth:\n        type: bearer' in e.value.hint


@pytest.mark.parametrize(
    "place", ["sftp://a/b.json", "https://", "https://u:p@example.com/a.json", "https://example.com/a?key=secret"]
)
def test_urls_that_are_not_fetched(place: str, tmp_path: Path) -> None:
    with pytest.raises(HeadgateError) as e:
        read_api(Project(tmp_path, None), place)
    assert "secret" not in str(e.value)
