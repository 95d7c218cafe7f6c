"""Every route says whom it is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.routing import Mount, Route

from headgate.app.project import Project
from headgate.server.access import OpenGuard, check_secured
from headgate.server.app import create_app
from headgate.server.context import ServeOptions
from support.serving import Serving


async def nothing(_):
    return Response("")


@pytest.mark.parametrize("route", [Route("/x", nothing), Mount("/x", routes=[])], ids=["route", "mount"])
def test_a_route_that_does_not_say_whom_it_is_for_is_not_let_in(route):
    with pytest.raises(TypeError, match="does not say whom it is for"):
        check_secured([route])


def test_an_application_has_no_other_routes(tmp_path: Path):
    app = create_app(Project(tmp_path, None), ServeOptions(), OpenGuard())
    check_secured(app.routes)


def test_a_server_starts_and_ends(tmp_path: Path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "headgate.yaml").write_text("connections: {}\n")
    with Serving(folder) as server:
        assert server.get("/healthz").json() == {"status": "ok"}
        assert server.get("/nothing").status == 404
    assert server.stop() == 0, server.said
