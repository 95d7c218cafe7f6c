"""What was sent to a destination that has no transactions, kept where a crash cannot lose it.

Before a request is sent it is entered, and its answer after. Who comes after a crash reads what was left: requests with an answer
are done, of those without one it is not known. Checkpoints and fences are kept in the same place, as such a destination cannot
keep them itself; a checkpoint that is kept takes the place of everything that was sent before it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Protocol, runtime_checkable

from headgate.model.errors import Fenced
from headgate.model.sent import OVERTAKEN, Sent
from headgate.model.write import Ticket

NO_ANSWERS: Final[Mapping[str, Any]] = MappingProxyType({})


class Outbox(Protocol):
    """Keeps what was sent. May be used from several threads."""

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope (`headgate.spi.destination.Destination.claim`): from now on nobody with a lower fence can enter or
        keep anything in it.

        Returns:
            The last checkpoint; None where there is none.

        Raises:
            Fenced: the scope was taken with a higher fence.
        """
        ...

    def left(self, scope: str) -> list[Sent]:
        """What was sent since the last checkpoint, in the order in which it was entered."""
        ...

    def enter(self, ticket: Ticket, sent: Sequence[Sent], answers: Mapping[str, Any] = NO_ANSWERS) -> None:
        """Keep what is about to be sent; it is on the disk when this returns.

        Args:
            answers: to what was sent before, kept with it (`answered`).

        Raises:
            Fenced: somebody else has claimed the scope; nothing may be sent. The answers are kept all the same.
        """
        ...

    def answered(self, ticket: Ticket, answers: Mapping[str, Any]) -> None:
        """Keep answers by the ids of what they answer. Also of who was overtaken: that something was done stays true."""
        ...

    def commit(self, ticket: Ticket, checkpoint: str) -> None:
        """Keep a checkpoint in the place of all that was sent before it.

        Raises:
            Fenced: somebody else has claimed the scope.
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """What a destination offers that needs an outbox for its checkpoints."""

    def remember(self, outbox: Outbox) -> None:
        """Use it from now on; without one nothing outlives the process."""
        ...

    def pending(self, scope: str) -> int:
        """How many requests were sent in a scope since its last checkpoint, so that no account has their records yet."""
        ...


class MemoryOutbox:
    """An outbox for as long as the process lives (`Outbox`)."""

    def __init__(self) -> None:
        self._scopes: dict[str, tuple[int, str | None]] = {}
        self._sent: dict[str, dict[str, Sent]] = {}
        self._lock = threading.Lock()

    def claim(self, ticket: Ticket) -> str | None:
        """See `Outbox`."""
        with self._lock:
            fence, checkpoint = self._scopes.get(ticket.scope, (0, None))
            if fence > ticket.fence:
                raise Fenced(OVERTAKEN)
            self._scopes[ticket.scope] = ticket.fence, checkpoint
            return checkpoint

    def left(self, scope: str) -> list[Sent]:
        """See `Outbox`."""
        with self._lock:
            return list(self._sent.get(scope, {}).values())

    def enter(self, ticket: Ticket, sent: Sequence[Sent], answers: Mapping[str, Any] = NO_ANSWERS) -> None:
        """See `Outbox`."""
        self.answered(ticket, answers)
        with self._lock:
            self._check(ticket)
            self._sent.setdefault(ticket.scope, {}).update({s.id: s for s in sent})

    def answered(self, ticket: Ticket, answers: Mapping[str, Any]) -> None:
        """See `Outbox`."""
        with self._lock:
            there = self._sent.get(ticket.scope, {})
            there.update({k: replace(there[k], answer=a) for k, a in answers.items() if k in there})

    def commit(self, ticket: Ticket, checkpoint: str) -> None:
        """See `Outbox`."""
        with self._lock:
            self._check(ticket)
            self._scopes[ticket.scope] = ticket.fence, checkpoint
            self._sent.pop(ticket.scope, None)

    def _check(self, ticket: Ticket) -> None:
        fence, _ = self._scopes.get(ticket.scope, (ticket.fence, None))
        if fence != ticket.fence:
            raise Fenced(OVERTAKEN)
