"""Taking a run back, or looking at what that would do."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from headgate.engine.runner import Observe
from headgate.engine.undo import Undo, check_undo
from headgate.model.errors import UsageError
from headgate.model.record import Reject
from headgate.model.run import Kind, Run
from headgate.model.transfer import of_files

from . import moving
from .oneline import definition_for
from .onward import left_behind
from .project import Project
from .service import finish, ignore, stays


def undo_run(
    project: Project,
    run_id: int,
    observe: Observe = ignore,
    *,
    forced: bool = False,
    only: str | None = None,
    into: str | None = None,
) -> Run:
    """Take a run back.

    Args:
        run_id: a run, or an undo.
        forced: also records that were edited since.
        only: ``created``, ``updated`` or ``deleted``: take back only what the run did so.
        into: the destination's connection, needed only where it was a URL with a password.

    Returns:
        The undo, a run of its own: what it left is held.

    Raises:
        UsageError: there is no such run, or it cannot be undone (any more).
        HeadgateError: what stopped it; nothing was taken back.
    """
    if of_files((of := project.ledger.run(run_id)).operation):
        definition = definition_for(project, of.import_name)
        return moving.undo_files(project, of, definition, observe, forced=forced, only=only)
    of, undo, base = _undo(project, run_id, forced=forced, only=only, into=into)
    run = _undo_record(of)
    run.whole = only is None
    run = project.ledger.begin(run)

    def execute() -> None:
        with closing(project.destination(_connection(of, into), base)) as destination:
            undo.run(destination, run, observe)
        if run.whole:
            run.warnings += left_behind(project.ledger, of)

    return finish(project, run, execute, stays(project, _connection(of, into)))


def look_at_undo(
    project: Project,
    run_id: int,
    observe: Observe = ignore,
    *,
    forced: bool = False,
    only: str | None = None,
    into: str | None = None,
) -> tuple[Run, list[Reject]]:
    """What `undo_run` would do: a run that is in no ledger, and the records it would leave. Nothing is written."""
    if of_files((of := project.ledger.run(run_id)).operation):
        definition = definition_for(project, of.import_name)
        return moving.look_at_undo_of_files(project, of, definition, observe, forced=forced, only=only)
    of, undo, base = _undo(project, run_id, forced=forced, only=only, into=into)
    run = _undo_record(of)
    with closing(project.destination(_connection(of, into), base)) as destination:
        left = undo.look(destination, run, observe)
    if only is None:
        run.warnings += left_behind(project.ledger, of)
    return run, left


def _undo(project: Project, run_id: int, *, forced: bool, only: str | None, into: str | None) -> tuple[Run, Undo, Path]:
    of = project.ledger.run(run_id)
    check_undo(of, project.ledger)
    return of, Undo(of, project.ledger, forced=forced, only=only), Path.cwd() if into else Path(of.base)


def _undo_record(of: Run) -> Run:
    run = Run(of.import_name, Kind.UNDO, "undo", of.destination, of.fingerprint, datetime.now(UTC))
    run.parent_id, run.base, run.lease = of.id, of.base, of.lease
    return run


def _connection(of: Run, into: str | None) -> str:
    connection = into or of.destination.rpartition("#")[0]
    if "***" in connection:
        raise UsageError(
            f"run {of.id} wrote to a URL that has a password, which is not kept",
            hint=f"Say it again: headgate undo {of.id} --into URL; or name the connection in headgate.yaml.",
        )
    return connection
