"""Tables and queries of any database that there is an ADBC driver for, as a source."""

from .source import AdbcSource

__all__ = ["AdbcSource"]
