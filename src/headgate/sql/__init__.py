"""Stage, match, apply: the method by which SQL databases take records, without any driver.

Records are loaded into a temporary table, each one's outcome is decided once by joining that table with the destination's,
and the decision is carried out from the table it was written to. A connector brings a `Dialect` (how its database spells
things), a `Session` (how statements are run), and a loader for the stage's columns.
"""

from __future__ import annotations

from headgate.spi.grounds import DUPLICATE, MISSING, REPEATED, Ground
from headgate.spi.unheld import Unheld, Why

from .checkpoints import STATE, Checkpoints
from .dialect import Dialect, Target
from .parameters import with_parameters
from .session import Refused, Session, swallowed
from .staged import Staged
from .statements import DECIDED, EXTRA, GONE, KEPT, STAGE, TEMPORARY, StageColumn, Statements, changes_schema

__all__ = [
    "DECIDED",
    "DUPLICATE",
    "EXTRA",
    "GONE",
    "KEPT",
    "MISSING",
    "REPEATED",
    "STAGE",
    "STATE",
    "TEMPORARY",
    "Checkpoints",
    "Dialect",
    "Ground",
    "Refused",
    "Session",
    "StageColumn",
    "Staged",
    "Statements",
    "Target",
    "Unheld",
    "Why",
    "changes_schema",
    "swallowed",
    "with_parameters",
]
