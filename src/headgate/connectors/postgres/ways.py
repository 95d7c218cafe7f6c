"""The ways records take into a table: by a stage, or straight into a table this run makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import psycopg
import pyarrow as pa

from headgate.model.errors import DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.write import NUMBER, Images, Matched, Refusal, WriteSpec
from headgate.sql import DUPLICATE, REPEATED, STAGE, Staged, Target, changes_schema

from .changes import stream
from .connection import PostgresSession, identifier
from .dialect import PostgresDialect
from .encode import Sent, direct, encoding
from .fresh import Numbers, Removed, add_key
from .load import CopyIn


class Way(Protocol):
    """Takes the records of one transaction; the verbs are `headgate.spi.destination.Writer`'s."""

    def write(self, batch: pa.RecordBatch) -> None: ...

    def match(self, *, deletions: bool) -> Matched: ...

    def changes(self) -> Iterator[pa.RecordBatch]: ...

    def images(self) -> Images: ...

    def before(self) -> Iterator[pa.RecordBatch]: ...

    def after(self) -> Iterator[pa.RecordBatch]: ...

    def apply(self) -> Matched: ...

    def drop(self) -> bool: ...
    def drop_columns(self, names: Sequence[str]) -> list[str]: ...

    def stop(self) -> None:
        """Break off a COPY that is under way."""
        ...


class _Loading:
    """What both ways have in common: one COPY."""

    def __init__(self, session: PostgresSession, statement: str, columns: list[Sent]) -> None:
        self._session = session
        self._copy = CopyIn(session.connection, statement, columns)

    def _send(self, batch: pa.RecordBatch) -> None:
        try:
            self._copy.send(batch)
        except psycopg.Error as e:
            raise self._session.failure(e) from None

    def _finish(self) -> None:
        try:
            self._copy.finish()
        except psycopg.Error as e:
            raise self._session.failure(e) from None

    def stop(self) -> None:
        """Break off the COPY."""
        self._copy.stop()


class ByStage(_Loading):
    """Stage, match, apply.

    Args:
        lock: mode in which the table is kept from other writers from the match on, or None.
    """

    def __init__(
        self, session: PostgresSession, spec: WriteSpec, target: Target, dialect: PostgresDialect, lock: str | None
    ) -> None:
        self._spec = spec
        self._target = target
        self._lock = lock
        self._staged = Staged(dialect, session, spec, target)
        self._staged.create_stage()
        self._read = 0
        columns = self._staged.statements.stage_columns()
        names = ", ".join(c.name for c in columns)
        sent = [Sent(c.source, encoding(c.type)) for c in columns]
        super().__init__(session, f"copy {dialect.temp(STAGE)} ({names}) from stdin (format binary)", sent)

    def write(self, batch: pa.RecordBatch) -> None:
        """Stage a batch."""
        self._read += batch.num_rows - batch.column(NUMBER).null_count
        self._send(batch)

    def match(self, *, deletions: bool) -> Matched:
        """Decide."""
        self._finish()
        if self._lock:
            self._session.lock(self._target.name, self._lock)
        if self._spec.key:
            # A small sample is enough for the planner to see how many records there are and how wide they are.
            self._session.run(f"set local default_statistics_target = 10; analyze pg_temp.{STAGE}")
        return self._decide(deletions=deletions)

    def _decide(self, *, deletions: bool) -> Matched:
        return self._staged.match(self._read, deletions=deletions)

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Show."""
        try:
            yield from stream(self._session.connection, self._staged.statements.changes(), changes_schema(self._spec))
        except psycopg.Error as e:
            raise self._session.failure(e) from None

    def images(self) -> Images:
        """Which columns the journal knows."""
        return self._staged.statements.images()

    def before(self) -> Iterator[pa.RecordBatch]:
        """Records that will be updated or deleted, as they are."""
        return self._journaled(self._staged.statements.before())

    def after(self) -> Iterator[pa.RecordBatch]:
        """Records that were created, as they are."""
        return self._journaled(self._staged.statements.after())

    def _journaled(self, select: str) -> Iterator[pa.RecordBatch]:
        try:
            yield from stream(self._session.connection, select, self._staged.statements.journal_schema())
        except psycopg.Error as e:
            raise self._session.failure(e) from None

    def apply(self) -> Matched:
        """Carry out."""
        self._session.run("set constraints all immediate")
        return self._staged.apply()

    def drop(self) -> bool:
        """Remove the table if nothing needs it."""
        return self._staged.drop()

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        """Remove empty columns that nothing needs."""
        return self._staged.drop_columns(names)


class Straight:
    """What a way without decisions has in common: its records are their own journal, and it takes nothing back."""

    def images(self) -> Images:
        """Not asked for: `WriteSpec.spooled`."""
        raise DestinationError("records that were added without a decision are not journaled")

    def before(self) -> Iterator[pa.RecordBatch]:
        """Not asked for."""
        raise DestinationError("records that were added without a decision are not journaled")

    after = before

    def drop(self) -> bool:
        """Not asked for."""
        return False

    def drop_columns(self, names: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Not asked for."""
        return []


