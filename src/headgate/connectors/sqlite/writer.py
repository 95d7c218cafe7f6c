"""Writing one run's records to one table of a database file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from headgate.model.errors import Cancelled, DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.reading import Parents
from headgate.model.table import Column
from headgate.model.types import FieldType
from headgate.model.write import NUMBER, OLD, Images, Matched, Operation, Ticket, WriteSpec
from headgate.sql import STAGE, Checkpoints, Refused, Staged, Statements, Target, Unheld, Why, changes_schema
from headgate.sql.statements import StageColumn

from .connect import STOPPED, connect, failure, in_memory
from .dialect import SqliteDialect
from .lookups import add_parents
from .order import Rising
from .session import SqliteSession
from .stage import WORK, Likeness, Stage
from .tables import Found, add_column, create_statement, quoted
from .types import affinity, can_damage, damage, decode, encode, unstorable

_PAGE = 65_536
_NEW = "_hg_new"
"""Schema name under which a database file that the run makes is attached."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a writer writes.

    Attributes:
        path: the database file; it may not be there yet if the run makes the table.
        found: the table as it is, or as it will be.
        foreign_keys, timeout: settings of the connection.
        added: columns of it that the run adds.
    """

    path: Path
    found: Found
    foreign_keys: bool
    timeout: float
    added: tuple[Column, ...] = ()


class SqliteWriter:
    """Takes the records of one run; see `headgate.spi.destination.Writer`.

    Records are kept aside until `match`, which begins the transaction: other programs can write until then, and read until
    the commit. A database file that is not there yet is made by `apply`, so that a plan leaves none; until then an empty
    table in memory stands for the one in it.
    """

    def __init__(self, place: Place, spec: WriteSpec) -> None:
        self._place = place
        self._spec = spec
        self._create = spec.create
        self._added = place.added
        self._made_file = False
        self._cancelled = False
        self._over = False
        self._guard = threading.Lock()
        self._con: sqlite3.Connection | None = None
        self._dialect = SqliteDialect(spec, place.found)
        self._prepare()

    def _prepare(self) -> None:
        """Be ready for the first record, or for those after a commit."""
        found = self._place.found
        self._absent = self._create and not self._place.path.exists()
        self._schema = _NEW if self._absent else "main"
        columns = {c.name: c for c in found.schema.columns}
        unique = _is_unique(found, self._spec.key)
        self._dialect.schema = self._schema
        self._target = Target(f"{self._schema}.{quoted(found.name)}", columns, found.locators, unique)
        statements = Statements(self._dialect, self._spec, self._target)
        self._columns = statements.stage_columns()
        self._stage = Stage(statements.create_stage(), self._likeness())
        self._rising = Rising()
        self._unheld = Unheld(self._spec, self._damaged)
        self._marked = 0

    def _likeness(self) -> Likeness | None:
        """A table like the one to be made, if records may go into it as they come."""
        found = self._place.found
        as_they_are = all(f.when != "updated" and not f.keeps for f in self._spec.fields)
        if not (self._create and self._only_adds() and as_they_are) or found.locators[0].startswith('"'):
            return None
        return Likeness(f"{WORK}.{quoted(found.name)}", create_statement(found.schema, WORK), found.locators[0])

    def _only_adds(self) -> bool:
        """Whether records can be nothing but created in an empty table."""
        spec = self._spec
        return not (spec.planned or spec.deletes or spec.operation in (Operation.UPDATE, Operation.DELETE))

    # Write

    def write(self, batch: pa.RecordBatch) -> None:
        """Keep records aside."""
        self._check_open()
        batch = self._unheld.without(batch)
        if not batch.num_rows:
            return
        encoded = {c.name: self._encoded(batch, c) for c in self._columns}
        sources = {c.source: c.name for c in self._columns}
        if self._spec.key:
            self._rising.see([encoded[sources[k]] for k in self._spec.key])
        self._stage.add(pa.RecordBatch.from_pydict(encoded), rising=self._rising.so_far)
        self._marked += batch.column(NUMBER).null_count

    def _encoded(self, batch: pa.RecordBatch, column: StageColumn) -> pa.Array:
        return encode(batch.column(column.source), column.type, self._dialect.affinity_of(column.name))

    def _damaged(self, source: str, values: pa.Array, of: FieldType) -> tuple[pa.Array, Why] | None:
        """Which values their column would damage. Old values of a plan are what a column made of them."""
        name = source.removeprefix(OLD) if source not in self._target.columns else source
        target = affinity(self._place.found.declared[name])
        if not can_damage(of, target) or (name != source and of.kind != "double"):
            return None
        damaged = unstorable(encode(values, of, target), of)
        return damaged, lambda value: damage(value, self._place.found.declared[name])

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        """Add records to another table; this begins the transaction, and keeps other programs from writing."""
        self._check_open()
        con = self._open()
        if not con.in_transaction:
            self._begin()
        return add_parents(con, self._session, self._place.path, parents, rows)

    # Match

    def match(self, *, deletions: bool = True) -> Matched:
        """Begin the transaction and decide."""
        self._check_open()
        self._connect()
        self._staged = Staged(self._dialect, self._session, self._spec, self._target)
        self._deletions = deletions and not self._unheld.refusals
        if self._stage.likeness is None:
            self._index()
        self._plain = self._is_plain()
        if not self._plain:
            return self._decide()
        matched = Matched(Account())
        matched.account.read = self._stage.rows
        matched.account.add(Outcome.CREATED, self._stage.rows)
        self._matched = matched
        return self._unheld.counted(matched)

    def _open(self) -> sqlite3.Connection:
        """Connect, unless that is done."""
        if self._con is not None:
            return self._con
        place = self._place
        if self._absent:
            con = in_memory(foreign_keys=place.foreign_keys)
        else:
            con = connect(place.path, foreign_keys=place.foreign_keys, timeout=place.timeout)
        with self._guard:
            self._con = con
            self._session = SqliteSession(con, place.path, place.found.references)
        self._check_open()
        return con

    def _begin(self) -> None:
        self._session.run(f"attach ':memory:' as {_NEW}" if self._absent else "begin immediate")
        if self._create:
            self._make_table()
        for column in self._added:
            self._session.run(add_column(self._place.found.name, column, self._schema))

    def _make_table(self) -> None:
        path, schema = self._place.path, self._place.found.schema
        names = {name.lower() for (name,) in self._session.rows(f"select name from {self._schema}.sqlite_master")}
        if schema.name.lower() in names:
            raise DestinationError(f"{path}: table {schema.name} was made in the meantime", hint="Run again.")
        self._session.run(create_statement(schema, self._schema))

    def _connect(self) -> None:
        con = self._open()
        begun = con.in_transaction
        try:
            self._stage.attach(con)
        except sqlite3.Error as e:
            raise failure(e, self._place.path) from e
        if not begun:
            self._begin()

    def _index(self) -> None:
        """Index the key in the stage where that pays."""
        if self._needs_index():
            self._session.run(self._dialect.index_stage())

    def _needs_index(self) -> bool:
        if not self._spec.key or self._spec.planned:
            return False
        return self._spec.operation is Operation.MIRROR or not self._rising.so_far

    def _is_plain(self) -> bool:
        """Whether every record is simply to be added: nothing to be found at the destination, and no key twice."""
        if not self._only_adds() or (self._spec.journal and not self._spec.spooled):
            return False
        if not self._spec.key:
            return True
        if not self._create:
            return False
        return self._rising.so_far or not self._session.rows(self._staged.statements.count_repeated())[0][0]

    def _decide(self) -> Matched:
        self._plain = False
        if moved := self._stage.resettle():
            for sql in moved:
                self._session.run(sql)
            self._index()
        return self._unheld.counted(self._staged.match(self._stage.rows - self._marked, deletions=self._deletions))

    def changes(self) -> Iterator[pa.RecordBatch]:
        """What was decided, field by field."""
        if self._plain:
            self._decide()
        schema = changes_schema(self._spec)
        types = [f.type for f in self._spec.fields] * 2
        for page in self._session.pages(self._staged.statements.changes(), _PAGE):
            numbers, actions, *values = zip(*page, strict=True)
            arrays = [pa.array(numbers, pa.int64()), pa.array(actions, pa.string())]
            arrays += [decode(v, t) for v, t in zip(values, types, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    # The journal

    def images(self) -> Images:
        """Which columns the journal knows."""
        return self._staged.statements.images()

    def before(self) -> Iterator[pa.RecordBatch]:
        """Records that will be updated or deleted, as they are."""
        if not self._plain:
            yield from self._journaled(self._staged.statements.before())

    def after(self) -> Iterator[pa.RecordBatch]:
        """Records that were created, as they are."""
        if self._plain:
            raise DestinationError("records that were added without a decision are not journaled")
        yield from self._journaled(self._staged.statements.after())

    def _journaled(self, sql: str) -> Iterator[pa.RecordBatch]:
        schema = self._staged.statements.journal_schema()
        for page in self._session.pages(sql, _PAGE):
            arrays = [pa.array(v, t) for v, t in zip(zip(*page, strict=True), schema.types, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def drop(self) -> bool:
        """Remove the table if nothing needs it."""
        return self._staged.drop()

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        """Remove empty columns that nothing needs."""
        return self._staged.drop_columns(names)

    # Apply

    def apply(self) -> Matched:
        """Carry it out."""
        self._check_open()
        if self._absent:
            self._make_file()
        if self._plain:
            try:
                self._session.attempt(self._add_all(), self._stage.rows)
            except Refused:
                self._decide()
            else:
                return self._unheld.counted(self._matched)
        return self._unheld.counted(self._staged.apply())

    def _add_all(self) -> str:
        """Adding in the order of the key is several times as quick as in any other, sorting included."""
        if (like := self._stage.likeness) is not None:
            return f"insert into {self._target.name} select * from {like.name}"
        written = [f for f in self._spec.fields if f.when != "updated" and not self._target.columns[f.name].generated]
        staged = {c.source: c.name for c in self._columns}
        names = ", ".join(quoted(f.name) for f in written)
        values = ", ".join(staged[f.name] for f in written)
        sorted_by = [f"+{staged[k]}" for k in self._spec.key] if self._create and not self._rising.so_far else ["rowid"]
        source = f"{self._dialect.temp(STAGE)} order by {', '.join(sorted_by)}"
        return f"insert into {self._target.name} ({names}) select {values} from {source}"

    def _make_file(self) -> None:
        """Put the database file in the place of the empty table that was matched against.

        Others may make the same file at this moment. Whoever finds something of others in it does not remove it, and
        whoever removes it does so while it is locked, so that those who wait for it see that it is gone.
        """
        path, made = self._place.path, False
        with suppress(OSError):  # where it cannot be made the next line says why
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o666))
            made = True
        connect(path, create=True, timeout=self._place.timeout).close()
        self._session.run(f"detach {self._schema}")
        self._session.attach(path, self._schema)
        try:
            self._session.run("begin immediate")
        except DestinationError:  # SQLite's own words for a file that is gone lead nowhere
            if path.exists():
                raise
        if not path.exists():
            raise DestinationError(f"{path}: the file was removed in the meantime", hint="Run again.")
        self._made_file = made and not self._session.rows(f"select 1 from {self._schema}.sqlite_master")
        self._make_table()

    # The end

    def commit(self, checkpoint: str = "") -> None:
        """Make it visible."""
        if self._con is not None and self._con.in_transaction:
            if self._spec.ticket is not None:
                self._keep(self._spec.ticket, checkpoint)
            self._session.run("commit")
        self._made_file = self._create = False
        self._added = ()
        self._release()
        self._over = not self._spec.batched
        if self._spec.batched:
            self._prepare()

    def _keep(self, ticket: Ticket, checkpoint: str) -> None:
        kept = Checkpoints(self._dialect, self._session)
        if self._absent:  # nobody could claim anything in a file that was not there
            kept.make()
            kept.claim(ticket)
        kept.keep(ticket, checkpoint)

    def abort(self) -> None:
        """Forget what was not committed."""
        self._over = True
        if self._made_file and os.name != "nt":  # where an open file cannot be removed
            self._place.path.unlink(missing_ok=True)
            self._made_file = False
        self._release()
        if self._made_file:
            self._made_file = False
            self._place.path.unlink(missing_ok=True)

    def _release(self) -> None:
        with self._guard:
            con, self._con = self._con, None
        if con is not None:
            con.close()  # which rolls back what is not committed
        self._stage.close()

    def cancel(self) -> None:
        """Break off."""
        self._cancelled = True
        with self._guard:
            if self._con is not None:
                self._session.cancel()

    def _check_open(self) -> None:
        if self._cancelled:
            raise Cancelled(STOPPED)
        if self._over:
            raise DestinationError("this run's writing is over; open the destination again")


def _is_unique(found: Found, key: tuple[str, ...]) -> bool:
    return any(columns and set(columns) <= set(key) for columns in (found.schema.key, *found.schema.unique))
