"""Who may do what: the interface every route asks; everything but health is closed by default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from starlette.requests import HTTPConnection


class Role(IntEnum):
    """What somebody may do; a higher role may all that a lower may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: of the token or user, for the audit log.
        imports: the only imports that may be touched; None for all.
    """

    name: str
    role: Role
    imports: frozenset[str] | None = None


class Guard(Protocol):
    """Knows callers."""

    def admit(self, request: HTTPConnection, role: Role, import_name: str | None = None) -> Principal:
        """Who asks, if they may. Quick enough for every request: it does not wait for the ledger as a rule.

        Args:
            role: the least that is needed.
            import_name: the import concerned, if one is.

        Raises:
            Problem: 401 without a valid token or session, 403 where the role or the token's imports do not reach,
                429 after too many failures.
        """
        ...


class OpenGuard:
    """Lets everybody do everything: for tests, and for a server that only this machine can reach (``--no-auth``)."""

    def admit(self, request: HTTPConnection, role: Role, import_name: str | None = None) -> Principal:
        """See `Guard`."""
        del request, role, import_name
        return Principal("anybody", Role.ADMIN)
