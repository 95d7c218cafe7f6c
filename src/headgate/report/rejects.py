"""Rejects as text, JSON and CSV. All of them stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.model.record import Reject
from headgate.model.write import NUMBER

from .cells import neutralise
from .table import CODE, REASON, ROW, replacing, table
from .words import problem_line, way_out

if TYPE_CHECKING:
    from rich.console import Console


def rejects_json(rejects: Iterable[Reject]) -> Iterator[dict[str, object]]:
    """Each reject as JSON shows it. The keys are stable: new ones may come, none goes or changes its meaning.

    Keys: ``number`` (within the run), ``outcome``, ``file``, ``sheet``, ``row`` and ``line`` (1-based, or null),
    ``problems`` (``code``, ``reason``, ``field``, ``column``, ``value``), ``raw`` (source column to value as read).
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
        }


def rejects_text(rejects: Iterable[Reject], console: Console) -> int:
    """Each problem of each reject on a line, as a person would look for it; then the way out of every code met.

    Returns:
        How many rejects there were.
    """
    from .page import Page

    page, count, codes = Page(console), 0, dict[str, None]()
    for reject in rejects:
        count += 1
        for problem in reject.problems:
            page.entry(problem_line(reject.origin, problem))
            codes[problem.code] = None
    ways = [(code, out) for code in sorted(codes) if (out := way_out(code))]
    if ways:
        page.heading("What to do")
        page.columns(ways)
    return count


def rejects_csv(rejects: Iterable[Reject], path: Path) -> int:
    """Write a CSV file: ``_row`` (where the record came from), ``_code``, ``_reason``, the user's own columns, ``_n`` (the
    record's number within the run). UTF-8 with a byte order mark, so that spreadsheets read it right; no value is
    empty, an empty text is ``""``; cells that a spreadsheet would run are neutralised (`headgate.report.neutralise`).

    Returns:
        How many records were written.

    Raises:
        HeadgateError: the file cannot be written.
    """
    with replacing(path) as temporary, table(rejects) as found:
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            file.write(_csv_line([ROW, CODE, REASON, *found.columns, NUMBER]))
            file.writelines(
                _csv_line([r.row, r.codes, r.reasons, *map(r.raw.get, found.columns), str(r.number)])
                for r in found.lines()
            )
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
