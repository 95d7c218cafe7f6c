"""Claiming the right to commit, on a connection of its own."""

from __future__ import annotations

from contextlib import closing

import psycopg

from headgate.model.errors import NoCheckpoint
from headgate.model.write import Ticket
from headgate.sql import STATE, Checkpoints

from .connection import Access, PostgresSession, identifier, literal
from .dialect import STATE_SCHEMA, PostgresSpelling

# Any number does, as long as nobody else uses it: two sessions that make one schema at a time fail both.
_MAKING = 5_206_711_402


def claim(access: Access, ticket: Ticket) -> str | None:
    """See `headgate.spi.destination.Destination.claim`."""
    with closing(PostgresSession(access)) as session:
        session.begin()
        kept = Checkpoints(PostgresSpelling(), session)
        if not session.rows(
            f"select 1 where to_regclass({literal(PostgresSpelling().state_table(STATE))}) is not null"
        ):
            _make(access, session, kept)
        found = kept.claim(ticket)
        session.commit()
        return found


def _make(access: Access, session: PostgresSession, kept: Checkpoints) -> None:
    user = session.rows("select current_user")[0][0]
    try:
        session.connection.execute(f"select pg_advisory_xact_lock({_MAKING})")
        session.connection.execute(f"create schema if not exists {STATE_SCHEMA}")
    except psycopg.errors.InsufficientPrivilege:
        raise NoCheckpoint(
            f"{access.name}: {user} may not make the schema {STATE_SCHEMA}, in which the destination remembers how far a run has come",
            hint=f"Let its owner do it once: create schema {STATE_SCHEMA} authorization {identifier(user)};",
        ) from None
    except psycopg.Error as e:
        raise session.failure(e) from None
    kept.make()
