"""Rejects as text, JSON and CSV. All of them stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.model.record import Reject, State
from headgate.model.run import Run

from .cells import neutralise
from .table import ID, replacing, table
from .words import problem_line, way_out

if TYPE_CHECKING:
    from rich.console import Console


def rejects_json(rejects: Iterable[Reject]) -> Iterator[dict[str, object]]:
    """Each reject as JSON shows it. The keys are stable: new ones may come, none goes or changes its meaning.

    Keys: ``number`` (within the run), ``outcome``, ``file``, ``sheet``, ``row`` and ``line`` (1-based, or null),
    ``problems`` (``code``, ``reason``, ``field``, ``column``, ``value``), ``raw`` (source column to value as read),
    ``state`` (open, fixed, ignored), ``fixed_by`` (number of the retry that brought it in, or null), ``mended`` (where its
    values were corrected since: the place in a file given to a retry), ``until`` (of a record made of several rows the line of
    the last, or its row where there are no lines; or null).
    """
    for r in rejects:
        yield {
            "number": r.number,
            "outcome": r.outcome.value,
            "file": r.origin.file,
            "sheet": r.origin.sheet,
            "row": r.origin.row,
            "line": r.origin.line,
            "problems": [
                {"code": p.code, "reason": p.reason, "field": p.field, "column": p.column, "value": p.value}
                for p in r.problems
            ],
            "raw": r.raw,
            "state": r.state.value,
            "fixed_by": r.fixed_by,
            "mended": r.origin.mended,
            "until": r.origin.until,
        }


def rejects_text(rejects: Iterable[Reject], console: Console, *, numbers: bool = False) -> int:
    """Each problem of each reject on a line, as a person would look for it; then the way out of every code met.

    Args:
        rejects: what is listed.
        console: where it is written.
        numbers: begin each line with the record's number and its state.

    Returns:
        How many rejects there were.
    """
    from .page import Page

    page, count, codes = Page(console), 0, dict[str, None]()
    for reject in rejects:
        count += 1
        for problem in reject.problems:
            page.entry((_state(reject) if numbers else "") + problem_line(reject.origin, problem))
            if reject.state is State.OPEN:
                codes[problem.code] = None
    ways = [(code, out) for code in sorted(codes) if (out := way_out(code))]
    if ways:
        page.heading("What to do")
        page.columns(ways)
    return count


def _state(reject: Reject) -> str:
    by = f" by run {reject.fixed_by}" if reject.fixed_by is not None else ""
    return f"{reject.number} {reject.state}{by}: "


def rejects_csv(run: Run, rejects: Iterable[Reject], path: Path) -> int:
    """Write a CSV file: the user's own columns, ``Problems`` (where the record came from and what is wrong with it),
    ``_headgate`` (which record it is). UTF-8 with a byte order mark, so that spreadsheets read it right; no value is
    empty, an empty text is ``""``; cells that a spreadsheet would run are neutralised (`headgate.report.neutralise`).

    Args:
        run: the run whose records they are; of those of a retry, its parent.
        rejects: read once; memory does not grow with their number.
        path: the file to make or replace.

    Returns:
        How many records were written.

    Raises:
        HeadgateError: the file cannot be written.
    """
    with replacing(path) as temporary, table(run, rejects) as found:
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            file.write(_csv_line([*found.columns, found.problems, ID]))
            file.writelines(_csv_line([*map(r.raw.get, found.columns), r.problems, r.id]) for r in found.lines())
        return found.count


def _csv_line(values: Iterable[str | None]) -> str:
    return ",".join(map(_csv_cell, values)) + "\r\n"


def _csv_cell(value: str | None) -> str:
    if value is None:
        return ""
    text = neutralise(value)
    # Blanks at either end are quoted too: some readers strip them otherwise.
    plain = text and text == text.strip() and not any(c in text for c in ',"\r\n;\t')
    return text if plain else '"' + text.replace('"', '""') + '"'
