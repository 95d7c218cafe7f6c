"""Sheets of workbooks as scans. Every column is text, as a person would write its cells."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import pyarrow as pa

from headgate.model.counting import counted, verb
from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin, Problem
from headgate.spi.nul import nul_fault, with_nul
from headgate.spi.source import Scan

from .base import Input
from .gather import Batches, Decoded, Places, without
from .xlsx_book import Book, check_extent, open_book, pick
from .xlsx_cells import text, text_column
from .xlsx_header import LOOK, Header, find_header, letters, unique
from .xlsx_look import Look, extent, look
from .xlsx_pieces import SAVE_AGAIN, pieced

# Rows turned into columns at a time: few enough that their cells are still in the processor's cache.
_CHUNK = 2048


def open_xlsx(given: Input, sheet: str | None = None) -> Scan:
    """Open one sheet of a workbook: `sheet`, else `source.sheet`, else the first with records, of the hidden ones last.

    Raises:
        SourceError: the file is no workbook, is damaged or locked, or has no such sheet or no records.
    """
    book = open_book(given)
    name = pick(book, given.name, sheet if sheet is not None else given.options.sheet)
    if name is not None:
        return SheetScan(given, _load(given, book, name))
    spare = None
    for candidate in sorted(book.sheets, key=lambda name: name in book.hidden):
        scan = SheetScan(given, _load(given, book, candidate))
        if not scan.empty:
            return scan
        if spare is None and scan.schema.names:
            spare = scan
    if spare is None:
        raise SourceError(f"{given.name} has no cells with values", hint=f"Its sheets are: {', '.join(book.sheets)}.")
    return spare


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A sheet in memory.

    Attributes:
        hidden: whether the sheet is not shown.
        left: columns before the first used one, which calamine leaves out.
        look: what the XML tells beyond the cells; None where there is no such XML.
    """

    kind: str
    name: str
    sheet: Any
    hidden: bool
    left: int
    look: Look | None


def _load(given: Input, book: Book, name: str) -> _Loaded:
    import python_calamine as calamine

    large = pieced(given, name) if book.kind == "XLSX" else None
    spans = (large.total_height, large.start[1] + large.width) if large is not None else extent(given.path, name)
    check_extent(given.name, name, *(spans or (0, 0)))
    # Parsing leaves the interpreter free, so the second look costs little time of its own.
    with ThreadPoolExecutor(1) as pool:
        looked = pool.submit(look, given.path, name)
        try:
            sheet = large if large is not None else book.opened.get_sheet_by_name(name)
        except calamine.CalamineError as e:
            raise SourceError(f"{given.name}, sheet {name}, is damaged: {e}", hint=SAVE_AGAIN) from None
        return _Loaded(
            book.kind,
            name,
            sheet,
            name in book.hidden,
            sheet.start[1] if sheet.start else 0,
            looked.result() or _of_table(book, name),
        )


def _of_table(book: Book, name: str) -> Look | None:
    table = book.tables.get(name)
    return table.look() if table is not None else None


