"""Tables and queries of any database that SQLAlchemy has a dialect for, as a source."""

from .source import open_source

__all__ = ["open_source"]
