"""Imports of files as they are: checking, planning, running and taking back; `headgate.app.service` hands them over."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headgate.engine.files.moves import Ends
from headgate.engine.files.runner import FilesRun, settled
from headgate.engine.files.saved import read, save, written
from headgate.engine.files.undo import FilesUndo, check_undo
from headgate.engine.limits import kept
from headgate.engine.plans import Saved, check_plan, read_plan
from headgate.engine.runner import Observe
from headgate.model.errors import LimitExceeded, UsageError
from headgate.model.record import Reject
from headgate.model.run import Kind, Run
from headgate.model.transfer import OF_FILES, named
from headgate.spi.place import matches

from .project import Definition, Project, located


def ends(project: Project, definition: Definition, lease: str) -> Ends:
    """Both ends of an import of files; nothing is opened before it is used.

    Args:
        lease: the import, as the ledger knows it.

    Raises:
        UsageError: no such connection or connector, or nothing can be put there.
    """
    spec = definition.spec
    source, paths = project.store_of(spec.source, definition.base)
    destination = project.store(spec.destination.connection, definition.base)
    backup = spec.transfer.backup
    keeps = project.store(backup.connection, definition.base) if backup is not None and backup.connection else None
    manifest = spec.transfer.manifest
    listing = (lambda: project.source(manifest.source, definition.base)) if manifest is not None else None
    return Ends(spec, source, destination, keeps, listing, manifest_of(definition), paths, lease)


def manifest_of(definition: Definition) -> Callable[[str], bool]:
    """Tells the list itself, which may lie among the files it is about, by its path there."""
    source, manifest = located(definition.spec.source), definition.spec.transfer.manifest
    if manifest is None or (listing := located(manifest.source)).path is None:
        return lambda _: False

    def whole(connection: str | None, path: str) -> str:
        here = (definition.base / Path(path).expanduser()).as_posix()
        return posixpath.normpath(here if connection is None else f"{connection}/{path}")

    own = [listing.path] if isinstance(listing.path, str) else listing.path
    lists = [whole(listing.connection, path) for path in own]
    return lambda path: any(one == (it := whole(source.connection, path)) or matches(one, it) for one in lists)


def check_files(project: Project, definition: Definition) -> dict[str, Any]:
    """Look at both ends, without sending anything: what `headgate check` says.

    Raises:
        HeadgateError: the first thing that is wrong.
    """
    from headgate.engine.files.compare import compare

    found = compare(ends(project, definition, ""), {}, datetime.now(UTC), lambda _: None)
    size = sum(max(m.source.size, 0) for m in found.moves if m.source is not None)
    return {
        "name": definition.name, "ok": True, "operation": named(definition.spec.operation),
        "destination": target_name(project, definition), "partitions": [definition.spec.source.shown],
        "findings": {"files": len(found.moves), "bytes": size}, "fields": [], "lookups": {}, "schema_changes": [],
        "warnings": found.warnings,
    }  # fmt: skip


def target_name(project: Project, definition: Definition) -> str:
    """Where files go, for people: connection, or URL without secrets, and their names."""
    target = definition.spec.destination
    shown = project.shown(target.connection) if "://" in target.connection else target.connection
    return f"{shown}: {target.path}" if shown else str(target.path)


def lease_of(project: Project, definition: Definition) -> str:
    """What tells an import at its destination from every other."""
    return f"{definition.name} -> {target_name(project, definition)} @ {definition.base}"


def run_files(project: Project, definition: Definition, observe: Observe) -> Run:
    """Move files.

    Raises:
        HeadgateError: what stopped it; the ledger has the run as failed.
    """
    from .service import finish

    run = _begun(project, definition, Kind.RUN)
    both = _opened(project, definition, run)
    return finish(project, run, lambda: FilesRun(both(), project.ledger, run, observe).run(), kept(definition.spec))


def plan_files(project: Project, definition: Definition, observe: Observe, file: str) -> Run:
    """Find out what a run would do and save it.

    Args:
        file: the definition's, as the plan names it.

    Raises:
        HeadgateError: what stopped it; the ledger has the plan as failed.
    """
    from .service import finish

    run = _begun(project, definition, Kind.PLAN)
    both = _opened(project, definition, run)

    def work() -> None:
        moves, stops = FilesRun(both(), project.ledger, run, observe).plan()
        path = project.ledger.changes_path(run.id)
        spec = written(definition.spec.operation)
        save(path, Saved(spec, str(definition.base), file, definition.settings, stops), moves)
        project.ledger.keep(path)

    return finish(project, run, work)


def run_planned_files(
    project: Project, plan: Run, definition_of: Callable[[Saved], Definition], observe: Observe
) -> Run:
    """Do exactly what a plan says.

    Args:
        definition_of: finds the definition that a plan was made with, and refuses one that changed since.

    Raises:
        UsageError: it cannot be run (any more).
        HeadgateError: what stopped it.
    """
    from .service import finish

    ledger = project.ledger
    check_plan(plan, ledger.runs(limit=10_000, import_name=plan.import_name))
    path = ledger.fetch(ledger.changes_path(plan.id))
    saved = read_plan(path)
    if saved.stops:
        raise LimitExceeded(saved.stops, hint="Raise the limit, if that is right, and plan again.")
    definition = definition_of(saved)
    run = _begun(project, definition, Kind.RUN, plan.id)
    both = _opened(project, definition, run)
    account, moves = settled(plan.account), list(read(path))

    def work() -> None:
        FilesRun(both(), ledger, run, observe).run_planned(moves, account, ledger.rejects(plan.id))

    return finish(project, run, work, kept(definition.spec))


def undo_files(
    project: Project, of: Run, definition: Definition, observe: Observe, *, forced: bool, only: str | None
) -> Run:
    """Take a run back; what it left is held.

    Raises:
        UsageError: it cannot be undone (any more).
        HeadgateError: what stopped it; what was taken back till then stays so.
    """
    from .service import finish

    undo, run = _undo(project, of, definition, forced=forced, only=only)
    run.whole = only is None
    run = project.ledger.begin(run)
    return finish(project, run, lambda: undo.run(run, observe), kept(definition.spec))


def look_at_undo_of_files(
    project: Project, of: Run, definition: Definition, observe: Observe, *, forced: bool, only: str | None
) -> tuple[Run, list[Reject]]:
    """What `undo_files` would do: a run that is in no ledger, and the files it would leave."""
    undo, run = _undo(project, of, definition, forced=forced, only=only)
    return run, undo.look(run, observe)


def _undo(
    project: Project, of: Run, definition: Definition, *, forced: bool, only: str | None
) -> tuple[FilesUndo, Run]:
    check_undo(of, project.ledger)
    if not definition.spec.moves_files or target_name(project, definition) != of.destination:
        raise UsageError(
            f"run {of.id} put files to {of.destination}, and its definition says another destination now",
            hint="Put the definition back as it was for the undo.",
        )
    run = Run(of.import_name, Kind.UNDO, f"undo {OF_FILES}", of.destination, of.fingerprint, datetime.now(UTC))
    run.parent_id, run.base, run.lease = of.id, of.base, of.lease
    return FilesUndo(ends(project, definition, of.lease), project.ledger, of, forced=forced, only=only), run


def _begun(project: Project, definition: Definition, kind: Kind, plan_id: int | None = None) -> Run:
    operation = named(definition.spec.operation)
    target = target_name(project, definition)
    run = Run(definition.name, kind, operation, target, definition.fingerprint, datetime.now(UTC))
    run.base, run.plan_id = str(definition.base), plan_id
    if kind is Kind.RUN:
        run.lease = lease_of(project, definition)
    return project.ledger.begin(run)


def _opened(project: Project, definition: Definition, run: Run) -> Callable[[], Ends]:
    """Both ends, once the run is begun: what is wrong with them is then said of it."""
    return lambda: ends(project, definition, run.lease or lease_of(project, definition))
