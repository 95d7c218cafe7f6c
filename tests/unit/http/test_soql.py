"""Conditions of SOQL."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from headgate.connectors.http.rest.soql import condition, literal
from headgate.connectors.http.rest.template import Values
from headgate.model.types import FieldType


def record(**fields: Any) -> Values:
    return Values(None, fields, fields, None, list(fields))


@pytest.mark.parametrize(
    ("value", "of", "written"),
    [
        ("it's", "text", r"'it\'s'"),
        ("a\\b\nc\td", "text", r"'a\\b\nc\td'"),
        ("", "text", "''"),
        (None, "text", "null"),
        (12, "integer", "12"),
        (Decimal("12.50"), "decimal(8,2)", "12.50"),
        (True, "boolean", "true"),
        ("2024-02-29", "date", "2024-02-29"),
        ("2024-02-29", "text", "'2024-02-29'"),
        ("2024-02-29T10:00:00Z", "timestamptz", "2024-02-29T10:00:00Z"),
        ("2024-02-29T10:00:00", "timestamp", "2024-02-29T10:00:00Z"),
    ],
)
def test_literals(value: Any, of: str, written: str) -> None:
    assert literal(value, FieldType.parse(of)) == written


def test_conditions() -> None:
    types = {"A": FieldType.parse("text"), "N": FieldType.parse("integer")}
    assert condition([record(A="x"), record(A="') OR ('' = '")], types) == r"A IN ('x','\') OR (\'\' = \'')"
    both = condition([record(A="x", N=1), record(A="y", N=None)], types)
    assert both == "(A = 'x' AND N = 1) OR (A = 'y' AND N = null)"
    assert condition([record()], types) == ""
