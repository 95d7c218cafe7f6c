"""Records to files: ``file://out`` (a folder of the project), ``file:///srv/out`` (anywhere); a table is a file in it.

A run writes its files beside the others under names of its own, and puts all of them in their places when it commits.
"""

from __future__ import annotations

from .destination import FilesDestination

__all__ = ["FilesDestination"]
