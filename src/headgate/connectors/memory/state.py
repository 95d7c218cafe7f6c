"""What is kept beside the tables: checkpoints; and values as texts from which they can be made again."""

from __future__ import annotations

import threading
from datetime import time

import pyarrow as pa

from headgate.model.errors import Fenced
from headgate.model.types import FieldType
from headgate.model.write import Ticket


class State:
    """Fences and checkpoints of one store."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, str | None]] = {}
        self._lock = threading.Lock()

    def claim(self, ticket: Ticket) -> str | None:
        """Raise the fence; the last checkpoint."""
        with self._lock:
            fence, checkpoint = self._kept.get(ticket.scope, (0, None))
            if fence > ticket.fence:
                raise Fenced("another run has taken this import over")
            self._kept[ticket.scope] = ticket.fence, checkpoint
            return checkpoint

    def keep(self, ticket: Ticket, checkpoint: str) -> None:
        """Replace the checkpoint, unless somebody else has claimed the scope."""
        with self._lock:
            fence, _ = self._kept.get(ticket.scope, (ticket.fence, None))
            if fence != ticket.fence:
                raise Fenced("another run has taken this import over")
            self._kept[ticket.scope] = ticket.fence, checkpoint


def image_of(value: object, of: FieldType) -> str | None:
    """A value of that type as text."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return repr(value)
    text: str = pa.scalar(value, of.arrow).cast(pa.string()).as_py()
    return text


def value_of(image: str | None, of: FieldType) -> object:
    """The value that `image_of` made the text of."""
    if image is None:
        return None
    if of.kind == "binary":
        return bytes.fromhex(image)
    if of.kind == "double":
        return float(image)
    if of.kind == "time":
        return time.fromisoformat(image)
    value: object = pa.scalar(image).cast(of.arrow).as_py()
    return value
