"""What people can do with a project: check, plan, run, run a plan. The command line, and whatever comes beside it, calls these."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from headgate.engine.again import Knowing, NothingNew, knowing
from headgate.engine.crash import point
from headgate.engine.delivery import NOTHING
from headgate.engine.evolve import since_last
from headgate.engine.limits import kept
from headgate.engine.parents import check_making, made_in
from headgate.engine.prepare import Prepared, prepare
from headgate.engine.runner import Observe, Progress, Runner, finishing, stopped_late
from headgate.mapping import sql as mapping
from headgate.mapping import unclaimed
from headgate.model.errors import ConnectionFailed, DefinitionError, HeadgateError, UsageError
from headgate.model.guards import ExpectSpec
from headgate.model.run import Kind, Run, Status
from headgate.model.spec import LookupSpec, SourceSpec
from headgate.model.transfer import of_files
from headgate.model.write import Operation
from headgate.spi.destination import Destination
from headgate.spi.source import Finishes, Source

from . import onward
from .project import Definition, Project
from .recovery import look
from .refusals import Refusals
from .telemetry import told
from .written_back import check_write_back, write_back

if TYPE_CHECKING:
    from headgate.engine.lookups import KnownIds
    from headgate.engine.plans import Saved


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

    def ids(self, import_name: str) -> KnownIds:
        """The ids of another import's records."""
        from headgate.engine.lookups import KnownIds
        from headgate.ledger.ids import Ids

        other = self.project.load(import_name)
        spec, into = other.spec, destination_name(self.project, other)
        if (can := self.project.capabilities(spec.destination.connection)) is not None and not can.ids:
            raise DefinitionError(
                f"{import_name} writes to {into}, which gives records no ids of its own",
                hint="Look in its table: connection, table, match and take.",
            )
        if not spec.key:
            raise DefinitionError(f"the records of {import_name} have no key by which their ids would be known")
        return KnownIds(spec.key, Ids(self.project.ledger, other.name, into).pages())


def check(
    project: Project,
    definition: Definition,
    refusals: Refusals | None = None,
    source: Source | None = None,
    started: datetime | None = None,
) -> Prepared:
    """Check a definition against both sides, without mapping a record or writing anything. Close the result.

    Args:
        project: where its connections are.
        definition: what is checked.
        refusals: what was refused before in the same command.
        source: read in the place of the definition's own; it is closed with the result, or when this fails.
        started: what `now()` means; by default this moment.

    Raises:
        HeadgateError: the first thing that is wrong.
    """
    if definition.spec.moves_files:
        raise UsageError(
            f"{definition.name} moves files as they are, and takes no records",
            hint=f"Run it: headgate run {definition.name}.",
        )
    definition = committing(project, definition)
    check_write_back(project, definition)
    source = source or _source(project, definition)
    try:
        destination = project.destination(definition.spec.destination.connection, definition.base)
        try:
            started = started or datetime.now(UTC)
            check_making(definition.spec, destination, started)
            absent = refusals.absent_for(definition) if refusals is not None else None
            return prepare(definition.spec, source, destination, LookupAccess(project, definition), started, absent)
        except BaseException:
            destination.close()
            raise
    except BaseException:
        source.close()
        raise


def _source(project: Project, definition: Definition) -> Source:
    """What the definition reads, but for what it need not read again."""
    from headgate.engine.nested import nested

    with closing(project.destination(definition.spec.destination.connection, definition.base)) as destination:
        replaces = destination.capabilities.replaces
    lease = lease_of(project, definition)
    before = project.ledger, definition.name, definition.spec, lease
    found = project.source(definition.spec.source, definition.base, onward.since(*before), onward.state(*before))
    imported = project.ledger.imported(lease)
    return knowing(nested(found, definition.spec), definition.spec, imported, replaces=replaces)


def _put_away(project: Project, definition: Definition) -> list[str]:
    """Do with files what is done with them when they are imported, where all there are were imported before."""
    if definition.spec.source.done == "keep":
        return []
    with closing(_source(project, definition)) as source:
        try:
            source.partitions()
        except NothingNew:
            return source.finish([]) if isinstance(source, Finishes) else []
    return []  # something has come meanwhile, for the next run


def committing(project: Project, definition: Definition) -> Definition:
    """The definition as it can be carried out: what goes to a destination without transactions is committed batch by batch,
    but for a mirror.

    Raises:
        DefinitionError: it has to see the whole source before anything is kept, which cannot be there.
    """
    spec = definition.spec
    if spec.commit == "batch" or project.transactional(spec.destination.connection):
        return definition
    mirrors = spec.operation is Operation.MIRROR  # it has seen the whole source before it sends anything
    stops = spec.anomaly is not None and spec.anomaly.then == "stop"
    if (spec.expect != ExpectSpec() and not mirrors) or stops:
        what = "expect" if not stops else "anomaly.then: stop"
        raise DefinitionError(
            f"{what} must see the whole source before anything is kept, and what is sent to {spec.destination.connection} is kept at once",
            hint="Plan first (headgate plan), and look at the counts.",
        )
    return definition if mirrors else replace(definition, spec=spec.model_copy(update={"commit": "batch"}))


