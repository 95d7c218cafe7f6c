"""Runs, plans and rejects as text, JSON, CSV and XLSX. Text and JSON renderers stand side by side."""

from __future__ import annotations

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
