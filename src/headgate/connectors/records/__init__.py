"""Records that a program has: anything that gives dicts, or Arrow."""

from __future__ import annotations

from .source import RecordsSource

__all__ = ["RecordsSource"]
