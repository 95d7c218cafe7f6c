"""What a destination is.

A writer's life, once a run::

    write(batch)*  ->  match()  ->  [changes()]  ->  [before()]  ->  apply()  ->  [after()]  ->  commit()
                                                                                  (or abort() at any time)

`write` hands records over, `match` decides what would become of each without touching a record of the destination's,
`changes` shows that decision field by field, `apply` carries it out, `commit` makes it visible. Planning is the same
life that ends with abort, so a plan cannot differ from its run. With `spec.batched` the life is repeated. `before` and
`after` give what is needed to take it back.

**Checkpoints.** With `spec.ticket` the destination keeps, in a table of its own whose name begins with ``_headgate``, one
text and one number for each scope. `Destination.claim` raises the number (the fence) and returns the text;
`Writer.commit` replaces the text in the very transaction that makes the records visible, and fails when the number was
raised meanwhile. So what the text says was committed is exactly what was, and who was given up for dead cannot commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

import pyarrow as pa

from headgate.model.outcome import Outcome
from headgate.model.reading import Parents, Reading
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import FieldType
from headgate.model.write import Images, Matched, Operation, Ticket, WriteSpec

HARD_VALUES: Final = {"nan": "NaN", "infinity": "infinite numbers", "nul": "NUL in a text"}
"""Values that a destination may be unable to hold: name in `Capabilities.refuses`, and in words."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a destination can do; planning checks it before anything is read, docs and conformance are made from it.

    Attributes:
        operations: the operations it has.
        transactional: nothing is visible before commit, and abort leaves nothing. Where it is not, a run commits after every
            batch, what `Writer.apply` did stays, and whoever goes on after a crash knows what was done.
        row_rejects: a record the destination refuses is told from its neighbours.
        create_table: it can make the table.
        exact_types: kinds of `FieldType` that come back exactly as written.
        max_identifier: longest name of a column or table in bytes; None when unlimited. A longer one is an error.
        alters: what it can do to a table's columns in the transaction of a run: ``add`` them, ``widen`` their types. If any, it is
            `Alterable`, and its writers are `DropsColumns`.
        max_columns: most columns of a table whose runs can be planned and undone; None when unlimited. Runs of wider ones
            have no undo.
        folds_case: columns whose names differ only in case cannot be in one table; making such a table is an error.
        refuses: names of `HARD_VALUES` that its columns cannot hold. A record with one is rejected (DE05); what is not
            named here comes back as it was written, in the types that `exact_types` names.
        checkpoints: it keeps a checkpoint, committed with the data, and a fence (`claim`).
        undo: `Writer.before` and `Writer.after` give what undo needs, and planned batches may be kept, forced or without key.
        lookups: it can be looked up in: it is `Readable`, and its writers are `AddsParents`.
        schemaless: what it calls a table may have no columns of its own; whatever fields a definition has are then written to it.
        ids: it gives records ids of its own, and its writers are `GivesIds`.
        json_null: of a field of type json, JSON's null is another value than none.
        makes: every run makes its table, whatever is there, so that a definition need not say `create`.
        replaces: what a run makes takes the place of what was there, so that the same source may be read again.
        gaps: what it cannot do, in words, for docs; each is a strict xfail of the conformance suite by its test's name.
    """

    operations: frozenset[Operation]
    transactional: bool
    row_rejects: bool
    create_table: bool
    exact_types: frozenset[str]
    max_identifier: int | None = None
    max_columns: int | None = None
    folds_case: bool = False
    refuses: frozenset[str] = frozenset()
    checkpoints: bool = False
    undo: bool = False
    lookups: bool = False
    alters: frozenset[str] = frozenset()
    schemaless: bool = False
    ids: bool = False
    json_null: bool = True
    makes: bool = False
    replaces: bool = False
    gaps: dict[str, str] = field(default_factory=dict)


class Writer(Protocol):
    """Takes the mapped records of one run."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Hand over mapped records (`headgate.model.record.Mapped.accepted`). Nothing becomes visible.

        Raises:
            DestinationError: the destination is gone, full, or not as inspected.
        """
        ...

    def match(self, *, deletions: bool = True) -> Matched:
        """Decide what becomes of every record written since the last commit. The destination's table is as before,
        unless `spec.create` made it inside this very transaction.

        Args:
            deletions: of mirror: whether records the source has no more may be deleted (or marked). The engine says
                no when the read was incomplete: a record that was refused must not be taken for one that is gone.
        """
        ...

    def changes(self) -> Iterator[pa.RecordBatch]:
        """After match: every record that would be created, updated or deleted, mirror's deletions included.

        Columns: ``_n`` (null for mirror's deletions), ``_action`` (created, updated, deleted), then for each field its new
        value, then for each field ``_old_NAME``, the destination's value now (null for created), all in Arrow types of
        the fields. For deletions new values are null except the key's. In order of ``_n``, mirror's deletions last.
        """
        ...

    def images(self) -> Images:
        """After match: which columns `before` and `after` know."""
        ...

    def before(self) -> Iterator[pa.RecordBatch]:
        """After match and before apply, with `spec.journal` and not `spec.spooled`: every record that would be updated or
        deleted, mirror's included, in images (type ``image``) of the destination's own values.

        Columns: ``_n`` (null for mirror's), ``_action`` (updated, deleted, or marked by mirror), then for each column of
        `Images.columns` its value after the update or marking (null for columns those do not write), then for each its
        value now, as ``_old_NAME``.
        """
        ...

    def after(self) -> Iterator[pa.RecordBatch]:
        """After apply, with `spec.journal` and not `spec.spooled`: every record that was created, with the columns of
        `before`: ``_action`` is created, and old values are null. May also give records that apply refused.
        """
        ...

    def drop(self) -> bool:
        """After apply: remove the table in the same transaction if it holds no records and nothing else of the
        destination refers to it; whether it was removed."""
        ...

    def apply(self) -> Matched:
        """After match: carry it out, not yet visible. Records the destination refuses become ``rejected``; the account
        replaces the one of match."""
        ...

    def commit(self, checkpoint: str = "") -> None:
        """Make everything applied visible, at once where the destination is transactional, and with `spec.ticket` keep
        the checkpoint with it. Afterwards the writer takes new records if `spec.batched`, and nothing otherwise.

        Raises:
            Fenced: somebody else has claimed the ticket's scope; nothing became visible.
        """
        ...

    def abort(self) -> None:
        """Forget everything not committed and release the connection. May be called at any time, and twice."""
        ...

    def cancel(self) -> None:
        """Break off what another thread waits for in `write`, `match` or `apply`; they then raise `Cancelled`. Safe
        to call from any thread at any time."""
        ...


class Destination(Protocol):
    """Where records go: one connection of a project."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Needs no connection."""
        ...

    def inspect(self, table: str) -> TableSchema | None:
        """The table as it is now; None when there is none.

        Raises:
            ConnectionFailed: unreachable, or the login is refused.
            DestinationError: no permission to look.
        """
        ...

    def tables(self) -> list[str]:
        """Names of the tables there are, as `inspect` takes them."""
        ...

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """What would make the table `wanted` (its `key` as primary key, `nullable` honoured)."""
        ...

    def native(self, type: FieldType) -> str:
        """The destination's own name for a type."""
        ...

    def open(self, spec: WriteSpec) -> Writer:
        """Begin a run's writing, in a transaction of its own.

        Raises:
            DestinationError: the table is missing (and not `spec.create`), or permission is.
        """
        ...

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope: from now on no writer whose ticket has a lower fence can commit in it. Waits for one that is
        just committing.

        Returns:
            The last checkpoint that was committed in the scope; None when there is none.

        Raises:
            NoCheckpoint: this login cannot make or write the table in which checkpoints are kept.
            Fenced: the scope was taken with a higher fence.
        """
        ...

    def readable(self, image: str) -> str:
        """An image (`Writer.before`) as a person reads the value."""
        ...

    def close(self) -> None:
        """Release connections. May be called twice."""
        ...


@runtime_checkable
class Readable(Protocol):
    """What a destination with `Capabilities.lookups` offers beside."""

    def read(self, reading: Reading) -> Iterator[pa.RecordBatch]:
        """Read the columns of a table or of a query, every value as text in the form of `headgate.model.text.text_form`.

        It is one consistent read, on a connection of its own that can write nothing; it is released when the iterator
        comes to its end or is closed. Batches have the columns of `reading` under their names, and at most 65,536 rows.
        Nothing is held but the batch given out. A decimal whose column has no scale has the digits it was stored with.

        Raises:
            DestinationError: there is no such table or column, the query fails or gives no such column, or a parameter of
                the query has no value. Raised by the first step of the iterator at the latest.
        """
        ...


@runtime_checkable
class MayBeAbsent(Protocol):
    """What a destination offers beside that can be away without an error: a file that a run makes if there is none."""

    def absent(self) -> bool:
        """Whether it is not there, so that `Destination.claim` says nothing of what was committed to it."""
        ...


@runtime_checkable
class Varies(Protocol):
    """What a destination offers beside whose tables differ in what can be done with them."""

    def check(self, spec: WriteSpec) -> None:
        """Refuse what `Destination.open` would, before anything is read.

        Raises:
            DestinationError: a run with this spec cannot be done with that table.
        """
        ...

    def irreversible(self, spec: WriteSpec) -> str:
        """Why a run with this spec could not be undone, in words; empty where it could."""
        ...

    def uncertain(self, spec: WriteSpec) -> str:
        """What a plan with this spec cannot say, in words; empty where it can say all."""
        ...


@runtime_checkable
class Tells(Protocol):
    """What a writer offers beside whose `Writer.apply` may take long."""

    def watch(self, tell: Callable[[int], None]) -> None:
        """Have `tell` called from `Writer.apply`, with the number of records that are done."""
        ...


@runtime_checkable
class GivesIds(Protocol):
    """What a writer of a destination with `Capabilities.ids` offers beside."""

    def ids(self) -> Mapping[tuple[str, ...], str | None]:
        """After match: the destination's own ids of the records written since the last commit, as far as it has told them, by
        their keys as texts (`headgate.model.text.text_form`): of those that were found, and after apply also of those that were
        created or updated. None of those that were deleted, or turned out not to be there any more.
        """
        ...


@runtime_checkable
class AddsParents(Protocol):
    """What a writer of a destination with `Capabilities.lookups` offers beside."""

    def add_parents(self, parents: Parents, rows: pa.RecordBatch) -> pa.Table:
        """Add records to another table (or to the same), in the transaction of the records that will be written.

        May be called before the first `write` only, several times. What was added is visible from `commit` on and
        forgotten by `abort`; with `spec.batched` it belongs to the first batch. Others may be kept from writing until then.

        Args:
            rows: the columns of `parents.fields` in their types.

        Returns:
            One row for each of `rows`, in their order: ``taken``, the value of `parents.take` as `Readable.read` would
            give it, and ``refused``, why the destination did not take the record, in its own words. One of the two is null.

        Raises:
            DestinationError: there is no such table, or permission is missing.
        """
        ...


@runtime_checkable
class Alterable(Protocol):
    """What a destination that `Capabilities.alters` offers beside. The writer makes the changes by itself, for
    `WriteSpec.added` and `WriteSpec.widened`."""

    def propose_columns(self, table: str, added: Sequence[Column], widened: Sequence[Column]) -> list[SchemaChange]:
        """What would add columns to a table, and give columns of it other types."""
        ...


@runtime_checkable
class NamesMade(Protocol):
    """What a writer of a destination that `Capabilities.makes` offers beside, where records decide what is made."""

    def made(self) -> list[SchemaChange]:
        """After match: what will be made, more exactly than `Destination.propose` could say it."""
        ...


@runtime_checkable
class DropsColumns(Protocol):
    """What a writer of a destination that `Capabilities.alters` offers beside."""

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        """After apply: remove, in the same transaction, those of the columns in which no record has a value and to which
        nothing else of the destination refers.

        Returns:
            Those that were removed.
        """
        ...


COUNTS: Final = '"<counts>"'


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a record of `Prompt.apply`.

    Attributes:
        outcome: created, updated or unchanged; skipped where the record was (or was not) there and the definition passes
            over such.
        id: the destination's own key of the record, where that is a single column that no field writes.
    """

    outcome: Outcome
    id: Any = None


class Prompt(Protocol):
    """Writes a few records in a single step, for somebody who waits for the answer: `begin`, then `finish` once it is `ready`.

    What it gives is what a `Writer` of the same spec would have come to; where it would take judgement, it gives up instead.
    Nobody waits in `begin` and `ready`, so that whoever looks after many callers can do something else meanwhile.
    """

    def begin(self, rows: Sequence[tuple[Any, ...]], checkpoint: str) -> None:
        """Send records, to be written and committed with the checkpoint of the spec's ticket.

        Args:
            rows: one value for each of the spec's fields, as Python has them (dates, ``Decimal``); no two have one key.
            checkpoint: what is kept, with `COUNTS` where the destination puts in how many records had which outcome: a JSON
                object of ``created``, ``updated``, ``unchanged``, ``existing`` and ``missing``, the last two those skipped.

        Raises:
            ConnectionFailed: they could not be sent.
        """
        ...

    def fileno(self) -> int:
        """The descriptor that can be read from when there may be something new."""
        ...

    def ready(self) -> bool:
        """Whether the answer is there.

        Raises:
            ConnectionFailed: whether it was committed is not known; the checkpoint says it.
        """
        ...

    def finish(self) -> list[Decided] | None:
        """The answer, when it is there.

        Returns:
            One answer a record, in their order. None: a record is to be rejected, somebody else changed one at this moment, or
            has claimed the ticket's scope, and nothing was written; a `Writer` finds out what.

        Raises:
            ConnectionFailed: whether it was committed is not known; the checkpoint says it.
            DestinationError: nothing was written.
        """
        ...

    def cancel(self) -> None:
        """Break off what another thread waits for. Safe to call from any thread."""
        ...

    def close(self) -> None:
        """Disconnect. May be called twice."""
        ...


@runtime_checkable
class Prompts(Protocol):
    """What a destination may offer beside: a shorter way for few records."""

    def prompt(self, spec: WriteSpec) -> Prompt | None:
        """A way for such records; None where this table or operation needs a `Writer`.

        Raises:
            DestinationError, ConnectionFailed: as `Destination.open`.
        """
        ...
