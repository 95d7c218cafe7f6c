"""Writing the records of one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.model.reading import Parents
from headgate.model.table import Column, TableSchema
from headgate.model.write import Images, Matched, Operation, WriteSpec
from headgate.sql import Checkpoints, Target, Unheld

from .append import Appending
from .catalog import NEEDS, Relation, check_writable, find, lock_mode, missing, split
from .connection import Access, PostgresSession, identifier
from .ddl import alter_table, create_table
from .delete import Deleting
from .dialect import PostgresDialect, PostgresSpelling
from .encode import nul
from .lookups import add_parents
from .ways import ByStage, IntoFresh, Way


class PostgresWriter:
    """The writer of one run: one connection, one transaction at a time.

    From the match to the end of the transaction other sessions can read the table but not write to it, so that what was
    decided is what is carried out.

    Args:
        access: what to connect to.
        spec: what the engine asked for.

    Raises:
        DestinationError: the table is missing, cannot be written, or not by this login.
    """

    def __init__(self, access: Access, spec: WriteSpec) -> None:
        self._spec = spec
        self._what = access.name
        self._session = PostgresSession(access)
        self._way: Way | None = None
        self._unheld = Unheld(spec, nul)
        try:
            self._session.begin()
            self._way = self._fresh() if spec.create else self._open()
        except BaseException:
            self._session.close()
            raise

    def _fresh(self) -> Way:
        """Make the table, and take the straight way into it where there is nothing to decide."""
        spec = self._spec
        columns = tuple(
            Column(f.name, f.type, nullable=f.name not in spec.required and f.name not in spec.key) for f in spec.fields
        )
        schema, table = split(spec.table)
        name = ".".join(identifier(p) for p in (schema, table) if p is not None)
        target = Target(name, {c.name: c for c in columns}, ("ctid",), unique=True)
        straight = IntoFresh.fits(spec, target)
        wanted = TableSchema(spec.table, columns, () if straight else spec.key)
        self._session.run(create_table(wanted))
        if straight:
            return IntoFresh(self._session, spec, target)
        return ByStage(self._session, spec, target, PostgresDialect(), None)

    def _open(self) -> Way:
        spec, rows = self._spec, self._session.rows
        relation = find(rows, spec.table)
        if relation is None:
            raise missing(rows, spec.table, self._what)
        check_writable(rows, relation, self._what, self._needs())
        if changes := self._alterations(relation):
            for change in changes:
                self._session.run(change)
            relation = find(rows, spec.table) or relation
        if unknown := next((f.name for f in spec.fields if relation.table.column(f.name) is None), None):
            there = ", ".join(c.name for c in relation.table.columns)
            raise DestinationError(f"{self._what}: {spec.table} has no column {unknown!r}", hint=f"There are: {there}.")
        target, dialect = self._target(relation), PostgresDialect(relation.incomparable)
        if spec.operation is not Operation.APPEND:
            by = Deleting if Deleting.fits(spec, relation, target) else ByStage
            return by(self._session, spec, target, dialect, lock_mode(rows, relation))
        if Appending.fits(spec, relation):
            return Appending(self._session, spec, target, dialect)
        return ByStage(self._session, spec, target, dialect, None)

    def _alterations(self, relation: Relation) -> list[str]:
        """What is left to be done to the table's columns: nothing after the first commit."""
        fields = [Column(f.name, f.type) for f in self._spec.fields]
        there = {c.name: c.type for c in relation.table.columns}
        added = [c for c in fields if c.name in self._spec.added and c.name not in there]
        narrow = self._spec.widened & there.keys()
        widened = [c for c in fields if c.name in narrow and not there[c.name].holds(c.type)]
        return [c.statement for c in alter_table(self._spec.table, added, widened)]

    def _target(self, relation: Relation) -> Target:
        key = frozenset(self._spec.key)
        sets = (relation.table.key, *relation.table.unique)
        unique = any(names and key.issuperset(names) for names in sets) and not (
            relation.inherited and relation.kind == "r"
        )
        locators = relation.locators or tuple(identifier(k) for k in self._spec.key)
        return Target(relation.sql, {c.name: c for c in relation.table.columns}, locators, unique)

    def _needs(self) -> frozenset[str]:
        needs = NEEDS[self._spec.operation]
        deleting = self._spec.deletes or (self._spec.operation is Operation.MIRROR and not self._spec.mark)
        return needs | {"delete"} if deleting else needs

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        """Add records to another table; the connection is free until the first `write`."""
        self._current()
        return add_parents(self._session, parents, rows)

    def write(self, batch: pa.RecordBatch) -> None:
        """Send a batch."""
        self._current().write(self._unheld.without(batch))

    def _current(self) -> Way:
        if self._way is None:  # nothing was written since the last commit
            self._session.begin()
            self._way = self._open()
        return self._way

    def match(self, *, deletions: bool = True) -> Matched:
        """Decide; see `headgate.spi.destination.Writer.match`."""
        matched = self._current().match(deletions=deletions and not self._unheld.refusals)
        return self._unheld.counted(matched)

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Show the decision; see `headgate.spi.destination.Writer.changes`."""
        return self._current().changes()

    def images(self) -> Images:
        """Which columns the journal knows; see `headgate.spi.destination.Writer.images`."""
        return self._current().images()

    def before(self) -> Iterator[pa.RecordBatch]:
        """What is there; see `headgate.spi.destination.Writer.before`."""
        return self._current().before()

    def after(self) -> Iterator[pa.RecordBatch]:
        """What was created; see `headgate.spi.destination.Writer.after`."""
        return self._current().after()

    def drop(self) -> bool:
        """Remove the table if nothing needs it; see `headgate.spi.destination.Writer.drop`."""
        return self._current().drop()

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        """Remove empty columns; see `headgate.spi.destination.DropsColumns`."""
        return self._current().drop_columns(names)

    def apply(self) -> Matched:
        """Carry the decision out; see `headgate.spi.destination.Writer.apply`."""
        return self._unheld.counted(self._current().apply())

    def commit(self, checkpoint: str = "") -> None:
        """Make it visible, all at once."""
        if self._spec.ticket is not None:
            Checkpoints(PostgresSpelling(), self._session).keep(self._spec.ticket, checkpoint)
        self._session.commit()
        if self._way is not None:
            self._way.stop()
            self._way = None
        self._unheld.forget()
        if not self._spec.batched:
            self._session.close()

    def abort(self) -> None:
        """Forget what is not committed, and disconnect."""
        if self._way is not None:
            self._way.stop()
            self._way = None
        self._session.close()

    def cancel(self) -> None:
        """Break off what another thread waits for."""
        self._session.cancel()
