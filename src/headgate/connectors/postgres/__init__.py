"""PostgreSQL, 14 to 18, as a destination."""

from __future__ import annotations

from .destination import PostgresDestination

__all__ = ["PostgresDestination"]
