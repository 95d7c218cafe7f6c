"""HTTP: APIs as a source (what is asked, how pages follow each other and where the records are is said by the definition), and web
servers as a place of files."""

from .place import HttpPlace
from .source import HttpSource

__all__ = ["HttpPlace", "HttpSource"]
