"""What is told of runs to those who look after many systems."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from headgate.app import telemetry
from headgate.model.outcome import Outcome
from headgate.model.run import Kind, PartitionRead, Run, Status


@pytest.fixture
def run() -> Run:
    made = Run("products", Kind.RUN, "upsert", "sqlite:///shop.db#product", "f", datetime.now(UTC), id=7)
    made.partitions = [PartitionRead("products.csv", {}, 3)]
    made.account.read = 3
    made.account.add(Outcome.CREATED, 2)
    made.account.add(Outcome.INVALID)
    return made


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log says, as JSON."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(telemetry.JsonLines())
    telemetry.log.addHandler(handler)
    telemetry.log.setLevel(logging.INFO)
    yield out
    telemetry.log.removeHandler(handler)
    telemetry.log.setLevel(logging.NOTSET)


def test_a_run_begins_and_ends_in_the_log(run: Run, lines: io.StringIO) -> None:
    with telemetry.told(run):
        run.status = Status.PARTIAL
    first, last = map(json.loads, lines.getvalue().splitlines())
    assert first["message"] == "run 7 of products begins"
    assert last["message"] == "run 7 of products partial: 3 read, 1 refused"
    assert {k: last[k] for k in ("level", "run", "import_name", "status", "read", "rejects")} == {
        "level": "info", "run": 7, "import_name": "products", "status": "partial", "read": 3, "rejects": 1,
    }  # fmt: skip


def test_a_failed_run_is_an_error_with_its_reason(run: Run, lines: io.StringIO) -> None:
    with pytest.raises(ValueError, match="x"), telemetry.told(run):
        run.status, run.error = Status.FAILED, "no such file"
        raise ValueError("x")
    last = json.loads(lines.getvalue().splitlines()[-1])
    assert (last["level"], last["message"]) == ("error", "run 7 of products failed: 3 read, 1 refused; no such file")


def test_a_command_says_nothing_in_the_log_by_itself(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    with telemetry.told(run):
        run.status = Status.FAILED
    assert capfd.readouterr() == ("", "")


def test_a_run_is_a_span(run: Run) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    seen = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    trace.set_tracer_provider(provider)
    with telemetry.told(run):
        run.status = Status.SUCCEEDED
    (span,) = seen.get_finished_spans()
    assert span.name == "run products"
    assert dict(span.attributes or {}) == {
        "headgate.import_name": "products", "headgate.run": 7, "headgate.operation": "upsert", "headgate.status": "succeeded",
        "headgate.read": 3,
    }  # fmt: skip


class _Lineage(BaseHTTPRequestHandler):
    seen: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.path, self.headers.get("authorization"), json.loads(body)))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_lineage_is_told_what_was_read_and_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    server = HTTPServer(("127.0.0.1", 0), type("Handler", (_Lineage,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "secret")
    try:
        with telemetry.told(run):
            run.status = Status.SUCCEEDED
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [(path, login, e["eventType"]) for path, login, e in seen] == [
        ("/api/v1/lineage", "Bearer secret", "START"), ("/api/v1/lineage", "Bearer secret", "COMPLETE"),
    ]  # fmt: skip
    done = seen[1][2]
    assert seen[0][2]["run"]["runId"] == done["run"]["runId"]
    assert done["job"] == {"namespace": "headgate", "name": "products"}
    assert done["inputs"] == [{"namespace": "headgate", "name": "products.csv"}]
    assert done["outputs"][0]["namespace"] == "sqlite:///shop.db"
    assert done["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 2


def test_a_run_goes_on_when_lineage_cannot_be_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    with telemetry.told(run):
        run.status = Status.SUCCEEDED
    assert "OpenLineage could not be told of run 7" in lines.getvalue()