def destination_name(project: Project, definition: Definition) -> str:
    """The destination for people: connection, or URL without secrets, and table."""
    if definition.spec.moves_files:
        from . import moving

        return moving.target_name(project, definition)
    target = definition.spec.destination
    shown = target.connection if "://" not in target.connection else project.shown(target.connection)
    return f"{shown}#{target.table}"


def source_name(project: Project, definition: Definition) -> str:
    """What is read, for people: files, or connection (or URL without secrets) and what it is asked."""
    source = definition.spec.source
    if source.connection is None or "://" not in source.connection:
        return source.shown
    return source.model_copy(update={"connection": project.shown(source.connection)}).shown


def make_plan(
    project: Project, definition: Definition, observe: Observe = ignore, *, source: Source | None = None
) -> Run:
    """Find out what a run would do and save it; nothing is written at the destination.

    Args:
        source: read in the place of the definition's own.

    Raises:
        HeadgateError: what stopped it; the ledger has the plan as failed.
    """
    if definition.spec.moves_files:
        from . import moving

        return moving.plan_files(project, definition, observe, _portable(project, definition.file))

    from headgate.engine.plans import Saved, save_plan

    def plan(runner: Runner, prepared: Prepared, run: Run) -> None:
        path = project.ledger.changes_path(run.id)
        file, base, settings = _portable(project, definition.file), str(definition.base), definition.settings

        def save(changes: Iterator[pa.RecordBatch], stops: str) -> None:
            makes = " and ".join(made_in(prepared, str))
            save_plan(path, Saved(prepared.write, base, file, settings, stops, makes), changes)
            project.ledger.keep(path)

        runner.plan(save)

    return _execute(project, definition, Kind.PLAN, observe, plan, source=source)


def _portable(project: Project, file: Path | None) -> str:
    """A definition's file as another machine finds it too: from the project's folder, where it lies in there."""
    if file is None:
        return ""
    return file.relative_to(project.folder).as_posix() if file.is_relative_to(project.folder) else str(file)


def lease_of(project: Project, definition: Definition) -> str:
    """What tells an import at its destination from every other: of one only one run goes on at a time."""
    if definition.spec.moves_files:
        from . import moving

        return moving.lease_of(project, definition)
    place = f"{definition.name} -> {destination_name(project, definition)}"
    return f"{place} @ {definition.base}" if "://" in definition.spec.destination.connection else place


def run_import(
    project: Project,
    definition: Definition,
    observe: Observe = ignore,
    refusals: Refusals | None = None,
    *,
    from_start: bool = False,
    source: Source | None = None,
) -> Run:
    """Run an import; one that commits batch by batch goes on where its last run was left.

    Args:
        from_start: do not go on, but begin anew.
        source: read in the place of the definition's own.
        refusals: of the command it is run in with others: records that refer to what those refused are held, and what
            this one refuses is added.

    Raises:
        HeadgateError: what stopped it; the ledger has the run as failed.
    """
    if definition.spec.moves_files:
        from . import moving

        return moving.run_files(project, definition, observe)

    def work(runner: Runner, prepared: Prepared, run: Run) -> None:
        runner.run()
        if refusals is not None:
            refusals.learn(definition, prepared, run)

    return _execute(project, definition, Kind.RUN, observe, work, refusals, from_start=from_start, source=source)


def _execute(
    project: Project,
    definition: Definition,
    kind: Kind,
    observe: Observe,
    work: Callable[[Runner, Prepared, Run], None],
    refusals: Refusals | None = None,
    *,
    from_start: bool = False,
    source: Source | None = None,
) -> Run:
    mapping.soon()
    destination = destination_name(project, definition)
    operation = definition.spec.operation.value
    run = Run(definition.name, kind, operation, destination, definition.fingerprint, datetime.now(UTC))
    with project.ledger.made_meanwhile():  # the first to ask for a connector has to wait until it is loaded
        done = committing(project, definition).spec
        goes_on = done.commit == "batch" or not project.transactional(done.destination.connection)
    run.base = str(definition.base)
    if kind is Kind.RUN:
        run.lease = lease_of(project, definition)
        run.checkpoint = NOTHING if goes_on else ""
    run = project.ledger.begin(run, resume=goes_on and kind is Kind.RUN and not from_start)

    def execute() -> None:
        try:
            # Of a run that goes on records are what they were, or they would not be known again as what was sent.
            prepared = check(project, definition, refusals, source, run.started)
        except NothingNew as e:
            run.warnings.append(f"nothing new: {e.message}")
            if kind is Kind.RUN and source is None:
                run.warnings += _put_away(project, definition)
            return
        with closing(prepared):
            if not run.resumed:
                run.schema_changes = list(prepared.schema_changes)
                run.warnings = list(prepared.warnings)
                columns = prepared.first.schema.names
                left = unclaimed(definition.spec, prepared.fields, columns)
                run.warnings += since_last(project.ledger, run, columns, left)
            if isinstance(prepared.source, Knowing):
                run.warnings += prepared.source.words()
            work(Runner(prepared, project.ledger, run, observe), prepared, run)
            if kind is Kind.RUN and isinstance(prepared.source, Finishes):
                run.warnings += prepared.source.finish(prepared.partitions)
        if kind is Kind.RUN:
            write_back(project, definition, run)

    return finish(
        project, run, execute, kept(done) if done.commit == "batch" or not goes_on else "what was sent is kept"
    )


