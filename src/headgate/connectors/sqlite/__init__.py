"""Tables of SQLite database files: ``sqlite:///relative.db``, ``sqlite:////absolute.db``.

How field types are stored is said in `headgate.connectors.sqlite.types`, how records get in in `stage` and `writer`.
"""

from __future__ import annotations

from .destination import SqliteDestination

__all__ = ["SqliteDestination"]
