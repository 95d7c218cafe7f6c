"""Parts a test needs that a machine may lack: then it skips and says why; under `HEADGATE_TEST_REQUIRE_ALL=1` it fails, but for
the one that `HEADGATE_TEST_MAY_LACK` names (`MySQL`)."""

from __future__ import annotations

import os

import pytest

REQUIRE_ALL = "HEADGATE_TEST_REQUIRE_ALL"
MAY_LACK = "HEADGATE_TEST_MAY_LACK"
NOT_STATED = "not stated: "  # the conformance suites skip so what a connector does not claim; no part is missing


def must_not_skip(reason: str) -> bool:
    """Whether a skip with that reason is a failure here."""
    lacked = os.environ.get(MAY_LACK)
    if lacked and reason.startswith(f"no {lacked}:"):
        return False
    return os.environ.get(REQUIRE_ALL) == "1" and not reason.startswith(NOT_STATED)


def fail_if_required(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip of a part that could not be had into a failure, where everything is required."""
    if not report.skipped or hasattr(report, "wasxfail") or not isinstance(report.longrepr, tuple):
        return
    reason = report.longrepr[2].removeprefix("Skipped: ")
    if must_not_skip(reason):
        report.outcome = "failed"
        report.longrepr = f"skipped although {REQUIRE_ALL}=1: {reason}"
