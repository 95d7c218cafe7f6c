"""What was sent to destinations without transactions (`headgate.spi.outbox.Outbox`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import msgspec

from headgate.model.errors import Fenced
from headgate.model.sent import OVERTAKEN, Sent
from headgate.model.write import Ticket

from .ledger import Ledger
from .store import Session, Store

_ADD_SCOPE: Final = "insert into headgate_outbox_scope (scope, fence) values (?, 0) on conflict (scope) do nothing"
_CLAIM: Final = "update headgate_outbox_scope set fence = ? where scope = ? and fence <= ? returning checkpoint"
# The row is written, not only read, so that nobody can claim the scope before the end of the transaction.
_HOLD: Final = "update headgate_outbox_scope set fence = fence where scope = ? and fence = ? returning 1"
_LEFT: Final = "select id, what, answer from headgate_outbox where scope = ? order by place"
_ENTER: Final = """
insert into headgate_outbox (scope, place, id, what)
values (?, (select coalesce(max(place), 0) + 1 from headgate_outbox where scope = ?), ?, ?)
on conflict (scope, id) do nothing
"""
_ANSWER: Final = "update headgate_outbox set answer = ? where scope = ? and id = ?"
_KEEP: Final = "update headgate_outbox_scope set checkpoint = ? where scope = ?"
_CLEAR: Final = "delete from headgate_outbox where scope = ?"
# Every digit of a number comes back, and as a number: undo compares what was read with what is there.
_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode
_DECODE: Final = msgspec.json.Decoder(float_hook=Decimal).decode


class LedgerOutbox:
    """The part of a ledger that keeps what was sent.

    Args:
        ledger: gives it; asked when it is needed first.
    """

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger

    @cached_property
    def _store(self) -> Store:
        return self._ledger().store()

    def claim(self, ticket: Ticket) -> str | None:
        """See `headgate.spi.outbox.Outbox`."""
        with self._store.transaction() as session:
            session.query(_ADD_SCOPE, [ticket.scope])
            rows = session.query(_CLAIM, [ticket.fence, ticket.scope, ticket.fence])
            if not rows:
                raise Fenced(OVERTAKEN)
        return None if rows[0][0] is None else str(rows[0][0])

    def left(self, scope: str) -> list[Sent]:
        """See `headgate.spi.outbox.Outbox`."""
        rows = self._store.query(_LEFT, [scope])
        return [Sent(key, _DECODE(what), None if answer is None else _DECODE(answer)) for key, what, answer in rows]

    def enter(self, ticket: Ticket, sent: Iterable[Sent], answers: Mapping[str, Any] = MappingProxyType({})) -> None:
        """See `headgate.spi.outbox.Outbox`."""
        rows = [(ticket.scope, ticket.scope, s.id, _text(s.what)) for s in sent]
        try:
            with self._store.transaction() as session:
                _answer(session, ticket, answers)
                _hold(session, ticket)
                session.many(_ENTER, rows)
        except Fenced:
            self.answered(ticket, answers)
            raise

    def answered(self, ticket: Ticket, answers: Mapping[str, Any]) -> None:
        """See `headgate.spi.outbox.Outbox`."""
        if answers:
            with self._store.transaction() as session:
                _answer(session, ticket, answers)

    def commit(self, ticket: Ticket, checkpoint: str) -> None:
        """See `headgate.spi.outbox.Outbox`."""
        with self._store.transaction() as session:
            _hold(session, ticket)
            session.query(_KEEP, [checkpoint, ticket.scope])
            session.query(_CLEAR, [ticket.scope])


def _answer(session: Session, ticket: Ticket, answers: Mapping[str, Any]) -> None:
    session.many(_ANSWER, [(_text(answer), ticket.scope, key) for key, answer in answers.items()])


def _hold(session: Session, ticket: Ticket) -> None:
    if not session.query(_HOLD, [ticket.scope, ticket.fence]):
        raise Fenced(OVERTAKEN)


def _text(value: Any) -> str:
    return _ENCODE(value).decode()
