"""DuckDBs in memory, lent to one borrower at a time and then to the next.

Opening one takes ten milliseconds, in which it enters all its functions into its catalog: longer than many a small run needs it
for. What must not mix stays apart all the same. An instance has one borrower at a time, so its memory limit is the borrower's own; and
a borrower has a connection of its own, which takes its temporary tables, registered tables and prepared queries with it. So a borrower
makes only temporary tables.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import duckdb

_IDLE = 4


@dataclass(frozen=True, slots=True)
class _Instance:
    con: duckdb.DuckDBPyConnection
    spill: Path | None


class Instances:
    """Instances of one configuration. Used by any thread.

    Args:
        config: of each instance.
        statements: executed once in each; what they set must be set globally.
        spills: each has a folder for what does not fit into its memory, for nobody else's eyes, which is there while it is lent.
    """

    def __init__(self, config: Mapping[str, Any], statements: Sequence[str] = (), *, spills: bool = False) -> None:
        self._config, self._statements, self._spills = dict(config), tuple(statements), spills
        self._idle: list[_Instance] = []
        self._coming: threading.Thread | None = None
        if hasattr(os, "register_at_fork"):
            # A forked process has none of their threads, and could not even take them apart.
            os.register_at_fork(before=self._let_go)

    def soon(self) -> None:
        """Have an instance opened by a thread, as somebody is about to borrow one: meanwhile others can have the interpreter."""
        if not self._idle and self._coming is None:
            self._coming = threading.Thread(target=self._prepare, name="headgate-duckdb", daemon=True)
            self._coming.start()

    def _await(self) -> None:
        if (coming := self._coming) is not None:
            coming.join()
            self._coming = None

    def _let_go(self) -> None:
        self._await()
        self._idle.clear()

    def _prepare(self) -> None:
        with suppress(Exception):  # who borrows one tries again, and is told why it fails
            self._idle.append(self._open())

    def borrow(self) -> Borrowed:
        """Lend an instance, which the caller gives back by closing what is returned."""
        self._await()
        while self._idle:
            with suppress(IndexError):  # another thread was quicker
                instance = self._idle.pop()
                if _works(instance):
                    return Borrowed(self, instance)
        return Borrowed(self, self._open())

    def give_back(self, instance: _Instance) -> None:
        """Keep an instance for the next borrower, unless enough are kept."""
        if len(self._idle) < _IDLE:
            self._idle.append(instance)
        else:
            instance.con.close()

    def _open(self) -> _Instance:
        import duckdb

        name = f"headgate-{secrets.token_hex(8)}"
        spill = Path(tempfile.gettempdir(), name) if self._spills else None
        con = duckdb.connect(":memory:", config={**self._config, "temp_directory": str(spill or "")})
        for sql in self._statements:
            con.execute(sql)
        return _Instance(con, spill)


class Borrowed:
    """An instance while it is lent.

    Attributes:
        con: a connection to it that nobody else has had.
    """

    def __init__(self, owner: Instances, instance: _Instance) -> None:
        self._owner, self._instance = owner, instance
        self._forget = weakref.finalize(self, _remove, instance.spill)
        if instance.spill is not None:
            instance.spill.mkdir(mode=0o700)
        self.con = instance.con.cursor()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the instance back, and forget all that was in it. May be called twice."""
        if not self._forget.alive:
            return
        self.con.close()
        self._forget()
        self._owner.give_back(self._instance)


def _remove(spill: Path | None) -> None:
    if spill is not None:
        shutil.rmtree(spill, ignore_errors=True)


def _works(instance: _Instance) -> bool:
    """Whether an instance can be used again: after a fault of its own it refuses everything."""
    import duckdb

    try:
        instance.con.execute("SELECT 1").fetchall()
    except duckdb.Error:
        return False
    return True
