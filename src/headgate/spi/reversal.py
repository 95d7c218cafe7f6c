"""Taking back what a writer did: a journal's batches turned into a plan's, which any writer can carry out.

A journal holds either the images that `Writer.before` and `Writer.after` gave, or, where everything was created
(`WriteSpec.spooled`), the very records that were written. Reversed, a created record is to be deleted if it still is as it
was left, an updated one is to get back the columns that were written if they still hold what was written, and a deleted
one is to be created as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.types import IMAGE
from headgate.model.write import ACTION, KEEP, NUMBER, OLD, Images, Operation, WriteField, WriteSpec

_TURNED = {"created": "deleted", "updated": "updated", "marked": "updated", "deleted": "created"}


@dataclass(frozen=True, slots=True)
class Written:
    """What a journal is of.

    Attributes:
        write: what the writer was told.
        images: which columns the images have; None where the records themselves are the journal.
    """

    write: WriteSpec
    images: Images | None


def reversal(written: Written, *, forced: bool = False) -> WriteSpec:
    """What a writer is to be told to take it back.

    Args:
        written: what was done.
        forced: also what somebody has edited since.
    """
    write = written.write
    if written.images is None:
        fields = tuple(replace(f, when="always", keeps=False) for f in write.fields if f.when != "updated")
    else:
        was = {f.name: f.was or f.type for f in write.fields}
        fields = tuple(
            WriteField(c, IMAGE, keeps=c not in write.key, was=was.get(c) if c in write.key else None)
            for c in written.images.columns
        )
    return WriteSpec(
        table=write.table,
        fields=fields,
        key=write.key,
        operation=_operation(write),
        planned=True,
        forced=forced,
        journal=write.journal,
        ticket=write.ticket,
    )


def _operation(write: WriteSpec) -> Operation:
    if write.key:
        return Operation.UPSERT
    return Operation.APPEND if write.operation is Operation.DELETE else Operation.DELETE


def reversed_batch(written: Written, batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    """A journal's batch for the writer of its `reversal`.

    Args:
        written: what was done.
        batch: from the journal.
        first: the number its first record gets; the others count on.
    """
    spec = reversal(written)
    numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
    if written.images is None:
        names = [f.name for f in spec.fields]
        values = [batch.column(n) for n in names]
        actions = pa.repeat("deleted", batch.num_rows)
        return _batch(numbers, actions, spec.fields, [], values, values)
    actions = batch.column(ACTION)
    turned = pa.array([_TURNED[a] for a in actions.to_pylist()], pa.string())
    was_created = pc.equal(actions, "created")
    new, old, keeps = [], [], []
    for field in spec.fields:
        then, now = batch.column(OLD + field.name), batch.column(field.name)
        is_key = field.name in spec.key
        # A created record has no former value, and an update leaves the key out.
        new.append(pc.coalesce(then, now) if is_key else then)
        old.append(pc.coalesce(now, then) if is_key else now)
        if field.keeps:
            keeps.append(pc.invert(_known(written.images, field.name, actions)))
    # What is to be created has no present value; a key's would be compared.
    old = [pc.if_else(pc.equal(turned, "created"), pa.scalar(None, v.type), v) for v in old]
    new = [
        v if f.name in spec.key else pc.if_else(was_created, pa.scalar(None, v.type), v)
        for f, v in zip(spec.fields, new, strict=True)
    ]
    return _batch(numbers, turned, spec.fields, keeps, new, old)


def _known(images: Images, column: str, actions: pa.Array) -> pa.Array:
    """For which records the column was written, so that it is compared and put back."""
    known = [
        action
        for action, columns in (
            ("created", images.created), ("updated", images.updated), ("marked", images.marked), ("deleted", images.columns),
        )
        if column in columns
    ]  # fmt: skip
    return pc.is_in(actions, pa.array(known, pa.string()))


def _batch(
    numbers: pa.Array,
    actions: pa.Array,
    fields: Sequence[WriteField],
    keeps: list[pa.Array],
    new: list[pa.Array],
    old: list[pa.Array],
) -> pa.RecordBatch:
    names = [NUMBER, ACTION, *(KEEP + f.name for f in fields if f.keeps)]
    names += [f.name for f in fields] + [OLD + f.name for f in fields]
    return pa.RecordBatch.from_arrays([numbers, actions, *keeps, *new, *old], names=names)
