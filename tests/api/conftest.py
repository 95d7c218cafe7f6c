"""An API that goes wrong as it is told to, and a source of it that never sleeps."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.http.source import HttpSource
from headgate.model.spec import SourceSpec
from headgate.spi.registry import Connected
from headgate.testing.server import ApiServer
from support.api import RECORDS, Ask, Serve


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Makes servers, which are closed in the end."""
    made: list[ApiServer] = []

    def make(records: Any = RECORDS, **options: Any) -> ApiServer:
        made.append(ApiServer(records, **options))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def api(serve: Serve) -> ApiServer:
    """A server of 35 records, 10 a page."""
    return serve()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, by a clock that goes on by just that."""
    waits: list[float] = []
    monkeypatch.setattr("headgate.connectors.http.client.pause", waits.append)
    monkeypatch.setattr("headgate.connectors.http.client.clock", lambda: sum(waits))
    return waits


@pytest.fixture
def ask(tmp_path: Path, slept: list[float]) -> Iterator[Ask]:
    """Makes sources, which are closed in the end."""
    made: list[HttpSource] = []

    def make(
        server: ApiServer | str, path: str = "", connection: dict[str, Any] | None = None, **request: Any
    ) -> HttpSource:
        url = server if isinstance(server, str) else server.url
        source = {k: request.pop(k) for k in ("columns", "format", "nulls") if k in request}
        spec = SourceSpec.model_validate({"connection": "api", "request": {"path": path, **request}, **source})
        options = {"url": url, "private": True, **(connection or {})}
        made.append(HttpSource(spec, tmp_path, Connected(options)))
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate of 127.0.0.1 that nobody trusts, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made = str(folder / "certificate.pem"), str(folder / "key.pem")
    subprocess.run(
        [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-out", made[0], "-keyout", made[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return made
