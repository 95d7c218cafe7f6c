"""HTTP APIs as a source: what is asked, how pages follow each other and where the records are is said by the definition."""

from .source import HttpSource

__all__ = ["HttpSource"]
