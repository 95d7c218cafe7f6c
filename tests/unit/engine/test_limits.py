"""Limits stop a run at the record past them, not before."""

from __future__ import annotations

import pytest

from headgate.engine.limits import allowed, check_mirror, check_rejects
from headgate.model.errors import LimitExceeded
from headgate.model.outcome import Account, Outcome
from headgate.model.spec import ImportSpec
from headgate.model.write import Matched


def spec(**more: object) -> ImportSpec:
    base = {"source": "a.csv", "key": "id", "destination": {"connection": "a", "table": "b"}}
    return ImportSpec.model_validate(base | more)


def account(read: int, invalid: int) -> Account:
    a = Account()
    a.read = read
    a.add(Outcome.INVALID, invalid)
    return a


@pytest.mark.parametrize(
    ("limit", "total", "most"), [(0, 100, 0), (7, 1, 7), ("1%", 199, 1), ("0.5%", 1000, 5), ("100%", 3, 3)]
)
def test_a_limit_is_a_number_or_a_share(limit: int | str, total: int, most: int) -> None:
    assert allowed(limit, total) == most


def test_as_many_rejects_as_the_limit_are_borne() -> None:
    check_rejects(spec(rejects={"limit": "1%"}), account(200, 2), finished=True)
    with pytest.raises(LimitExceeded, match="3 of 200"):
        check_rejects(spec(rejects={"limit": "1%"}), account(200, 3), finished=True)


def test_a_share_is_judged_at_the_end_and_a_number_at_once() -> None:
    check_rejects(spec(rejects={"limit": "1%"}), account(10, 10), finished=False)
    with pytest.raises(LimitExceeded):
        check_rejects(spec(rejects={"limit": 5}), account(10, 6), finished=False)


def test_mirror_deletes_at_most_a_tenth_unless_told() -> None:
    matched = Matched(Account(), in_scope=100)
    matched.account.mirror_deleted = 11
    with pytest.raises(LimitExceeded, match="delete 11 of 100"):
        check_mirror(spec(operation="mirror"), matched)
    check_mirror(spec(operation="mirror", limits={"deletes": None}), matched)
    check_mirror(spec(operation="mirror", limits={"deletes": "11%"}), matched)