def finish(project: Project, run: Run, work: Callable[[], None], what_stays: str = "nothing was kept") -> Run:
    """Do the work and close the run; where the destination did not answer to a commit, ask it what became of it."""
    try:
        return _finish(project, run, work, what_stays)
    except KeyboardInterrupt:  # it came when the run was over
        raise stopped_late(run) from None


def _finish(project: Project, run: Run, work: Callable[[], None], what_stays: str) -> Run:
    try:
        with told(run):
            return finishing(project.ledger, run, work, what_stays)
    except HeadgateError as e:
        if not run.in_doubt:
            raise
        if not _committed_after_all(project, run):
            if run.in_doubt:
                raise _unknown(e, run) from e
            raise
        run.warnings.append("the destination did not answer to the commit; asked again, it says that it was done")
        return run
    finally:
        project.prune_journals()
        point("acknowledge.after")


def _unknown(e: HeadgateError, run: Run) -> ConnectionFailed:
    return ConnectionFailed(
        f"{e.message}; whether the last commit of run {run.id} was done is not known",
        hint=f"When the destination answers again, any command finds it out: headgate show {run.id}.",
    )


def _committed_after_all(project: Project, run: Run) -> bool:
    for attempt in range(6):
        if look(project, project.ledger, run):
            break
        time.sleep(0.3 * attempt)
    return run.status in (Status.SUCCEEDED, Status.PARTIAL)


def run_saved_plan(project: Project, plan_id: int, into: str | None = None, observe: Observe = ignore) -> Run:
    """Write exactly what a plan says.

    Args:
        into: the destination's connection, needed only where the plan was made with a URL that has a password.

    Raises:
        UsageError: there is no such plan, or it cannot be run (any more).
        HeadgateError: what stopped it.
    """
    from headgate.engine.plans import check_plan, found_nothing, read_plan, run_plan

    ledger = project.ledger
    plan = ledger.run(plan_id)
    if plan.kind is Kind.PLAN and of_files(plan.operation):
        from . import moving

        return moving.run_planned_files(project, plan, lambda saved: _same_definition(project, plan, saved), observe)
    check_plan(plan, ledger.runs(limit=10_000, import_name=plan.import_name))
    path = ledger.fetch(ledger.changes_path(plan.id))
    if found_nothing(plan) and not path.exists():
        raise UsageError(f"plan {plan.id} found nothing new", hint="There is nothing to do; plan again when there is.")
    saved = read_plan(path)
    if saved.makes:
        raise UsageError(
            f"plan {plan.id} would create {saved.makes}, and how others refer to those is not known before they are there",
            hint=f"Run the import itself: headgate run {plan.import_name}.",
        )
    # One in a line has no file that could have changed.
    definition = _same_definition(project, plan, saved) if saved.file else None
    connection = into or plan.destination.removesuffix(f"#{saved.write.table}")
    if "***" in connection:
        raise UsageError(
            f"plan {plan.id} was made with a URL that has a password, which is not kept",
            hint=f"Say it again: headgate run --plan {plan.id} --into URL; or name the connection in headgate.yaml.",
        )
    run = Run(plan.import_name, Kind.RUN, plan.operation, plan.destination, plan.fingerprint, datetime.now(UTC))
    run.plan_id = plan.id
    run.base = saved.base
    relative = f" @ {saved.base}" if "://" in connection else ""
    run.lease = f"{plan.import_name} -> {plan.destination}{relative}"
    run.partitions = list(plan.partitions)
    run.schema_changes = list(plan.schema_changes)
    if definition is not None and definition.spec.source.done != "keep":
        run.warnings.append("source.done is left to the next run: the files stay where they are")
    run = ledger.begin(run)

    def execute() -> None:
        with closing(project.destination(connection, Path.cwd() if into else Path(saved.base))) as destination:
            run_plan(plan, destination, ledger, run, observe)

    return finish(project, run, execute, stays(project, connection))


def stays(project: Project, connection: str) -> str:
    """What is at the destination when what is committed at once does not come to its end, for people."""
    return "nothing was kept" if project.transactional(connection) else "what was sent before is kept"


def _same_definition(project: Project, plan: Run, saved: Saved) -> Definition:
    """The definition that a plan was made with."""
    from .oneline import definition_for

    file = project.folder / saved.file
    name = plan.import_name if project.import_files.get(plan.import_name) == file else str(file)
    definition = definition_for(project, name, settings=saved.settings) if file.exists() else None
    if definition is None or definition.fingerprint != plan.fingerprint:
        raise UsageError(f"the definition changed after plan {plan.id} was made", hint="Plan again.")
    return definition
