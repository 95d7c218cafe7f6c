"""Work that waits: taken once, in its order, given up by whom is gone, stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from headgate.ledger import Ledger, open_ledger
from headgate.ledger.process import Process, this_process
from headgate.ledger.queue import ATTEMPTS, Queue
from headgate.model.errors import UsageError
from headgate.model.run import Kind, Run, Status
from headgate.model.work import Work, WorkKind, WorkStatus
from support.processes import program

AWAY = Process("elsewhere 0123456789ab", 4711, "boot 1")


@pytest.fixture
def queue(ledger: Ledger) -> Queue:
    return Queue(ledger.store())


@pytest.fixture
def add(queue: Queue, new_run):
    def one(name: str = "products", kind: WorkKind = WorkKind.RUN, **more: object) -> int:
        run: Run = new_run(name, Kind.PLAN if kind is WorkKind.PLAN else Kind.RUN)
        return queue.add(Work(kind, name, "request by shop", **more), run)  # type: ignore[arg-type]

    return one


def silent(ledger: Ledger, work_id: int) -> None:
    """Let the worker have given its last sign long ago."""
    with ledger.store().transaction() as session:
        session.query("update headgate_work set heartbeat = '2026-01-01T00:00:00' where id = ?", [work_id])


def test_work_has_the_number_of_a_queued_run_at_once(ledger, queue, add, new_run):
    assert ledger.begin(new_run("other")).id == 1
    assert add(parameters={"from_start": True}) == 2
    run, work = ledger.run(2), queue.work(2)
    assert (run.status, run.import_name, run.kind) == (Status.QUEUED, "products", Kind.RUN)
    assert (work.id, work.run_id, work.status, work.cause) == (2, 2, WorkStatus.QUEUED, "request by shop")
    assert work.parameters == {"from_start": True}
    assert ledger.begin(new_run("other")).id == 3
    assert ledger.recover() == []  # nobody is at it, so nobody can be gone


def test_begin_turns_the_queued_run_into_the_running_one(ledger, queue, add, new_run):
    add()
    ledger.fulfil(1)
    run = ledger.begin(new_run(lease="products -> shop"))
    assert (run.id, ledger.run(1).status, ledger.run(1).lease) == (1, Status.RUNNING, "products -> shop")
    assert ledger.begin(new_run("other")).id == 2  # only the next one is the work's


def test_a_number_that_was_used_is_not_used_again(ledger, queue, add, new_run):
    add()
    ledger.fulfil(1)
    run = ledger.begin(new_run())
    run.status = Status.FAILED
    ledger.finish(run)
    ledger.fulfil(1)
    assert ledger.begin(new_run()).id == 2
    assert queue.work(1).run_id == 2
    assert queue.work(2).id == 1
    assert ledger.run(1).status is Status.FAILED


def test_a_run_that_was_left_half_way_goes_on_and_the_number_given_out_says_so(ledger, queue, add, new_run):
    left = ledger.begin(new_run(checkpoint="{}"))
    left.status = Status.FAILED
    ledger.finish(left)
    add()
    ledger.fulfil(2)
    assert ledger.begin(new_run(checkpoint="{}"), resume=True).id == 1
    assert (ledger.run(2).status, ledger.run(2).error) == (
        Status.CANCELLED,
        "run 1, which was left half-way, goes on instead",
    )
    assert queue.work(2).run_id == 1


def test_the_oldest_is_taken_first_and_only_once(queue, add):
    numbers = [add(name) for name in "abc"]
    assert [queue.claim().id for _ in numbers] == numbers
    assert queue.claim() is None


def test_of_one_import_only_one_piece_of_work_is_done_and_others_go_by(ledger, queue, add):
    first, second, other, plan = add(), add(), add("other"), add(kind=WorkKind.PLAN)
    assert [queue.claim().id for _ in range(3)] == [first, other, plan]
    assert queue.claim() is None
    queue.finish(first)
    assert queue.claim().id == second


def test_work_waits_for_a_run_that_was_begun_by_hand(ledger, queue, add, new_run):
    run = ledger.begin(new_run(lease="products -> shop"))
    number = add()
    assert queue.claim() is None
    run.status = Status.FAILED
    ledger.finish(run)
    assert queue.claim().id == number


def test_work_waits_for_its_time(queue, add):
    add(not_before=datetime.now(UTC) + timedelta(hours=1))
    assert queue.claim() is None
    number = add(not_before=datetime.now(UTC) - timedelta(hours=1))
    assert queue.claim().id == number


def test_work_that_is_handed_back_is_taken_again_and_counts_no_attempt(queue, add):
    number = add()
    for _ in range(ATTEMPTS + 1):
        assert queue.claim().attempts == 1
        queue.hand_back(number)
    queue.claim()
    queue.hand_back(number, delay=3600)
    assert queue.claim() is None


def test_work_that_kills_its_process_is_given_up(ledger, queue, add):
    number = add()
    for attempt in range(1, ATTEMPTS + 1):
        assert queue.claim().attempts == attempt
        queue.hand_back(number, counts=True)
    assert (queue.claim(), queue.work(number).status) == (None, WorkStatus.DONE)
    assert ledger.run(number).status is Status.FAILED


def test_work_that_came_to_nothing_closes_its_run(ledger, queue, add):
    number = add()
    queue.claim()
    queue.finish(number, "the definition is wrong")
    assert (ledger.run(number).status, ledger.run(number).error) == (Status.FAILED, "the definition is wrong")


def test_what_a_process_had_that_is_gone_is_taken_back_at_once(place, ledger, queue, add, new_run):
    number = add()
    text = """
