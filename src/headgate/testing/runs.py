"""Runs of one writer, and what must hold for each of them whatever it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from headgate.model.outcome import Outcome
from headgate.model.types import FieldType
from headgate.model.write import ACTION, DELETE, KEEP, LISTED_SKIPS, NUMBER, OLD, Matched, WriteField, WriteSpec
from headgate.spi.destination import Writer

Row = dict[str, Any]
WRITTEN = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)
REFUSED = (Outcome.INVALID, Outcome.REJECTED, Outcome.HELD)


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run came to.

    Attributes:
        matched: what match found.
        changes: the rows of `Writer.changes`.
        applied: what apply did; the same as `matched` when nothing was applied.
    """

    matched: Matched
    changes: list[Row]
    applied: Matched

    def count(self, outcome: str) -> int:
        """How many records ended in that outcome."""
        return self.applied.account.outcomes[Outcome(outcome)]

    @property
    def counts(self) -> dict[str, int]:
        """Every outcome that some record ended in."""
        return {o.value: n for o, n in self.applied.account.outcomes.items() if n}

    @property
    def codes(self) -> dict[int, str]:
        """Code (of a skip: reason) by the record's number."""
        return {r.number: r.code for r in self.applied.refusals}


def fields(**types: str | WriteField) -> tuple[WriteField, ...]:
    """Fields by name, each a type as definitions name it, or a whole `WriteField`."""
    return tuple(t if isinstance(t, WriteField) else WriteField(n, FieldType.parse(t)) for n, t in types.items())


def exact(value: Any) -> Any:
    """A value in a form in which only the same is equal: NaN is NaN, and 0 is not -0."""
    return repr(value) if isinstance(value, float) else value


def exact_rows(rows: Iterable[Row]) -> list[Row]:
    """Rows in which every value is `exact`."""
    return [{n: exact(v) for n, v in row.items()} for row in rows]


def batch_schema(spec: WriteSpec) -> pa.Schema:
    """Columns of the batches a writer with that spec is given."""
    columns: list[tuple[str, pa.DataType]] = [(NUMBER, pa.int64())]
    if spec.planned:
        columns.append((ACTION, pa.string()))
    elif spec.deletes:
        columns.append((DELETE, pa.bool_()))
    if not spec.planned:
        columns += [(KEEP + f.name, pa.bool_()) for f in spec.fields if f.keeps]
    columns += [(f.name, f.type.arrow) for f in spec.fields]
    if spec.planned:
        columns += [(OLD + f.name, f.type.arrow) for f in spec.fields]
    return pa.schema(columns)


def changes_schema(spec: WriteSpec) -> pa.Schema:
    """Columns `Writer.changes` has."""
    columns = [(NUMBER, pa.int64()), (ACTION, pa.string())]
    columns += [(f.name, f.type.arrow) for f in spec.fields]
    return pa.schema(columns + [(OLD + f.name, f.type.arrow) for f in spec.fields])


def batches(spec: WriteSpec, rows: Iterable[Row], size: int = 65_536) -> list[pa.RecordBatch]:
    """Rows as a writer is given them, numbered in their order from 0 unless they have a number."""
    numbered = [{NUMBER: i, **row} for i, row in enumerate(rows)]
    schema = batch_schema(spec)
    return [pa.RecordBatch.from_pylist(numbered[i : i + size], schema=schema) for i in range(0, len(numbered), size)]


def run(writer: Writer, spec: WriteSpec, rows: Sequence[Row], *, size: int = 65_536) -> Ran:
    """Write, match, list, apply and commit, with accounts and changes checked."""
    read = sum(row.get(NUMBER, 0) is not None for row in rows)
    try:
        for b in batches(spec, rows, size):
            writer.write(b)
        matched = deepcopy(writer.match())
        check_account(matched, read)
        changes = listed(writer, spec)
        check_changes(spec, matched, changes)
        applied = deepcopy(writer.apply())
        check_account(applied, read)
        writer.commit()
    finally:
        writer.abort()
    return Ran(matched, changes, applied)


def listed(writer: Writer, spec: WriteSpec) -> list[Row]:
    """The changes of a writer that has matched."""
    found: list[Row] = []
    for batch in writer.changes():
        assert batch.schema.equals(changes_schema(spec)), f"changes() has the columns {batch.schema}"
        found += batch.to_pylist()
    return found


def check_account(matched: Matched, read: int) -> None:
    """Every record read has one outcome, and every one that got no further is named."""
    account = matched.account
    account.check("the account")
    assert account.read == read
    assert min(account.outcomes.values(), default=0) >= 0
    numbers = [r.number for r in matched.refusals]
    assert len(set(numbers)) == len(numbers), "a record is refused twice"
    named = Counter(r.outcome for r in matched.refusals)
    for outcome in REFUSED:
        assert named[outcome.value] == account.outcomes[outcome], f"{outcome} records are not all named"
    skips = Counter(r.code for r in matched.refusals if r.outcome == Outcome.SKIPPED.value)
    assert skips == {reason: min(n, LISTED_SKIPS) for reason, n in account.skips.items() if n}
    assert all(r.reason for r in matched.refusals)


def check_changes(spec: WriteSpec, matched: Matched, changes: Sequence[Row]) -> None:
    """The changes are those the account counts, in order, with values where they belong."""
    counted = Counter(c[ACTION] for c in changes if c[NUMBER] is not None)
    assert counted == {o.value: matched.account.outcomes[o] for o in WRITTEN if matched.account.outcomes[o]}
    assert sum(c[NUMBER] is None for c in changes) == matched.account.mirror_deleted
    order = [(c[NUMBER] is None, c[NUMBER] or 0) for c in changes]
    assert order == sorted(order), "changes are not in the order of the records"
    for change in changes:
        if change[ACTION] == Outcome.CREATED.value:
            assert all(change[OLD + f.name] is None for f in spec.fields), (
                f"what is created has no old values: {change}"
            )
        if change[ACTION] == Outcome.DELETED.value:
            new = {f.name: change[f.name] for f in spec.fields}
            key = {f.name: change[OLD + f.name] if f.name in spec.key else None for f in spec.fields}
            assert new == key, f"of a deletion only the key has new values: {change}"


def check_effect(spec: WriteSpec, ran: Ran, before: Sequence[Row], after: Sequence[Row]) -> None:
    """The table is as it was but for the changes listed, less those the destination refused."""
    names = [f.name for f in spec.fields]
    refused = {r.number for r in ran.applied.refusals}
    expected = _counted(before, names)
    for change in ran.changes:
        if change[NUMBER] in refused:
            continue
        old = {n: change[OLD + n] for n in names}
        new = {n: change[n] for n in names}
        if change[ACTION] != Outcome.CREATED.value:
            assert expected[_values(old, names)] > 0, f"the old values of {change} are not in the table"
            expected[_values(old, names)] -= 1
        if change[ACTION] != Outcome.DELETED.value:
            expected[_values(new, names)] += 1
        elif change[NUMBER] is None and spec.mark:
            expected[_values(old | dict(spec.mark), names)] += 1
    assert _counted(after, names) == +expected, "the table is not what the changes make of it"


def _values(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(exact(row[n]) for n in names)


def _counted(rows: Iterable[Row], names: Sequence[str]) -> Counter[tuple[Any, ...]]:
    return Counter(_values(row, names) for row in rows)
