"""The ledger: the only writer of state. `open_ledger` gives one; `Ledger` has its verbs."""

from __future__ import annotations

from pathlib import Path

from headgate.model.errors import UsageError

from .leases import patience
from .ledger import Ledger
from .store import SqliteStore

__all__ = ["Ledger", "open_ledger", "patience"]


def open_ledger(place: str | Path) -> Ledger:
    """The ledger kept at a place: a path, or `sqlite:///relative/path`, `sqlite:////absolute/path`.

    Nothing is opened or made here; the file is made, with its folder, when something is first written.

    Raises:
        UsageError: no ledger can be kept in such a place.
    """
    text = str(place)
    scheme, separator, rest = text.partition("://")
    if isinstance(place, Path) or not separator:
        return Ledger(SqliteStore(Path(place)))
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise UsageError(f"a ledger cannot be kept in {scheme}://", hint="Give a file: sqlite:///headgate.db.")
    return Ledger(SqliteStore(Path(rest[1:])))
