"""Where a ledger is kept: the little that differs between databases.

The rest of the ledger speaks to a `Store` in the statements of `statements.py`. There are `SqliteStore`, a file, and
`PostgresStore`, a schema in a database that several machines share.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol

Row = tuple[Any, ...]
# Seconds to wait for others that write.
BUSY_SECONDS: Final = 60.0


class Session(Protocol):
    """Runs statements inside one transaction. `?` stands for a value."""

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows a statement gives; none for one that gives no rows."""
        ...

    def many(self, statement: str, rows: Sequence[Sequence[object]]) -> int:
        """Run a statement once a row; how many rows of the database it touched in all."""
        ...


class Store(Protocol):
    """A place for a ledger. May be used from several threads, which then take turns.

    Attributes:
        place: its name for people, without secrets.
        folder: the local folder of files that belong to runs.
        shared: whether other machines use the ledger too, so that the local folder may lack what it has.
    """

    place: str
    folder: Path
    shared: bool

    def has_table(self, name: str) -> bool:
        """Whether there is such a table; makes nothing."""
        ...

    def create(self) -> None:
        """Make the place itself where there is none yet; nothing when there is one."""
        ...

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a statement that only reads."""
        ...

    def transaction(self) -> AbstractContextManager[Session]:
        """A transaction that writes: committed at the end of the block, rolled back when it raises. Transactions that
        change the same rows wait for each other.

        Raises:
            HeadgateError: no space, no permission, damaged, or kept busy by others for too long; nothing was written,
                unless the message says that this is not known.
        """
        ...

    def migration(self) -> AbstractContextManager[Session]:
        """A transaction that changes the schema, alone in doing so; the place for tables is there in it."""
        ...

    def keep(self, name: str, path: Path) -> None:
        """Keep a finished file durably, under a name; one kept before under the name is replaced.

        Raises:
            HeadgateError: it cannot be kept.
        """
        ...

    def kept(self, folder: str) -> list[str]:
        """Names of the files that were kept in a folder, where files are kept apart from their local paths."""
        ...

    def fetch(self, name: str, path: Path) -> None:
        """Put a file that was kept to its local path, in place of what is there; nothing when it was never kept.

        Raises:
            HeadgateError: it cannot be fetched or written.
        """
        ...

    def forget(self, name: str) -> None:
        """Keep a file, or all in a folder, no longer; local files are left alone."""
        ...

    def close(self) -> None:
        """Release the connection. May be called twice; used again, it connects again."""
        ...
