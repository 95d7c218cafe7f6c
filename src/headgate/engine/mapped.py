"""Requests on their way through mapping: what is to be written of them, and what is known already."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from headgate.mapping import Program, Quick, quick
from headgate.model.answer import Answer, RecordOutcome
from headgate.model.errors import DefinitionError, HeadgateError
from headgate.model.outcome import REJECTS, Outcome
from headgate.model.record import Batch, Fault, Origin, Problem, Reject
from headgate.model.spec import ImportSpec
from headgate.model.table import TableSchema
from headgate.model.write import NUMBER, Operation, WriteSpec

from .prepare import Prepared
from .received import NAME, exploded, texts

FEW = 64
"""Up to so many records of a request are looked at one by one first; more are mapped together from the start."""
_NOW = re.compile(r"\b(now|today|current_\w+|get_current_timestamp)\b", re.IGNORECASE)
Row = tuple[Any, ...]


@dataclass(slots=True, eq=False)
class Request:
    """Records of one caller.

    Attributes:
        records: as they came: mappings of columns to values, perhaps nested; or `Fault`, what could not be read as one.
        id: tells it from every other.
        dry: nothing is to be written.
        keyed: its answer belongs into the checkpoint: a repeat of it will be answered with it.
        show: the fields as written belong into the answer.
        late: its caller has been told to ask again for the answer.
        waiter: whatever the one who awaits it keeps here.
        answer, error: one of them, when it is done.
    """

    records: Sequence[Any]
    id: str = ""
    dry: bool = False
    keyed: bool = False
    show: bool = False
    late: bool = False
    waiter: Any = None
    answer: Answer | None = None
    error: HeadgateError | None = None


@dataclass(slots=True, eq=False)
class Going:
    """A request on its way.

    Attributes:
        first: the number of its first record.
        rows: what is to be written, by the record's place in the request: the columns of the program's accepted records but
            for their number.
        outcomes: by place; None where the destination decides.
        raw: the texts of records, by place, for those that are refused.
        fields: names of the fields, which are the last values of a row.
        key, own: the fields that are the key with their places in a row, counted from its end; and the place of the one that is
            the destination's own key, if one is.
        special: it has deletions, values to be kept, or several records with one key, which take judgement.
    """

    request: Request
    first: int
    fields: tuple[str, ...]
    key: Sequence[tuple[str, int]]
    own: int | None
    rows: dict[int, Row] = field(default_factory=dict)
    outcomes: list[RecordOutcome | None] = field(default_factory=list)
    raw: dict[int, Mapping[str, str | None]] = field(default_factory=dict)
    special: bool = False
    keys: set[Row] = field(default_factory=set)

    def decide(
        self, place: int, outcome: Outcome, known: Any = None, reason: str = "", problems: tuple[Problem, ...] = ()
    ) -> None:
        """Say what became of a record that was to be written; `known` is the destination's own key of it, if it said that."""
        row = self.rows[place]
        key = {name: row[i] for name, i in self.key}
        own = row[self.own] if known is None and self.own is not None else known
        shown = dict(zip(self.fields, row[-len(self.fields) :], strict=True)) if self.request.show else None
        self.outcomes[place] = RecordOutcome(outcome, key, own, problems, reason, shown)

    def refuse(self, place: int, outcome: Outcome, problems: tuple[Problem, ...]) -> None:
        """Say that a record was refused before it could be written."""
        self.outcomes[place] = RecordOutcome(outcome, problems=problems)

    def rejects(self) -> list[Reject]:
        """The refused records, for the ledger."""
        found = []
        for place, o in enumerate(self.outcomes):
            if o is not None and o.outcome in REJECTS:
                origin = Origin(f"request {self.request.id}".strip(), row=place + 1)
                found.append(Reject(self.first + place, o.outcome, o.problems, dict(self.raw.get(place) or {}), origin))
        return found

    def answer(self, run: int | None) -> Answer:
        """What the caller is told."""
        return Answer([o for o in self.outcomes if o is not None], run, dry=self.request.dry)

    def kept(self) -> list[dict[str, Any]]:
        """The outcomes as a checkpoint keeps them, to answer a repeat with."""
        return [o.as_dict() for o in self.outcomes if o is not None]


