"""``/metrics`` for Prometheus.

What is counted over runs is read from the ledger, so that it is right whoever did the work: any server or worker at the same ledger
says the same, and one of them is to be asked. How long callers waited only the server knows that served them.
"""

from __future__ import annotations

import threading
from collections import Counter as Counts
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from headgate import __version__
from headgate.app.project import Project
from headgate.ledger.figures import Figures, RunFigure, time_text
from headgate.model.run import Kind, Status

from .access import Role, secured
from .context import context_of

_WAITED: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TOOK: Final = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600)
_OVERLAP: Final = 60.0
"""Seconds by which clocks of machines at one ledger may differ."""
_SUCCESS: Final = (Status.SUCCEEDED, Status.PARTIAL)


class Metrics:
    """The figures of a server.

    Attributes:
        waited: seconds that callers of synchronous imports waited, by import and status of the answer.
    """

    def __init__(self, project: Project) -> None:
        self.registry = CollectorRegistry()
        self.waited = Histogram(
            "headgate_request_seconds", "Seconds until a synchronous import was answered.", ["import_name", "status"],
            buckets=_WAITED, registry=self.registry,
        )  # fmt: skip
        self.events = Counter(
            "headgate_events", "Webhook events that came in.", ["import_name", "outcome"], registry=self.registry
        )
        about = Gauge("headgate_info", "Which Headgate this is.", ["version"], registry=self.registry)
        about.labels(__version__).set(1)
        self.registry.register(LedgerFigures(project))


class LedgerFigures(Collector):
    """Runs, records and rejects as the ledger has them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._since = ""
        self._seen: dict[int, str] = {}
        self._runs: Counts[tuple[str, str, str]] = Counts()
        self._records: Counts[tuple[str, str]] = Counts()
        self._seconds: dict[str, tuple[Counts[float], float, int]] = {}
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of it, as it is now."""
        figures = Figures(self._project.ledger)
        with self._lock:
            for run in figures.closed(_before(self._since, _OVERLAP)):
                self._add(run)
            old = _before(self._since, 2 * _OVERLAP)
            self._seen = {number: at for number, at in self._seen.items() if at >= old}
            yield from self._counted(figures)
        yield from _now(figures)

    def _add(self, run: RunFigure) -> None:
        self._since = max(self._since, run.finished)
        if run.id in self._seen:
            return
        self._seen[run.id] = run.finished
        self._runs[run.import_name, run.kind, run.status] += 1
        if run.status in _SUCCESS:
            self._records.update(_records(run))
        buckets, total, number = self._seconds.get(run.import_name, (Counts(), 0.0, 0))
        for edge in _TOOK:
            buckets[edge] += run.seconds <= edge
        self._seconds[run.import_name] = buckets, total + run.seconds, number + 1
        if run.status in _SUCCESS:
            self._last[run.import_name] = datetime.fromisoformat(run.finished).timestamp()

    def _counted(self, figures: Figures) -> Iterator[Metric]:
        runs = CounterMetricFamily("headgate_runs", "Runs that are over.", labels=["import_name", "kind", "status"])
        for (name, kind, status), count in self._runs.items():
            runs.add_metric([name, kind, status], count)
        yield runs
        records = CounterMetricFamily(
            "headgate_records", "Records by what became of them.", labels=["import_name", "outcome"]
        )
        both = self._records.copy()
        for run in figures.running():
            if run.kind == Kind.REQUESTS:  # what a run has read so far is not in the destination yet
                both.update(_records(run))
        for (name, outcome), count in both.items():
            records.add_metric([name, outcome], count)
        yield records
        took = HistogramOf("headgate_run_seconds", "Seconds that runs took.")
        for name, (buckets, total, number) in self._seconds.items():
            took.add(name, buckets, total, number)
        yield took.family
        last = GaugeMetricFamily(
            "headgate_last_success_timestamp_seconds", "When an import last came to its end.", labels=["import_name"]
        )
        for name, at in self._last.items():
            last.add_metric([name], at)
        yield last


def _records(run: RunFigure) -> dict[tuple[str, str], int]:
    """What became of a run's records. Those of a plan are not there, and those of a retry count in the run they are of."""
    counted = run.kind in (Kind.RUN, Kind.REQUESTS)
    return {(run.import_name, outcome): count for outcome, count in run.outcomes.items()} if counted else {}


def _before(at: str, seconds: float) -> str:
    return time_text(datetime.fromisoformat(at) - timedelta(seconds=seconds)) if at else ""


class HistogramOf:
    """A histogram that was counted elsewhere."""

    def __init__(self, name: str, text: str) -> None:
        from prometheus_client.core import HistogramMetricFamily

        self.family = HistogramMetricFamily(name, text, labels=["import_name"])

    def add(self, name: str, buckets: Counts[float], total: float, number: int) -> None:
        """One import's."""
        found = [(str(float(edge)), float(buckets[edge])) for edge in _TOOK]
        self.family.add_metric([name], [*found, ("+Inf", float(number))], total)


def _now(figures: Figures) -> Iterator[Metric]:
    running = GaugeMetricFamily("headgate_runs_running", "Runs that are going on.", labels=["import_name", "kind"])
    counts = Counts((run.import_name, run.kind) for run in figures.running())
    for (name, kind), count in counts.items():
        running.add_metric([name, kind], count)
    yield running
    waiting, oldest = figures.waiting()
    yield GaugeMetricFamily("headgate_runs_waiting", "Runs that wait for somebody to do them.", value=waiting)
    lag = (datetime.now(UTC) - datetime.fromisoformat(oldest)).total_seconds() if oldest else 0.0
    yield GaugeMetricFamily("headgate_queue_lag_seconds", "How long the oldest of them has waited.", value=lag)
    rejects = GaugeMetricFamily(
        "headgate_rejects_open", "Refused records that nobody has mended or set aside.", labels=["import_name", "code"]
    )
    for name, code, count in figures.open_rejects():
        rejects.add_metric([name, code], count)
    yield rejects


def routes() -> list[BaseRoute]:
    """What this part serves."""
    return [secured("/metrics", metrics, methods=["GET"], role=Role.VIEWER)]


async def metrics(request: Request) -> Response:
    """All figures, in the format that is asked for."""
    registry = context_of(request).part(Metrics).registry
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(await run_in_threadpool(encode, registry), media_type=None, headers={"content-type": kind})
