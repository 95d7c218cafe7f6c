"""The server's own description says what is there, and no more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from headgate.app.project import Project
from headgate.server.access import OpenGuard
from headgate.server.app import create_app
from headgate.server.context import ServeOptions
from headgate.server.described import OPERATIONS, SCHEMAS
from headgate.server.openapi import document, page, plain_path
from support.serving import Serving


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "home"))
    return document(create_app(Project(tmp_path, None), ServeOptions(), OpenGuard()).routes)


def test_every_route_is_described_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "home"))
    app = create_app(Project(tmp_path, None), ServeOptions(), OpenGuard())
    there = {(m, plain_path(r.path)) for r in app.routes for m in r.methods - {"HEAD"}}  # type: ignore[attr-defined]
    assert there | {("POST", "/api/imports/{name}/records")} == set(OPERATIONS)


def test_every_schema_that_is_named_is_there(described: dict[str, Any]) -> None:
    assert set(re.findall(r"#/components/schemas/(\w+)", str(described))) <= set(SCHEMAS)


def test_it_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    ids = [o["operationId"] for methods in described["paths"].values() for o in methods.values()]
    assert len(ids) == len(set(ids))
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["responses"]
            assert operation["summary"]


def test_who_may_call_what_is_said(described: dict[str, Any]) -> None:
    assert described["paths"]["/healthz"]["get"]["security"] == []
    assert described["paths"]["/api/tokens"]["post"]["description"] == "Needs the role admin."


def test_the_page_needs_nothing_from_elsewhere(described: dict[str, Any]) -> None:
    shown = page(described)
    assert "<script" not in shown
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", shown)
    assert all(f"<code>{path}</code>" in shown for _, path in OPERATIONS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("described") / "shop"
    folder.mkdir()
    (folder / "headgate.yaml").write_text("connections: {}\n")
    with Serving(folder) as running:
        yield running


def test_it_is_served_to_those_who_are_let_in(server: Serving) -> None:
    assert server.get("/api/openapi.json", token="").status == 401
    assert server.get("/api/openapi.json").json()["info"]["title"] == "Headgate"
    answer = server.get("/api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_errors_are_problems_everywhere(server: Serving, method: str, path: str) -> None:
    """No token, no such method, a body that is no JSON, a name that is none: each is told in one form."""
    address = path.replace("{number}", "9").replace("{id}", "9")
    address = re.sub(r"\{\w+\}", "nothing", address)
    unknown = server.ask("PUT", address)
    answers = [unknown]
    if path not in ("/healthz", "/readyz"):
        answers.append(server.ask(method, address, token=""))
        assert answers[-1].status in (401, 400, 404, 415)
    if "{" in path:
        answers.append(server.ask(method, address))
        assert answers[-1].status in (400, 404, 415, 422)
    if OPERATIONS[method, path].body:
        answers.append(server.ask(method, address, b"{", headers={"Content-Type": "application/json"}))
        assert answers[-1].status in (400, 404)
    assert unknown.status == 405
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json", answer
        assert {"type", "title", "status", "code", "detail"} <= answer.json().keys()
        assert answer.json()["status"] == answer.status
