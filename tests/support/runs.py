"""Runs asked for over HTTP: imports to run, and waiting until one is over."""

from __future__ import annotations

import time
from typing import Any

from .serving import Serving

IMPORT = """
source: {name}.csv
fields:
  sku: {{ from: sku, type: text }}
  qty: {{ from: qty, type: integer }}
key: sku
operation: upsert
destination: {{ connection: "sqlite:///shop.db", table: {name}, create: true }}
"""


def over(server: Serving, number: int, seconds: float = 60) -> dict[str, Any]:
    """The run that carries out what was given this number, when it is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        shown = server.get(f"/api/runs/{number}").json()
        work = shown["work"]
        if work is None or work["status"] == "done":
            return server.get(f"/api/runs/{work['run']}").json() if work else shown
        time.sleep(0.05)
    raise AssertionError(f"run {number} is not over: {shown}\n{server.said}")
