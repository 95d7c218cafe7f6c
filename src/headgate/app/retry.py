"""Trying the refused records of a run again: all that are open, or those a person corrected in a file."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from headgate.engine.carried import CarriedSource
from headgate.engine.delivery import done_status
from headgate.engine.mended import Mended, read_mended
from headgate.engine.retry import PLANNED, carried, check_retry, retry_spec
from headgate.engine.runner import Observe, Runner
from headgate.ledger import Ledger, open_ledger
from headgate.model.errors import UsageError
from headgate.model.record import RejectCount
from headgate.model.run import Kind, PartitionRead, Run
from headgate.model.spec import SourceSpec
from headgate.spi.source import Source

from .oneline import definition_for
from .project import Definition, Project
from .service import check, destination_name, finish, ignore, lease_of


@dataclass(slots=True)
class Retried:
    """What a retry came to.

    Attributes:
        original: the run whose records were tried again, its account as it is now.
        run: the retry; None when there was nothing to try again.
        left: for people: what was left out, and why.
        counts, changes, key: of a retry that only shows what would become of the records: its rejects by code and field,
            every change (columns as `headgate.spi.destination.Writer.changes` gives them), and the key.
    """

    original: Run
    run: Run | None = None
    left: str = ""
    counts: list[RejectCount] = field(default_factory=list)
    changes: list[pa.RecordBatch] = field(default_factory=list)
    key: tuple[str, ...] = ()


def original_of(ledger: Ledger, run_id: int) -> Run:
    """The run of that number; of a retry, the run it belongs to.

    Raises:
        UsageError: there is no such run.
    """
    run = ledger.run(run_id)
    return run if run.parent_id is None else ledger.run(run.parent_id)


def definition_of(
    project: Project,
    run: Run,
    name: str | None = None,
    into: str | None = None,
    key: tuple[str, ...] = (),
    settings: tuple[str, ...] = (),
) -> Definition:
    """The definition a retry uses: the run's import as it is written now, or what is said here.

    Args:
        project: where it is looked for.
        run: the run to be retried.
        name: the import, or the file of the definition, where it is not the project's import of the run's name.
        into, key: of a run of a bare file: where the records go, by default where they went, and the key.
        settings: ``key.path=value``.

    Raises:
        UsageError: nothing says which definition it was.
    """
    if name is not None or (run.import_name in project.import_files and into is None and not key):
        return definition_for(project, name or run.import_name, settings=settings)
    append = run.operation == "append"
    again = f"headgate retry {run.id}" + ("" if append else " --key FIELD")
    if not append and not key:
        raise UsageError(
            f"run {run.id} was of a file without a definition, or its definition {run.import_name!r} is gone",
            hint=f"Say its key again: {again}; or name the definition: --import FILE.",
        )
    if into is None and "***" in run.destination:
        raise UsageError(
            f"run {run.id} went to a URL that has a password, which is not kept",
            hint=f"Say it again: {again} --into URL#TABLE; or name the connection in headgate.yaml.",
        )
    return definition_for(
        project, run.import_name, into=into or run.destination, key=key, operation=run.operation, settings=settings
    )


def retry(
    project: Project,
    original: Run,
    definition: Definition,
    file: str | None = None,
    observe: Observe = ignore,
    *,
    dry: bool = False,
) -> Retried:
    """Try refused records of a run again, in that run's account.

    Args:
        project: the project with the ledger.
        original: the run that refused them.
        definition: what is done with them.
        file: a file of rejects that was corrected; without one all open rejects are tried as they were.
        observe: is told of progress.
        dry: only find out what would become of them.

    Raises:
        UsageError: the run cannot be retried.
        SourceError: the file is not one of rejects of this run, or damaged; nothing was done.
        HeadgateError: what stopped the retry; the ledger has it as failed, and the run as it was.
    """
    check_retry(original)
    exploded = definition.spec.source.explode or ""
    mended = _mended(project, file, original, exploded) if file is not None else None
    left: Counter[str] = Counter()
    names = [p.name for p in original.partitions]
    source = CarriedSource(names, f"rejects of run {original.id}", carried(project.ledger, original, mended, left))
    with closing(source):
        done = Retried(original, left=_left(left))
        if source.count:
            run = _new(project, original, definition)
            run.warnings += [*(mended.notes if mended else ()), *([done.left] if done.left else ())]
            definition = replace(definition, spec=retry_spec(definition.spec))
            (_try if dry else _do)(project, definition, source, run, observe, done)
        return done


def _mended(project: Project, file: str, original: Run, exploded: str) -> Mended:
    def opened(sheet: str | None) -> Source:
        return project.source(SourceSpec(path=file, header=1, footer=0, sheet=sheet), Path.cwd())

    return read_mended(file, opened, original, exploded)


def _new(project: Project, original: Run, definition: Definition) -> Run:
    destination, fingerprint = destination_name(project, definition), definition.fingerprint
    operation = retry_spec(definition.spec).operation.value
    run = Run(original.import_name, Kind.RETRY, operation, destination, fingerprint, datetime.now(UTC))
    run.parent_id = original.id
    # What was said on the command line has no file to have changed in.
    if definition.file is not None and fingerprint != original.fingerprint:
        run.warnings.append(f"the definition is not what it was in run {original.id}; it was used as it is now")
    return run


def _do(
    project: Project, definition: Definition, source: CarriedSource, run: Run, observe: Observe, done: Retried
) -> None:
    ledger, parent = project.ledger, done.original.id
    # Of one import only one run goes on at a time, and what was committed last its destination says.
    run.base, run.lease = str(definition.base), lease_of(project, definition)
    run = ledger.begin(run)

    def execute() -> None:
        ledger.carry(run.id, parent, source.numbers())
        with closing(check(project, definition, source=source)) as prepared:
            run.schema_changes = list(prepared.schema_changes)
            run.warnings += prepared.warnings
            Runner(prepared, ledger, run, observe).run()
            run.partitions = _read(run.partitions)

    done.run = finish(project, run, execute)
    done.original = ledger.run(parent)


def _try(
    project: Project, definition: Definition, source: CarriedSource, run: Run, observe: Observe, done: Retried
) -> None:
    """As a plan does, with a ledger of its own that is thrown away."""
    with tempfile.TemporaryDirectory() as folder, open_ledger(Path(folder) / "ledger.db") as ledger:
        run = ledger.begin(run)
        with closing(check(project, definition, source=source)) as prepared:
            run.schema_changes = list(prepared.schema_changes)
            run.warnings += prepared.warnings
            Runner(prepared, ledger, run, observe).plan(lambda changes, _: done.changes.extend(changes))
            done.key = prepared.write.key
        run.status = done_status(run.account)
        run.finished = datetime.now(UTC)
        run.partitions = _read(run.partitions)
        done.counts = ledger.reject_counts(run.id)
    run.id, done.run = 0, run


def _read(partitions: list[PartitionRead]) -> list[PartitionRead]:
    """Those that had records; what was found of lookups stands in the first."""
    some = [p for p in partitions if p.read]
    found = {k: v for k, v in partitions[0].findings.items() if k == "lookups"} if partitions else {}
    return [replace(p, findings=found | p.findings) if i == 0 else p for i, p in enumerate(some)]


def _left(left: Counter[str]) -> str:
    words = {"fixed": "{} fixed already", "ignored": "{} ignored", PLANNED: "{} held by a plan's run: plan again"}
    told = [text.format(f"{left[state]:,}") for state, text in words.items() if left[state]]
    return f"left out: {', '.join(told)}" if told else ""
