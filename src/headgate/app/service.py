"""What people can do with a project: check, plan, run, run a plan. The command line, and whatever comes beside it, calls these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from headgate.engine.limits import kept
from headgate.engine.parents import check_making, made_in
from headgate.engine.plans import Saved, check_plan, read_plan, run_plan, save_plan
from headgate.engine.prepare import Prepared, prepare
from headgate.engine.runner import Observe, Progress, Runner, finishing
from headgate.model.errors import UsageError
from headgate.model.run import Kind, Run
from headgate.model.spec import LookupSpec, SourceSpec
from headgate.spi.destination import Destination
from headgate.spi.source import Source

from .oneline import definition_for
from .project import Definition, Project
from .refusals import Refusals


def ignore(_: Progress) -> None:
    """Take no notice of progress."""


@dataclass(frozen=True, slots=True)
class LookupAccess:
    """How the lookups of a definition reach files and connections (`headgate.engine.lookups.Access`)."""

    project: Project
    definition: Definition

    def source(self, lookup: LookupSpec) -> Source:
        """The lookup's file."""
        return self.project.source(SourceSpec(path=str(lookup.path)), self.definition.base)

    def destination(self, connection: str) -> Destination:
        """The lookup's connection."""
        return self.project.destination(connection, self.definition.base)


def check(project: Project, definition: Definition, refusals: Refusals | None = None) -> Prepared:
    """Check a definition against both sides, without mapping a record or writing anything. Close the result.

    Args:
        refusals: what was refused before in the same command.

    Raises:
        HeadgateError: the first thing that is wrong.
    """
    source = project.source(definition.spec.source, definition.base)
    try:
        destination = project.destination(definition.spec.destination.connection, definition.base)
        try:
            started = datetime.now(UTC)
            check_making(definition.spec, destination, started)
            absent = refusals.absent_for(definition) if refusals is not None else None
            return prepare(definition.spec, source, destination, LookupAccess(project, definition), started, absent)
        except BaseException:
            destination.close()
            raise
    except BaseException:
        source.close()
        raise


def destination_name(project: Project, definition: Definition) -> str:
    """The destination for people: connection, or URL without secrets, and table."""
    target = definition.spec.destination
    shown = target.connection if "://" not in target.connection else project.shown(target.connection)
    return f"{shown}#{target.table}"


def make_plan(project: Project, definition: Definition, observe: Observe = ignore) -> Run:
    """Find out what a run would do and save it; nothing is written at the destination.

    Raises:
        HeadgateError: what stopped it; the ledger has the plan as failed.
    """

    def plan(runner: Runner, prepared: Prepared, run: Run) -> None:
        path = project.ledger.changes_path(run.id)
        file = str(definition.file or "")
        base, settings = str(definition.base), definition.settings

        def save(changes: Iterator[pa.RecordBatch], stops: str) -> None:
            makes = " and ".join(made_in(prepared, str))
            save_plan(path, Saved(prepared.write, base, file, settings, stops, makes), changes)

        runner.plan(save)

    return _execute(project, definition, Kind.PLAN, observe, plan)


def run_import(
    project: Project, definition: Definition, observe: Observe = ignore, refusals: Refusals | None = None
) -> Run:
    """Run an import.

    Args:
        refusals: of the command it is run in with others: records that refer to what those refused are held, and what
            this one refuses is added.

    Raises:
        HeadgateError: what stopped it; the ledger has the run as failed.
    """

    def work(runner: Runner, prepared: Prepared, run: Run) -> None:
        runner.run()
        if refusals is not None:
            refusals.learn(definition, prepared, run)

    return _execute(project, definition, Kind.RUN, observe, work, refusals)


def _execute(
    project: Project,
    definition: Definition,
    kind: Kind,
    observe: Observe,
    work: Callable[[Runner, Prepared, Run], None],
    refusals: Refusals | None = None,
) -> Run:
    destination = destination_name(project, definition)
    operation = definition.spec.operation.value
    run = Run(definition.name, kind, operation, destination, definition.fingerprint, datetime.now(UTC))
    run = project.ledger.begin(run)

    def execute() -> None:
        with closing(check(project, definition, refusals)) as prepared:
            run.schema_changes = list(prepared.schema_changes)
            run.warnings = list(prepared.warnings)
            work(Runner(prepared, project.ledger, run, observe), prepared, run)

    return finishing(project.ledger, run, execute, kept(definition.spec))


def run_saved_plan(project: Project, plan_id: int, into: str | None = None, observe: Observe = ignore) -> Run:
    """Write exactly what a plan says.

    Args:
        into: the destination's connection, needed only where the plan was made with a URL that has a password.

    Raises:
        UsageError: there is no such plan, or it cannot be run (any more).
        HeadgateError: what stopped it.
    """
    ledger = project.ledger
    plan = ledger.run(plan_id)
    check_plan(plan, ledger.runs(limit=10_000, import_name=plan.import_name))
    saved = read_plan(ledger.changes_path(plan.id))
    if saved.makes:
        raise UsageError(
            f"plan {plan.id} would create {saved.makes}, and how others refer to those is not known before they are there",
            hint=f"Run the import itself: headgate run {plan.import_name}.",
        )
    _check_unchanged(project, plan, saved)
    connection = into or plan.destination.removesuffix(f"#{saved.write.table}")
    if "***" in connection:
        raise UsageError(
            f"plan {plan.id} was made with a URL that has a password, which is not kept",
            hint=f"Say it again: headgate run --plan {plan.id} --into URL; or name the connection in headgate.yaml.",
        )
    run = Run(plan.import_name, Kind.RUN, plan.operation, plan.destination, plan.fingerprint, datetime.now(UTC))
    run.plan_id = plan.id
    run.partitions = list(plan.partitions)
    run.schema_changes = list(plan.schema_changes)
    run = ledger.begin(run)

    def execute() -> None:
        with closing(project.destination(connection, Path.cwd() if into else Path(saved.base))) as destination:
            run_plan(plan, destination, ledger, run, observe)

    return finishing(ledger, run, execute)


def _check_unchanged(project: Project, plan: Run, saved: Saved) -> None:
    """Refuse a plan whose definition is no longer the one it was made with."""
    if not saved.file:
        return
    file = Path(saved.file)
    name = plan.import_name if project.import_files.get(plan.import_name) == file else str(file)
    if not file.exists() or definition_for(project, name, settings=saved.settings).fingerprint != plan.fingerprint:
        raise UsageError(f"the definition changed after plan {plan.id} was made", hint="Plan again.")
