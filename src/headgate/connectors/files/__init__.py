"""Files as a source: CSV and its relatives, workbooks, JSON, JSON Lines, Parquet; compressed or not."""

from .source import FileSource

__all__ = ["FileSource"]
