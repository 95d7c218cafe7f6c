"""Every route says whom it is for, and lets nobody else in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.routing import Mount, Route

from headgate.app.project import Project, open_project
from headgate.server.access import OpenGuard, OpenRoute, SecuredRoute, check_secured
from headgate.server.app import create_app
from headgate.server.context import ServeOptions
from support.forked import PROGRAM
from support.serving import Serving

OPEN = {"/healthz", "/readyz", "/api/session", "/hooks/{name}"}
"""What nobody needs a token for. A route is added here only with a reason that its `unsecured` gives."""


def routes(folder: Path) -> list[SecuredRoute | OpenRoute]:
    return create_app(open_project(folder), ServeOptions(), OpenGuard()).routes  # type: ignore[return-value]


async def nothing(_):
    return Response("")


@pytest.mark.parametrize("route", [Route("/x", nothing), Mount("/x", routes=[])], ids=["route", "mount"])
def test_a_route_that_does_not_say_whom_it_is_for_is_not_let_in(route):
    with pytest.raises(TypeError, match="does not say whom it is for"):
        check_secured([route])


def test_an_application_has_no_other_routes(tmp_path: Path):
    check_secured(create_app(Project(tmp_path, None), ServeOptions(), OpenGuard()).routes)


def test_only_these_are_open(folder):
    assert {r.path for r in routes(folder) if isinstance(r, OpenRoute)} == OPEN


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer hg_wrong"}, {"Authorization": "Basic YTpi"}, {"Cookie": "headgate=abc"}],
    ids=["nothing", "a wrong token", "a password", "a wrong session"],
)
def test_every_route_refuses_who_is_not_known(folder, headers):
    tried = 0
    with Serving(folder) as server:
        for route in routes(folder):
            if isinstance(route, OpenRoute):
                continue
            path = re.sub(r"{\w+(:\w+)?}", "1", route.path)
            for method in sorted(route.methods):
                answer = server.ask(method, path, token="", headers=headers)
                # After some wrong tokens the client is turned away altogether.
                allowed = (401, 429) if "hg_" in str(headers) else (401,)
                assert answer.status in allowed, (method, path, answer)
                if answer.status == 401:
                    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="headgate"'
                tried += 1
    assert tried > 5


def test_every_route_refuses_who_may_less(folder, server):
    made = server.post("/api/tokens", {"name": "low", "role": "viewer"}).json()["token"]
    tried = 0
    for route in routes(folder):
        if isinstance(route, SecuredRoute) and route.role > 1:
            path = re.sub(r"{\w+(:\w+)?}", "1", route.path)
            for method in sorted(route.methods):
                answer = server.ask(method, path, token=made)
                assert answer.status == 403, (method, path, answer)
                tried += 1
    assert tried > 5


def test_every_answer_says_how_it_may_be_used(server):
    for path, status in (("/healthz", 200), ("/nothing", 404), ("/api/me", 200), ("/api/tokens", 200)):
        answer = server.get(path)
        assert answer.status == status
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Strict-Transport-Security" not in answer.headers
        assert "Server" not in answer.headers


def test_a_server_starts_and_ends(folder):
    with Serving(folder) as server:
        assert server.get("/healthz", token="").json() == {"status": "ok"}
    assert server.stop() == 0, server.said


def test_a_port_that_is_taken_is_said(tmp_path: Path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "headgate.yaml").write_text("connections: {}\n")
    with Serving(folder) as server:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "serve", "--port", str(server.port)],
            cwd=folder,
            env={**os.environ, "HEADGATE_HOME": str(tmp_path / "other")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{server.port} cannot be listened on: address already in use" in done.stderr