class SheetScan:
    """A scan of one sheet."""

    def __init__(self, given: Input, loaded: _Loaded) -> None:
        self._given = given
        self._loaded: _Loaded | None = loaded
        self._sheet = loaded.name
        self._left = loaded.left
        self._errors = loaded.look.errors if loaded.look else {}
        self._height: int = max(1, loaded.sheet.total_height + 1)
        self._blank = [""] * loaded.sheet.width
        self._done = 0
        self._places = Places()
        options = given.options
        self._header = find_header(
            f"{given.name}, sheet {loaded.name}", self._first_rows(), options.header, options.skip, options.columns
        )
        self._columns = self._name_columns()
        self._findings = _findings(loaded, self._header)
        self.empty = next(iter(self._chunks()), None) is None

    def _rows(self) -> Iterator[list[object]]:
        """All rows from the sheet's first one on, from the first used column on.

        Raises:
            SourceError: in one of them is a number that is meant to be a time, and is further off than any.
        """
        if self._loaded is None:
            raise ValueError("the scan is closed")
        try:
            yield from self._loaded.sheet.iter_rows()
        except BaseException as e:
            if not _beyond_time(e):
                raise
            raise SourceError(
                f"{self._given.name}, sheet {self._sheet}, row {_first_beyond(self._loaded.sheet) + 1}: a cell has the format"
                " of a time, and a number that is no time",
                hint="Correct it or give it another format, and save the workbook.",
            ) from None

    def _first_rows(self) -> list[list[object]]:
        """Enough rows to find the header in: `LOOK` that are not empty, and the one that was named."""
        options = self._given.options
        rows, filled = [], 0
        for row in self._rows():
            rows.append(row)
            filled += len(rows) > (options.skip or 0) and row != self._blank
            if filled > 2 * LOOK and len(rows) >= int(options.header or 0):
                break
        return rows

    def _name_columns(self) -> list[tuple[int, str]]:
        """Places and names of the columns that are read."""
        named = self._given.options.columns
        header = self._header.names or ("",) * len(self._blank)
        if named is not None:
            header = (*named, *header[len(named) :])
        nameless = {at for at, name in enumerate(header) if not name}
        used = self._used(nameless) if nameless else set()
        places = [at for at in range(len(header)) if at not in nameless or at in used]
        names = unique([header[at] or f"column_{letters(at + self._left)}" for at in places])
        return list(zip(places, names, strict=True))

    def _used(self, places: set[int]) -> set[int]:
        """Those of the columns that hold anything below the header."""
        used = {
            c - self._left for row, cells in self._errors.items() if row >= self._header.first for c in cells
        } & places
        for row in islice(self._rows(), self._header.first, None):
            if used >= places:
                break
            used |= {at for at in places - used if row[at] != ""}
        return used

    @property
    def schema(self) -> pa.Schema:
        """The header's names, all text; a column without one that has cells is called after its letters, `column_E`."""
        return pa.schema([(name, pa.string()) for _, name in self._columns])

    @property
    def findings(self) -> Mapping[str, object]:
        """``format``, ``sheet``, ``header`` (row, or False), and ``notes``: titles left out, merged cells, errors."""
        return self._findings

    def _chunks(self) -> Iterator[tuple[list[int], list[list[object]]]]:
        """Rows that are records, with their places; places count from 0."""
        rows = islice(self._rows(), self._header.first, None)
        at, records = self._header.first, 0
        while chunk := list(islice(rows, _CHUNK)):
            blank, first = self._blank, at
            places = [i for i, row in enumerate(chunk, first) if row != blank or i in self._errors]
            at += len(chunk)
            self._done = at
            self._places.note(records, places)
            records += len(places)
            if places:
                yield places, chunk if len(places) == len(chunk) else [chunk[i - first] for i in places]

    def batches(self) -> Iterator[Batch]:
        """See `Scan`. A record with an error cell is a fault [RD06]."""
        self._done = 0
        batches = Batches(self.schema)
        for places, rows in self._chunks():
            yield from batches.add(self._decode(places, rows), 0)
        yield from batches.rest()

    def _decode(self, places: list[int], rows: list[list[object]]) -> Decoded:
        faults = {n: self._fault(place, rows[n]) for n, place in enumerate(places) if place in self._errors}
        kept, columns = self._texts(rows, faults)
        if found := with_nul(columns):
            faults |= {kept[n]: nul_fault(self._raw(rows[kept[n]])) for n in found}
            kept, columns = self._texts(rows, faults)
        return Decoded(len(rows), columns, kept, [(n, *faults[n]) for n in sorted(faults)])

    def _texts(self, rows: list[list[object]], leave: Container[int]) -> tuple[range | list[int], list[pa.Array]]:
        """The columns of the rows but some, and which rows those are."""
        kept = [n for n in range(len(rows)) if n not in leave] if leave else range(len(rows))
        cells = list(zip(*(rows[n] for n in kept), strict=True))
        nothing = [None] * len(kept)
        texts = (text_column(cells[at] if at < len(cells) else nothing) for at, _ in self._columns)
        return kept, [without(column, self._given.options.nulls) for column in texts]

    def _raw(self, row: list[object]) -> dict[str, str | None]:
        return {name: text(row[at]) if at < len(row) else None for at, name in self._columns}

    def _fault(self, place: int, row: list[object]) -> tuple[Problem, dict[str, str | None]]:
        errors = {column - self._left: error for column, error in self._errors[place].items()}
        raw = self._raw(row) | {name: errors[at] for at, name in self._columns if at in errors}
        names = dict(self._columns)
        at, error = min(errors.items())
        cells = ", ".join(f"{letters(c + self._left)}{place + 1} holds {e}" for c, e in sorted(errors.items()))
        return Problem("RD06", f"the cell {cells}", column=names.get(at, ""), value=error), raw

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`."""
        done, chunks = self._done, self._chunks()
        while ordinals and self._places.count <= ordinals[-1] and next(chunks, None) is not None:
            pass
        self._done = done
        return [Origin(self._given.name, self._sheet, self._places[n] + 1) for n in ordinals]

    def progress(self) -> float:
        """See `Scan`."""
        return min(1.0, self._done / self._height)

    def close(self) -> None:
        """See `Scan`."""
        self._loaded = None


def _beyond_time(e: BaseException) -> bool:
    # What the reader makes of such a number; the second is no Exception, as faults of Rust are none.
    return isinstance(e, OverflowError) or type(e).__name__ == "PanicException"


def _first_beyond(sheet: Any) -> int:
    """The place of the first row that cannot be read."""
    rows = sheet.iter_rows()
    for place in count():
        try:
            next(rows)
        except BaseException as e:
            if not _beyond_time(e):
                raise
            return place
    return 0


def _findings(loaded: _Loaded, header: Header) -> dict[str, object]:
    notes = list(header.notes)
    merged = [r for r in loaded.sheet.merged_cell_ranges or () if r[1][0] >= header.first]
    if merged:
        notes.append(
            f"{counted(len(merged), 'merged cell')} among the records: only the first cell of each has the value"
        )
    if loaded.hidden:
        notes.append("the sheet is hidden")
    if loaded.look is None:
        notes.append(f"cells with errors cannot be told from empty ones in {loaded.kind}")
    elif errors := sum(len(cells) for row, cells in loaded.look.errors.items() if row >= header.first):
        notes.append(
            f"{counted(errors, 'cell')} {verb(errors, 'holds an error; its record is', 'hold errors; their records are')} refused"
        )
    warnings = []
    if loaded.look and (unvalued := loaded.look.unvalued):
        one = unvalued == 1
        said = f"{unvalued} formula{' was' if one else 's were'} saved without {'its value and counts' if one else 'their values and count'} as empty"
        warnings.append(f"{said}: have a spreadsheet program open and save the workbook")
        notes += warnings
    if loaded.look and loaded.look.hidden:
        hidden = loaded.look.hidden
        said = "1 row is hidden, and is read" if hidden == 1 else f"{hidden} rows are hidden, and are read"
        notes.append(f"{said} as the others are")
    row = False if header.row is None else header.row + 1
    return {"format": loaded.kind.lower(), "sheet": loaded.name, "header": row, "notes": notes, "warnings": warnings}
