"""A file of rejects, as `headgate rejects --xlsx` or `--csv` wrote it and a person corrected it, read back.

People sort rows, delete rows and add some, and spreadsheets turn `00501` into 501. So a row is known by its record id alone;
a cell counts as changed only where its text is not what was written; and the file is checked as a whole before anything
of it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Problem, Reject
from headgate.model.run import Run
from headgate.report import ID, MAX_TEXT, read_id, record_id, restored, sheet_name
from headgate.spi.source import Source

from .carried import Carried

# Gives the file as a source: its first sheet with records, or the sheet of that name.
OpenFile = Callable[[str | None], Source]
_SHOWN: Final = 5
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_EXTRA: Final = re.compile(r"column_(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file: where it is, and its cells by column."""

    place: str
    cells: Mapping[str, str | None]


@dataclass(slots=True)
class Mended:
    """What was read.

    Attributes:
        name: the file, for people.
        columns: all columns it has.
        rows: its rows by the number of the record.
        notes: what a person should know of how it was read.
        exploded: the list of which every entry is a record; one that was not taken apart cannot be mended into one.
    """

    name: str
    exploded: str = ""
    columns: set[str] = field(default_factory=set)
    rows: dict[int, Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def mend(self, reject: Reject) -> Carried:
        """The record as the file has it.

        Raises:
            SourceError: the file lacks a column of the record.
        """
        row = self.rows[reject.number]
        lost = [c for c in reject.raw if _plain(c) not in self.columns and c != ID]
        if lost:
            raise SourceError(
                f"{self.name} has no column {lost[0]!r}, which the record has that is corrected there",
                hint="Give the columns the names that headgate rejects gave them, and leave none out.",
            )
        fault = next((p for p in reject.problems if p.code.startswith("RD")), None)
        bad = set(reject.raw) if fault else {p.column for p in reject.problems}
        raw = {c: _value(v, row.cells.get(_plain(c), v), c in bad) for c, v in reject.raw.items()}
        if raw == reject.raw:
            return Carried(reject.number, raw, reject.origin, fault)
        whole = self.exploded and not any(v for c, v in reject.raw.items() if c.startswith(f"{self.exploded}."))
        if fault is not None and not whole and not _remains(fault, reject.raw, raw):
            fault, raw = None, {c: v for c, v in raw.items() if v or c not in _extras(raw)}
        return Carried(reject.number, raw, replace(reject.origin, mended=row.place), fault)


def read_mended(name: str, open_file: OpenFile, run: Run, exploded: str = "") -> Mended:
    """Read the file and check it: every row has the id of another record of this run.

    Args:
        name: the file, for people.
        open_file: opens it.
        run: the run whose rejects were corrected.
        exploded: `source.explode` of its definition.

    Raises:
        SourceError: it cannot be read, is of another run, or some rows have no id, a damaged one, or the same.
    """
    mended, reading = Mended(name, exploded), _Reading(name, run)
    with closing(open_file(None)) as source:
        sheet = _take(source, mended, reading)
    if sheet == sheet_name(1):
        with suppress(SourceError):  # there is no further sheet
            for number in count(2):
                with closing(open_file(sheet_name(number))) as source:
                    _take(source, mended, reading)
    reading.check()
    return mended


def _take(source: Source, mended: Mended, reading: _Reading) -> str:
    """Read one sheet, or one file without sheets; gives the sheet's name."""
    partition = source.partitions()[0]
    with closing(source.open(partition)) as scan:
        neutralised = "sheet" not in scan.findings
        columns = {n: _plain(restored(n) if neutralised else n) for n in scan.schema.names}
        if ID not in columns.values():
            raise SourceError(
                f"{mended.name} has no column {ID}, which says which record each row is about",
                hint=f"Write it with headgate rejects {reading.run.id} --xlsx FILE and correct that file.",
            )
        mended.columns.update(columns.values())
        notes = None if neutralised else scan.findings.get("notes")
        mended.notes += [f"{mended.name}: {note}" for note in (notes if isinstance(notes, list) else [])]
        rows: list[tuple[int, dict[str, str | None], Problem | None]] = []
        for batch in scan.batches():
            rows += sorted(_records(batch), key=lambda r: r[0])
        places = scan.locate([ordinal for ordinal, _, _ in rows])
        for (_, raw, fault), place in zip(rows, places, strict=True):
            cells = {columns.get(k, k): restored(v) if neutralised and v else v for k, v in raw.items()}
            reading.row(mended, Row(str(place), cells), fault)
        return str(scan.findings.get("sheet", ""))


def _records(batch: Batch) -> Iterator[tuple[int, dict[str, str | None], Problem | None]]:
    for ordinal, row in zip(batch.ordinals, _texts(batch.records).to_pylist(), strict=True):
        yield ordinal, row, None
    for fault in batch.faults:
        # A value with a NUL character is one that was written so; that it is no good is found out when it is mapped.
        yield fault.ordinal, fault.raw, None if fault.problem.code == "RD07" else fault.problem


def _texts(records: pa.RecordBatch) -> pa.RecordBatch:
    return records.cast(pa.schema([(name, pa.string()) for name in records.schema.names]))


class _Reading:
    """Checks the rows of a file."""

    def __init__(self, name: str, run: Run) -> None:
        self.run = run
        self._name = name
        self._wrong: list[str] = []
        self._others: dict[int, int] = {}  # of other runs: how many rows
        self._foreign = 0

    def row(self, mended: Mended, row: Row, fault: Problem | None) -> None:
        """Take one row, or note what is wrong with it."""
        text = row.cells.get(ID)
        if fault is not None:
            self._wrong.append(f"{row.place}: {fault.reason} [{fault.code}]")
        elif not text:
            if any(row.cells.values()):
                self._wrong.append(f"{row.place}: it has no record id")
        elif (found := read_id(text)) is None:
            self._wrong.append(f"{row.place}: its record id is damaged ({text})")
        elif found.run != self.run.id:
            self._others[found.run] = self._others.get(found.run, 0) + 1
        elif found != record_id(self.run, found.number):
            self._foreign += 1
            self._wrong.append(f"{row.place}: its record id is none of run {self.run.id} ({text})")
        elif found.number in mended.rows:
            self._wrong.append(f"{row.place}: it is the same record as {mended.rows[found.number].place}")
        else:
            mended.rows[found.number] = row

    def check(self) -> None:
        """Refuse the file if anything was wrong.

        Raises:
            SourceError: with the first rows that are.
        """
        if self._others:
            runs = " and ".join(str(n) for n in sorted(self._others))
            raise SourceError(
                f"{self._name} has records of run {runs}, not of run {self.run.id}",
                hint=f"Retry that run, or write the file anew: headgate rejects {self.run.id} --xlsx FILE",
            )
        if self._foreign and self._foreign == len(self._wrong):
            raise SourceError(
                f"{self._name} was not written from run {self.run.id} of this ledger: {_some(self._wrong)}",
                hint=f"Write it anew: headgate rejects {self.run.id} --xlsx FILE",
            )
        if self._wrong:
            raise SourceError(
                f"{_some(self._wrong)}; nothing was imported",
                hint="Only rows that headgate rejects wrote can be tried again, each once: delete the others.",
            )


def _some(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def _plain(name: str) -> str:
    """A column's name without what reading a header may take from it."""
    return " ".join(name.split())


def _value(before: str | None, cell: str | None, bad: bool) -> str | None:
    """What a cell stands for: what was there before, unless a person changed it.

    Args:
        before: the value that was written.
        cell: what is there now.
        bad: something is wrong with the value. Elsewhere a number that is only written otherwise is the spreadsheet's doing.
    """
    if not cell:
        # Programs that save a workbook lose values of nothing but blanks, and nobody sees it.
        return before if not before or (not bad and not before.strip()) else None
    if before and (_lines(before[:MAX_TEXT]) == _lines(cell) or (not bad and _same_number(before, cell))):
        return before
    return cell


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _same_number(one: str, other: str) -> bool:
    return bool(_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)) and float(one) == float(other)


def _remains(fault: Problem, before: Mapping[str, str | None], now: Mapping[str, str | None]) -> bool:
    """Whether a record that could not be read as one still is none, though something of it was changed."""
    if fault.code == "RD13":  # not all of its rows were kept
        return True
    if fault.column and now.get(fault.column) == before.get(fault.column):
        return True
    if fault.code == "RD06":  # of several error cells only the first is named
        return any(v and v.startswith("#") and v == before[c] for c, v in now.items())
    return any(now[c] for c in _extras(now)) if fault.code == "RD02" else False


def _extras(raw: Mapping[str, str | None]) -> list[str]:
    """Columns made up for the values of a line that has more of them than the header has names."""
    found: list[str] = []
    for place, name in reversed(list(enumerate(raw, 1))):
        number = _EXTRA.fullmatch(name)
        if number is None or int(number[1]) != place:
            break
        found.append(name)
    return found
