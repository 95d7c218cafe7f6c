"""Saved plans: every change a run would make, with what the record was, in one Arrow file beside the ledger.

A plan is run from this file alone: not a byte of the source is read again, so what is written is what was shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from headgate.ledger import Ledger
from headgate.model.errors import DestinationError, LimitExceeded, UsageError
from headgate.model.outcome import Account, Outcome
from headgate.model.record import Origin, Problem, Reject, split_number
from headgate.model.run import Kind, PartitionRead, Run, Status
from headgate.model.write import ACTION, NUMBER, OLD, Operation, Refusal, WriteSpec
from headgate.spi.destination import Destination, NamesMade

from .delivery import alive, claim
from .resume import settle_earlier
from .runner import Observe, Progress, delivering
from .written import write_json, write_of

_SAVED = b"headgate.plan"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a plan's file says beside the changes.

    Attributes:
        write: what the writer was told.
        base: folder that a relative path in the destination's URL starts from.
        file: the definition's file, from the project's folder if it is in there; empty where there was none.
        settings: what was set over it (``key.path=value``).
        stops: the limit that would stop a run of it, for people; empty when none does.
        makes: what it would make for lookups, for people; empty when nothing.
    """

    write: WriteSpec
    base: str
    file: str = ""
    settings: tuple[str, ...] = ()
    stops: str = ""
    makes: str = ""


