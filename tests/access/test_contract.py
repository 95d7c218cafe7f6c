"""The server keeps to its own description, whatever it is sent (schemathesis)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from headgate.server.described import OPERATIONS
from support.serving import Serving

EXAMPLES = int(os.environ.get("HEADGATE_TEST_EXAMPLES", "8"))
DEFINITION = """
source: items.csv
fields: { id: { type: integer }, name: { type: text(20) } }
key: id
destination: { connection: shop, table: item, create: true }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder: Path = tmp_path_factory.mktemp("contract") / "shop"
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text("connections: { shop: sqlite:///shop.db }\n")
    (folder / "imports" / "items.yaml").write_text(DEFINITION)
    (folder / "items.csv").write_text("id,name\n1,a\n")
    with Serving(folder, "--no-auth", "--no-worker") as running:
        yield running
        assert "Traceback" not in running.said


@pytest.fixture(scope="module")
def api(server: Serving) -> Any:
    found = schemathesis.openapi.from_dict(server.get("/api/openapi.json").json())
    found.config.update(base_url=server.url)
    return found


# Streams do not end by themselves.
CHOSEN = [
    (m, p)
    for m, p in OPERATIONS
    if not (p.startswith("/api/") and p.endswith("/events") and m == "GET" and "hooks" not in p)
]


@pytest.mark.parametrize(("method", "path"), CHOSEN)
def test_the_server_keeps_to_its_description(api: Any, method: str, path: str) -> None:
    operation = api[path][method]
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def keeps(case: Any) -> None:
        case.validate_response(case.call(timeout=30), checks=checks)

    keeps()
