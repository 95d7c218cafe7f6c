"""Appending to a table that is there: straight into it, and by the stage only when the table refuses something.

A COPY fails as a whole and does not say which records are good. So that nothing has to be read again, batches are also put
into a temporary file as they come; it holds what Arrow holds, and is never read when the table takes everything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import psycopg
import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.write import Matched, WriteSpec
from headgate.sql import Refused, Target, changes_schema

from .catalog import Relation
from .connection import PostgresSession, identifier
from .dialect import PostgresDialect
from .encode import Sent, direct
from .errors import refusal
from .load import CopyIn
from .ways import ByStage, Straight

_BEGIN = "savepoint hg_append"
_BACK = "rollback to savepoint hg_append"


class Spool:
    """Batches in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="headgate-")  # noqa: SIM115 - closed by `close`
        self._writer: pa.RecordBatchStreamWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep a batch.

        Raises:
            DestinationError: there is no room for it.
        """
        try:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), batch.schema)
            self._writer.write_batch(batch)
        except OSError as e:
            raise DestinationError(
                f"no room for the records in the folder for temporary files {tempfile.gettempdir()}: {e.strerror or e}",
                hint="Free space there, or set TMPDIR to another folder.",
            ) from e

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All batches, in order."""
        if self._writer is None:
            return
        self._writer.close()
        self._file.seek(0)
        yield from pa.ipc.open_stream(pa.PythonFile(self._file, "r"))

    def close(self) -> None:
        """Remove it."""
        self._file.close()


class Appending(Straight):
    """Straight into a table that is there; the verbs are `headgate.spi.destination.Writer`'s.

    Args:
        session: a transaction has begun.
        spec: what the engine asked for.
        target: the table it is asked for.
        dialect: for the stage.
    """

    def __init__(self, session: PostgresSession, spec: WriteSpec, target: Target, dialect: PostgresDialect) -> None:
        self._session = session
        self._spec = spec
        self._target = target
        self._dialect = dialect
        self._spool = Spool()
        self._read = 0
        self._stage: ByStage | None = None
        fields = [f for f in spec.fields if f.when != "updated" and not target.columns[f.name].generated]
        names = ", ".join(identifier(f.name) for f in fields)
        sent = [Sent(f.name, direct(f.type, target.columns[f.name].type)) for f in fields]
        self._copy = CopyIn(session.connection, f"copy {target.name} ({names}) from stdin (format binary)", sent)
        self._begun = self._refused = False

    def _begin(self) -> None:
        """Mark the place to come back to, before the first record."""
        if not self._begun:
            self._session.run(_BEGIN)
            self._begun = True

    @staticmethod
    def fits(spec: WriteSpec, relation: Relation) -> bool:
        """Whether COPY can write to the table, in these types."""
        columns = {c.name: c.type for c in relation.table.columns}
        return (
            relation.copies
            and not spec.planned
            and all(direct(f.type, columns[f.name]) is not None for f in spec.fields)
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Load a batch, unless one was refused already."""
        self._read += batch.num_rows
        self._spool.add(batch)
        if self._refused:
            return
        self._begin()
        try:
            self._copy.send(batch)
        except psycopg.Error as e:
            self._note(e)

    def _note(self, e: psycopg.Error) -> None:
        if refusal(e) is None or self._session.cancelled:
            raise self._session.failure(e) from None
        self._refused = True

    def match(self, *, deletions: bool) -> Matched:
        """See whether the table has taken everything; if not, find out what it refuses."""
        if self._taken():
            return self._all()
        self._session.run(_BACK)
        self._stage = ByStage(self._session, self._spec, self._target, self._dialect, None)
        for batch in self._spool.batches():
            self._stage.write(batch)
        return self._stage.match(deletions=deletions)

    def _taken(self) -> bool:
        self._begin()
        if self._refused:
            self._copy.stop()
            return False
        try:
            done = self._copy.finish()
            self._session.attempt("set constraints all immediate")
        except psycopg.Error as e:
            self._note(e)
            return False
        except Refused:
            return False
        return done == self._read

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Everything is created."""
        if self._stage is not None:
            yield from self._stage.changes()
            return
        schema = changes_schema(self._spec)
        given = {f.name for f in self._spec.fields if f.when != "updated"}
        for batch in self._spool.batches():
            rows = batch.num_rows
            made = {"_n": batch.column("_n"), "_action": pa.repeat("created", rows)}
            made |= {name: batch.column(name) for name in given}
            arrays = [made[f.name].cast(f.type) if f.name in made else pa.nulls(rows, f.type) for f in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def apply(self) -> Matched:
        """It is done, except by the stage."""
        return self._stage.apply() if self._stage is not None else self._all()

    def _all(self) -> Matched:
        matched = Matched(Account())
        matched.account.read = self._read
        matched.account.add(Outcome.CREATED, self._read)
        return matched

    def stop(self) -> None:
        """Break off a COPY under way, and remove the temporary file."""
        self._copy.stop()
        if self._stage is not None:
            self._stage.stop()
        self._spool.close()
