"""Writing the records of one run."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.model.reading import Parents
from headgate.model.table import Column, TableSchema
from headgate.model.write import NUMBER, Images, Matched, WriteSpec
from headgate.sql import STAGE, Checkpoints, Target, changes_schema
from headgate.sql.journal import JournaledStatements

from .catalog import create_table, find, missing, sql_name
from .connection import Access, DuckdbSession, identifier
from .dialect import DuckdbDialect
from .lookups import add_parents
from .staged import DuckdbStaged

_LIKENESS = "temp._hg_likeness"
"""An empty table that is matched against in the place of the one that `apply` makes."""


class DuckdbWriter:
    """The writer of one run: one connection, which keeps the file from other processes until the run is over.

    Args:
        access: what to open.
        spec: what the engine asked for.

    Raises:
        DestinationError: the table is missing, there although the run should make it, or cannot be written.
    """

    def __init__(self, access: Access, spec: WriteSpec) -> None:
        self._access = access
        self._spec = spec
        self._create = spec.create
        self._dialect = DuckdbDialect()
        self._made_file = not access.path.exists()
        if self._made_file and not spec.create and access.is_there is False:
            raise DestinationError(
                f"{access.path}: there is no such file, and so no table {spec.table}",
                hint="Correct the connection's url, or let the run make both: create: true.",
            )
        self._over = self._own_parents = False
        self._staged: DuckdbStaged | None = None
        self._session = DuckdbSession(access)
        try:
            self._prepare()
        except BaseException:
            self.abort()
            raise

    def _prepare(self) -> None:
        """Make the stage for the next transaction."""
        spec = self._spec
        self._target = self._fresh() if self._create else self._found()
        if unknown := next((f.name for f in spec.fields if f.name not in self._target.columns), None):
            there = ", ".join(self._target.columns)
            raise DestinationError(
                f"{self._access.path}: {spec.table} has no column {unknown!r}", hint=f"There are: {there}."
            )
        self._staged = DuckdbStaged(self._dialect, self._session, spec, self._target)
        self._staged.forget()
        self._staged.create_stage()
        self._columns = self._staged.statements.stage_columns()
        self._read = 0

    def _fresh(self) -> Target:
        spec = self._spec
        if find(self._session.rows, spec.table) is not None:
            raise DestinationError(f"{self._access.path}: table {spec.table} is there already", hint="Run again.")
        columns = tuple(
            Column(f.name, f.type, nullable=f.name not in spec.required and f.name not in spec.key) for f in spec.fields
        )
        self._wanted = TableSchema(spec.table, columns, spec.key)
        self._session.run(create_table(self._wanted, _LIKENESS))
        free = all(c.name.lower() != "rowid" for c in columns)
        locators = ("rowid",) if free else tuple(identifier(c) for c in spec.key or [columns[0].name])
        return Target(_LIKENESS, {c.name: c for c in columns}, locators, unique=True)

    def _found(self) -> Target:
        spec = self._spec
        found = find(self._session.rows, spec.table)
        if found is None:
            raise missing(self._session.rows, spec.table, self._access.path)
        key = frozenset(spec.key)
        unique = any(columns and key.issuperset(columns) for columns in (found.table.key, *found.table.unique))
        if collated := sorted(key & found.collated):
            raise DestinationError(
                f"{self._access.path}: {spec.table}: {collated[0]} is compared by a collation, by which the table's own keys are "
                "not told apart",
                hint="Make the column anew without COLLATE, or take another key.",
            )
        self._dialect = DuckdbDialect(found.collated)
        locators = found.locators or tuple(identifier(k) for k in spec.key)
        if not locators:
            raise DestinationError(
                f"{self._access.path}: {spec.table} has a column rowid and no primary key, so that its records cannot be told apart",
                hint="Give the table a primary key, or the column another name.",
            )
        return Target(found.sql, {c.name: c for c in found.table.columns}, locators, unique)

    def _current(self) -> DuckdbStaged:
        if self._over:
            raise DestinationError("this run's writing is over; open the destination again")
        if self._staged is None:  # nothing was written since the last commit
            self._prepare()
        assert self._staged is not None
        return self._staged

    def write(self, batch: pa.RecordBatch) -> None:
        """Stage a batch."""
        self._current()
        self._read += batch.num_rows - batch.column(NUMBER).null_count
        staged = pa.RecordBatch.from_arrays(
            [batch.column(c.source) for c in self._columns], names=[c.name for c in self._columns]
        )
        values = ", ".join(f"cast({c.name} as {c.sql})" for c in self._columns)
        self._session.load(self._dialect.temp(STAGE), values, staged)

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        """Add records to another table, when the others are written; see `headgate.spi.destination.AddsParents`."""
        self._current()
        self._session.hold()
        self._own_parents |= sql_name(parents.table).lower() == self._target.name.lower()
        return add_parents(self._session, self._access.path, parents, rows)

    def match(self, *, deletions: bool = True) -> Matched:
        """Decide; see `headgate.spi.destination.Writer.match`. Nobody else writes from here to the end."""
        staged = self._current()
        self._session.hold()
        if self._own_parents:  # they may be found
            self._session.begin()
        return staged.match(self._read, deletions=deletions)

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Show; see `headgate.spi.destination.Writer.changes`."""
        return self._session.pages(self._current().statements.changes(), changes_schema(self._spec))

    def images(self) -> Images:
        """Which columns the journal knows."""
        return self._current().statements.images()

    def before(self) -> Iterator[pa.RecordBatch]:
        """Records that will be updated or deleted, as they are."""
        statements = self._current().statements
        return self._session.pages(statements.before(), statements.journal_schema())

    def after(self) -> Iterator[pa.RecordBatch]:
        """Records that were created, as they are."""
        statements = self._current().statements
        return self._session.pages(statements.after(), statements.journal_schema())

    def apply(self) -> Matched:
        """Carry out; see `headgate.spi.destination.Writer.apply`."""
        staged = self._current()
        if self._create:
            self._session.run(f"drop table {_LIKENESS}")
        if not self._own_parents:
            self._session.begin()
        if self._create:
            self._session.run(create_table(self._wanted))
            target = Target(
                sql_name(self._spec.table), self._target.columns, self._target.locators, self._target.unique
            )
            staged.statements = JournaledStatements(self._dialect, self._spec, target)
        return staged.apply()

    def drop(self) -> bool:
        """Remove the table if nothing needs it."""
        return self._current().drop()

    def commit(self, checkpoint: str = "") -> None:
        """Make it visible, all at once."""
        self._current()
        if self._spec.ticket is not None:
            kept = Checkpoints(self._dialect, self._session)
            if self._made_file:  # nobody could claim anything in a file that was not there
                kept.make()
                kept.claim(self._spec.ticket)
            kept.keep(self._spec.ticket, checkpoint)
        self._session.commit()
        self._made_file = self._create = self._own_parents = False
        self._staged = None
        if not self._spec.batched:
            self._over = True
            self._session.close()

    def abort(self) -> None:
        """Forget what is not committed, and let the file go; one that the run has made is removed."""
        self._over = True
        self._session.close()
        if self._made_file:
            self._made_file = False
            self._access.path.unlink(missing_ok=True)

    def cancel(self) -> None:
        """Break off what another thread waits for."""
        self._session.cancel()
