"""DuckDB's errors in Headgate's words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import duckdb

from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, HeadgateError
from headgate.sql import Refused

STOPPED: Final = "stopped; nothing was written"
_CONSTRAINTS: Final = (
    (re.compile("foreign key", re.IGNORECASE), "DE01"),
    (re.compile("duplicate key|unique|primary key", re.IGNORECASE), "DE02"),
    (re.compile("^CHECK"), "DE03"),
    (re.compile("^NOT NULL"), "DE04"),
)
_FIELD: Final = re.compile(r'NOT NULL constraint failed: .*\.([^.]+)$|key "([^":,]+): [^,]*" (?:violates|does not)')
_HOLDER: Final = re.compile(r"Conflicting lock is held in (.+?) \(PID (\d+)\)")


def words(e: duckdb.Error) -> str:
    """The database's own message, without the place in a statement that nobody but Headgate knows."""
    said = str(e).split("\n\nLINE ")[0].strip()
    return re.sub(r"^[\w ]+ Error: ", "", said, count=1)


def refusal(e: duckdb.Error) -> Refused | None:
    """The refusal of a record, if that is what the error is."""
    said = words(e)
    if isinstance(e, duckdb.ConstraintException):
        code = next((code for shape, code in _CONSTRAINTS if shape.search(said)), "DE06")
        m = _FIELD.search(said)
        return Refused(code, said, (m[1] or m[2]) if m else "")
    if isinstance(e, (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)):
        return Refused("DE05", said)
    if isinstance(e, duckdb.CatalogException) and "main key table" in said:  # a table that another one refers to
        return Refused("DE01", said)
    return None


def explain(e: duckdb.Error, path: Path) -> HeadgateError:
    """What an error that is not a single record's fault means."""
    said = words(e)
    if isinstance(e, duckdb.InterruptException):
        return Cancelled(STOPPED)
    if "Could not set lock" in said:
        m = _HOLDER.search(said)
        who = f"{m[1]} (process {m[2]})" if m else "another process"
        return ConnectionFailed(
            f"{path}: the database is open in {who}, and DuckDB lets one process write to a file",
            hint="Close it there (a notebook, the duckdb shell, an application), then run again.",
        )
    if "different configuration" in said:
        return ConnectionFailed(
            f"{path}: this process has the database open with other settings",
            hint="Close that connection, or give all connections to the file the same memory_limit, threads and "
            "temp_directory.",
        )
    if "not a valid DuckDB database" in said:
        return DestinationError(f"{path}: this is not a DuckDB database", hint="Correct the connection's url.")
    if isinstance(e, duckdb.OutOfMemoryException):
        return DestinationError(
            f"{path}: {said}", hint="Raise the connection's memory_limit, or make space where its temp_directory is."
        )
    if isinstance(e, duckdb.TransactionException) and "onflict" in said:
        return DestinationError(f"{path}: {said}", hint="Another connection wrote to the same records; run again.")
    if isinstance(e, duckdb.IOException):
        return ConnectionFailed(
            f"{path}: the file cannot be opened or written: {said}",
            hint="Check the path, the space left, and the permissions of the file and of its folder.",
        )
    return DestinationError(f"{path}: DuckDB says: {said}")
