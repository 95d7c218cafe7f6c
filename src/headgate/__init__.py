"""Headgate brings data into applications: it reads records, maps and checks them, and accounts for every one.

`headgate.embed` is for programs; its names are here too: `Import`, `open_project`, `HeadgateError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.embed import Done, Import, Plan, Project, open_project
    from headgate.model.errors import HeadgateError

__version__ = "0.1.0"
__all__ = ["Done", "HeadgateError", "Import", "Plan", "Project", "open_project"]


def __getattr__(name: str) -> Any:
    """The names for programs, loaded when they are used: the command line does without them."""
    import importlib

    if name not in __all__:
        raise AttributeError(f"module 'headgate' has no attribute {name!r}")
    module = "headgate.model.errors" if name == "HeadgateError" else "headgate.embed"
    return getattr(importlib.import_module(module), name)
