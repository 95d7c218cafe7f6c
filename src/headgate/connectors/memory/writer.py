"""What every operation and option means, in plain Python.

This is written to be read: records are dicts, a table is a dict of numbered rows, and every decision stands in
`MemoryWriter._decide`, one record at a time. Where the contract leaves room, the reference takes this way:

- The duplicates rule works within one match: with `batched`, a later batch finds what an earlier one committed.
- Refused deletions by mirror (only a plan that has drifted has them) are left alone and not counted at all.
- `apply` deletes, then updates, then creates, each in the order of the source, so a value set free can be taken.
- Mirror without any record empties its scope; not to let that happen is the engine's.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import pyarrow as pa

from headgate.model.codes import CODES
from headgate.model.errors import Cancelled, DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.reading import REFUSED, TAKEN, Parents
from headgate.model.table import Column, TableSchema
from headgate.model.text import text_form
from headgate.model.types import IMAGE, FieldType
from headgate.model.write import (
    ACTION,
    DELETE,
    KEEP,
    NUMBER,
    OLD,
    Images,
    Matched,
    Operation,
    Refusal,
    WriteSpec,
)  # fmt: skip

from .state import State, image_of, value_of
from .tables import BATCH_ROWS, Row, Table, altered, counted, require_column

SKIPS = {
    "duplicate": "another record of the run has this key, and counts",
    "existing": "the destination already has a record with this key",
    "missing": "the destination has no record with this key",
}
ORDER = {Outcome.DELETED: 0, Outcome.UPDATED: 1, Outcome.CREATED: 2}


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done with one record.

    Attributes:
        action: created, updated or deleted.
        number: the record's number within the run; None for a deletion by mirror.
        values: the value each field will have; of a deletion only the key's.
        row: number of the destination's row; None for created.
    """

    action: Outcome
    number: int | None
    values: Row
    row: int | None = None


