"""What is told to those who look after many systems: log lines, spans of OpenTelemetry, events of OpenLineage.

Nothing of it can stop or slow a run noticeably: what cannot be told is left out, with a warning in the log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, Final

from headgate import __version__
from headgate.model.run import Run, Status

log = logging.getLogger("headgate")
log.addHandler(logging.NullHandler())  # a command tells its user in its own way
_OWN: Final = ("run", "import_name", "kind", "status", "read", "rejects", "seconds", "request")
_PRODUCER: Final = "https://headgate.dev"
_SCHEMA: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


class JsonLines(logging.Formatter):
    """Log records as JSON, one a line; what belongs to a run has its number."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        found: dict[str, Any] = {
            "time": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        found |= {name: getattr(record, name) for name in _OWN if hasattr(record, name)}
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found, ensure_ascii=False, default=str)


def set_up_logging(form: str) -> None:
    """Write the log to standard error.

    Args:
        form: ``text`` or ``json``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("headgate", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "headgate" else logging.WARNING)


def _tracer() -> Any:
    """OpenTelemetry's tracer; None where nobody asked for it, because importing it takes time."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace

    return trace.get_tracer("headgate", __version__)


def set_up_tracing() -> bool:
    """Have spans sent where OTEL_EXPORTER_OTLP_ENDPOINT says, if it says something and the extra ``otel`` is installed;
    whether that is so."""
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return False
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("spans are not sent: pip install 'headgate[otel]'")
        return False
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True


def span(name: str, **attributes: str | int) -> Any:
    """A span around a block; nothing where nobody looks."""
    tracer = _tracer()
    if tracer is None:
        return nullcontext()
    return tracer.start_as_current_span(name, attributes={f"headgate.{k}": v for k, v in attributes.items()})


@contextmanager
def told(run: Run) -> Iterator[None]:
    """Around the execution of a run: its beginning and its end are told."""
    event = str(uuid.uuid4())
    with span(
        f"{run.kind} {run.import_name}", import_name=run.import_name, run=run.id, operation=run.operation
    ) as around:
        log.info("%s %s of %s begins", run.kind, run.id, run.import_name, extra=_fields(run))
        _lineage("START", run, event)
        try:
            yield
        finally:
            if around is not None:
                around.set_attribute("headgate.status", run.status.value)
                around.set_attribute("headgate.read", run.account.read)
            done = run.status in (Status.SUCCEEDED, Status.PARTIAL)
            log.log(
                logging.INFO if done else logging.ERROR,
                "%s %s of %s %s: %s read, %s refused%s",
                run.kind, run.id, run.import_name, run.status, run.account.read, run.account.rejects,
                f"; {run.error}" if run.error else "",
                extra=_fields(run),
            )  # fmt: skip
            _lineage("COMPLETE" if done else "ABORT" if run.status is Status.CANCELLED else "FAIL", run, event)


def _fields(run: Run) -> dict[str, Any]:
    return {
        "run": run.id, "import_name": run.import_name, "kind": run.kind.value, "status": run.status.value,
        "read": run.account.read, "rejects": run.account.rejects, "seconds": round(run.seconds, 3),
    }  # fmt: skip


# ---- OpenLineage ---------------------------------------------------------------------------------------------------


def _lineage(what: str, run: Run, event: str) -> None:
    """Tell OpenLineage's server at OPENLINEAGE_URL, if there is one, what a run read and wrote."""
    url = os.environ.get("OPENLINEAGE_URL")
    if not url:
        return
    try:
        import urllib3
    except ImportError:
        log.warning("OpenLineage is not told: pip install 'headgate[openlineage]'")
        return
    address = url.rstrip("/") + os.environ.get("OPENLINEAGE_ENDPOINT", "/api/v1/lineage")
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("OPENLINEAGE_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    body = json.dumps(lineage_event(what, run, event)).encode()
    try:
        answer = urllib3.request("POST", address, body=body, headers=headers, timeout=5, retries=1)
        if answer.status >= 300:
            log.warning("OpenLineage refused an event of run %s with %s", run.id, answer.status)
    except urllib3.exceptions.HTTPError as e:
        log.warning("OpenLineage could not be told of run %s: %s", run.id, e)


def lineage_event(what: str, run: Run, event: str) -> dict[str, Any]:
    """An event of OpenLineage's specification, version 2-0-2.

    Args:
        what: START, COMPLETE, FAIL or ABORT.
        event: the run's UUID there.
    """
    space = os.environ.get("OPENLINEAGE_NAMESPACE", "headgate")
    connection, _, table = run.destination.rpartition("#")
    facets: dict[str, Any] = {
        "headgate_run": {
            "_producer": _PRODUCER,
            "_schemaURL": f"{_PRODUCER}/lineage.json",
            "number": run.id,
            "account": run.account.as_dict(),
        }
    }
    if run.error:
        facets["errorMessage"] = {
            "_producer": _PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/ErrorMessageRunFacet.json",
            "message": run.error, "programmingLanguage": "Python",
        }  # fmt: skip
    written = {
        "_producer": _PRODUCER,
        "_schemaURL": "https://openlineage.io/spec/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json",
        "rowCount": sum(n for o, n in run.account.outcomes.items() if o in ("created", "updated", "deleted")),
    }
    return {
        "eventType": what,
        "eventTime": datetime.now(UTC).isoformat(),
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
        "run": {"runId": event, "facets": facets},
        "job": {"namespace": space, "name": run.import_name},
        "inputs": [{"namespace": space, "name": p.name} for p in run.partitions],
        "outputs": [{"namespace": connection, "name": table, "outputFacets": {"outputStatistics": written}}],
    }
