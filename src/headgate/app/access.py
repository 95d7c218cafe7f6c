"""Letting people and programs in: what the command line and the server share."""

from __future__ import annotations

import difflib
import getpass
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from headgate.ledger.access import AccessLedger
from headgate.model.access import ROLES, Actor, Role, Token, User
from headgate.model.errors import UsageError

from . import passwords, tokens

SESSION: Final = timedelta(hours=12)
"""After which a session ends that is not used."""
LONGEST_SESSION: Final = timedelta(days=7)
"""After which a session ends however much it is used."""
FIRST: Final = "first"
"""The name of the token that a server makes when there is none."""
_NAME: Final = re.compile(r"[^\W_][\w.@+-]{0,63}")
_UNITS: Final = {"h": 1, "d": 24, "w": 24 * 7}


class Access:
    """Adds, changes and removes tokens and users.

    Args:
        imports: names of the project's imports.
    """

    def __init__(self, ledger: AccessLedger, imports: Collection[str]) -> None:
        self.ledger = ledger
        self._imports = imports

    def new_token(
        self, name: str, role: str, by: Actor, *, imports: Sequence[str] | None = None, expires: str = "never"
    ) -> tuple[Token, str]:
        """Make a token.

        Args:
            imports: names and patterns of the only imports it reaches.
            expires: see `expiry`.

        Returns:
            It, and its text, which can be had only here.

        Raises:
            UsageError: something about it is wrong.
        """
        found = role_of(role)
        if imports is not None:
            self._check_imports(imports)
            if found is Role.ADMIN:
                raise UsageError(
                    "an administrator's token is for all imports, as it can make others that are",
                    hint="Leave the imports out, or make it an operator's.",
                )
        now = datetime.now(UTC)
        patterns = None if imports is None else tuple(dict.fromkeys(imports))
        token, text = Token(_named(name, "token"), found, patterns, now, expiry(expires, now)), tokens.new_token()
        self.ledger.add_token(token, tokens.digest_of(text), by)
        return token, text

    def first_token(self, by: Actor) -> str | None:
        """Make an administrator's token, if there has never been a token."""
        if self.ledger.has_tokens():
            return None
        text = tokens.new_token()
        token = Token(FIRST, Role.ADMIN, None, datetime.now(UTC))
        return text if self.ledger.add_token(token, tokens.digest_of(text), by, first=True) else None

    def add_user(self, name: str, role: str, password: str, by: Actor) -> User:
        """Add somebody who signs in.

        Raises:
            UsageError: something about them is wrong.
        """
        user = User(_named(name, "user"), role_of(role), False, datetime.now(UTC))
        self.ledger.add_user(user, passwords.hash_of(password), by)
        return user

    def set_password(self, name: str, password: str, by: Actor) -> None:
        """Change a user's password and end their sessions."""
        self.ledger.set_password(name, passwords.hash_of(password), by)

    def set_role(self, name: str, role: str, by: Actor) -> None:
        """Change what a user may do, and end their sessions."""
        self.ledger.set_role(name, role_of(role), by)

    def sign_in(self, name: str, password: str, address: str) -> str | None:
        """Begin a session.

        Returns:
            What the browser shows from then on; None when there is no such user or it is not their password.
        """
        kept = self.ledger.password(name) if _NAME.fullmatch(name) else None
        if not passwords.is_right(password, kept):
            return None
        text = tokens.new_session()
        self.ledger.begin_session(tokens.digest_of(text), Actor(name, address), datetime.now(UTC) + SESSION)
        return text

    def _check_imports(self, imports: Sequence[str]) -> None:
        if not imports:
            raise UsageError("a token for no imports is of no use", hint="Name some, or leave them out for all.")
        for name in imports:
            if name not in self._imports and not set(name) & set("*?["):
                near = difflib.get_close_matches(name, self._imports, n=1)
                known = f"There are: {', '.join(self._imports) or 'none'}."
                raise UsageError(f"there is no import {name!r}", hint=f"Did you mean {near[0]!r}?" if near else known)


def local_actor() -> Actor:
    """Who uses the command line."""
    try:
        return Actor(f"local:{getpass.getuser()}")
    except (OSError, KeyError):  # there is no name for the number of the user
        return Actor("local:unknown")


def role_of(word: str) -> Role:
    """The role of that name.

    Raises:
        UsageError: there is none.
    """
    if word not in ROLES:
        raise UsageError(f"there is no role {word!r}", hint=f"Roles are: {', '.join(ROLES)}.")
    return Role.of(word)


def expiry(text: str, now: datetime) -> datetime | None:
    """When something ends: ``90d``, ``12h``, ``8w`` from now, a day (``2027-06-30``: at its end, in UTC), or ``never``.

    Raises:
        UsageError: it is none of these, or is over.
    """
    if text == "never":
        return None
    try:
        if found := re.fullmatch(r"(\d{1,6})([hdw])", text):
            at = now + timedelta(hours=int(found[1]) * _UNITS[found[2]])
        else:
            at = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a time to expire", hint="Write 90d, 12h, 8w, a day such as 2027-06-30, or never."
        ) from None
    if at <= now:
        raise UsageError(f"{text} is over", hint="Name a time that is still to come.")
    return at


def _named(name: str, kind: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a {kind} cannot be called {name!r}",
            hint="Names have up to 64 letters, digits and . @ + - _, and begin with a letter or digit.",
        )
    return name
