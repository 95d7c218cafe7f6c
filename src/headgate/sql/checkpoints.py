"""How far each import has come, kept in the destination's own transactions.

One row a scope: the fence says which run may commit, the checkpoint what was committed last.
"""

from __future__ import annotations

from typing import Final, Protocol

from headgate.model.errors import Fenced
from headgate.model.table import Column
from headgate.model.types import TEXT
from headgate.model.write import Ticket

from .session import Session

STATE: Final = "_headgate_checkpoint"
_TEXT: Final = Column("checkpoint", TEXT)


class Spelling(Protocol):
    """The part of a `Dialect` that is needed here."""

    def literal(self, value: object, column: Column) -> str:
        """A value as a literal for that column."""
        ...

    def state_table(self, name: str) -> str:
        """The quoted name of a table of Headgate's own at the destination."""
        ...

    def state_type(self, of: str) -> str:
        """The type of a column there: ``name`` (up to 250 characters, compared exactly), ``number`` (64 bits), ``text``."""
        ...


class Checkpoints:
    """The table of checkpoints. Every verb is part of the session's transaction; the connector commits it.

    Args:
        dialect: how the database spells things.
        session: a transaction.
    """

    def __init__(self, dialect: Spelling, session: Session) -> None:
        self._session = session
        self._literal = dialect.literal
        self._table = dialect.state_table(STATE)
        self._types = {kind: dialect.state_type(kind) for kind in ("name", "number", "text")}

    def make(self) -> None:
        """Make the table if it is not there."""
        of = self._types
        self._session.run(
            f"create table if not exists {self._table} "
            f"(scope {of['name']} not null primary key, fence {of['number']} not null, checkpoint {of['text']})"
        )

    def claim(self, ticket: Ticket) -> str | None:
        """Raise a scope's fence; its last checkpoint, if there is one.

        Raises:
            Fenced: it is higher already.
        """
        scope = self._text(ticket.scope)
        if not self._session.rows(f"select 1 from {self._table} where scope = {scope}"):
            self._session.run(f"insert into {self._table} (scope, fence) values ({scope}, {ticket.fence})")
        # The row stays locked until the end of this transaction, and is waited for while another one is committing.
        self._change(f"fence = {ticket.fence} where scope = {scope} and fence <= {ticket.fence}")
        rows = self._session.rows(f"select checkpoint from {self._table} where scope = {scope}")
        return None if rows[0][0] is None else str(rows[0][0])

    def keep(self, ticket: Ticket, checkpoint: str) -> None:
        """Replace a scope's checkpoint.

        Raises:
            Fenced: another run has claimed the scope.
        """
        scope = self._text(ticket.scope)
        self._change(f"checkpoint = {self._text(checkpoint)} where scope = {scope} and fence = {ticket.fence}")

    def _change(self, rest: str) -> None:
        if self._session.run(f"update {self._table} set {rest}") != 1:
            raise Fenced(
                "another run has taken this import over; nothing of this one is kept that was not committed before",
                hint="headgate runs shows which.",
            )

    def _text(self, text: str) -> str:
        return self._literal(text, _TEXT)