class MemoryWriter:
    """Writes one run. Works on a copy of the rows, which `commit` puts in the table's place."""

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        self._tables = tables
        self._spec = spec
        self._schema = self._find()
        self._records: list[Row] = []
        self._rows: dict[int, Row] = {}
        self._parents: dict[str, dict[int, Row]] = {}
        self._changes: list[Change] = []
        self._decided = Matched(Account())  # everything but the changes
        self._state = state
        self._finished = False
        self._dropped = False
        self._cancelled = threading.Event()

    def write(self, batch: pa.RecordBatch) -> None:
        """Hand over mapped records."""
        self._check_open()
        rows = batch.to_pylist()
        for f in (f for f in self._spec.fields if f.type == IMAGE):
            of = self._type(f.name)
            for row in rows:
                row |= {n: value_of(row[n], of) for n in (f.name, OLD + f.name) if n in row}
        self._records += rows

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        """Add records to another table, on a copy of its rows; a key of one whole number is counted up."""
        self._check_open()
        if parents.table not in self._tables:
            raise DestinationError(f"there is no table {parents.table}", hint="Make it first.")
        schema = self._tables[parents.table].schema
        for name in (*(f.name for f in parents.fields), parents.take):
            require_column(schema, name)
        there = dict(self._there(parents.table))
        keys = {_primary(schema, r): n for n, r in there.items()}
        taken: list[str | None] = []
        refused: list[str | None] = []
        for given in rows.select([f.name for f in parents.fields]).to_pylist():
            row = counted(schema, dict.fromkeys(c.name for c in schema.columns) | given, there)
            refusal = _violation(schema, 0, -1, row, keys)
            if refusal is None:
                place = next(reversed(there), 0) + 1
                there[place], keys[_primary(schema, row)] = row, place
            refused.append(f"{refusal.reason} ({refusal.field})" if refusal else None)
            taken.append(None if refusal else text_form(row[parents.take]))
        self._parents[parents.table] = there
        return pa.table({TAKEN: pa.array(taken, pa.string()), REFUSED: pa.array(refused, pa.string())})

    def _there(self, table: str) -> dict[int, Row]:
        """A table's rows, with the parents added to it."""
        found = self._tables.get(table)
        return self._parents.get(table, found.rows if found else {})

    def match(self, *, deletions: bool = True) -> Matched:
        """Decide what becomes of every record written since the last commit."""
        self._check_open()
        blank = dict.fromkeys(c.name for c in self._schema.columns)
        self._rows = {n: blank | row for n, row in self._there(self._spec.table).items()}
        self._changes = []
        self._decided = Matched(Account())
        # Deletions by mirror that come from a plan are no records of the source.
        self._decided.account.read = sum(r[NUMBER] is not None for r in self._records)
        found = self._by_key(self._rows.items())
        for record in self._one_a_key():
            self._check_open()
            self._decide(record, found.get(self._key(record), []) if self._spec.key else [])
        if self._spec.operation is Operation.MIRROR:
            self._sweep(deletions=deletions and not self._spec.planned)
        self._changes.sort(key=lambda c: (c.number is None, c.number))
        return self._result(self._changes, [])

    def changes(self) -> Iterator[pa.RecordBatch]:
        """What `apply` would do, field by field."""
        fields = self._spec.fields
        schema = pa.schema(
            [(NUMBER, pa.int64()), (ACTION, pa.string())]
            + [(f.name, f.type.arrow) for f in fields]
            + [(OLD + f.name, f.type.arrow) for f in fields]
        )
        for start in range(0, len(self._changes), BATCH_ROWS):
            rows = []
            for c in self._changes[start : start + BATCH_ROWS]:
                old = self._rows[c.row] if c.row is not None else {}
                news = {f.name: c.values.get(f.name) for f in fields}
                olds = {OLD + f.name: old.get(f.name) for f in fields}
                rows.append({NUMBER: c.number, ACTION: c.action.value, **news, **olds})
            yield pa.RecordBatch.from_pylist(rows, schema=schema)

    def apply(self) -> Matched:
        """Carry it out on the copy."""
        self._check_open()
        done: list[Change] = []
        refused: list[Refusal] = []
        taken = {_primary(self._schema, row): number for number, row in self._rows.items()}
        following = max(self._rows, default=0) + 1
        for change in sorted(self._changes, key=lambda c: ORDER[c.action]):
            self._check_open()
            place = change.row if change.row is not None else following
            row = self._row_after(change)
            refusal = _violation(self._schema, change.number, place, row, taken) if row is not None else None
            if refusal is not None:
                refused.append(refusal)
                continue
            done.append(change)
            following += change.row is None
            if change.row is not None:
                taken.pop(_primary(self._schema, self._rows.pop(place)), None)
            if row is not None:
                self._rows[place] = row
                taken[_primary(self._schema, row)] = place
        return self._result(done, refused)

    # The journal

    def images(self) -> Images:
        """Which columns the journal knows."""
        columns = tuple(c.name for c in self._schema.columns)
        updated = tuple(f.name for f in self._spec.fields if f.name not in self._spec.key and f.when != "created")
        return Images(columns, columns, updated, tuple(self._spec.mark))

    def before(self) -> Iterator[pa.RecordBatch]:
        """Rows that will be updated or deleted, as they are."""
        images = self.images()
        for part in _parts([c for c in self._changes if c.row is not None]):
            rows = []
            for c in part:
                after = self._row_after(c) or {}
                updated, marked = c.action is Outcome.UPDATED, c.action is Outcome.DELETED and bool(after)
                written = images.updated if updated else images.marked if marked else ()
                action = "marked" if marked else c.action.value
                rows.append(self._imaged(c, action, {n: after[n] for n in written}, self._rows[c.row or 0]))
            yield pa.RecordBatch.from_pylist(rows, schema=self._journal_schema())

    def after(self) -> Iterator[pa.RecordBatch]:
        """Rows that were created, as they are."""
        for part in _parts([c for c in self._changes if c.row is None]):
            rows = [self._imaged(c, "created", self._row_after(c) or {}, {}) for c in part]
            yield pa.RecordBatch.from_pylist(rows, schema=self._journal_schema())

    def _imaged(self, change: Change, action: str, new: Row, old: Row) -> Row:
        news = {n: image_of(v, self._type(n)) for n, v in new.items()}
        olds = {OLD + n: image_of(v, self._type(n)) for n, v in old.items()}
        return {NUMBER: change.number, ACTION: action, **news, **olds}

    def _journal_schema(self) -> pa.Schema:
        names = [c.name for c in self._schema.columns]
        texts = [(n, pa.string()) for n in (*names, *(OLD + n for n in names))]
        return pa.schema([(NUMBER, pa.int64()), (ACTION, pa.string()), *texts])

    def _type(self, name: str) -> FieldType:
        column = self._schema.column(name)
        assert column is not None
        return column.type

    def drop(self) -> bool:
        """Remove the table if it holds no rows; nothing here refers to others."""
        self._dropped = not self._rows
        return self._dropped

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        """Remove columns in which no row has a value."""
        empty = [n for n in names if all(row[n] is None for row in self._rows.values())]
        left = tuple(c for c in self._schema.columns if c.name not in empty)
        self._schema = replace(self._schema, columns=left)
        self._rows = {n: {c.name: row[c.name] for c in left} for n, row in self._rows.items()}
        return empty

    def commit(self, checkpoint: str = "") -> None:
        """Make everything applied visible, at once."""
        self._check_open()
        if self._spec.ticket is not None:
            self._state.keep(self._spec.ticket, checkpoint)
        for name, rows in self._parents.items():
            self._tables[name] = Table(self._tables[name].schema, rows)
        if self._dropped:
            self._tables.pop(self._spec.table, None)
        else:
            self._tables[self._spec.table] = Table(self._schema, self._rows)
        self._records, self._changes, self._parents = [], [], {}
        self._finished = not self._spec.batched

    def abort(self) -> None:
        """Forget everything not committed."""
        self._records, self._changes, self._finished = [], [], True

    def cancel(self) -> None:
        """Make `write`, `match` and `apply` raise `Cancelled` from now on."""
        self._cancelled.set()

    # Deciding

    def _decide(self, record: Row, found: list[int]) -> None:
        """What becomes of one record, whose key `found` rows have."""
        spec, number = self._spec, record[NUMBER]
        if spec.planned:
            self._decide_planned(record, found)
        elif found and spec.operation is Operation.INSERT:
            self._skip_or_reject(number, spec.existing, "existing", "KY03")
        elif len(found) > 1:
            self._refuse(number, Outcome.REJECTED, "KY05")
        elif not found and (self._deletes(record) or spec.operation is Operation.UPDATE):
            self._skip_or_reject(number, spec.missing, "missing", "KY04")
        elif not found:
            # A field for updates only is left out, and so is empty.
            values = {f.name: None if f.when == "updated" else record[f.name] for f in spec.fields}
            self._changes.append(Change(Outcome.CREATED, number, values))
        elif self._deletes(record):
            self._delete(number, found[0])
        else:
            self._update(record, found[0])

    def _update(self, record: Row, row: int) -> None:
        """Updated if a field differs that is written to existing records, unchanged otherwise."""
        old = self._rows[row]
        values, differs = {}, False
        for f in self._spec.fields:
            stays = f.when == "created" or bool(record.get(KEEP + f.name))
            values[f.name] = old[f.name] if stays else record[f.name]
            differs |= f.when != "updated" and not _same(values[f.name], old[f.name])
        if differs:
            self._changes.append(Change(Outcome.UPDATED, record[NUMBER], values, row))
        else:
            self._decided.account.add(Outcome.UNCHANGED)

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        """Do as planned if the destination's record is as it was, and hold it otherwise."""
        number, action = record[NUMBER], Outcome(record[ACTION])
        names = [f.name for f in self._spec.fields]
        watched = [n for n in names if not record.get(KEEP + n)]
        if not self._spec.key and action is Outcome.DELETED:
            taken = {c.row for c in self._changes}
            found = [row for row in reversed(self._rows) if row not in taken]
        same = [row for row in found if all(_same(self._rows[row][n], record[OLD + n]) for n in watched)]
        if self._spec.forced:
            same = found
        if number is None:
            # A deletion by mirror: of several records with one key each stands for itself.
            taken = {c.row for c in self._changes}
            if left := [row for row in same if row not in taken]:
                self._delete(None, left[0])
        elif action is Outcome.CREATED and not found:
            self._changes.append(Change(action, number, {n: record[n] for n in names}))
        elif (action is Outcome.CREATED and not self._spec.forced) or (self._spec.key and len(found) != 1) or not same:
            self._refuse(number, Outcome.HELD, "HE01")
        elif action is Outcome.DELETED:
            self._delete(number, same[0])
        else:
            old = self._rows[same[0]]
            values = {n: old[n] if record.get(KEEP + n) else record[n] for n in names}
            self._changes.append(Change(Outcome.UPDATED, number, values, same[0]))

    def _sweep(self, *, deletions: bool) -> None:
        """Mirror: delete or mark the rows in its charge whose key the source does not have."""
        spec = self._spec
        scope = {c: self._typed(c, v) for c, v in spec.scope.items()}
        marks = {c: self._typed(c, v)[0] for c, v in spec.mark.items()}
        keys = {self._key(r) for r in self._records}
        for number, row in self._rows.items():
            if all(row[c] in values for c, values in scope.items()):
                self._decided.in_scope += 1
                marked = bool(marks) and all(row[c] == v for c, v in marks.items())
                if deletions and not marked and self._key(row) not in keys:
                    self._delete(None, number)

    def _one_a_key(self) -> Iterable[Row]:
        """The records without those that lose by the duplicates rule, which are skipped or refused here."""
        if not self._spec.key or self._spec.planned:
            return self._records
        last = self._spec.duplicates == "last"
        one: dict[tuple[object, ...], Row] = {}
        for record in sorted(self._records, key=lambda r: r[NUMBER], reverse=last):
            if one.setdefault(self._key(record), record) is record:
                continue
            if self._spec.duplicates == "reject":
                self._refuse(record[NUMBER], Outcome.INVALID, "KY02")
            else:
                self._skip(record[NUMBER], "duplicate")
        return one.values()

    def _deletes(self, record: Row) -> bool:
        return self._spec.operation is Operation.DELETE or bool(record.get(DELETE))

    def _delete(self, number: int | None, row: int) -> None:
        values = {k: self._rows[row][k] for k in self._spec.key}
        self._changes.append(Change(Outcome.DELETED, number, values, row))

    def _key(self, row: Row) -> tuple[object, ...]:
        return tuple(row[k] for k in self._spec.key)

    def _by_key(self, rows: Iterable[tuple[int, Row]]) -> dict[tuple[object, ...], list[int]]:
        found: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for number, row in rows:
            found[self._key(row)].append(number)
        return found

    # Carrying out

    def _row_after(self, change: Change) -> Row | None:
        """The whole row as the change leaves it; None when it is gone."""
        if change.action is Outcome.DELETED:
            if change.number is not None or not self._spec.mark or change.row is None:
                return None
            return self._rows[change.row] | {c: self._typed(c, v)[0] for c, v in self._spec.mark.items()}
        old = self._rows[change.row] if change.row is not None else dict.fromkeys(c.name for c in self._schema.columns)
        return old | change.values

    # Counting

    def _result(self, done: list[Change], refused: list[Refusal]) -> Matched:
        account = deepcopy(self._decided.account)
        account.outcomes.update(c.action for c in done if c.number is not None)
        account.mirror_deleted = sum(c.number is None for c in done)
        account.add(Outcome.REJECTED, len(refused))
        refusals = sorted(self._decided.refusals + refused, key=lambda r: r.number)
        return Matched(account, refusals, self._decided.in_scope)

    def _skip_or_reject(self, number: int, what: str, reason: str, code: str) -> None:
        if what == "skip":
            self._skip(number, reason)
        else:
            self._refuse(number, Outcome.REJECTED, code)

    def _skip(self, number: int, reason: str) -> None:
        self._decided.account.add(Outcome.SKIPPED, reason=reason)
        if self._decided.account.skips[reason] <= self._spec.listed_skips:
            self._decided.refusals.append(Refusal(number, Outcome.SKIPPED, reason, SKIPS[reason]))

    def _refuse(self, number: int, outcome: Outcome, code: str) -> None:
        self._decided.account.add(outcome)
        self._decided.refusals.append(Refusal(number, outcome, code, CODES[code].meaning))

    # The table

    def _find(self) -> TableSchema:
        """The table's schema, or the one it is to be made with."""
        spec, found = self._spec, self._tables.get(self._spec.table)
        if spec.create and found:
            raise DestinationError(f"there is a table {spec.table} already", hint="Leave out create.")
        if spec.create:
            needed = {*spec.required, *spec.key}
            return TableSchema(
                spec.table, tuple(Column(f.name, f.type, nullable=f.name not in needed) for f in spec.fields), spec.key
            )
        if not found:
            raise DestinationError(f"there is no table {spec.table}", hint="Make it, or set create: true.")
        schema = altered(found.schema, spec)
        for name in (*(f.name for f in spec.fields), *spec.key, *spec.scope, *spec.mark):
            if schema.column(name) is None:
                raise DestinationError(f"the table {spec.table} has no column {name!r}")
        return schema

    def _typed(self, name: str, value: object) -> list[object]:
        """Values written in a definition (one, or a list of them) as the column holds them."""
        column = self._schema.column(name)
        assert column is not None  # `_find` has looked
        values = value if isinstance(value, list) else [value]
        typed: list[object] = pa.array(values).cast(column.type.arrow).to_pylist()
        return typed

    def _check_open(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("the run was cancelled")
        if self._finished:
            raise DestinationError("the writer has ended", hint="Open a new one.")


def _same(a: object, b: object) -> bool:
    """Whether two values are equal; NaN is equal to itself."""
    return a == b or (a != a and b != b)


def _parts(changes: list[Change]) -> Iterator[list[Change]]:
    for start in range(0, len(changes), BATCH_ROWS):
        yield changes[start : start + BATCH_ROWS]


def _violation(
    schema: TableSchema, number: int | None, place: int, row: Row, taken: Mapping[tuple[object, ...], int]
) -> Refusal | None:
    """What the table has against the row; None when it takes it."""
    if number is None:
        return None  # a marked row was there before, and only its marks change
    for column in schema.columns:
        value, length = row[column.name], column.type.length
        if value is None and not column.nullable:
            return _refusal(number, "DE04", column.name)
        if value is not None and length and len(value) > length:
            return _refusal(number, "DE05", column.name)
    if schema.key and taken.get(_primary(schema, row), place) != place:
        return _refusal(number, "DE02", schema.key[0])
    return None


def _primary(schema: TableSchema, row: Row) -> tuple[object, ...]:
    return tuple(row[k] for k in schema.key)


def _refusal(number: int, code: str, column: str) -> Refusal:
    return Refusal(number, Outcome.REJECTED, code, CODES[code].meaning, column)