class Mapper:
    """Maps requests. Used by one thread.

    Args:
        prepared: with a source of `headgate.engine.received`.
        write: what the writer is told.
    """

    def __init__(self, prepared: Prepared, write: WriteSpec) -> None:
        self._prepared = prepared
        self._write = write
        self._columns = list(prepared.first.schema.names)
        self._explode = prepared.spec.source.explode
        self._fields = tuple(f.name for f in write.fields)
        self._key = [self._fields.index(k) - len(self._fields) for k in write.key]
        own = _own(prepared.table, write)
        self._own = self._fields.index(own) - len(self._fields) if own is not None else None
        self._named_key = list(zip(write.key, self._key, strict=True))
        self._quick: Quick | None = quick(prepared.spec, prepared.fields, prepared.types)
        spec, fields = prepared.spec, prepared.fields.values()
        said = [spec.filter, spec.delete_when, *(f.expr for f in fields), *(f.check for f in fields)]
        self._moving = any(text is not None and _NOW.search(text) for text in said)
        self._compiled = time.monotonic()

    def refresh(self) -> None:
        """Let `now()` of expressions be now, to the second."""
        if self._moving and time.monotonic() - self._compiled > 1:
            self._prepared.forget_programs()
            self._prepared.started = datetime.now(UTC)
            self._compiled = time.monotonic()

    def map_plain(self, request: Request, first: int) -> Going | None:
        """Map a request that is all plainly good records; None where anything of it takes judgement."""
        if self._quick is None or self._explode is not None or self._write.deletes or len(request.records) > FEW:
            return None
        going = Going(request, first, self._fields, self._named_key, self._own)
        for place, record in enumerate(request.records):
            row = self._quick.map(texts(record, self._columns)) if isinstance(record, Mapping) else None
            if row is None:
                return None
            going.rows[place] = row
            going.outcomes.append(None)
        going.keys = {self._key_of(row) for row in going.rows.values()} if self._key else set()
        return None if self._key and len(going.keys) < len(going.rows) else going

    def map(self, request: Request, first: int) -> Going:
        """Map a request's records; `first` is the number of the first."""
        records = request.records
        if self._explode is not None:
            records = [e for r in records for e in (exploded(r, self._explode) if isinstance(r, Mapping) else [r])]
        going = Going(request, first, self._fields, self._named_key, self._own, outcomes=[None] * len(records))
        unsure: dict[int, Mapping[str, str | None]] = {}
        few = self._quick if len(records) <= FEW else None
        for place, record in enumerate(records):
            if isinstance(record, Fault):
                going.raw[place] = record.raw
                going.refuse(place, Outcome.INVALID, (record.problem,))
                continue
            if not isinstance(record, Mapping):
                problem = Problem("RD05", f"the record is {_kind(record)}, not an object with fields")
                going.refuse(place, Outcome.INVALID, (problem,))
                continue
            raw = texts(record, self._columns)
            row = few.map(raw) if few is not None else None
            going.raw[place] = raw
            if row is None:
                unsure[place] = raw
            else:
                going.rows[place] = row
        if unsure:
            self._whole_way(going, unsure)
        going.keys = {self._key_of(row) for row in going.rows.values()} if self._key else set()
        going.special = bool(self._write.deletes or any(f.keeps for f in self._write.fields)) or (
            bool(self._key) and len(going.keys) < len(going.rows)
        )
        return going

    def batch(self, group: Sequence[Going]) -> tuple[pa.RecordBatch, dict[int, tuple[Going, int]]]:
        """What is to be written of requests, and which record has which number."""
        places = {one.first + place: (one, place) for one in group for place in sorted(one.rows)}
        schema = self._program().schema
        rows = [one.rows[place] for one, place in places.values()]
        columns = list(zip(*rows, strict=True)) if rows else [()] * (len(schema) - 1)
        arrays = [pa.array(list(places), pa.int64())]
        arrays += [pa.array(c, f.type) for c, f in zip(columns, list(schema)[1:], strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema), places

    def _program(self) -> Program:
        return self._prepared.program(self._prepared.first, NAME)

    def _whole_way(self, going: Going, unsure: Mapping[int, Mapping[str, str | None]]) -> None:
        schema = self._prepared.first.schema
        arrays = [pa.array([raw[c] for raw in unsure.values()], pa.string()) for c in self._columns]
        batch = Batch(pa.RecordBatch.from_arrays(arrays, schema=schema), list(unsure))
        mapped = self._program().map(batch, 0)
        names = [n for n in mapped.accepted.schema.names if n != NUMBER]
        values = zip(*(mapped.accepted.column(n).to_pylist() for n in names), strict=True)
        going.rows.update(zip(mapped.accepted.column(NUMBER).to_pylist(), values, strict=True))
        for reject in mapped.rejects.rejects(0):
            going.refuse(reject.number, reject.outcome, reject.problems)
        for place in unsure:
            if place not in going.rows and going.outcomes[place] is None:
                going.outcomes[place] = RecordOutcome(Outcome.SKIPPED, reason="filter")

    def _key_of(self, row: Row) -> Row:
        return tuple(row[i] for i in self._key)


def for_requests(spec: ImportSpec) -> ImportSpec:
    """The definition as requests are imported by it: without what concerns a run as a whole.

    Raises:
        DefinitionError: it cannot be done a request at a time.
    """
    if spec.operation is Operation.MIRROR:
        raise DefinitionError(
            "mirror needs all records at once, and a request has only some",
            where="operation",
            hint="Use upsert, with delete_when for deletions.",
        )
    made = [name for name, f in spec.fields.items() if f.missing == "create"]
    if made:
        raise DefinitionError(
            "entries of lookups are not made for requests",
            where=f"fields.{made[0]}.missing",
            hint="Use missing: reject, null or default, or run the import from its source.",
        )
    # What must be unique among the records of a run is for the destination to say where there are no runs.
    fields = {name: f.model_copy(update={"unique": False}) for name, f in spec.fields.items()}
    return spec.model_copy(update={"fields": fields, "commit": "batch"})


def check_unique(spec: ImportSpec, table: TableSchema | None) -> None:
    """Refuse fields that must be unique and that the destination does not watch over.

    Raises:
        DefinitionError: naming the first.
    """
    sets = (table.key, *table.unique) if table is not None else ()
    for name, f in spec.fields.items():
        if f.unique and (name,) not in sets:
            raise DefinitionError(
                f"{name} must be unique, and only the destination can see to that when records come in requests",
                where=f"fields.{name}.unique",
                hint="Make it unique in the table, or leave unique out.",
            )


def _own(table: TableSchema | None, write: WriteSpec) -> str | None:
    names = {f.name for f in write.fields}
    key = table.key if table is not None else write.key
    return key[0] if len(key) == 1 and key[0] in names else None


def _kind(value: object) -> str:
    words = {str: "a text", bool: "true or false", int: "a number", list: "a list", type(None): "null"}
    return words.get(type(value), "a number")
