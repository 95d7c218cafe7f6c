"""Retries: their parent's account is settled with them; rejects that are set aside."""

from __future__ import annotations

import pytest

from headgate.model.errors import HeadgateError, NotBalanced, UsageError
from headgate.model.outcome import Outcome
from headgate.model.record import Reject, State
from headgate.model.run import Kind, Status


@pytest.fixture
def parent(ledger, new_run, new_reject, account):
    """A run of 10 records: 4 created, 1 skipped, 4 invalid (1 to 4), 1 rejected (5)."""
    run = ledger.begin(new_run())
    ledger.record_rejects(run.id, [new_reject(n) for n in (1, 2, 3, 4)])
    ledger.record_rejects(run.id, [new_reject(5, Outcome.REJECTED, "KY04", "sku")])
    run.status, run.account = Status.PARTIAL, account(10, created=4, skipped=1, invalid=4, rejected=1)
    ledger.finish(run)
    return run


@pytest.fixture
def retry(ledger, new_run, new_reject, account, parent):
    """Does a retry of some records, some of which are refused again (number to outcome), all others updated."""

    def run(numbers, refused=None, **outcomes):
        begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
        ledger.carry(begun.id, parent.id, numbers)
        refused = refused or {}
        ledger.record_rejects(begun.id, [new_reject(n, o, "TY12", "cost") for n, o in refused.items()])
        counts = {o.value: list(refused.values()).count(o) for o in refused.values()} | outcomes
        begun.account = account(len(numbers), **counts)
        begun.status = Status.PARTIAL if refused else Status.SUCCEEDED
        ledger.finish(begun)
        return begun

    return run


def states(ledger, run_id):
    return {r.number: r.state.value for r in ledger.rejects(run_id, in_states=tuple(State))}


def counts(ledger, run_id):
    found = ledger.run(run_id).account.as_dict()
    return {k: v for k, v in found.items() if isinstance(v, int) and v}


def codes(ledger, run_id):
    return {(c.code, c.field): (c.records, c.example.number) for c in ledger.reject_counts(run_id)}


def test_what_a_retry_brought_in_leaves_the_rejects_of_its_run(ledger, parent, retry):
    done = retry([1, 5], updated=1, created=1)
    assert counts(ledger, parent.id) == {"read": 10, "created": 5, "updated": 1, "skipped": 1, "invalid": 3}
    assert states(ledger, parent.id) == {1: "fixed", 2: "open", 3: "open", 4: "open", 5: "fixed"}
    assert [r.number for r in ledger.rejects(parent.id)] == [2, 3, 4]
    assert {r.fixed_by for r in ledger.rejects(parent.id, in_states=[State.FIXED])} == {done.id}
    assert codes(ledger, parent.id) == {("TY02", "list_price"): (3, 2)}
    assert ledger.run(parent.id).status is Status.PARTIAL
    assert ledger.run(done.id).parent_id == parent.id
    assert ledger.retries(parent.id) == [done.id]


def test_what_is_refused_again_stays_open_with_its_new_problems_and_outcome(ledger, parent, retry):
    retry([1, 2, 5], {2: Outcome.REJECTED, 5: Outcome.INVALID}, unchanged=1)
    assert counts(ledger, parent.id) == {
        "read": 10, "created": 4, "unchanged": 1, "skipped": 1, "invalid": 3, "rejected": 1,
    }  # fmt: skip
    found = {r.number: (r.outcome, r.problems[0].code) for r in ledger.rejects(parent.id)}
    assert found == {
        2: (Outcome.REJECTED, "TY12"), 3: (Outcome.INVALID, "TY02"), 4: (Outcome.INVALID, "TY02"),
        5: (Outcome.INVALID, "TY12"),
    }  # fmt: skip
    assert codes(ledger, parent.id) == {("TY02", "list_price"): (2, 3), ("TY12", "cost"): (2, 2)}


def test_skips_of_a_retry_are_skips_of_the_run_with_their_reason(ledger, parent, new_run, account):
    begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    ledger.carry(begun.id, parent.id, [1, 2])
    listed = Reject(1, Outcome.SKIPPED, (), {}, next(ledger.rejects(parent.id)).origin)
    ledger.record_rejects(begun.id, [listed])
    begun.account, begun.status = account(2), Status.SUCCEEDED
    begun.account.add(Outcome.SKIPPED, 1, reason="existing")
    begun.account.add(Outcome.SKIPPED, 1, reason="filter")
    ledger.finish(begun)
    assert ledger.run(parent.id).account.skips == {"filter": 2, "existing": 1}
    assert states(ledger, parent.id)[1] == "fixed"


def test_the_last_retry_makes_the_run_succeeded_and_earlier_retries_have_nothing_open_either(ledger, parent, retry):
    first = retry([1, 2, 3], {2: Outcome.INVALID, 3: Outcome.INVALID}, updated=1)
    assert codes(ledger, first.id) == {("TY12", "cost"): (2, 2)}
    last = retry([2, 3, 4, 5], updated=4)
    assert counts(ledger, parent.id) == {"read": 10, "created": 4, "updated": 5, "skipped": 1}
    assert ledger.run(parent.id).status is Status.SUCCEEDED
    assert states(ledger, first.id) == {2: "fixed", 3: "fixed"}
    assert (codes(ledger, first.id), codes(ledger, parent.id)) == ({}, {})
    assert ledger.run(first.id).account.rejects == 2, "what a retry did is not rewritten"
    assert ledger.retries(parent.id) == [first.id, last.id]


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_retry_that_was_not_done_leaves_its_run_as_it_was(ledger, parent, new_run, new_reject, status):
    begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    ledger.carry(begun.id, parent.id, [1, 2])
    ledger.record_rejects(begun.id, [new_reject(2, Outcome.INVALID, "TY12")])
    begun.status = status
    ledger.finish(begun)
    assert counts(ledger, parent.id) == counts(ledger, parent.id) | {"invalid": 4, "rejected": 1}
    assert set(states(ledger, parent.id).values()) == {"open"}


