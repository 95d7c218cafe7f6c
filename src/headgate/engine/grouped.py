"""Rows that follow each other as one record with a list of lines (`group`), the inverse of `explode`.

Every row that is read, also one that could not be read as a record, is part of exactly one record or fault: a line is missing
from none that gets through. A record's number is its own, so a run that goes on does so between two of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import pyarrow as pa

from headgate.mapping import Condition
from headgate.model.counting import counted, verb
from headgate.model.errors import DefinitionError, NotBalanced, SourceError
from headgate.model.group import GroupSpec
from headgate.model.record import Batch, Origin
from headgate.model.types import FieldType
from headgate.spi.source import Declares, Partition, Scan, Source

from .around import Around, AroundScan, noted, parts
from .fold import Fold, Folding


class Grouped(Around):
    """A source of which rows are folded (`headgate.spi.source.Source`).

    Args:
        source: what is read.
        max_bytes: longest list of lines.
    """

    def __init__(self, source: Source, group: GroupSpec, max_bytes: int) -> None:
        super().__init__(source)
        self._group, self._max_bytes = group, max_bytes

    def open(self, partition: Partition) -> GroupedScan:
        """Open one.

        Raises:
            SourceError: it lacks a column that the grouping names.
            DefinitionError: the condition of headers is none.
        """
        scan = self._source.open(partition)
        try:
            return GroupedScan(scan, partition.name, self._group, self._max_bytes)
        except BaseException:
            scan.close()
            raise


class GroupedScan(AroundScan):
    """One partition, opened; see `Grouped`."""

    def __init__(self, scan: Scan, name: str, group: GroupSpec, max_bytes: int) -> None:
        super().__init__(scan)
        self._name = name
        self._folding = _folding(scan.schema.names, name, group, max_bytes)
        kept = [scan.schema.field(c) for c in self._folding.kept]
        self._schema = pa.schema([*kept, pa.field(group.as_, pa.string())])
        self._condition = Condition(group.header, scan.schema.names, "source.group.header") if group.header else None
        self._last: Fold | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns that all rows of a record have in common, and the list of its lines."""
        return self._schema

    @property
    def declared(self) -> Mapping[str, FieldType]:
        """What the scan declares of columns in common; the list is JSON."""
        found = self._scan.declared if isinstance(self._scan, Declares) else {}
        return {n: of for n, of in found.items() if n in self._folding.kept} | {self._folding.name: FieldType("json")}

    @property
    def findings(self) -> Mapping[str, object]:
        """The scan's, and how many rows were folded into how many records."""
        found = dict(self._scan.findings)
        if self._last is None:
            return found
        rows, records = self._last.folded, self._last.number
        found["grouped"] = {"rows": rows, "records": records}
        return noted(
            found, f"{counted(rows, 'row')} {verb(rows, 'was', 'were')} grouped into {counted(records, 'record')}"
        )

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        with closing(Fold(self._folding, self._schema, self._condition)) as fold:
            self._last = fold
            yield from self._folded(fold)

    def _folded(self, fold: Fold) -> Iterator[Batch]:
        read = 0
        for batch in self._scan.batches():
            read += len(batch)
            first = fold.number
            yield from parts(fold.add(batch), first)
        first = fold.number
        yield from parts(fold.end(), first)
        if read != fold.folded:
            raise NotBalanced(f"{self._name}: {read} rows were read, and {fold.folded} of them grouped")

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """Where the first row of each record lies, and up to where it goes. Costs two passes over the input."""
        if not ordinals:
            return []
        spans = self._spans(ordinals)
        rows = sorted({row for span in spans for row in span})
        places = dict(zip(rows, self._scan.locate(rows), strict=True))
        return [_span(places[first], places[last]) for first, last in spans]

    def _spans(self, ordinals: Sequence[int]) -> list[tuple[int, int]]:
        """Ordinals in the scan of the first and the last row of these records."""
        found: dict[int, tuple[int, int]] = {}
        with closing(Fold(self._folding, self._schema, self._condition, wanted=set(ordinals))) as fold:
            batches = self._scan.batches()
            for batch in batches:
                fold.add(batch)
                if len(fold.spans) == len(ordinals):
                    break
            else:
                fold.end()
            if close := getattr(batches, "close", None):
                close()
            found = fold.spans
        return [found[o] for o in ordinals]

    def close(self) -> None:
        """See `Scan`."""
        if self._condition is not None:
            self._condition.close()
        super().close()


def _folding(columns: list[str], name: str, group: GroupSpec, max_bytes: int) -> Folding:
    by = group.by or []
    taken = group.take if group.take is not None else [c for c in columns if c not in by]
    take = taken if isinstance(taken, dict) else {c: c for c in taken}
    if lost := [c for c in (*by, *take.values()) if c not in columns]:
        raise SourceError(f"{name} has no column {lost[0]!r} to group", hint=f"Its columns are: {', '.join(columns)}.")
    if lost := [c for c in group.numbers if c not in take]:
        raise DefinitionError(f"{name} has no column {lost[0]!r} among its lines", where="source.group.numbers")
    if not take:
        raise DefinitionError(f"{name} has no column for the lines", where="source.group.by")
    kept = columns if group.header else [c for c in columns if c not in take.values()]
    if group.as_ in kept:
        raise DefinitionError(
            f"{name} has a column {group.as_!r} already", where="source.group.as", hint="Give the lines another name."
        )
    return Folding(by, kept, take, group.as_, frozenset(group.numbers), group.max_rows, max_bytes)


def _span(first: Origin, last: Origin) -> Origin:
    until = last.line if first.line is not None else last.row
    return replace(first, until=until) if until not in (None, first.line, first.row) and first != last else first
