"""The reference writer: what is decided by `headgate.spi.deciding` is carried out on a copy of the rows.

`apply` deletes, then updates, then creates, each in the order of the source, so a value set free can be taken.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from headgate.model.codes import CODES
from headgate.model.errors import Cancelled, DestinationError
from headgate.model.outcome import Outcome
from headgate.model.reading import REFUSED, TAKEN, Parents
from headgate.model.table import Column, TableSchema
from headgate.model.text import text_form
from headgate.model.types import IMAGE, FieldType
from headgate.model.write import ACTION, NUMBER, OLD, Images, Matched, Refusal, WriteSpec
from headgate.spi.deciding import Change, Decides, Row

from .state import State, image_of, value_of
from .tables import BATCH_ROWS, Table, altered, counted, require_column

ORDER = {Outcome.DELETED: 0, Outcome.UPDATED: 1, Outcome.CREATED: 2}


class MemoryWriter(Decides):
    """Writes one run. Works on a copy of the rows, which `commit` puts in the table's place."""

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        super().__init__(spec)
        self._tables = tables
        self._schema = self._find()
        self._parents: dict[str, dict[int, Row]] = {}
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
        return super().match(deletions=deletions)

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
        self._forget()
        self._parents = {}
        self._finished = not self._spec.batched

    def abort(self) -> None:
        """Forget everything not committed."""
        self._forget()
        self._finished = True

    def cancel(self) -> None:
        """Make `write`, `match` and `apply` raise `Cancelled` from now on."""
        self._cancelled.set()

    # Carrying out

    def _row_after(self, change: Change) -> Row | None:
        """The whole row as the change leaves it; None when it is gone."""
        if change.action is Outcome.DELETED:
            if change.number is not None or not self._spec.mark or change.row is None:
                return None
            return self._rows[change.row] | {c: self._typed(c, v)[0] for c, v in self._spec.mark.items()}
        old = self._rows[change.row] if change.row is not None else dict.fromkeys(c.name for c in self._schema.columns)
        return old | change.values

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
