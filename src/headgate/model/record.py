"""Records on their way: batches, where they came from, and those that are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa

from .outcome import Outcome


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from, as a person would look for it.

    Attributes:
        file: the file as named by the user; empty for sources without files.
        sheet: the sheet of a workbook.
        row: the record's row, 1-based, counting header and title rows (for text: the record's number, header included).
        line: the physical line of a text file on which the record begins, 1-based.
        until: of a record made of several rows, the line of the last one, or its row where there are no lines.
        mended: where its values were corrected since: the place in a file of corrected rejects.
    """

    file: str = ""
    sheet: str = ""
    row: int | None = None
    line: int | None = None
    mended: str = ""
    until: int | None = None

    def __str__(self) -> str:
        parts = [self.file, f"sheet {self.sheet}" if self.sheet else ""]
        to = f" to {self.until}" if self.until is not None else ""
        if self.line is not None:
            parts.append(f"line {self.line}{to}")
        elif self.row is not None:
            parts.append(f"row {self.row}{to}")
        place = ", ".join(p for p in parts if p)
        return f"{place} (corrected in {self.mended})" if self.mended else place


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one record.

    Attributes:
        code: a permanent code of `headgate.model.codes`.
        reason: what is wrong, for a person, without the place (the origin says that).
        field: the destination field concerned; empty when the record as a whole is.
        column: the source column the value came from, where it came from one.
        value: the value as it was read; None when there was none.
    """

    code: str
    reason: str
    field: str = ""
    column: str = ""
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A stretch of the input that is a record but could not be read as one (ragged, unterminated, ...)."""

    ordinal: int
    problem: Problem
    raw: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of one partition, in the order of the source.

    Attributes:
        records: columns named and typed as the scan's schema says.
        ordinals: each record's number within its partition, 0-based and increasing; a `range` when contiguous.
        faults: records of the same stretch that could not be read as records.
    """

    records: pa.RecordBatch
    ordinals: range | Sequence[int]
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        """Records read, faults included."""
        return int(self.records.num_rows) + len(self.faults)


class State(StrEnum):
    """What has been done about a reject since. ``fixed``: a retry brought it in; ``ignored``: set aside by hand."""

    OPEN = "open"
    FIXED = "fixed"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that did not get through.

    Attributes:
        number: the record's number within the run (`record_number`).
        outcome: ``invalid`` (we refused it), ``rejected`` (the destination did), ``held``, ``unknown``; or
            ``skipped`` where a skip is worth listing.
        raw: the record as read, source column to value.
        origin: where it came from; set once it is known.
        state: what has been done about it since.
        fixed_by: the retry that brought it in.
    """

    number: int
    outcome: Outcome
    problems: tuple[Problem, ...]
    raw: dict[str, str | None] = field(default_factory=dict)
    origin: Origin = Origin()
    state: State = State.OPEN
    fixed_by: int | None = None


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How many records of a run have a problem with this code in this field, and the first of them."""

    code: str
    field: str
    records: int
    example: Reject


PARTITION_SHIFT = 40
WAITS = "HE02"
"""The code of a record that waits for another one."""


def record_number(partition: int, ordinal: int) -> int:
    """One number for a record of a run, increasing in the order of reading: 2**40 records a partition."""
    return (partition << PARTITION_SHIFT) | ordinal


def split_number(number: int) -> tuple[int, int]:
    """The partition and the ordinal `record_number` was made of."""
    return number >> PARTITION_SHIFT, number & ((1 << PARTITION_SHIFT) - 1)


@dataclass(frozen=True, slots=True)
class RejectSet:
    """The refused records of one batch, in columns until somebody looks.

    Attributes:
        ordinals: their numbers within the partition.
        raw: the source's columns of those records, text.
        problems: one tuple a record.
        extra: columns that only records have which could not be read as records; the others do not have them.
    """

    ordinals: Sequence[int]
    raw: pa.RecordBatch
    problems: Sequence[tuple[Problem, ...]]
    extra: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.ordinals)

    @property
    def held(self) -> int:
        """How many of them have nothing wrong but that they wait for another record."""
        return sum(_outcome(problems) is Outcome.HELD for problems in self.problems)

    def rejects(self, partition: int) -> Iterator[Reject]:
        """The records one by one."""
        for ordinal, row, problems in zip(self.ordinals, self.raw.to_pylist(), self.problems, strict=True):
            raw = {k: v for k, v in row.items() if v is not None or k not in self.extra} if self.extra else row
            yield Reject(record_number(partition, ordinal), _outcome(problems), problems, raw)


def _outcome(problems: tuple[Problem, ...]) -> Outcome:
    return Outcome.HELD if {p.code for p in problems} == {WAITS} else Outcome.INVALID


@dataclass(frozen=True, slots=True)
class Mapped:
    """What mapping made of one batch: `read = accepted + skipped + rejects`.

    Attributes:
        accepted: the mapped records: ``_n`` (int64, the record's number within the run), then ``_delete`` (bool)
            where the definition has `delete_when`, ``_keep_FIELD`` (bool) for each field that may keep the
            destination's value, then the fields in order, each in its type's Arrow type.
        skipped: records the filter left out.
        rejects: records that broke a rule.
    """

    accepted: pa.RecordBatch
    skipped: int
    rejects: RejectSet
