"""Runs, plans and rejects as text, JSON, CSV and XLSX. Text and JSON renderers stand side by side."""

from __future__ import annotations

from .cells import neutralise, restored
from .exits import exit_code
from .plans import plan_json, plan_text
from .rejects import rejects_csv, rejects_json, rejects_text
from .runs import run_json, run_text, runs_json, runs_text
from .workbook import rejects_xlsx

__all__ = [
    "exit_code",
    "neutralise",
    "plan_json",
    "plan_text",
    "rejects_csv",
    "rejects_json",
    "rejects_text",
    "rejects_xlsx",
    "restored",
    "run_json",
    "run_text",
    "runs_json",
    "runs_text",
]
