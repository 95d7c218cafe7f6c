"""Claiming the right to commit, on a connection of its own."""

from __future__ import annotations

from contextlib import closing

from headgate.model.errors import DestinationError, NoCheckpoint
from headgate.model.write import Ticket
from headgate.sql import STATE, Checkpoints

from .catalog import find
from .connection import Access, MysqlSession
from .dialect import MysqlSpelling


def claim(access: Access, ticket: Ticket) -> str | None:
    """See `headgate.spi.destination.Destination.claim`."""
    # At READ COMMITTED, what is read after waiting for another's commit is what that one committed.
    with closing(MysqlSession(access, "read committed")) as session:
        kept = Checkpoints(MysqlSpelling(), session)
        if find(session.rows, STATE) is None:
            try:
                kept.make()
            except DestinationError as e:
                raise NoCheckpoint(
                    f"{access.name}: the table {STATE}, in which the destination remembers how far a run has come, cannot be made: {e.message}",
                    hint="Grant the login the right to make tables: grant create, select, insert, update.",
                ) from e
        found = kept.claim(ticket)
        session.commit()
        return found
