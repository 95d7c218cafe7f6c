"""How a column's numbers are written."""

from __future__ import annotations

import pytest

from headgate.mapping.notation import notation


@pytest.mark.parametrize(("values", "decimal", "example"), [
    (["1,234.50", "7"], "point", "1,234.50"),
    (["7", None, "", "1.234,50"], "comma", "1.234,50"),
    (["12,50", "7"], "comma", "12,50"),
    (["1\u00a0234,50", "1\u202f000,00"], "comma", "1\u00a0234,50"),
    (["1'234.50", "12.5"], "point", "1'234.50"),
    (["$5", "(12.50)"], "point", "(12.50)"),
    (["12,50-", "1,00"], "comma", "12,50-"),
    (["EUR 1.234,50", "2,5 €"], "comma", "EUR 1.234,50"),
    (["12 %", "7 %"], "point", "12 %"),
    (["1,234", "7"], "either", "1,234"),
    (["1,234", "7,50"], "comma", "1,234"),
    (["1,234", "7.50"], "point", "1,234"),
    (["1,234,567"], "point", "1,234,567"),
])  # fmt: skip
def test_what_is_written_is_told(values: list[str | None], decimal: str, example: str) -> None:
    found = notation(values)
    assert found is not None
    assert (found.decimal, found.example) == (decimal, example)


@pytest.mark.parametrize("values", [
    ["1", "2.50"], ["1.234"], [], ["", None], ["1,234", "n/a"], ["12 apples"], ["1,2,3"], ["1.234,50", "1,234.50"], ["2024-01-02"], ["a,b"], ["1-2"],
])  # fmt: skip
def test_anything_else_is_nothing(values: list[str | None]) -> None:
    assert notation(values) is None


def test_both_ways_are_said_where_nothing_decides() -> None:
    found = notation(["1,234"])
    assert found is not None
    assert found.words == (
        "1,234 may have a mark between thousands or before decimals: transform: { number: point } or { number: comma }"
    )
