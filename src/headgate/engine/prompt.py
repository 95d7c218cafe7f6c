"""Waiting for a destination's answer to few records."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

from headgate.spi.destination import Decided, Prompt


def apply(prompt: Prompt, rows: Sequence[tuple[Any, ...]], checkpoint: str) -> list[Decided] | None:
    """Write records and wait for the answer; see `Prompt`."""
    prompt.begin(rows, checkpoint)
    while not prompt.ready():
        select.select([prompt.fileno()], [], [])
    return prompt.finish()