from headgate.ledger.queue import Queue
ledger = open_ledger(sys.argv[1])
work = Queue(ledger.store()).claim()
ledger.fulfil(work.id)
ledger.begin(Run("products", Kind.RUN, "upsert", "shop", "f1", datetime.now(UTC), lease="products -> shop"))
print(work.id, flush=True)
os.kill(os.getpid(), 9)
"""
    assert program(text, place).communicate(timeout=60)[0].split() == [str(number)]
    assert [w.id for w in queue.recover_stale()] == [number]
    assert (ledger.run(number).status, ledger.run(number).in_doubt) == (Status.FAILED, True)
    assert queue.claim().attempts == 2
    assert queue.recover_stale() == []  # this one is alive


def test_what_a_worker_of_another_machine_has_is_left_until_it_is_silent(ledger, queue, add):
    away = Queue(ledger.store(), AWAY)
    number = add()
    assert away.claim().id == number
    assert queue.recover_stale() == []
    silent(ledger, number)
    assert [w.id for w in queue.recover_stale()] == [number]
    assert queue.claim().id == number
    # It was only asleep: what it says does not count any more.
    assert away.heartbeat() == {}
    away.finish(number)
    away.hand_back(number)
    assert (queue.work(number).status, list(queue.heartbeat())) == (WorkStatus.CLAIMED, [number])


def test_a_sign_in_time_keeps_the_work(ledger, queue, add):
    away = Queue(ledger.store(), AWAY)
    number = add()
    away.claim()
    silent(ledger, number)
    assert away.heartbeat() == {number: False}
    assert queue.recover_stale() == []


def test_work_that_was_lost_too_often_is_given_up(ledger, queue, add):
    away = Queue(ledger.store(), AWAY)
    number = add()
    for _ in range(ATTEMPTS):
        away.claim()
        silent(ledger, number)
        queue.recover_stale()
    assert (away.claim(), ledger.run(number).status) == (None, Status.FAILED)


def test_waiting_work_is_cancelled_at_once(ledger, queue, add):
    number = add()
    queue.cancel(number)
    assert (queue.claim(), ledger.run(number).status) == (None, Status.CANCELLED)
    with pytest.raises(UsageError, match=f"run {number} is over"):
        queue.cancel(number)


def test_work_that_is_done_by_a_worker_is_cancelled_by_it(ledger, queue, add):
    number = add()
    queue.claim()
    queue.cancel(number)
    assert queue.heartbeat() == {number: True}
    queue.finish(number)
    assert ledger.run(number).status is Status.CANCELLED


def test_cancelled_work_is_not_handed_back(ledger, queue, add):
    number = add()
    queue.claim()
    queue.cancel(number)
    queue.hand_back(number)
    assert (queue.work(number).status, ledger.run(number).status) == (WorkStatus.DONE, Status.CANCELLED)


def test_what_was_begun_by_hand_is_stopped_by_hand(ledger, queue, new_run):
    ledger.begin(new_run())
    with pytest.raises(UsageError, match="run 1 was begun by hand"):
        queue.cancel(1)


def test_progress_is_seen_by_others(place, queue, add):
    number = add()
    queue.claim()
    queue.progress(number, {"phase": "reading", "read": 1000})
    with open_ledger(place) as other:
        assert Queue(other.store()).work(number).progress == {"phase": "reading", "read": 1000}


def test_lists_what_is_not_done(queue, add):
    first, second = add("a"), add("b")
    add("c")
    queue.claim()
    queue.finish(first)
    assert [w.id for w in queue.list()] == [second, second + 1]
    assert [w.id for w in queue.list("b")] == [second]
    assert set(queue.works([first, second])) == {first, second}


def test_many_workers_double_nothing(place, ledger, queue, add):
    numbers = [add(f"import{n % 7}") for n in range(60)]

    def worker(number: int) -> list[int]:
        taken = []
        me = Process("elsewhere 0123456789ab", number, "boot 1")
        with open_ledger(place) as mine:
            own = Queue(mine.store(), me)
            while own.list():
                if work := own.claim():
                    taken.append(work.id)
                    own.finish(work.id)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [n for part in pool.map(worker, range(4)) for n in part]
    assert sorted(taken) == numbers


def test_pruned_runs_take_their_work_along(ledger, queue, add):
    number = add()
    queue.claim()
    queue.finish(number)
    assert ledger.prune(datetime.now(UTC) + timedelta(days=1)) == [number]
    assert queue.work(number) is None


def test_the_worker_is_this_process_by_default(queue, add):
    add()
    assert queue.claim().worker == this_process().machine
