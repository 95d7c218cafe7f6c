"""The ledger: the only writer of state. `open_ledger` gives one; `Ledger` has its verbs."""

from __future__ import annotations

from pathlib import Path

from headgate.model.errors import UsageError

from .leases import patience
from .ledger import Ledger
from .store_sqlite import SqliteStore

__all__ = ["Ledger", "open_ledger", "patience"]


def open_ledger(place: str | Path, *, base: Path = Path(), files: Path = Path(".headgate")) -> Ledger:
    """The ledger kept at a place: a path, `sqlite:///relative/path`, `sqlite:////absolute/path`, or a database:
    `postgresql://user:password@host/database?schema=headgate`.

    Nothing is opened or made here; the file or schema is made, with its folder, when something is first written.

    Args:
        place: where the ledger is kept.
        base: the folder that a relative path starts from.
        files: the local folder for files of runs, of a ledger that is not in a folder itself.

    Raises:
        UsageError: no ledger can be kept in such a place.
    """
    text = str(place)
    scheme, separator, rest = text.partition("://")
    if isinstance(place, Path) or not separator:
        return Ledger(SqliteStore(base / place))
    if scheme in ("postgresql", "postgres"):
        from .store_postgres import PostgresStore

        return Ledger(PostgresStore(text, files))
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise UsageError(
            f"a ledger cannot be kept in {scheme}://",
            hint="Give a file (sqlite:///headgate.db) or a database (postgresql://user@host/database).",
        )
    return Ledger(SqliteStore(base / rest[1:]))
