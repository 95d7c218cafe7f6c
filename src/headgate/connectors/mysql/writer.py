"""Writing the records of one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa

from headgate.model.errors import DestinationError, HeadgateError
from headgate.model.reading import Parents
from headgate.model.table import Column, TableSchema
from headgate.model.write import NUMBER, Images, Matched, Operation, WriteSpec
from headgate.sql import GONE, STAGE, TEMPORARY, Checkpoints, Staged, Target, Unheld, changes_schema

from . import decode
from .catalog import Relation, check_writable, find, is_referred_to, missing, split
from .connection import Access, MysqlSession, identifier
from .ddl import create_table
from .dialect import MysqlDialect, MysqlSpelling
from .load import Loader
from .lookups import add_parents
from .types import no_number


class MysqlWriter:
    """The writer of one run: one connection, one transaction at a time.

    A table that the run makes is a temporary one until `apply` or `add_parents`, which makes the real one, empty, because making a table
    commits; the records come into it with the commit. A run that fails removes it again. One that is killed between the two
    leaves it empty, and the next run of the import writes into it. In the same way a table that undo removes is
    removed after the commit.

    Args:
        access: what to connect to.
        spec: what the engine asked for.

    Raises:
        DestinationError: the table is missing, there although the run should make it, or cannot be written.
    """

    def __init__(self, access: Access, spec: WriteSpec) -> None:
        self._access = access
        self._spec = spec
        self._create = spec.create
        self._made = self._drop = self._over = False
        self._staged: Staged | None = None
        self._session = MysqlSession(access)
        try:
            self._prepare()
        except BaseException:
            self._session.close()
            raise

    def _prepare(self) -> None:
        """Make the stage for the next transaction."""
        spec = self._spec
        self._forget()
        target, dialect = self._fresh() if self._create else self._found()
        if unknown := next((f.name for f in spec.fields if f.name not in target.columns), None):
            there = ", ".join(target.columns)
            raise DestinationError(
                f"{self._access.name}: {spec.table} has no column {unknown!r}", hint=f"There are: {there}."
            )
        self._target = target
        self._staged = Staged(dialect, self._session, spec, target)
        self._staged.create_stage()
        columns = self._staged.statements.stage_columns()
        self._loader = Loader(self._session, dialect.temp(STAGE), columns, local=self._access.local_infile)
        self._unheld = Unheld(spec, no_number)
        self._read = 0

    def _fresh(self) -> tuple[Target, MysqlDialect]:
        spec, mariadb = self._spec, self._session.mariadb
        if find(self._session.rows, spec.table) is not None:
            raise DestinationError(f"{self._access.name}: table {spec.table} is there already", hint="Run again.")
        columns = tuple(
            Column(f.name, f.type, nullable=f.name not in spec.required and f.name not in spec.key) for f in spec.fields
        )
        self._wanted = TableSchema(spec.table, columns, spec.key)
        self._session.run(create_table(self._wanted, mariadb=mariadb, temporary=True))
        locators = tuple(identifier(c) for c in spec.key or [columns[0].name])
        target = Target(self._sql_name(), {c.name: c for c in columns}, locators, unique=True)
        return target, MysqlDialect(mariadb=mariadb)

    def _sql_name(self) -> str:
        return ".".join(identifier(p) for p in split(self._spec.table) if p is not None)

    def _found(self) -> tuple[Target, MysqlDialect]:
        relation = find(self._session.rows, self._spec.table)
        if relation is None:
            raise missing(self._session.rows, self._spec.table, self._access.name)
        check_writable(relation, self._access.name)
        dialect = MysqlDialect(mariadb=self._session.mariadb, collations=relation.collations)
        return self._target_of(relation), dialect

    def _target_of(self, relation: Relation) -> Target:
        key = frozenset(self._spec.key)
        unique = any(names and key.issuperset(names) for names in (relation.table.key, *relation.table.unique))
        first = (relation.table.columns[0].name,)
        locators = tuple(identifier(c) for c in relation.locators or self._spec.key or first)
        return Target(relation.sql, {c.name: c for c in relation.table.columns}, locators, unique)

    def _current(self) -> Staged:
        if self._over:
            raise DestinationError("this run's writing is over; open the destination again")
        if self._staged is None:  # nothing was written since the last commit
            self._prepare()
        assert self._staged is not None
        return self._staged

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        """Add records to another table; the run's own is made before, so that making it does not commit them."""
        self._current()
        self._make()
        return add_parents(self._session, self._access.name, parents, rows)

    def write(self, batch: pa.RecordBatch) -> None:
        """Stage a batch."""
        self._current()
        batch = self._unheld.without(batch)
        self._read += batch.num_rows - batch.column(NUMBER).null_count
        self._loader.send(batch)

    def match(self, *, deletions: bool = True) -> Matched:
        """Decide; see `headgate.spi.destination.Writer.match`."""
        staged = self._current()
        self._check_pairs(staged)
        matched = staged.match(self._read, deletions=deletions and not self._unheld.refusals)
        if self._spec.operation is Operation.MIRROR and not self._spec.planned and not self._target.unique:
            self._check_gone()
        return self._unheld.counted(matched)

    def _check_gone(self) -> None:
        """Without a primary key, records with one key cannot be listed each by itself."""
        names = ", ".join(f"_l{i}" for i in range(len(self._target.locators)))
        if self._session.rows(f"select 1 from {GONE} group by {names} having count(*) > 1 limit 1"):
            raise DestinationError(
                f"{self._access.name}: {self._spec.table} has no primary key, and several records with one key are to be deleted",
                hint="Give the table a primary key (id bigint auto_increment primary key).",
            )

    def _check_pairs(self, staged: Staged) -> None:
        """Equal records can be told apart by a unique key alone; there is no other name for a row."""
        if staged.statements.pairs and not self._is_told_apart():
            raise DestinationError(
                f"{self._access.name}: {self._spec.table} has no primary key, so that records which were added without a key cannot be found again",
                hint="Give the table a primary key (id bigint auto_increment primary key).",
            )

    def _is_told_apart(self) -> bool:
        relation = find(self._session.rows, self._spec.table)
        return relation is not None and bool(relation.locators)

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Show; see `headgate.spi.destination.Writer.changes`."""
        return self._paged(self._current().statements.changes(), changes_schema(self._spec))

    def images(self) -> Images:
        """Which columns the journal knows."""
        return self._current().statements.images()

    def before(self) -> Iterator[pa.RecordBatch]:
        """Records that will be updated or deleted, as they are."""
        statements = self._current().statements
        return self._paged(statements.before(), statements.journal_schema())

    def after(self) -> Iterator[pa.RecordBatch]:
        """Records that were created, as they are."""
        statements = self._current().statements
        return self._paged(statements.after(), statements.journal_schema())

    def _paged(self, select: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for page in self._session.pages(select):
            yield decode.batch(page, schema)

    def apply(self) -> Matched:
        """Carry out; see `headgate.spi.destination.Writer.apply`."""
        staged = self._current()
        self._make()
        return self._unheld.counted(staged.apply())

    def _make(self) -> None:
        """Make the real table in the place of the temporary one, which commits."""
        if self._create:
            self._session.run(f"drop temporary table {self._target.name}")
            self._session.run(create_table(self._wanted, mariadb=self._session.mariadb))
            self._made, self._create = True, False

    def drop(self) -> bool:
        """Remove the table with the commit if nothing needs it; see `headgate.spi.destination.Writer.drop`."""
        self._drop = not self._holds_records() and not self._is_needed()
        return self._drop

    def _holds_records(self) -> bool:
        return bool(self._session.rows(self._current().statements.any_record()))

    def _is_needed(self) -> bool:
        relation = find(self._session.rows, self._spec.table)
        return relation is None or is_referred_to(self._session.rows, relation.schema, relation.name)

    def commit(self, checkpoint: str = "") -> None:
        """Make it visible, all at once."""
        self._current()
        if self._spec.ticket is not None:
            Checkpoints(MysqlSpelling(), self._session).keep(self._spec.ticket, checkpoint)
        self._session.commit()
        self._made = False
        self._staged = None
        if self._drop:
            self._session.run(f"drop table {self._target.name}")
            self._drop = False
        if not self._spec.batched:
            self._over = True
            self._session.close()

    def _forget(self) -> None:
        """Remove the temporary tables; without the word temporary it would commit."""
        for name in TEMPORARY:
            self._session.run(f"drop temporary table if exists {name}")

    def abort(self) -> None:
        """Forget what is not committed, and disconnect."""
        self._over = True
        self._session.rollback()
        self._session.close()
        if self._made:
            self._made = False
            with suppress(HeadgateError):  # what cannot be removed is empty, and the next run writes into it
                self._remove()

    def _remove(self) -> None:
        """Remove the table this run has made, unless somebody has written to it meanwhile."""
        session = MysqlSession(self._access)
        try:
            if not session.rows(f"select 1 from {self._target.name} limit 1"):
                session.run(f"drop table {self._target.name}")
        finally:
            session.close()

    def cancel(self) -> None:
        """Break off what another thread waits for."""
        self._session.cancel()
