"""Rejects: stored in bulk, read back in order as they were, counted by code and field."""

from __future__ import annotations

from itertools import islice

import pytest

from headgate.ledger import open_ledger
from headgate.model.errors import HeadgateError, NotBalanced
from headgate.model.outcome import Outcome
from headgate.model.record import Origin, Problem, Reject, record_number
from headgate.model.run import Status


@pytest.fixture
def run_id(ledger, new_run):
    return ledger.begin(new_run()).id


def test_a_reject_comes_back_as_it_was(ledger, run_id):
    wanted = [
        Reject(
            record_number(3, 17),
            Outcome.INVALID,
            (
                Problem("TY02", '"12,5O" is not a decimal(12,2)', "list_price", "ListPrice", "12,5O"),
                Problem("RU01", "a required value is missing", "sku", "ProductNumber"),
            ),
            {"b": "00501", "a": "", "": None, "ä\n": 'x"\\\0'},
            Origin("inbox/ä.csv", "", 4, 9),
        ),
        Reject(record_number(5, 0), Outcome.HELD, (Problem("HE01", "changed since"),), {}, Origin()),
    ]
    assert ledger.record_rejects(run_id, iter(wanted)) == 2
    got = list(ledger.rejects(run_id))
    assert got == wanted
    assert list(got[0].raw) == ["b", "a", "", "ä\n"]


def test_half_a_character_pair_is_kept_as_an_escape(ledger, run_id):
    ledger.record_rejects(run_id, [Reject(1, Outcome.INVALID, (Problem("RD04", "not text"),), {"a": "x\udc80"})])
    assert next(ledger.rejects(run_id)).raw == {"a": "x\\udc80"}


def test_rejects_come_in_order_of_number_whatever_order_they_were_found_in(ledger, run_id, new_reject):
    ledger.record_rejects(run_id, [new_reject(n) for n in (5, 1)])
    ledger.record_rejects(run_id, [new_reject(n, Outcome.REJECTED) for n in (record_number(1, 0), 3)])
    assert [r.number for r in ledger.rejects(run_id)] == [1, 3, 5, record_number(1, 0)]


def test_limit_offset_and_outcomes_choose(ledger, run_id, new_reject):
    skips = [new_reject(n, Outcome.SKIPPED, "duplicate", "") for n in range(2600, 2604)]
    ledger.record_rejects(run_id, [new_reject(n) for n in range(2500)] + skips)

    def numbers(**choice):
        return [r.number for r in ledger.rejects(run_id, **choice)]

    assert numbers() == list(range(2500))
    assert numbers(limit=1200, offset=7) == list(range(7, 1207))
    assert numbers(limit=0) == []
    assert numbers(offset=2499, limit=5) == [2499]
    assert numbers(offset=9999) == []
    assert numbers(outcomes=[Outcome.SKIPPED]) == [2600, 2601, 2602, 2603]
    assert numbers(outcomes=[]) == []


def test_a_reader_that_stops_half_way_leaves_nothing_locked(ledger, run_id, new_reject):
    ledger.record_rejects(run_id, [new_reject(n) for n in range(3000)])
    reading = ledger.rejects(run_id)
    assert len(list(islice(reading, 1500))) == 1500
    ledger.record_rejects(run_id, [new_reject(9000)])
    assert [r.number for r in reading][-1] == 9000


def test_a_record_refused_twice_is_a_fault_of_ours_and_stores_nothing(ledger, run_id, new_reject):
    ledger.record_rejects(run_id, [new_reject(1)])
    with pytest.raises(NotBalanced, match="refused twice"):
        ledger.record_rejects(run_id, [new_reject(2), new_reject(1)])
    assert [r.number for r in ledger.rejects(run_id)] == [1]
    assert [c.records for c in ledger.reject_counts(run_id)] == [1]


def test_a_closed_run_takes_no_more(ledger, new_run, new_reject, account):
    run = ledger.begin(new_run())
    run.status = Status.CANCELLED
    ledger.finish(run)
    with pytest.raises(HeadgateError, match="already closed"):
        ledger.record_rejects(run.id, [new_reject(1)])


def test_runs_do_not_see_each_others_rejects(ledger, new_run, new_reject):
    first, second = ledger.begin(new_run()).id, ledger.begin(new_run()).id
    ledger.record_rejects(first, [new_reject(1)])
    ledger.record_rejects(second, [new_reject(1), new_reject(2)])
    assert len(list(ledger.rejects(first))) == 1
    assert [c.records for c in ledger.reject_counts(second)] == [2]


def test_counts_are_by_code_and_field_with_the_first_record_as_example(ledger, run_id, new_reject):
    ledger.record_rejects(run_id, [new_reject(8), new_reject(4, code="RU01", field="sku"), new_reject(9)])
    ledger.record_rejects(run_id, [new_reject(5), new_reject(6, Outcome.SKIPPED, "duplicate", "")])
    assert [(c.code, c.field, c.records, c.example.number) for c in ledger.reject_counts(run_id)] == [
        ("TY02", "list_price", 3, 5),
        ("RU01", "sku", 1, 4),
    ]
    assert ledger.reject_counts(run_id)[0].example == new_reject(5)


def test_a_record_with_one_problem_twice_counts_once(ledger, run_id):
    problem = Problem("RU02", "breaks the check", "price")
    ledger.record_rejects(run_id, [Reject(1, Outcome.INVALID, (problem, problem), {})])
    assert [c.records for c in ledger.reject_counts(run_id)] == [1]


def test_recording_stores_piece_by_piece_while_it_reads(place, ledger, run_id, new_reject):
    def watched():
        for number in range(25_000):
            yield new_reject(number)
        with open_ledger(place) as other:
            seen.append(other.reject_counts(run_id)[0].records)

    seen: list[int] = []
    assert ledger.record_rejects(run_id, watched()) == 25_000
    assert 0 < seen[0] < 25_000
