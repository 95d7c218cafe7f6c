"""Tables of DuckDB database files: ``duckdb:///relative.duckdb``, ``duckdb:////absolute.duckdb``."""

from __future__ import annotations

from .destination import DuckdbDestination

__all__ = ["DuckdbDestination"]
