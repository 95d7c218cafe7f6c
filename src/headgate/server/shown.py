"""Runs, imports and work as the server's JSON shows them."""

from __future__ import annotations

from typing import Any

from headgate.app.project import Project
from headgate.app.requests import queue_of
from headgate.app.service import destination_name, source_name
from headgate.engine.plans import read_changes, read_plan
from headgate.model.errors import HeadgateError
from headgate.model.run import Kind, Run
from headgate.model.work import Work
from headgate.report import plan_json, run_json

_SAMPLES = 10


def work_json(work: Work | None) -> dict[str, Any] | None:
    """Work as JSON shows it; null for runs that were begun by hand.

    Keys: ``id`` (the number given out when it was asked for), ``run`` (the number of the run that carries it out, another
    one when it was begun again), ``kind``, ``cause``, ``requested``, ``not_before``, ``status`` (queued, claimed, done),
    ``worker`` (the machine that has it), ``cancel`` (it is being stopped), ``progress`` (``phase``, ``read``, ``rejects``,
    ``partition``, ``fraction``; empty before there is any).
    """
    if work is None:
        return None
    return {
        "id": work.id,
        "run": work.run_id,
        "kind": work.kind.value,
        "cause": work.cause,
        "requested": work.requested.isoformat() if work.requested else None,
        "not_before": work.not_before.isoformat() if work.not_before else None,
        "status": work.status.value,
        "worker": work.worker,
        "cancel": work.cancel,
        "progress": work.progress,
    }


def run_document(project: Project, run: Run) -> dict[str, Any]:
    """A run as `headgate show --json` shows it, with ``work``."""
    ledger = project.ledger
    shown = run_json(run, ledger.reject_counts(run.id), ledger.reject_states(run.id), ledger.retries(run.id))
    if run.kind is Kind.PLAN and (path := ledger.fetch(ledger.changes_path(run.id))).exists():
        key = read_plan(path).write.key
        shown = plan_json(run, read_changes(path), key, ledger.reject_counts(run.id), samples=_SAMPLES)
    return {**shown, "work": work_json(queue_of(project).work(run.id))}


def import_document(project: Project, name: str) -> dict[str, Any]:
    """An import: ``name``, ``operation``, ``source``, ``destination``, ``key``, ``last`` (its last run or null), ``error``
    (what is wrong with its definition; empty when nothing is).
    """
    last = project.ledger.runs(1, name, Kind.RUN)
    shown: dict[str, Any] = {"name": name, "last": run_json(last[0]) if last else None, "error": ""}
    try:
        definition = project.load(name)
        key, operation = definition.spec.key, definition.spec.operation.value
        places = {
            "source": source_name(project, definition),
            "destination": destination_name(project, definition),
        }
    except HeadgateError as e:
        return shown | {"operation": "", "source": "", "destination": "", "key": [], "error": str(e)}
    return shown | {"operation": operation, "key": list(key), **places}