def test_a_retry_that_read_something_else_than_it_carries_is_not_closed(ledger, parent, new_run, account):
    begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    ledger.carry(begun.id, parent.id, [1])
    begun.account, begun.status = account(2, updated=2), Status.SUCCEEDED
    with pytest.raises(NotBalanced, match="read 2 records, but carries 1"):
        ledger.finish(begun)
    assert ledger.run(begun.id).status is Status.RUNNING
    assert set(states(ledger, parent.id).values()) == {"open"}


def test_only_open_rejects_of_the_run_are_carried_each_once(ledger, parent, retry, new_run):
    retry([1], updated=1)
    ledger.ignore(parent.id, [2])
    begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    for number in (1, 2, 77):
        with pytest.raises(UsageError, match="fixed or ignored"):
            ledger.carry(begun.id, parent.id, [3, number])
    with pytest.raises(NotBalanced, match="twice"):
        ledger.carry(begun.id, parent.id, [3, 3])
    ledger.carry(begun.id, parent.id, [3])


def test_two_retries_of_one_run_do_not_overlap(ledger, parent, new_run):
    begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    with pytest.raises(UsageError, match=f"run {begun.id} is retrying run {parent.id}"):
        ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    begun.status = Status.FAILED
    ledger.finish(begun)
    assert ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id)).id == begun.id + 1


def test_a_retry_is_closed_although_its_run_was_pruned(ledger, parent, new_run, account):
    begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    ledger.carry(begun.id, parent.id, [1])
    assert ledger.prune(begun.started.replace(year=9999)) == [parent.id]
    begun.account, begun.status = account(1, updated=1), Status.SUCCEEDED
    ledger.finish(begun)
    assert ledger.run(begun.id).status is Status.SUCCEEDED


def test_ignored_rejects_count_and_are_not_told_of_until_they_are_reopened(ledger, parent, retry):
    before = codes(ledger, parent.id)
    first = retry([1, 2], {2: Outcome.INVALID}, updated=1)
    assert ledger.ignore(parent.id, [2, 5]) == 2
    assert ledger.ignore(parent.id, [5, 5]) == 0
    assert counts(ledger, parent.id) == counts(ledger, parent.id) | {"invalid": 3, "rejected": 1}
    assert [r.number for r in ledger.rejects(parent.id)] == [2, 3, 4, 5]
    assert [r.number for r in ledger.rejects(parent.id, in_states=[State.OPEN])] == [3, 4]
    assert {s.value: dict(n) for s, n in ledger.reject_states(parent.id).items()} == {
        "open": {"invalid": 2}, "fixed": {"invalid": 1}, "ignored": {"invalid": 1, "rejected": 1},
    }  # fmt: skip
    assert codes(ledger, parent.id) == {("TY02", "list_price"): (2, 3)}
    assert states(ledger, first.id) == {2: "ignored"}
    assert ledger.reopen(parent.id, [2, 3, 5]) == 2
    assert codes(ledger, parent.id) == before | {("TY02", "list_price"): (2, 3), ("TY12", "cost"): (1, 2)}


def test_all_rejects_with_a_code_are_ignored_at_once(ledger, parent):
    assert ledger.ignore_code(parent.id, "KY04") == 1
    assert ledger.ignore_code(parent.id, "KY04") == 0
    assert ledger.ignore_code(parent.id, "TY02") == 4
    assert ledger.reject_counts(parent.id) == []
    assert ledger.run(parent.id).status is Status.PARTIAL


def test_what_is_no_reject_or_fixed_cannot_be_marked_and_then_nothing_is(ledger, parent, retry):
    retry([1], updated=1)
    for verb in (ledger.ignore, ledger.reopen):
        with pytest.raises(UsageError, match="no reject 77"):
            verb(parent.id, [2, 77])
        with pytest.raises(UsageError, match="is fixed, by run 2"):
            verb(parent.id, [2, 1])
    assert states(ledger, parent.id)[2] == "open"
    with pytest.raises(HeadgateError, match="no run 99"):
        ledger.ignore(99, [1])


def test_ignoring_a_record_that_is_being_retried_does_not_disturb(ledger, parent, new_run, account, new_reject):
    begun = ledger.begin(new_run(kind=Kind.RETRY, parent_id=parent.id))
    ledger.carry(begun.id, parent.id, [1, 2])
    ledger.ignore(parent.id, [1, 2])
    ledger.record_rejects(begun.id, [new_reject(2)])
    begun.account, begun.status = account(2, updated=1, invalid=1), Status.PARTIAL
    ledger.finish(begun)
    assert (states(ledger, parent.id)[1], states(ledger, parent.id)[2]) == ("fixed", "ignored")


def test_a_retry_that_was_undone_is_taken_out_of_the_account_again(ledger, parent, retry, new_run, account):
    before = counts(ledger, parent.id), codes(ledger, parent.id)
    done = retry([1, 5], updated=1, created=1)
    undo = ledger.begin(new_run(kind=Kind.UNDO, parent_id=done.id))
    undo.account, undo.status = account(2, updated=1, deleted=1), Status.SUCCEEDED
    ledger.finish(undo)
    assert ledger.run(done.id).status is Status.UNDONE
    assert (counts(ledger, parent.id), codes(ledger, parent.id)) == before
    assert set(states(ledger, parent.id).values()) == {"open"}
    assert all(r.fixed_by is None for r in ledger.rejects(parent.id))
