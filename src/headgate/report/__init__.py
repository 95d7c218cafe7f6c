"""Runs, plans and rejects as text, JSON, CSV and XLSX. Text and JSON renderers stand side by side.

Each is loaded when it is used first: a command shows one thing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .cells import neutralise, restored
    from .exits import exit_code
    from .hooks import event_json, event_text, events_text, hooks_json, hooks_text
    from .ids import RecordId, read_id, record_id
    from .plans import changes_json, plan_json, plan_text
    from .rejects import rejects_csv, rejects_json, rejects_text
    from .runs import retry_json, run_json, run_text, runs_json, runs_text
    from .table import ID
    from .words import balance
    from .workbook import MAX_TEXT, rejects_xlsx, sheet_name

_MODULES: Final = {
    "cells": ("neutralise", "restored"),
    "exits": ("exit_code",),
    "hooks": ("event_json", "event_text", "events_text", "hooks_json", "hooks_text"),
    "ids": ("RecordId", "read_id", "record_id"),
    "plans": ("changes_json", "plan_json", "plan_text"),
    "rejects": ("rejects_csv", "rejects_json", "rejects_text"),
    "runs": ("retry_json", "run_json", "run_text", "runs_json", "runs_text"),
    "table": ("ID",),
    "words": ("balance",),
    "workbook": ("MAX_TEXT", "rejects_xlsx", "sheet_name"),
}
_WHERE: Final = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ID",
    "MAX_TEXT",
    "RecordId",
    "balance",
    "changes_json",
    "event_json",
    "event_text",
    "events_text",
    "exit_code",
    "hooks_json",
    "hooks_text",
    "neutralise",
    "plan_json",
    "plan_text",
    "read_id",
    "record_id",
    "rejects_csv",
    "rejects_json",
    "rejects_text",
    "rejects_xlsx",
    "restored",
    "retry_json",
    "run_json",
    "run_text",
    "runs_json",
    "runs_text",
    "sheet_name",
]


def __getattr__(name: str) -> Any:
    """What `__all__` names, from the module it is in."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