def save_plan(path: Path, saved: Saved, changes: Iterator[pa.RecordBatch]) -> None:
    """Write a plan's changes; the file appears whole or not at all."""
    schema = changes_schema(saved.write).with_metadata({_SAVED: json.dumps(_to_json(saved)).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with pa.OSFile(str(part), "wb") as out, pa.ipc.new_file(
            out, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
        ) as writer:  # fmt: skip
            for batch in changes:
                writer.write_batch(batch.replace_schema_metadata(None).cast(schema))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def changes_schema(write: WriteSpec) -> pa.Schema:
    """Columns of `Writer.changes`."""
    return pa.schema(
        [(NUMBER, pa.int64()), (ACTION, pa.string())]
        + [(f.name, f.type.arrow) for f in write.fields]
        + [(OLD + f.name, f.type.arrow) for f in write.fields]
    )


def read_changes(path: Path) -> Iterator[pa.RecordBatch]:
    """The changes of a saved plan, batch by batch."""
    with _open(path) as source, pa.ipc.open_file(source) as reader:
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)


def read_plan(path: Path) -> Saved:
    """What was saved beside the changes."""
    with _open(path) as source, pa.ipc.open_file(source) as reader:
        return _from_json(json.loads(reader.schema.metadata[_SAVED]))


def _open(path: Path) -> Any:
    try:
        return pa.memory_map(str(path), "rb")
    except FileNotFoundError:
        raise UsageError(f"the plan's changes are gone ({path})", hint="Plan again.") from None


def check_plan(plan: Run, runs: list[Run]) -> None:
    """Refuse what is no plan to be run.

    Raises:
        UsageError: no plan, not finished, or run already; or a later run has appended what it may have too.
    """
    if plan.kind is not Kind.PLAN:
        raise UsageError(f"{plan.id} is a run, not a plan", hint="headgate runs shows which is which.")
    if plan.status not in (Status.SUCCEEDED, Status.PARTIAL):
        raise UsageError(f"plan {plan.id} did not finish ({plan.status})", hint="Plan again.")
    done = [r for r in runs if r.plan_id == plan.id and r.status in (Status.SUCCEEDED, Status.PARTIAL)]
    if done:
        raise UsageError(f"plan {plan.id} was run already, as run {done[0].id}", hint="Plan again.")
    if plan.operation == Operation.APPEND.value and (later := [r for r in runs if _appended_since(plan, r)]):
        raise UsageError(
            f"run {later[-1].id} of {plan.import_name} came after plan {plan.id}, and what both have would be there twice",
            hint="Plan again.",
        )


def found_nothing(plan: Run) -> bool:
    """Whether all that there was to read was imported before, so that the plan has no file of changes."""
    return plan.status is Status.SUCCEEDED and not plan.partitions


def _appended_since(plan: Run, run: Run) -> bool:
    return (
        run.id > plan.id
        and run.kind is Kind.RUN
        and run.destination == plan.destination
        and run.status in (Status.SUCCEEDED, Status.PARTIAL)
        and run.account.outcomes[Outcome.CREATED] > 0
    )


def run_plan(plan: Run, destination: Destination, ledger: Ledger, run: Run, observe: Observe) -> None:
    """Write exactly what a plan says; records that changed since it was made are held.

    Args:
        plan: the plan's record.
        run: this run's record, begun in the ledger.
    """
    path = ledger.fetch(ledger.changes_path(plan.id))
    saved = read_plan(path)
    if saved.stops:
        raise LimitExceeded(saved.stops, hint="Raise the limit, if that is right, and plan again.")
    spec = replace(saved.write, planned=True, batched=False, deletes=False)
    if spec.create and not destination.capabilities.makes and destination.inspect(spec.table) is not None:
        raise DestinationError(f"{spec.table} was made after the plan", hint="Plan again.")
    run.account = _settled(plan.account)
    ledger.record_rejects(run.id, ledger.rejects(plan.id))
    ticket, last = claim(destination, ledger, run)
    if last is not None and last.run != run.id:
        settle_earlier(ledger, last)
    spec = replace(spec, ticket=ticket)
    with alive(ledger, run), delivering(destination, spec, ledger, run) as (writer, delivery):
        rows = 0
        for batch in read_changes(path):
            delivery.write(batch)
            rows += batch.num_rows
            observe(Progress("reading", rows, run.account.rejects))
        observe(Progress("matching", rows))
        writer.match()
        if isinstance(writer, NamesMade):
            run.schema_changes = writer.made()
        observe(Progress("writing", rows))
        applied = delivery.apply()
        run.account.merge_outcomes(applied.account)
        run.warnings += applied.warnings
        if applied.refusals:
            ledger.record_rejects(run.id, _held(path, {r.number: r for r in applied.refusals}, spec, plan.partitions))
        run.account.check("The run")
        observe(Progress("committing", rows, run.account.rejects))
        delivery.commit(done=True)


def _settled(planned: Account) -> Account:
    """The outcomes that a plan already decided; what it would write is counted when it is written."""
    account = Account.from_dict(planned.as_dict())
    for outcome in (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED):
        account.outcomes.pop(outcome, None)
    account.mirror_deleted = 0
    return account


def _held(
    path: Path, refusals: dict[int, Refusal], spec: WriteSpec, partitions: list[PartitionRead]
) -> Iterator[Reject]:
    """Refused records of a planned run, with the values the plan would have written."""
    names = [f.name for f in spec.fields]
    for batch in read_changes(path):
        numbers = batch.column(NUMBER).to_pylist()
        places = [i for i, n in enumerate(numbers) if n in refusals]
        for i, row in zip(places, batch.select(names).take(places).to_pylist(), strict=True):
            refusal = refusals[numbers[i]]
            raw = {k: None if v is None else str(v) for k, v in row.items()}
            value = raw.get(refusal.field) if refusal.field else None
            which = ", ".join(f"{k} {raw[k]}" for k in spec.key)
            problem = Problem(refusal.code, f"{which}: {refusal.reason}", refusal.field, "", value)
            name = partitions[split_number(refusal.number)[0]].name if partitions else ""
            yield Reject(refusal.number, Outcome(refusal.outcome), (problem,), raw, Origin(file=name))


def _to_json(saved: Saved) -> dict[str, Any]:
    return {**asdict(saved), "write": write_json(saved.write)}


def _from_json(data: dict[str, Any]) -> Saved:
    write = write_of(data["write"])
    plain = tuple(replace(f, keeps=False) for f in write.fields)
    return Saved(**{**data, "write": replace(write, fields=plain), "settings": tuple(data["settings"])})
