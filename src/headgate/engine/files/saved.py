"""Plans of files, in the same kind of file as those of records: whatever shows plans shows these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from headgate.engine.plans import Saved, changes_schema, read_changes, save_plan
from headgate.model.outcome import Outcome
from headgate.model.types import FieldType
from headgate.model.write import ACTION, NUMBER, OLD, Operation, WriteField, WriteSpec
from headgate.spi.store import Stored

from .moves import Move

_FIELDS: Final = {"to": "text", "from": "text", "size": "bigint", "changed": "text", "modified": "timestamptz"}
_BATCH: Final = 10_000
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def written(operation: Operation) -> WriteSpec:
    """What a plan of files says in the place of what a writer is told."""
    fields = tuple(WriteField(name, FieldType.parse(kind)) for name, kind in _FIELDS.items())
    return WriteSpec("", fields, ("to",), operation)


def save(path: Path, saved: Saved, moves: Sequence[Move]) -> None:
    """Write a plan's moves; the file appears whole or not at all."""
    schema = changes_schema(saved.write)

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, len(moves), _BATCH):
            yield pa.RecordBatch.from_pylist([_row(m) for m in moves[first : first + _BATCH]], schema)

    save_plan(path, saved, batches())


def read(path: Path) -> Iterator[Move]:
    """The moves of a saved plan."""
    for batch in read_changes(path):
        for row in batch.to_pylist():
            source = _stored(row, "", str(row["from"])) if row["from"] is not None else None
            there = _stored(row, OLD, str(row["to"])) if row[OLD + "to"] is not None else None
            yield Move(row[NUMBER], Outcome(row[ACTION]), row["to"], source, there)


def _row(move: Move) -> dict[str, Any]:
    row: dict[str, Any] = {NUMBER: move.number, ACTION: move.outcome.value, "to": move.to}
    if (one := move.source) is not None:
        row |= {"from": one.path, "size": one.size, "changed": one.changed, "modified": _time(one)}
    if (old := move.there) is not None:
        row |= {OLD + "to": move.to, OLD + "from": row.get("from"), OLD + "size": old.size}
        row |= {OLD + "changed": old.changed, OLD + "modified": _time(old)}
    return row


def _stored(row: dict[str, Any], of: str, path: str) -> Stored:
    at: datetime | None = row[f"{of}modified"]
    modified = (at - _EPOCH) // _MICROSECOND * 1_000 if at is not None else None
    return Stored(path, row[f"{of}size"], row[f"{of}changed"], modified)


def _time(one: Stored) -> datetime | None:
    return datetime.fromtimestamp(one.modified, UTC) if one.modified is not None else None
