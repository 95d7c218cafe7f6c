"""What is usual is the median of the last runs, and only when there are enough of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.engine.anomaly import check_usual, unusual
from headgate.model.errors import LimitExceeded
from headgate.model.guards import AnomalySpec
from headgate.model.outcome import Account, Outcome
from headgate.model.spec import ImportSpec


def account(read: int, **outcomes: int) -> Account:
    a = Account()
    a.read = read
    for name, count in outcomes.items():
        a.add(Outcome(name), count)
    return a


BEFORE = [account(n) for n in (100, 1, 102, 98, 10_000)]


@pytest.mark.parametrize(
    ("read", "distance", "said"),
    [
        (150, "50%", False), (151, "50%", True), (50, "50%", False), (49, "50%", True),
        (110, 10, False), (111, 10, True), (100, 0, False), (99, 0, True), (400, "300%", False), (401, "300%", True),
    ],
)  # fmt: skip
def test_as_far_as_it_says_is_borne_on_both_sides(read: int, distance: int | str, said: bool) -> None:
    assert bool(unusual(AnomalySpec(read=distance), account(read), BEFORE)) is said


def test_the_median_of_an_even_number_is_between_two() -> None:
    before = [account(n) for n in (1, 10, 11, 50)]
    (words,) = unusual(AnomalySpec(read=0), account(10), before)
    assert words == "read is 10, and the median of the last 4 runs is 10.5 (anomaly.read: 0)"


def test_two_runs_say_nothing() -> None:
    assert unusual(AnomalySpec(read=0), account(1), BEFORE[:2]) == []
    assert unusual(AnomalySpec(read=0), account(1), BEFORE[:3])


@pytest.mark.parametrize("name", ["created", "updated", "unchanged"])
def test_each_outcome_has_a_measure(name: str) -> None:
    before = [account(10, **{name: 5})] * 3
    assert unusual(AnomalySpec.model_validate({name: 1}), account(10, **{name: 7}), before)
    assert not unusual(AnomalySpec.model_validate({name: 1}), account(10, **{name: 6}), before)


def test_what_mirror_deletes_is_deleted_and_every_reject_counts() -> None:
    gone = account(0, deleted=1)
    gone.mirror_deleted = 4
    assert unusual(AnomalySpec(deleted=4), gone, [account(0)] * 3)
    assert not unusual(AnomalySpec(deleted=5), gone, [account(0)] * 3)
    refused = account(3, invalid=1, rejected=1, held=1)
    assert unusual(AnomalySpec(rejects=2), refused, [account(0)] * 3)
    assert not unusual(AnomalySpec(rejects=3), refused, [account(0)] * 3)


def test_stop_stops_and_warn_warns() -> None:
    assert check_usual(AnomalySpec(read=0), account(7), BEFORE, "nothing was kept")[0].startswith("unusual: read is 7,")
    with pytest.raises(LimitExceeded, match="this run is unusual: read is 7, .*; nothing was kept"):
        check_usual(AnomalySpec(read=0, then="stop"), account(7), BEFORE, "nothing was kept")


@pytest.mark.parametrize(
    "bad",
    [{}, {"then": "stop"}, {"read": -1}, {"read": "-5%"}, {"read": "x%"}, {"read": 1, "runs": 2}, {"read": "nan%"}],
)
def test_what_is_no_anomaly_is_said(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnomalySpec.model_validate(bad)


def test_stopping_needs_one_commit() -> None:
    base = {"source": "a.csv", "key": "id", "destination": {"connection": "a", "table": "b"}, "commit": "batch"}
    ImportSpec.model_validate(base | {"anomaly": {"read": "50%"}})
    with pytest.raises(ValidationError, match=r"anomaly\.then: warn only"):
        ImportSpec.model_validate(base | {"anomaly": {"read": "50%", "then": "stop"}})
