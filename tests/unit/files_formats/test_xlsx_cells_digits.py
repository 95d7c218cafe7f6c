"""Numbers of a workbook come with the digits a spreadsheet shows."""

from __future__ import annotations

import pytest

from headgate.connectors.files.xlsx_cells import text, text_column


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1 + 0.2, "0.3"), (19.990000000000002, "19.99"), (1059.31, "1059.31"), (1.0, "1"), (-0.0, "0"), (123456789012345.0, "123456789012345"),
     (1 / 3, "0.333333333333333"), (1e15, "1000000000000000"), (0.000012345, "0.000012345")],
)  # fmt: skip
def test_a_number_has_at_most_fifteen_digits(value: float, shown: str) -> None:
    assert text(value) == shown
    assert text_column([value, 2.5]).to_pylist() == [shown, "2.5"]
