"""Forms of dates in names."""

from __future__ import annotations

import pytest

from headgate.model.dates import unknown_part


@pytest.mark.parametrize(
    ("form", "odd"),
    [
        ("%Y-%m-%d", ""),
        ("%-d. %B %Y, %H%M%S", ""),
        ("100 %%", ""),
        ("", ""),
        ("%Y/%Q", "%Q"),
        ("%-Q", "%-Q"),
        ("%Y%", "%"),
    ],
)
def test_what_stands_for_nothing_is_found(form: str, odd: str) -> None:
    assert unknown_part(form) == odd
