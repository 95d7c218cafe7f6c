"""Files as a source: CSV and its relatives, workbooks, JSON, JSON Lines, Parquet; gzip and zip."""

from .source import FileSource

__all__ = ["FileSource"]
