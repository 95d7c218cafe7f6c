"""Requests whose answers may be asked for again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headgate.ledger import Ledger
from headgate.ledger.answers import Answers

OUTCOMES = [
    {"outcome": "created", "key": {"id": 1}},
    {"outcome": "invalid", "problems": [{"code": "TY01", "reason": "é"}]},
]


@pytest.fixture
def answers(ledger: Ledger) -> Answers:
    return Answers(ledger)


def test_a_request_is_entered_once(answers: Answers) -> None:
    assert answers.enter("orders", "k", "f1", 7) is None
    there = answers.enter("orders", "k", "f2", 8)
    assert there is not None
    assert (there.fingerprint, there.run, there.outcomes) == ("f1", 7, None)
    assert answers.enter("products", "k", "f2", 8) is None, "another import's key is another key"


def test_an_answer_is_kept_as_it_was(answers: Answers) -> None:
    answers.enter("orders", "k", "f1", 7)
    answers.answered("orders", {"k": OUTCOMES, "unknown": []})
    answers.answered("orders", {"k": []})  # a later one does not replace it
    there = answers.find("orders", "k")
    assert there is not None
    assert there.outcomes == OUTCOMES
    assert answers.find("orders", "unknown") is None


def test_what_was_left_is_taken_over_by_one(answers: Answers) -> None:
    answers.enter("orders", "k", "f1", 7)
    there = answers.find("orders", "k")
    assert there is not None
    assert answers.take_over(there, 8)
    assert not answers.take_over(there, 9)
    answers.answered("orders", {"k": OUTCOMES})
    again = answers.find("orders", "k")
    assert again is not None
    assert not answers.take_over(again, 9), "it is answered"


def test_what_failed_can_be_tried_again_and_what_was_answered_stays(answers: Answers) -> None:
    for key in ("failed", "done"):
        answers.enter("orders", key, "f", 7)
    answers.answered("orders", {"done": OUTCOMES})
    answers.enter("orders", "another's", "f", 8)
    answers.forget("orders", ["failed", "done", "another's"], 7)
    assert answers.find("orders", "another's") is not None
    assert answers.find("orders", "failed") is None
    assert answers.find("orders", "done") is not None


def test_records_outlive_the_process_until_they_are_answered(answers: Answers) -> None:
    answers.enter("orders", "without", "f", 7)
    answers.enter("orders", "a", "f", 7, '[{"id":1}]')
    answers.enter("orders", "b", "f", 7)
    answers.keep_body("orders", "b", "[2]")
    assert [(one.key, one.body) for one in answers.unanswered()] == [("a", '[{"id":1}]'), ("b", "[2]")]
    answers.answered("orders", {"a": OUTCOMES})
    assert [one.key for one in answers.unanswered()] == ["b"]


def test_old_answers_are_forgotten_and_open_requests_are_not(answers: Answers) -> None:
    answers.enter("orders", "open", "f", 7)
    answers.enter("orders", "done", "f", 7)
    answers.answered("orders", {"done": OUTCOMES})
    answers.prune(datetime.now(UTC) - timedelta(hours=1))
    assert answers.find("orders", "done") is not None
    answers.prune(datetime.now(UTC) + timedelta(hours=1))
    assert answers.find("orders", "done") is None
    assert answers.find("orders", "open") is not None
