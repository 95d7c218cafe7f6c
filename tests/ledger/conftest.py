"""One ledger suite for every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.ledger import Ledger, open_ledger
from headgate.model.outcome import Account, Outcome
from headgate.model.record import Origin, Problem, Reject
from headgate.model.run import Kind, Run

STORES = ["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)]


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a ledger may be kept; there is none yet."""
    monkeypatch.chdir(tmp_path)  # the folder of a ledger's files, where it has none itself, is beside the current one
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept/ledger.db"
    return str(request.getfixturevalue("pg_db"))


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with open_ledger(place) as opened:
        yield opened


@pytest.fixture
def new_run() -> Callable[..., Run]:
    def make(name: str = "products", kind: Kind = Kind.RUN, **more: object) -> Run:
        at = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
        return Run(name, kind, "upsert", "sqlite:///shop.db#product", "f1", at, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def new_reject() -> Callable[..., Reject]:
    def make(number: int, outcome: Outcome = Outcome.INVALID, code: str = "TY02", field: str = "list_price") -> Reject:
        problem = Problem(code, '"12,5O" is not a decimal(12,2)', field, "ListPrice", "12,5O")
        raw = {"ProductNumber": f"A-{number}", "ListPrice": "12,5O", "Color": None}
        return Reject(number, outcome, (problem,), raw, Origin("inbox/products.xlsx", "Products", number + 4))

    return make


@pytest.fixture
def account() -> Callable[..., Account]:
    def make(read: int, **outcomes: int) -> Account:
        made = Account()
        made.read = read
        for name, count in outcomes.items():
            made.add(Outcome(name), count, reason="filter" if name == "skipped" else "")
        return made

    return make
