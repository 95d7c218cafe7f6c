"""What an incremental request has seen last."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from headgate.model.errors import SourceError
from headgate.model.incremental import IncrementalSpec, Since, before

from .document import members, text


class Newest:
    """The highest value of an incremental request's column, and which records were read before.

    Args:
        spec: what the definition says.
        since: where it goes on; None for the first run.

    Attributes:
        value: the highest there has been, as it was written; None without one.
        found: whether a record has the column.
    """

    def __init__(self, spec: IncrementalSpec, since: Since | None) -> None:
        self.column = spec.column
        self.value = str(since.value) if since is not None else None
        self.found = False
        self._left = self.value if since is not None and not since.ties else None
        self._begin = _begin(spec, since)

    @property
    def begin(self) -> str | int | float | None:
        """What the API is told; None if it is to be told nothing."""
        return self._begin

    def is_new(self, record: bytes) -> bool:
        """Take note of a record; whether it is to be read. APIs differ in whether what they are told counts itself, and in how
        exactly they take it: one may give all of the day again.
        """
        value = text(members(record).get(self.column, b"null"))
        if value is None:
            return self._left is None
        self.found = True
        if self.value is None or _key(value) > _key(self.value):
            self.value = value
        return self._left is None or _key(value) > _key(self._left)


def _begin(spec: IncrementalSpec, since: Since | None) -> str | int | float | None:
    if since is None:
        return spec.start
    try:
        return before(since.value, spec.overlap)
    except ValueError as e:
        raise SourceError(f"{spec.column}: {e}", hint="Correct source.incremental.overlap.") from None


def _key(value: str) -> tuple[int, Decimal | datetime | str]:
    """By what values are compared: numbers, then times, then texts."""
    try:
        number = Decimal(value)
        if number.is_finite():
            return 0, number
    except InvalidOperation:
        pass
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 2, value
    return 1, moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
