"""What an engine tells a writer to do, and what a writer tells it was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .counting import counted, verb
from .outcome import Account
from .types import FieldType

NUMBER = "_n"
DELETE = "_delete"
KEEP = "_keep_"
ACTION = "_action"
OLD = "_old_"


LISTED_SKIPS = 1000


class Operation(StrEnum):
    """What an import does with its records at the destination."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    MIRROR = "mirror"
    APPEND = "append"
    UPLOAD = "upload"


RECORD_OPERATIONS = frozenset(Operation) - {Operation.UPLOAD}
"""Those that are about records; `Operation.UPLOAD` is about files as they are."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A run's right to commit: of all who write in a scope, only the one with the highest fence may.

    Attributes:
        scope: the import, in its ledger; the same for every run of it.
        fence: grows with every run that takes the import over.
    """

    scope: str
    fence: int


@dataclass(frozen=True, slots=True)
class WriteField:
    """One field to be written.

    Attributes:
        name: column at the destination and in the batches.
        type: what the batches hold; the destination's column takes it without loss.
        when: ``always``; ``created``: only when a record is created; ``updated``: only when one is updated,
            and then it does not count as a difference by itself.
        keeps: whether the batches have a ``_keep_NAME`` column: true there means that an existing record keeps
            its value of this field, and a created one takes the batch's. In a plan's batches the kept value is not
            compared either.
        was: of a key's field in images (`headgate.spi.reversal`): the type it had when it was written.
    """

    name: str
    type: FieldType
    when: str = "always"
    keeps: bool = False
    was: FieldType | None = None


@dataclass(frozen=True, slots=True)
class WriteSpec:
    """Everything a writer needs to know.

    Attributes:
        table: destination table as the user wrote it.
        fields: fields in batch order.
        key: the fields that say which destination record this is; empty for append.
        operation: see DESIGN "Matching and operations"; the same table is in docs/design.md.
        create: the table does not exist and this run makes it, with `key` as its primary key.
        required: fields that are NOT NULL in a table this run makes.
        added: fields whose columns the table lacks and this run adds, in the transaction of its first commit.
        widened: fields whose columns this run gives the field's type, which holds all that theirs does, likewise.
        duplicates: ``last``, ``first`` (the others are skipped, reason ``duplicate``) or ``reject`` (the first stays,
            later ones get KY02), of several records with one key in the run.
        existing: of insert: ``reject`` (KY03) or ``skip`` (reason ``existing``).
        missing: of update and delete: ``reject`` (KY04) or ``skip`` (reason ``missing``).
        deletes: batches have a ``_delete`` column; true means this record of an upsert is a deletion.
        scope: of mirror: only destination records with these values are in its charge.
        mark: of mirror: set these instead of deleting.
        batched: `commit: batch`; the engine calls match, apply, commit several times with records in between.
        planned: the batches come from a plan: they have ``_action`` (created, updated, deleted) and ``_old_NAME``
            columns of what the record was; a record that is no longer so is ``held`` (HE01). A deletion
            without a key finds a record by all of its old values, and each of several equal ones stands for itself.
        forced: of planned: a record that is no longer as it was is written all the same, one to be created that is there
            is updated; only what is gone is still ``held``.
        journal: `Writer.before` and `Writer.after` will be asked for, except for what `spooled` says.
        ticket: who may commit; None where that is not watched over, and no checkpoint is kept.
        listed_skips: how many skips of a reason are listed one by one.
    """

    table: str
    fields: tuple[WriteField, ...]
    key: tuple[str, ...]
    operation: Operation
    create: bool = False
    required: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    widened: frozenset[str] = frozenset()
    duplicates: str = "last"
    existing: str = "reject"
    missing: str = "reject"
    deletes: bool = False
    scope: Mapping[str, object] = field(default_factory=dict)
    mark: Mapping[str, object] = field(default_factory=dict)
    batched: bool = False
    planned: bool = False
    forced: bool = False
    journal: bool = False
    ticket: Ticket | None = None
    listed_skips: int = LISTED_SKIPS

    @property
    def spooled(self) -> bool:
        """Whether every record that gets through is created, so that the records themselves are the journal."""
        if self.planned or self.deletes:
            return False
        return self.operation is Operation.APPEND or (self.create and not self.batched)

    def field(self, name: str) -> WriteField:
        """The field of that name."""
        return next(f for f in self.fields if f.name == name)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that the matching or the destination did not let through, or a skip worth listing.

    Attributes:
        number: the record's number within the run.
        outcome: ``rejected``, ``invalid`` (KY02, RU03: our own rules, found at the destination), ``held`` or ``skipped``.
        code: a code of `headgate.model.codes`; for skips the reason.
        reason: for a person; the database's own words where it has some.
        field: the field concerned, if one is.
    """

    number: int
    outcome: str
    code: str
    reason: str
    field: str = ""


@dataclass(slots=True)
class Matched:
    """What a writer found for the records written since the last commit; `account.read` is their number.

    Attributes:
        account: outcomes as they will be (match) or are (apply).
        refusals: records that get no further, each counted in `account`; skips are listed up to `WriteSpec.listed_skips` a reason.
        in_scope: of mirror: how many destination records were in its charge before the run, for share limits.
        left: of mirror: which records it would have deleted, or marked, and could not, each with the reason.
    """

    account: Account
    refusals: list[Refusal] = field(default_factory=list)
    in_scope: int = 0
    left: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What is said of the run, besides its account."""
        if not self.left:
            return []
        return [
            f"{counted(len(self.left), 'record')} that the source has no more {verb(len(self.left), 'was', 'were')} not deleted; {self.left[0]}"
        ]


@dataclass(frozen=True, slots=True)
class Images:
    """Which columns the batches of `Writer.before` and `Writer.after` have values of, by what is done to a record.

    Attributes:
        columns: every column of the table that can be written, in its order: all of them in a deleted record's image.
        created: columns whose value a created record is known to have.
        updated: columns an update writes.
        marked: columns mirror sets on records that the source has no more.
    """

    columns: tuple[str, ...]
    created: tuple[str, ...]
    updated: tuple[str, ...]
    marked: tuple[str, ...] = ()
