"""Rejects as a table for a person to correct: the user's own columns, and beside them what is wrong.

A table is read twice, first to learn which columns there are (files of one import may differ), so the rejects are
kept in a temporary file in between; memory does not grow with their number.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from headgate.model.errors import HeadgateError
from headgate.model.record import Origin, Reject
from headgate.model.run import Run

from .ids import record_id
from .words import problem_line

PROBLEMS, ID = "Problems", "_headgate"
_SAMPLE: Final = 1000
_NOWHERE: Final = Origin()


@dataclass(frozen=True, slots=True)
class Line:
    """One reject as a line of the table.

    Attributes:
        id: which record it is (`headgate.report.ids`).
        problems: where it came from and all that is wrong with it.
        bad: reasons by source column.
        raw: the record as read.
    """

    id: str
    problems: str
    bad: dict[str, str]
    raw: dict[str, str | None]


@dataclass(slots=True)
class Table:
    """The lines, and the user's columns in the user's order: as the first record has them, later ones' added behind.

    A column `ID` is left out: it comes from an earlier table like this one.
    """

    file: IO[bytes]
    columns: list[str] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)
    count: int = 0

    @property
    def problems(self) -> str:
        """Name of the column of problems, which no column of the user's has."""
        name = PROBLEMS
        while name in self.columns:
            name = f"{name} found"
        return name

    def lines(self) -> Iterator[Line]:
        """All of them, from the first on."""
        import msgspec

        decoder = msgspec.json.Decoder(Line)
        self.file.seek(0)
        for text in self.file:
            yield decoder.decode(text)


@contextmanager
def table(run: Run, rejects: Iterable[Reject]) -> Iterator[Table]:
    """Read the rejects of a run once and have their table."""
    import msgspec

    encoder = msgspec.json.Encoder()
    with tempfile.TemporaryFile() as file:
        made, known = Table(file), {ID}
        for reject in rejects:
            line = _line(run, reject)
            file.write(encoder.encode(line) + b"\n")
            if not line.raw.keys() <= known:
                made.columns += [c for c in line.raw if c not in known]
                known.update(line.raw)
            if made.count < _SAMPLE:
                _widen(made.widths, line)
            made.count += 1
        yield made


def _line(run: Run, reject: Reject) -> Line:
    bad: dict[str, str] = {}
    for p in reject.problems:
        if p.column:
            bad[p.column] = f"{bad[p.column]}\n{p.reason} [{p.code}]" if p.column in bad else f"{p.reason} [{p.code}]"
    reasons = "; ".join(problem_line(_NOWHERE, p) for p in reject.problems)
    place = str(reject.origin)
    problems = f"{place}: {reasons}" if place else reasons
    return Line(str(record_id(run, reject.number)), problems, bad, reject.raw)


def _widen(widths: dict[str, int], line: Line) -> None:
    for column, value in (*line.raw.items(), (PROBLEMS, line.problems)):
        if value:
            widths[column] = max(widths.get(column, 0), len(value))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write under; renamed to it at the end of the block, removed when it fails.

    Raises:
        HeadgateError: the file cannot be written; what was there before is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as e:
        raise HeadgateError(
            f"cannot write {path}: {e.strerror or e}", hint="Look for the folder, its permissions and free space."
        ) from e
    finally:
        with suppress(OSError):
            temporary.unlink()
