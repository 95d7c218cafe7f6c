"""Types, accounts and codes."""

from __future__ import annotations

import re

import pytest

from headgate.model.codes import CODES
from headgate.model.errors import NotBalanced
from headgate.model.outcome import Account, Outcome
from headgate.model.record import record_number, split_number
from headgate.model.types import FieldType


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("int", "integer"), ("varchar(10)", "text(10)"), ("numeric(12, 2)", "decimal(12,2)"), ("decimal(5)", "decimal(5,0)"),
     ("decimal", "decimal(38,10)"), ("BOOL", "boolean"), ("timestamptz", "timestamptz")],
)  # fmt: skip
def test_types_are_read_by_their_names(text: str, canonical: str) -> None:
    assert str(FieldType.parse(text)) == canonical


@pytest.mark.parametrize(
    "text", ["", "money", "decimal(39,2)", "decimal(2,3)", "integer(4)", "text(0)", "text(1,2)", "other"]
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"type|digits|take numbers"):
        FieldType.parse(text)


@pytest.mark.parametrize(
    ("column", "value", "holds"),
    [("bigint", "integer", True), ("integer", "bigint", False), ("decimal(12,2)", "decimal(10,2)", True),
     ("decimal(12,2)", "decimal(12,4)", False), ("decimal(12,2)", "integer", True), ("decimal(5,2)", "integer", False),
     ("text", "date", True), ("text(5)", "text(6)", False), ("text(5)", "text", False), ("integer", "text", False),
     ("double", "bigint", False), ("timestamptz", "timestamp", False)],
)  # fmt: skip
def test_a_column_holds_what_it_can_store_without_loss(column: str, value: str, holds: bool) -> None:
    assert FieldType.parse(column).holds(FieldType.parse(value)) is holds


def test_an_account_must_balance() -> None:
    account = Account()
    account.read = 3
    account.add(Outcome.CREATED, 2)
    with pytest.raises(NotBalanced, match="3 read"):
        account.check("The run")
    account.add(Outcome.SKIPPED, 1, reason="filter")
    account.check("The run")
    assert Account.from_dict(account.as_dict()).as_dict() == account.as_dict()


def test_a_skip_without_a_known_reason_does_not_balance() -> None:
    account = Account()
    account.read = 1
    account.outcomes[Outcome.SKIPPED] = 1
    with pytest.raises(NotBalanced):
        account.check("The run")


def test_record_numbers_keep_the_order_of_reading() -> None:
    assert record_number(0, 10**9) < record_number(1, 0)
    assert split_number(record_number(7, 12345)) == (7, 12345)


def test_codes_are_well_formed_and_have_a_way_out() -> None:
    for key, code in CODES.items():
        assert key == code.code
        assert re.fullmatch(r"[A-Z]{2}\d\d", code.code)
        assert code.meaning.endswith(".")
        assert code.way_out
    assert len({c.name for c in CODES.values()}) == len(CODES)
