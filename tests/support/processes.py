"""Programs beside the tests that write to the same ledger."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
from datetime import UTC, datetime
from headgate.ledger import open_ledger
from headgate.model.outcome import Outcome
from headgate.model.record import Problem, Reject
from headgate.model.run import Kind, Run
def new_run():
    return Run("products", Kind.RUN, "upsert", "shop", "f1", datetime.now(UTC))
def new_rejects(count):
    return (Reject(n, Outcome.INVALID, (Problem("TY02", "bad"),), {"a": "x" * 500}) for n in range(count))
"""


def program(text: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs `text` after `PROGRAM`."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + text, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
