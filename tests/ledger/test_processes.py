"""Several processes and threads at one ledger, and processes that die."""

from __future__ import annotations

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headgate.ledger import open_ledger
from headgate.model.run import Status
from support.processes import program


def test_two_processes_begin_at_once_in_a_ledger_that_is_not_there_yet(place):
    text = """
with open_ledger(sys.argv[1]) as ledger:
    for _ in range(20):
        run = ledger.begin(new_run())
        ledger.record_rejects(run.id, new_rejects(20))
        print(run.id)
"""
    both = [program(text, place) for _ in range(2)]
    outputs = [p.communicate(timeout=60)[0].split() for p in both]
    assert sorted(int(n) for o in outputs for n in o) == list(range(1, 41)), outputs
    with open_ledger(place) as ledger:
        assert len(ledger.runs(100)) == 40
        assert all(len(list(ledger.rejects(n))) == 20 for n in range(1, 41))


def test_threads_take_turns(place, new_run, new_reject):
    with open_ledger(place) as ledger:

        def work(_: int) -> int:
            run = ledger.begin(new_run())
            ledger.record_rejects(run.id, [new_reject(n) for n in range(10)])
            return len(list(ledger.rejects(run.id)))

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(40))) == [10] * 40
        assert {r.id for r in ledger.runs(100)} == set(range(1, 41))


def test_the_run_of_a_process_that_was_killed_is_recovered_and_others_are_left(place, new_run):
    text = """
ledger = open_ledger(sys.argv[1])
run = ledger.begin(new_run())
ledger.record_rejects(run.id, new_rejects(5))
print("begun", flush=True)
sys.stdin.readline() if len(sys.argv) < 3 else os.kill(os.getpid(), 9)
"""
    with open_ledger(place) as ledger:
        mine = ledger.begin(new_run())
        killed = program(text, place, "die")
        assert killed.communicate(timeout=60)[0] == "begun\n"
        assert [r.id for r in ledger.recover()] == [2]
        lost = ledger.run(2)
        assert (lost.status, lost.error) == (Status.FAILED, "the process ended without finishing the run")
        assert lost.finished is not None
        assert len(list(ledger.rejects(2))) == 5
        assert ledger.run(mine.id).status is Status.RUNNING
        assert ledger.recover() == []


def test_a_later_process_with_the_same_number_does_not_keep_a_run_alive(ledger, new_run):
    if not Path("/proc/self/stat").exists():
        pytest.skip("the start of a process is known from /proc only")
    run = ledger.begin(new_run())
    with ledger._store.transaction() as session:
        session.query("update headgate_run set born = born || '1' where pid = ?", [os.getpid()])
    assert [r.id for r in ledger.recover()] == [run.id]


def test_a_process_of_another_machine_with_the_same_name_is_left_alone(ledger, new_run):
    run = ledger.begin(new_run())
    with ledger._store.transaction() as session:
        other = f"{platform.node()} 0123456789ab"
        session.query("update headgate_run set born = born || '1', host = ? where pid = ?", [other, os.getpid()])
    assert ledger.recover() == []
    assert ledger.run(run.id).status is Status.RUNNING


def test_rejects_and_the_end_of_a_run_from_two_sides_leave_it_in_balance(place, ledger, new_run, new_reject, account):
    """Whichever comes first: rejects that come after the end are refused, and the end counts those that came before."""
    for _ in range(20):
        run = ledger.begin(new_run())
        ledger.record_rejects(run.id, [new_reject(1)])
        run.status, run.account = Status.PARTIAL, account(1, invalid=1)
        with open_ledger(place) as other, ThreadPoolExecutor(2) as pool:
            added = pool.submit(other.record_rejects, run.id, [new_reject(2)])
            ended = pool.submit(ledger.finish, run)
            failures = [f.exception() for f in (added, ended)]
        assert len([f for f in failures if f is None]) == 1, failures
        stored = len(list(ledger.rejects(run.id)))
        assert (stored, ledger.run(run.id).status) == ((1, Status.PARTIAL) if failures[0] else (2, Status.RUNNING))


def test_all_who_ask_at_once_hear_one_name_of_the_ledger(place):
    text = "print(open_ledger(sys.argv[1]).identity())"
    asked = [program(text, place) for _ in range(4)]
    assert len({p.communicate(timeout=60)[0] for p in asked}) == 1
