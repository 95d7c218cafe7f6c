"""Where a source that reads only what is new goes on: after the last run of the import that stands.

A run stands if it came to its end and was not undone. One that came after a run which was undone later does not say where to
go on either: it began behind what that run had read, and that has to be read once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from headgate.ledger import Ledger
from headgate.model.incremental import STATE, WATERMARK, Since
from headgate.model.outcome import Outcome
from headgate.model.run import Kind, Run, Status
from headgate.model.spec import ImportSpec
from headgate.model.write import Operation

_PAGE: Final = 500
_DONE: Final = (Status.SUCCEEDED, Status.PARTIAL)


def since(ledger: Ledger, name: str, spec: ImportSpec, lease: str) -> Since | None:
    """Where an incremental source goes on: the highest value that the last run which stands had seen."""
    if spec.source.incremental is None:
        return None
    ties = spec.operation is not Operation.APPEND
    for found in _found_before(ledger, name, lease):
        value = found.get(WATERMARK)
        if found.get("growing") == spec.source.incremental.column and isinstance(value, str | int | float):
            return Since(value, ties)
    return None


def state(ledger: Ledger, name: str, spec: ImportSpec, lease: str) -> Any:
    """What the source said of where it goes on, in the last run that stands; a mirror must see all of it."""
    if spec.source.connection is None or spec.source.table is None or spec.operation is Operation.MIRROR:
        return None
    before = (
        f[STATE] for f in _found_before(ledger, name, lease) if STATE in f and f.get("stream") == spec.source.table
    )
    return next(before, None)


def left_behind(ledger: Ledger, of: Run) -> list[str]:
    """What is to be said of the undo of a run whose records are not read again: a later one has appended what came after."""
    if of.kind is not Kind.RUN or of.operation != Operation.APPEND.value:
        return []
    if not any(key in part.findings for part in of.partitions for key in (WATERMARK, STATE)):
        return []
    later = [str(r.id) for r in _after(ledger, of) if r.status in _DONE and r.account.outcomes[Outcome.CREATED]]
    if not later:
        return []
    they = f"runs {', '.join(later)} have" if len(later) > 1 else f"run {later[0]} has"
    return [
        f"{they} appended what came after run {of.id}, so the next run goes on behind that, and does not read again what"
        f" run {of.id} had read; to have it read again, undo {'them' if len(later) > 1 else 'it'} too"
    ]


def _after(ledger: Ledger, of: Run) -> list[Run]:
    """Later runs of the same import at its destination, oldest first."""
    found: list[Run] = []
    for run in _newest_first(ledger, of.import_name):
        if run.id <= of.id:
            break
        if run.kind is Kind.RUN and run.lease == of.lease:
            found.append(run)
    return found[::-1]


def _found_before(ledger: Ledger, name: str, lease: str) -> Iterator[Mapping[str, Any]]:
    return chain.from_iterable((part.findings for part in run.partitions) for run in _standing(ledger, name, lease))


def _standing(ledger: Ledger, name: str, lease: str) -> Iterator[Run]:
    """The runs that say where to go on, newest first."""
    first_undone = 0  # of the runs whose undo is newer than the runs that are looked at
    for run in _newest_first(ledger, name):
        if run.lease != lease or run.status not in _DONE:
            continue
        if run.kind is Kind.UNDO and run.parent_id is not None:
            of = ledger.run(run.parent_id)
            if of.kind is Kind.RUN and of.status is Status.UNDONE:
                first_undone = min(first_undone or of.id, of.id)
        elif run.kind is Kind.RUN and not (0 < first_undone < run.id and _may_be_read_again(run)):
            yield run


def _may_be_read_again(run: Run) -> bool:
    """Whether reading the records of a run again does no harm. Appended ones would be there twice."""
    return run.operation != Operation.APPEND.value or not run.account.outcomes[Outcome.CREATED]


def _newest_first(ledger: Ledger, name: str) -> Iterator[Run]:
    page = ledger.runs(_PAGE, name)
    while page:
        yield from page
        page = ledger.runs(_PAGE, name, before=page[-1].id)
