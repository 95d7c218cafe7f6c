"""Limits stop a run at the record past them, not before."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.engine.limits import allowed, check_expected, check_rejects, check_writes, together
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


def writes(read: int, created: int = 0, updated: int = 0, deleted: int = 0, mirror_deleted: int = 0) -> Account:
    a = Account()
    a.read = read
    a.add(Outcome.CREATED, created)
    a.add(Outcome.UPDATED, updated)
    a.add(Outcome.DELETED, deleted)
    a.mirror_deleted = mirror_deleted
    return a


def test_mirror_deletes_at_most_a_tenth_unless_told() -> None:
    gone = writes(89, mirror_deleted=11)
    with pytest.raises(LimitExceeded, match="delete 11 of 100"):
        check_writes(spec(operation="mirror"), gone, 100)
    check_writes(spec(operation="mirror", limits={"deletes": None}), gone, 100)
    check_writes(spec(operation="mirror", limits={"deletes": "11%"}), gone, 100)


def test_only_mirror_has_a_limit_of_deletions_by_itself() -> None:
    check_writes(spec(operation="delete"), writes(10, deleted=10), 0)
    check_writes(spec(operation="delete", limits={"changes": 10}), writes(10, deleted=10), 0)
    with pytest.raises(LimitExceeded, match=r"delete 10 of 10 records, more than limits\.deletes: 90%"):
        check_writes(spec(operation="delete", limits={"deletes": "90%"}), writes(10, deleted=10), 0)


def test_changes_are_updates_and_deletions_but_not_what_is_created() -> None:
    limited = spec(limits={"changes": 3})
    check_writes(limited, writes(10, created=7, updated=2, deleted=1), 0)
    with pytest.raises(LimitExceeded, match="change or delete 4 of 10"):
        check_writes(limited, writes(10, updated=2, deleted=2), 0)
    mirror = spec(operation="mirror", limits={"deletes": None, "changes": "50%"})
    with pytest.raises(LimitExceeded, match="change or delete 5 records"):
        check_writes(mirror, writes(2, updated=1, mirror_deleted=4), 9)


def test_what_is_created_has_a_limit_of_its_own() -> None:
    check_writes(spec(limits={"creates": "50%"}), writes(4, created=2), 0)
    with pytest.raises(LimitExceeded, match="create 3 of 4"):
        check_writes(spec(limits={"creates": "50%"}), writes(4, created=3), 0)


def test_what_was_committed_before_counts_too() -> None:
    account = writes(10, updated=3)
    both = together(account, Matched(writes(5, updated=2)))
    assert (both.read, both.outcomes[Outcome.UPDATED]) == (10, 5)
    assert account.outcomes[Outcome.UPDATED] == 3


@pytest.mark.parametrize("name", ["deletes", "changes", "creates"])
@pytest.mark.parametrize("bad", ["101%", "ten", -1])
def test_what_is_no_limit_is_said(name: str, bad: int | str) -> None:
    with pytest.raises(ValidationError):
        spec(limits={name: bad})


@pytest.mark.parametrize("rows", [4, 0, [3, 5], [0, 4], [4, 4]])
@pytest.mark.parametrize("read", [0, 2, 3, 4, 5, 6])
def test_rows_are_a_number_or_a_range_with_both_ends(rows: int | list[int], read: int) -> None:
    expected = spec(expect={"rows": rows})
    least, most = rows if isinstance(rows, list) else (rows, rows)
    if read in range(least, most + 1):
        check_expected(expected, account(read, 0))
    else:
        with pytest.raises(LimitExceeded, match=rf"has {read} records, and expect\.rows is {least}"):
            check_expected(expected, account(read, 0))


@pytest.mark.parametrize("rows", [-1, [5, 3], [-1, 3], [1], "many", "1%"])
def test_what_can_be_no_number_of_rows_is_said(rows: object) -> None:
    with pytest.raises(ValidationError):
        spec(expect={"rows": rows})


def test_rows_cannot_be_expected_of_a_source_committed_batch_by_batch() -> None:
    spec(commit="batch")
    with pytest.raises(ValidationError, match="commit: batch cannot be"):
        spec(commit="batch", expect={"rows": 4})
