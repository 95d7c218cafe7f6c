"""The ledger's schema, brought up to date by numbered files: `migrations/0001_first.sql`, `0002_….sql`, and so on.

A migration that was released is never edited; what it lacks comes in the next one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from headgate.model.errors import HeadgateError

from . import statements
from .store import Row, Session, Store

FOLDER = Path(__file__).with_name("migrations")
_END = re.compile(r";[ \t]*(?:\n|\Z)")


@cache
def migrations() -> tuple[tuple[int, Path], ...]:
    """All migrations by number, in their order."""
    return tuple((int(p.name[:4]), p) for p in sorted(FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql")))


def split(script: str) -> list[str]:
    """The statements of a script; each ends with a semicolon at the end of a line."""
    return [s for part in _END.split(script) if (s := re.sub(r"(?m)^\s*--.*$", "", part).strip())]


def prepare(store: Store, *, create: bool) -> bool:
    """Bring the store's schema up to what this version of Headgate knows.

    Args:
        store: where the ledger is kept.
        create: make the ledger when there is none.

    Returns:
        Whether there is a ledger.

    Raises:
        HeadgateError: it was written by a newer Headgate, or cannot be written.
    """
    if store.has_table("headgate_schema"):
        if not _missing(store, store.query(statements.VERSIONS)):
            return True
    elif not create:
        return False
    else:
        store.create()
    with store.migration() as session:
        _upgrade(store, session)
    return True


def _missing(store: Store, applied: list[Row]) -> list[tuple[int, Path]]:
    """The migrations still to be applied; numbers may be left out, and one that fills a gap may come late.

    Raises:
        HeadgateError: some were applied that this version does not know.
    """
    versions = {int(version) for (version,) in applied}
    if unknown := versions - {number for number, _ in migrations()}:
        raise HeadgateError(
            f"the ledger {store.place} was written by a newer Headgate"
            f" (its schema has {max(unknown)}, this one knows {migrations()[-1][0]})",
            hint="Update Headgate, or name another ledger.",
        )
    return [(number, path) for number, path in migrations() if number not in versions]


def _upgrade(store: Store, session: Session) -> None:
    """Apply what is missing. Another process may have done so while this one waited for the transaction."""
    session.query(statements.CREATE_VERSIONS)
    for number, path in _missing(store, session.query(statements.VERSIONS)):
        for statement in split(path.read_text("utf-8")):
            session.query(statement)
        session.query(statements.ADD_VERSION, [number, path.stem, datetime.now(UTC).isoformat()])
