"""A run of the products list with some rejects, and consoles to read what was written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from headgate.model.outcome import Account, Outcome
from headgate.model.record import Origin, Problem, Reject, RejectCount
from headgate.model.run import Kind, PartitionRead, Run, Status
from headgate.model.table import SchemaChange

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def reject() -> Reject:
    """Row 212 of the products list, with an O for a zero and no name."""
    return Reject(
        208,
        Outcome.INVALID,
        (
            Problem("TY02", '"12,5O" is not a decimal(12,2)', "list_price", "ListPrice", "12,5O"),
            Problem("RU01", "a required value is missing", "name", "Name"),
        ),
        {"ProductNumber": "00501", "Name": None, "ListPrice": "12,5O", "Color": ""},
        Origin("inbox/products.xlsx", "Products", 212),
    )


@pytest.fixture
def counts(reject: Reject) -> list[RejectCount]:
    return [RejectCount("TY02", "list_price", 2, reject), RejectCount("RU01", "name", 1, reject)]


@pytest.fixture
def run() -> Run:
    account = Account()
    account.read = 504
    for outcome, count in ((Outcome.CREATED, 480), (Outcome.UPDATED, 12), (Outcome.UNCHANGED, 7), (Outcome.INVALID, 2)):
        account.add(outcome, count)
    account.add(Outcome.SKIPPED, 2, reason="filter")
    account.add(Outcome.SKIPPED, 1, reason="duplicate")
    return Run(
        "products",
        Kind.RUN,
        "upsert",
        "sqlite:///shop.db#product",
        "f1",
        AT,
        id=7,
        status=Status.PARTIAL,
        account=account,
        partitions=[PartitionRead("inbox/products.xlsx", {"format": "xlsx", "header": 3, "quote": None}, 504)],
        schema_changes=[SchemaChange("create table product with key sku", "create table product (\n\tsku text\n)")],
        warnings=["category_id: two entries for Bikes"],
        finished=AT + timedelta(seconds=0.84),
    )


@pytest.fixture
def written() -> Callable[..., str]:
    """What a renderer writes on a console of some width; a terminal only when told."""

    def render(
        renderer: Callable[..., object], *arguments: object, width: int = 80, terminal: bool = False, **more: object
    ) -> str:
        file = StringIO()
        console = Console(
            file=file, width=width, force_terminal=terminal, color_system="standard" if terminal else None
        )
        bound = {"console": console} | more
        renderer(*arguments, **bound)
        return file.getvalue()

    return render
