"""A request that was sent to a destination without transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

OVERTAKEN: Final = "another run has taken this import over"

NEVER_SENT: Final = "never sent"
"""The answer to a request that was entered and then not sent after all."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request.

    Attributes:
        id: unlike that of any other; also sent along where the destination knows repeats by such a key.
        what: which records it was about, and what it is needed for: anything that JSON can hold.
        answer: what became of them, likewise; None while that is not known.
    """

    id: str
    what: Any
    answer: Any = None
