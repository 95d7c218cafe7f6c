from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.http.source import HttpSource
from headgate.model.spec import SourceSpec
from headgate.spi.registry import Connected
from headgate.testing.hostile_sources import MakeOf
from headgate.testing.server import ApiServer
from headgate.testing.source import Make, SourceConformance

RECORDS = [{"id": i, "name": ("Lamp, small", "Tafel ø", 'say "no"')[i % 3]} for i in range(200)]
REQUESTS: dict[str, dict[str, Any]] = {
    "all": {"path": "/all"},
    "page": {"path": "/page", "pagination": {"type": "page"}, "records": "items"},
    "link": {"path": "/link", "pagination": {"type": "link"}},
    "csv": {"path": "/csv", "pagination": {"type": "page"}},
}


def source(api: ApiServer, base: Path, request: dict[str, Any]) -> HttpSource:
    spec = SourceSpec.model_validate({"connection": "api", "request": request})
    return HttpSource(spec, base, Connected({"url": api.url, "private": True}))


class Api(SourceConformance):
    @pytest.fixture
    def api(self) -> Iterator[ApiServer]:
        with ApiServer(RECORDS, size=30) as api:
            yield api

    @pytest.fixture
    def make_missing(self, api: ApiServer, tmp_path: Path) -> Make:
        return lambda: source(api, tmp_path, {"path": "/nothing"})

    @pytest.fixture
    def make_of(self, api: ApiServer, tmp_path: Path) -> Iterator[MakeOf]:
        made: list[ApiServer] = []

        def make(names: Sequence[str], rows: Sequence[Sequence[str]]) -> HttpSource | None:
            if len(set(names)) < len(names):
                return None
            made.append(ApiServer([dict(zip(names, r, strict=True)) for r in rows], size=2))
            return source(made[-1], tmp_path, REQUESTS["link"])

        yield make
        for server in made:
            server.close()


class TestApi(Api):
    expected = [{k: str(v) for k, v in r.items()} for r in RECORDS]  # noqa: RUF012

    @pytest.fixture(params=REQUESTS)
    def make(self, api: ApiServer, tmp_path: Path, request: pytest.FixtureRequest) -> Make:
        return lambda: source(api, tmp_path, REQUESTS[request.param])


class TestManyRecords(Api):
    expected = [{"id": str(i)} for i in range(70_000)]  # noqa: RUF012 - more than one batch

    @pytest.fixture
    def api(self) -> Iterator[ApiServer]:
        with ApiServer([{"id": i} for i in range(70_000)], size=10_000) as api:
            yield api

    @pytest.fixture
    def make(self, api: ApiServer, tmp_path: Path) -> Make:
        return lambda: source(api, tmp_path, REQUESTS["page"])


class TestRefusedRecords(Api):
    @pytest.fixture
    def api(self) -> Iterator[ApiServer]:
        records = [f'{{"id": {i}}}' if i % 50 else "7" for i in range(1, 200)]
        with ApiServer(records, size=30) as api:
            yield api

    @pytest.fixture
    def make(self, api: ApiServer, tmp_path: Path) -> Make:
        return lambda: source(api, tmp_path, REQUESTS["page"])
