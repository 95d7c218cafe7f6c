"""Who may do what, and what was done: tokens, users, sessions, and entries of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Self


class Role(IntEnum):
    """What somebody may do; a higher role may all that a lower may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """Its name as people read and write it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Self:
        """The role of that name.

        Raises:
            KeyError: there is none.
        """
        return cls[word.upper()]


ROLES = tuple(role.word for role in Role)


@dataclass(frozen=True, slots=True)
class Token:
    """What a program shows to be let in. The text itself is known to nobody but its holder.

    Attributes:
        imports: names and patterns (``orders-*``) of the only imports it reaches; None for all.
        expires, used, revoked: None for never. `used` may be a minute late.
    """

    name: str
    role: Role
    imports: tuple[str, ...] | None
    created: datetime
    expires: datetime | None = None
    used: datetime | None = None
    revoked: datetime | None = None

    def state(self, at: datetime | None = None) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and self.expires <= (at or datetime.now(UTC)) else "valid"


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in with a password."""

    name: str
    role: Role
    disabled: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from where.

    Attributes:
        name: of the token or user; ``local:`` and a login for who uses the command line.
        address: of the client; empty on the command line.
    """

    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log.

    Attributes:
        action: what was done, the kind of thing before the verb: ``token.new``, ``run.start``.
        subject: what it was done to: a name or number.
        result: ``done``, or why not.
        detail: what else there is to know; no secrets.
        id, at: given by the ledger.
    """

    actor: Actor
    action: str
    subject: str
    result: str = "done"
    detail: Mapping[str, object] = field(default_factory=dict)
    id: int = 0
    at: datetime | None = None


def reaches(imports: frozenset[str] | tuple[str, ...] | None, name: str) -> bool:
    """Whether names and patterns of imports take in an import; None takes in all."""
    return imports is None or any(fnmatchcase(name, pattern) for pattern in imports)
