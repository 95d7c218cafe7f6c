"""What the package gives is loaded when it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import headgate.report
from headgate.report import _WHERE


def test_each_name_is_somewhere() -> None:
    assert sorted(headgate.report.__all__) == sorted(_WHERE)
    assert all(getattr(headgate.report, name) is not None for name in headgate.report.__all__)


def test_there_are_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        headgate.report.no_such_name  # noqa: B018


def test_who_shows_a_run_does_without_the_rest() -> None:
    code = "import sys\nfrom headgate.report import run_json\nprint(*(m for m in sys.modules if m.startswith('headgate.report.')))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "headgate.report.runs" in loaded
    assert not {"headgate.report.plans", "headgate.report.hooks", "headgate.report.workbook"} & set(loaded)