class IntoFresh(Straight, _Loading):
    """Straight into a table this very transaction has made, without its key."""

    def __init__(self, session: PostgresSession, spec: WriteSpec, target: Target) -> None:
        self._spec = spec
        self._target = target
        self._fields = [f for f in spec.fields if f.when != "updated"]
        self._numbers = Numbers()
        self._lost: list[int] = []
        self._matched = Matched(Account())
        names = ", ".join(identifier(f.name) for f in self._fields)
        sent = [Sent(f.name, direct(f.type, target.columns[f.name].type)) for f in self._fields]
        super().__init__(session, f"copy {target.name} ({names}) from stdin (format binary)", sent)

    @staticmethod
    def fits(spec: WriteSpec, target: Target) -> bool:
        """Whether nothing of the run needs a decision."""
        creating = spec.operation in ("insert", "upsert", "append", "mirror")
        plain = all(direct(f.type, target.columns[f.name].type) is not None for f in spec.fields)
        return creating and plain and not spec.planned and not spec.deletes and (spec.spooled or not spec.journal)

    def write(self, batch: pa.RecordBatch) -> None:
        """Load a batch."""
        self._numbers.add(batch.column(NUMBER))
        self._send(batch)

    def match(self, *, deletions: bool) -> Matched:  # noqa: ARG002 - a new table has nothing to delete
        """Make the key, and account for records that stood against it."""
        self._finish()
        account = self._matched.account
        account.read = self._numbers.count
        removed = (
            add_key(self._session, self._target.name, self._spec.key, self._spec.duplicates)
            if self._spec.key
            else Removed()
        )
        self._lost = sorted([*removed.repeated, *removed.refused])
        account.add(Outcome.CREATED, account.read - len(self._lost))
        account.add(Outcome.REJECTED, len(removed.refused))
        numbers = (self._numbers[p] for p in removed.repeated)
        if self._spec.duplicates == "reject":
            account.add(Outcome.INVALID, len(removed.repeated))
            self._matched.refusals = [REPEATED.refusal(n, self._spec.key) for n in numbers]
        else:
            account.add(Outcome.SKIPPED, len(removed.repeated), reason=DUPLICATE.skip)
            self._matched.refusals = [
                DUPLICATE.skipped(n, self._spec.key) for n in islice(numbers, self._spec.listed_skips)
            ]
        self._matched.refusals += [
            Refusal(self._numbers[p], Outcome.REJECTED, "DE05", why, self._spec.key[0])
            for p, why in removed.refused.items()
        ]
        return self._matched

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Everything was created; rows lie in the order in which they were sent."""
        schema = changes_schema(self._spec)
        names = {f.name for f in self._fields}
        items = [identifier(f.name) if f.name in names else "null" for f in self._spec.fields]
        select = (
            f"select null, 'created', {', '.join(items)}, {', '.join(['null'] * len(items))} from {self._target.name}"
        )
        lost = set(self._lost)
        left = (n for p, n in enumerate(self._numbers) if p not in lost)
        try:
            for batch in stream(self._session.connection, select, schema):
                numbers = pa.array(islice(left, batch.num_rows), pa.int64(), size=batch.num_rows)
                yield pa.RecordBatch.from_arrays([numbers, *batch.columns[1:]], schema=schema)
        except psycopg.Error as e:
            raise self._session.failure(e) from None

    def apply(self) -> Matched:
        """It is done."""
        return self._matched
