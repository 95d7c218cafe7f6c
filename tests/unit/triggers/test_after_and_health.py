"""What other imports' runs start, and what of an import's runs is told."""

from __future__ import annotations

import pytest

from headgate.ledger.triggers import End
from headgate.model.triggers import AfterSpec
from headgate.triggers.after import after, on
from headgate.triggers.health import changes


def end(run, status="succeeded", read=100, **account):
    finished = "" if status == "running" else f"2026-03-01T12:00:{run:02}"
    return End(run, status, finished, {"read": read, **account})


def afters(spec, *steps):
    state, found = {}, []
    for ends in steps:
        state, why = after(spec, state, ends)
        found.append(why)
    return found


def test_a_run_that_succeeds_starts_what_comes_after_it_once():
    steps = [{}, {"a": [end(1)]}, {"a": [end(1)]}, {"a": [end(2), end(1)]}]
    assert afters(AfterSpec(imports=["a"]), *steps) == ["", "after run 1 of a", "", "after run 2 of a"]


def test_what_was_done_before_starts_nothing():
    assert afters(AfterSpec(imports=["a"]), {"a": [end(1)]}, {"a": [end(1)]}) == ["", ""]


@pytest.mark.parametrize("status", ["failed", "cancelled", "running", "queued", "partial", "undone"])
def test_what_did_not_succeed_starts_nothing(status):
    assert afters(AfterSpec(imports=["a"]), {}, {"a": [end(1, status)]}) == ["", ""]


def test_rejects_are_bearable_when_told():
    assert afters(AfterSpec(imports=["a"], partial=True), {}, {"a": [end(1, "partial")]})[1]


def test_any_or_all():
    steps = [{}, {"a": [end(1)]}, {"a": [end(1)], "b": [end(2)]}, {"a": [end(3)], "b": [end(2)]}]
    assert afters(AfterSpec(imports=["a", "b"]), *steps) == [
        "",
        "after run 1 of a",
        "after run 2 of b",
        "after run 3 of a",
    ]
    assert afters(AfterSpec(imports=["a", "b"], all=True), *steps) == ["", "", "after run 1 of a and run 2 of b", ""]


def test_another_definition_begins_anew():
    state, _ = after(AfterSpec(imports=["a"]), {}, {})
    state, why = after(AfterSpec(imports=["b"]), state, {"b": [end(4)]})
    assert why == ""
    assert after(AfterSpec(imports=["b"]), state, {"b": [end(5)]})[1] == "after run 5 of b"


def test_a_webhook_that_came_starts_once():
    state, why = on("catalog", {}, 3)
    assert why == ""
    state, why = on("catalog", state, 5)
    assert why == "the webhook catalog came"
    assert on("catalog", state, 5)[1] == ""


def told(*steps, over=0):
    """The events told at each step: runs newest first, or (runs, trouble)."""
    state, found = {}, []
    for step in steps:
        ends, trouble = step if isinstance(step, tuple) else (step, "")
        state, now = changes(state, ends, over, trouble)
        found.append([(c.event, c.end.run if c.end else None) for c in now])
    return found


def test_a_change_is_told_once():
    runs = [end(6), end(5), end(4, "failed"), end(3, "failed"), end(2), end(1)]
    steps = [runs[n:] for n in range(len(runs) - 1, -1, -1)]
    assert told([], *steps) == [[], [], [], [("failure", 3)], [], [("recovery", 5)], []]


def test_what_changed_while_nobody_looked_is_told_too():
    assert told([], [end(2), end(1, "failed")]) == [[], [("failure", 1), ("recovery", 2)]]


def test_what_was_before_the_first_look_is_not_told():
    assert told([end(1, "failed")], [end(1, "failed")], [end(2), end(1, "failed")]) == [[], [], [("recovery", 2)]]


def test_rejects_over_a_limit():
    few, many = end(1, "partial", invalid=1), end(2, "partial", invalid=1, rejected=1)
    assert told([], [few], [many, few], over=1) == [[], [], [("rejects", 2)]]
    assert told([], [few], [many, few], over="1%") == [[], [], [("rejects", 2)]]
    assert told([], [few], [many, few]) == [[], [("rejects", 1)], []]


def test_from_failed_to_too_many_rejects_and_well_again():
    steps = [[end(1, "failed")], [end(2, "partial", invalid=5)], [end(3)]]
    assert told([], *steps) == [[], [("failure", 1)], [("rejects", 2)], [("recovery", 3)]]


@pytest.mark.parametrize("status", ["running", "queued", "cancelled", "undone"])
def test_what_is_no_end_is_not_told(status):
    assert told([], [end(2, status), end(1)]) == [[], []]


def test_rejects_that_a_retry_has_mended():
    assert told([], [end(1, "partial", invalid=5)], [end(1)]) == [[], [("rejects", 1)], [("recovery", 1)]]


def test_what_cannot_be_run_at_all():
    steps = [([], "a mistake"), ([], "a mistake"), ([], "")]
    assert told([], *steps) == [[], [("failure", None)], [], [("recovery", None)]]
    assert told(([], "a mistake")) == [[("failure", None)]]
    assert told([end(1, "failed")], ([end(1, "failed")], "a mistake"), [end(1, "failed")]) == [[], [], []]
