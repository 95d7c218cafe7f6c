"""Asking for an execution that a worker carries out later: what can be known now is checked now.

Each of these puts work into the queue and gives the number of the run it will be. `cause` says for people why it is done.
What is asked for is kept as JSON:

    run, plan   settings (list of ``key.path=value``); run also from_start
    plan_run    plan (number)
    undo        run (number), forced, only
    retry       run (number), settings, file (name of the kept file with the corrected records, or null)
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headgate.engine.plans import check_plan
from headgate.engine.retry import check_retry, retry_spec
from headgate.engine.undo import check_undo
from headgate.ledger.queue import Queue
from headgate.model.run import Kind, Run
from headgate.model.work import Work, WorkKind

from .oneline import definition_for
from .project import Definition, Project
from .retry import definition_of, original_of
from .service import destination_name


def queue_of(project: Project) -> Queue:
    """The queue of a project's ledger."""
    return Queue(project.ledger.store())


def request_run(
    project: Project,
    name: str,
    *,
    cause: str,
    settings: Sequence[str] = (),
    from_start: bool = False,
    not_before: datetime | None = None,
) -> int:
    """Ask for a run of an import.

    Raises:
        UsageError: there is no such import, or its definition is wrong.
    """
    parameters = {"settings": list(settings), "from_start": from_start}
    run = _record(project, _definition(project, name, settings), Kind.RUN)
    return _add(project, WorkKind.RUN, run, cause, parameters, not_before)


def request_plan(project: Project, name: str, *, cause: str, settings: Sequence[str] = ()) -> int:
    """Ask for a plan of an import.

    Raises:
        UsageError: there is no such import, or its definition is wrong.
    """
    run = _record(project, _definition(project, name, settings), Kind.PLAN)
    return _add(project, WorkKind.PLAN, run, cause, {"settings": list(settings)})


def request_plan_run(project: Project, plan_id: int, *, cause: str) -> int:
    """Approve a plan: ask for the run that writes exactly what it says.

    Raises:
        UsageError: there is no such plan, or it cannot be run (any more).
    """
    plan = project.ledger.run(plan_id)
    check_plan(plan, project.ledger.runs(limit=10_000, import_name=plan.import_name))
    run = Run(plan.import_name, Kind.RUN, plan.operation, plan.destination, plan.fingerprint, datetime.now(UTC))
    run.plan_id = plan.id
    return _add(project, WorkKind.PLAN_RUN, run, cause, {"plan": plan.id})


def request_undo(project: Project, run_id: int, *, cause: str, forced: bool = False, only: str | None = None) -> int:
    """Ask for a run to be taken back.

    Raises:
        UsageError: there is no such run, or it cannot be undone (any more).
    """
    of = project.ledger.run(run_id)
    check_undo(of, project.ledger)
    run = Run(of.import_name, Kind.UNDO, "undo", of.destination, of.fingerprint, datetime.now(UTC), parent_id=of.id)
    return _add(project, WorkKind.UNDO, run, cause, {"run": of.id, "forced": forced, "only": only})


def request_retry(
    project: Project, run_id: int, *, cause: str, settings: Sequence[str] = (), file: Path | None = None
) -> int:
    """Ask for refused records of a run to be tried again.

    Args:
        file: with the corrected records, as `keep_corrected` gave its path; without one all open rejects are tried as they were.

    Raises:
        UsageError: there is no such run, or nothing says which definition it was.
    """
    original = original_of(project.ledger, run_id)
    check_retry(original)
    definition = definition_of(project, original, settings=tuple(settings))
    run = _record(project, definition, Kind.RETRY, retry_spec(definition.spec).operation.value)
    run.import_name, run.parent_id = original.import_name, original.id
    parameters = {"run": original.id, "settings": list(settings), "file": file.name if file else None}
    return _add(project, WorkKind.RETRY, run, cause, parameters)


def keep_corrected(project: Project, content: Path, suffix: str) -> Path:
    """Keep a file of corrected records until a worker, here or elsewhere, has tried them: `request_retry` takes the path.

    Args:
        content: the file; it is moved.
        suffix: ``.xlsx`` or ``.csv``.
    """
    path = project.ledger.corrected_path(f"{uuid.uuid4().hex}{suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(content, path)
    project.ledger.keep(path)
    return path


def _definition(project: Project, name: str, settings: Sequence[str]) -> Definition:
    """Only imports of the project: a worker elsewhere has no other files."""
    return (
        definition_for(project, name, settings=tuple(settings)) if name in project.import_files else project.load(name)
    )


def _record(project: Project, definition: Definition, kind: Kind, operation: str = "") -> Run:
    operation = operation or definition.spec.operation.value
    destination = destination_name(project, definition)
    run = Run(definition.name, kind, operation, destination, definition.fingerprint, datetime.now(UTC))
    run.base = str(definition.base)
    return run


def _add(
    project: Project,
    kind: WorkKind,
    run: Run,
    cause: str,
    parameters: dict[str, Any],
    not_before: datetime | None = None,
) -> int:
    return queue_of(project).add(Work(kind, run.import_name, cause, parameters, not_before), run)
