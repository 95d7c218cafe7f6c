"""When pages that are counted end."""

from __future__ import annotations

import pytest

from headgate.connectors.http.document import Document
from headgate.connectors.http.paging import Page, pager
from headgate.model.request import OffsetPagination, PagePagination

COUNTS = [("4", 4), ("4.0", 4), ('"4"', 4), ('" 4.00 "', 4), ("0", 0)]
NO_COUNTS = ["-1", "4.5", '"?"', '""', "null", "[4]", "1e3", f'"{"9" * 5000}"']


def page(number: int, count: int, answer: str) -> Page:
    return Page(number, count, Document(f'{{"n": {answer}}}'.encode()), b"{}", {})


@pytest.mark.parametrize(("answer", "pages"), COUNTS)
def test_a_number_of_pages_is_one_however_it_is_written(answer: str, pages: int) -> None:
    turns = pager(PagePagination(type="page", pages="n"))
    assert (turns.next(page(3, 10, answer)) is None) == (pages <= 3)
    assert turns.next(page(4, 10, answer)) is None


@pytest.mark.parametrize(("answer", "total"), COUNTS)
def test_a_number_of_records_is_one_however_it_is_written(answer: str, total: int) -> None:
    turns = pager(OffsetPagination(type="offset", total="n"))
    assert (turns.next(page(1, 2, answer)) is None) == (total <= 2)
    assert turns.next(page(2, 2, answer)) is None


@pytest.mark.parametrize("answer", NO_COUNTS)
def test_what_is_no_number_says_nothing_and_a_page_without_records_is_the_end(answer: str) -> None:
    for turns in (
        pager(PagePagination(type="page", pages="n")),
        pager(OffsetPagination(type="offset", total="n")),
    ):
        assert turns.next(page(1, 1, answer)) is not None
        assert turns.next(page(2, 0, answer)) is None
