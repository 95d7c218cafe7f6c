"""Which files a table is: formats by endings, and names with places for the date, a number and values of fields."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from headgate.model.dates import unknown_part
from headgate.model.errors import DestinationError

from .options import FileOptions

_PLACE: Final = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_FORMATS: Final = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xml": "xml", ".xlsx": "xlsx",
    ".parquet": "parquet",
}  # fmt: skip
_COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
_ENDING: Final = re.compile(
    rf"({'|'.join(map(re.escape, _FORMATS))})?({'|'.join(map(re.escape, _COMPRESSIONS))})?$", re.IGNORECASE
)
_WHOLE: Final = ("xlsx", "parquet")
"""Formats that are compressed within."""
_ADDED_TO: Final = ("csv", "tsv", "jsonl")
_NONE: Final = "(none)"
_EMPTY: Final = "(empty)"
MOST_NAME: Final = 150
"""Most bytes of a value in a file's name."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The files of a table.

    Attributes:
        pattern: the name with the date filled in and the other places left: what tells it from other tables.
        format: one of `options.Format`, tsv as csv.
        delimiter: of CSV.
        compression: around the file; of Parquet, within it.
        by: the fields whose values are in the name.
        rows: most records in a file; None for any number.
    """

    pattern: str
    format: str
    delimiter: str
    compression: str
    by: tuple[str, ...]
    rows: int | None

    @property
    def single(self) -> bool:
        """Whether it is always one file."""
        return not self.by and self.rows is None

    def name(self, values: tuple[str | None, ...] = (), part: int = 1) -> str:
        """The path of a file within the folder.

        Args:
            values: of the fields `by`, as text.
            part: which one of the files with these values, from 1.
        """
        texts = dict(zip(self.by, map(escaped, values), strict=True))

        def filled(m: re.Match[str]) -> str:
            return f"{part:{m[2] or ''}}" if m[1] == "part" else texts[m[1]]

        return _PLACE.sub(filled, self.pattern)


def naming(table: str, options: FileOptions, fields: Collection[str], now: datetime) -> Naming:
    """Read a table's name.

    Args:
        fields: names of the fields that are written.
        now: what the date is filled in from.

    Raises:
        DestinationError: no format follows from it, a place in it is not known, or it leads out of the folder.
    """
    stem, kind, compression, ending = _ending(table, options)
    if options.existing == "add" and kind not in _ADDED_TO:
        raise DestinationError(
            f"{table}: records cannot be added to {kind}, which has an end",
            hint="Write CSV or JSON Lines, or a file of its own for each run (existing: number, or {date} in its name).",
        )
    for m in _PLACE.finditer(stem):
        if m[1] == "date" and (odd := unknown_part(m[2] or "")):
            raise DestinationError(
                f"{table}: {odd} in {m[0]} is no part of a date", hint="There are %Y, %m, %d, %H, %M, %S and others."
            )
    stem = _PLACE.sub(lambda m: now.strftime(m[2] or "%Y-%m-%d") if m[1] == "date" else m[0], stem)
    if options.split.by is not None and f"{{{options.split.by}}}" not in stem:
        stem += f"-{{{options.split.by}}}"
    places = [m[1] for m in _PLACE.finditer(stem)]
    if options.split.rows is not None and "part" not in places:
        stem += "-{part:04}"
    elif options.split.rows is None and "part" in places:
        raise DestinationError(f"{table}: {{part}} numbers the files of a split", hint="Say split: { rows: 100000 }.")
    for m in _PLACE.finditer(stem):
        _check_place(table, m, fields)
    pattern = stem + ending
    parts = pattern.split("/")
    if (
        pattern.startswith("/")
        or "\0" in pattern
        or any(p in ("", ".", "..") or p.startswith(".headgate") for p in parts)
    ):
        raise DestinationError(
            f"{table!r} is no name of a file in the folder", hint="Write NAME.csv or FOLDER/NAME.csv."
        )
    by = tuple(dict.fromkeys(p for p in places if p != "part"))
    delimiter = options.delimiter or ("\t" if kind == "tsv" else ",")
    return Naming(pattern, "csv" if kind == "tsv" else kind, delimiter, compression, by, options.split.rows)


def _check_place(table: str, place: re.Match[str], fields: Collection[str]) -> None:
    if place[1] == "part":
        if not re.fullmatch(r"0?\d?", place[2] or ""):
            raise DestinationError(f"{table}: {place[0]} is no number's place", hint="Write {part} or {part:04}.")
    elif place[1] not in fields or place[2] is not None:
        there = ", ".join(f"{{{n}}}" for n in fields)
        raise DestinationError(
            f"{table}: there is no field for {place[0]}",
            hint=f"There are {{date}}, {{date:%Y-%m}}, {{part}} and the fields: {there}.",
        )


def _ending(table: str, options: FileOptions) -> tuple[str, str, str, str]:
    """The name without its ending, the format, the compression, and the ending."""
    found = _ENDING.search(table)
    assert found is not None  # both its parts may be missing
    ending, packed = (found[1] or "").lower(), (found[2] or "").lower()
    kind = _FORMATS.get(ending) or options.format
    if kind is None:
        raise DestinationError(
            f"{table!r}: the name does not say which format the file has",
            hint=f"End it with one of {', '.join(_FORMATS)}, perhaps with .gz, .bz2, .xz or .zst behind; or say format.",
        )
    if packed and kind in _WHOLE:
        raise DestinationError(f"{table}: {kind} is compressed within", hint=f"Leave out {packed}.")
    compression = _COMPRESSIONS.get(packed) or options.compression
    if kind == "parquet" and compression in ("bzip2", "xz"):
        raise DestinationError(f"{table}: Parquet has no {compression} within", hint="It has zstd, gzip and none.")
    written = table[found.start() :]
    plain = not ending and not packed and "." not in table.rpartition("/")[2]
    if plain:
        written = next(e for e, f in _FORMATS.items() if f == kind)
        written += next((e for e, c in _COMPRESSIONS.items() if c == compression), "") if kind not in _WHOLE else ""
    default = "zstd" if kind == "parquet" else "none"
    return table[: found.start()], kind, compression or default, written


def table_of(file: str, options: FileOptions) -> str | None:
    """What a definition calls a file of the folder; None for one that is no table."""
    found = _ENDING.search(file)
    if found is None or not found[1] or file.startswith("."):
        return None
    stem = file[: found.start()]
    if options.format is None or "." in stem:
        return file
    return stem if "".join(_ending(stem, options)[::3]) == file else file


def escaped(value: str | None) -> str:
    """A value as a part of a file's name. Different values give different parts."""
    if not value:
        return _NONE if value is None else _EMPTY
    return re.sub(r"[^\w ,@+=.-]|^\.|^ | $", _percent, value)


def _percent(m: re.Match[str]) -> str:
    return "".join(f"%{b:02X}" for b in m[0].encode())


def numbered(name: str, number: int) -> str:
    """The name with a number before its ending."""
    found = _ENDING.search(name)
    assert found is not None
    return f"{name[: found.start()]}-{number}{name[found.start() :]}"
