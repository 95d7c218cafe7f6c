"""What a source is.

A source gives **partitions**: pieces that are independent of each other and stable across retries (a file, a sheet).
Opening one gives a **scan**: a schema, and batches in the order of the source. A scan may be read again from the
start any number of times and then yields the same records with the same ordinals: planning, running, retrying and
looking up the raw values of a refused record all rely on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa

from headgate.model.record import Batch, Origin
from headgate.model.types import FieldType

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Partition:
    """A piece of a source.

    Attributes:
        name: as a person would name it: the file (with its folder as given), and the sheet where there are several.
        size: bytes to be read, for progress; 0 when not known.
        options: what the source needs to open it again; opaque to everybody else.
        digest: by what the same content is known again; empty where nobody asked, or it cannot be told.
    """

    name: str
    size: int = 0
    options: Mapping[str, object] = field(default_factory=dict)
    digest: str = ""


class Scan(Protocol):
    """One partition, opened."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns. Text formats and spreadsheets give text for every column."""
        ...

    @property
    def findings(self) -> Mapping[str, object]:
        """What was found out by looking (format, encoding, delimiter, quote, header row, sheet, ...), for people.

        ``left_out`` lists what is no part of the table, each with ``what`` (``before the table`` or something else) and
        ``words``; a run warns of what is not before the table. ``warnings`` are words that every run says.
        """
        ...

    def batches(self) -> Iterator[Batch]:
        """All records from the first on, at most `BATCH_ROWS` a batch. May be called again, one at a time.

        Closing the iterator early releases what it holds.

        Raises:
            SourceError: the input cannot be read on; records that were yielded before stand.
        """
        ...

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """Where these records came from; `ordinals` increase. Costs at most one pass over the input."""
        ...

    def progress(self) -> float:
        """How much of the partition the running iterator has read, 0 to 1."""
        ...

    def close(self) -> None:
        """Release files and temporary copies. May be called twice."""
        ...


@runtime_checkable
class Declares(Protocol):
    """What a scan may offer beside: what its system says of the types of columns."""

    @property
    def declared(self) -> Mapping[str, FieldType]:
        """Types by column, where they are known. Values may be given as text all the same, and need not keep to them."""
        ...


@runtime_checkable
class Rereads(Protocol):
    """What a scan may offer beside: single records again without reading all of it. What `batches` gives is the law."""

    def reread(self, ordinals: Sequence[int]) -> list[dict[str, str | None]] | None:
        """Records that the last `batches` gave, as text by column name; `ordinals` increase. None if it must be read anew.

        Raises:
            SourceError: the input cannot be read any more.
        """
        ...


@runtime_checkable
class Fetches(Protocol):
    """What a scan may offer beside: bringing all of a slow input here before anything waits for its records."""

    def fetch(self) -> Iterator[int]:
        """Get what is not here yet, giving how many records are here every now and then; run through before a
        destination's transaction is begun. May be called again.

        Raises:
            SourceError: it cannot be had.
        """
        ...


@runtime_checkable
class Cancels(Protocol):
    """What a scan may offer beside: breaking off what a thread waits for that reads it."""

    def cancel(self) -> None:
        """From any thread: whoever reads gets an error soon. Has no effect once everything was read."""
        ...


@runtime_checkable
class Reaches(Protocol):
    """What a source may offer beside: saying whether its connection is good, without reading."""

    def reach(self) -> str:
        """What is there, in a few words.

        Raises:
            SourceError: it cannot be reached, or refuses the login.
        """
        ...


@runtime_checkable
class Digests(Protocol):
    """What a source may offer beside: telling whether a piece has the same content as one that was read before."""

    def digest(self, partition: Partition) -> str:
        """A hash of the piece's content; its name does not count.

        Raises:
            SourceError: it cannot be read.
        """
        ...


@runtime_checkable
class Finishes(Protocol):
    """What a source may offer beside: doing with its pieces what is to be done once they are imported."""

    def finish(self, partitions: Sequence[Partition]) -> list[str]:
        """These were imported, and that is committed.

        Returns:
            What could not be done, for people.
        """
        ...


class Source(Protocol):
    """Where records come from."""

    def partitions(self) -> list[Partition]:
        """All pieces, in the order in which they must be read.

        Raises:
            SourceError: there is nothing to read (no such file, nothing matches the pattern).
        """
        ...

    def open(self, partition: Partition) -> Scan:
        """Open one piece and look at its beginning.

        Raises:
            SourceError: it cannot be read, or is not what it should be.
        """
        ...

    def close(self) -> None:
        """Release everything, temporary copies too. May be called twice."""
        ...
