"""Running statements, as the method needs it."""

from __future__ import annotations

from typing import Any, Protocol


class Refused(Exception):
    """The database did not take what a statement would have written.

    Args:
        code: ``DE01`` to ``DE06`` of `headgate.model.codes`.
        reason: the database's own words.
        field: the column concerned, where the database names one.
    """

    def __init__(self, code: str, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.field = field


def swallowed() -> Refused:
    """The refusal of a table that wrote fewer rows than it was given, and said nothing."""
    return Refused("DE06", "a trigger, rule or policy of the table kept it from being written")


class Session(Protocol):
    """One transaction on one connection."""

    def run(self, sql: str) -> int:
        """Execute one statement and return how many rows it affected (-1 where it affects none).

        Raises:
            HeadgateError: it failed.
        """
        ...

    def attempt(self, sql: str, expected: int | None = None) -> None:
        """As `run`, but under a savepoint: a refusal leaves everything as it was before the statement.

        Args:
            sql: the statement.
            expected: how many rows it must affect; another number is a refusal (`swallowed`).

        Raises:
            Refused: a constraint, a type or a trigger stood against it; the transaction goes on.
            HeadgateError: it failed for another reason.
        """
        ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Execute one query and return everything it gives."""
        ...
