"""A worker whose processes do not behave: it goes on, and says what became of the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.app import worker as workers
from headgate.app.project import Project, open_project
from headgate.app.requests import queue_of, request_run
from headgate.app.worker import Worker
from headgate.model.work import WorkStatus


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "shop"
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text("connections: { shop: sqlite:///shop.db }\n")
    (folder / "imports" / "items.yaml").write_text(
        "source: items.csv\nkey: id\ndestination: { connection: shop, table: item, create: true }\n"
    )
    (folder / "items.csv").write_text("id\n1\n")
    made = open_project(folder)
    yield made
    made.ledger.close()


@pytest.fixture
def work(project: Project) -> Iterator[Callable[[], list[str]]]:
    """Begins a worker; gives what it says."""
    begun: list[tuple[Worker, threading.Thread]] = []

    def begin() -> list[str]:
        said: list[str] = []
        made = Worker(project, 1, said.append)
        thread = threading.Thread(target=made.run, kwargs={"grace": 0.1})
        thread.start()
        begun.append((made, thread))
        return said

    yield begin
    for made, thread in begun:
        made.stop()
        thread.join(60)
        assert not thread.is_alive()


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def status(project: Project, number: int) -> WorkStatus:
    found = queue_of(project).work(number)
    assert found is not None
    return found.status


def test_a_process_that_prints_a_lot_is_not_held_up(
    project: Project, work: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PROGRAM", "print('x' * 1_000_000)")
    number = request_run(project, "items", cause="test")
    work()
    until(lambda: status(project, number) is WorkStatus.DONE)


def test_what_a_process_said_is_the_runs_error(
    project: Project, work: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PROGRAM", "import sys; print('the disk is full'); sys.exit(1)")
    number = request_run(project, "items", cause="test")
    said = work()
    until(lambda: status(project, number) is WorkStatus.DONE)
    assert "the disk is full" in project.ledger.run(number).error
    assert any("the disk is full" in line for line in said)


def test_a_process_that_does_not_end_when_it_is_told_to_is_killed(
    project: Project, work: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); open('up', 'w').close(); time.sleep(600)"
    monkeypatch.setattr(workers, "PROGRAM", program)
    monkeypatch.setattr(workers, "_ENDING", 0.2)
    number = request_run(project, "items", cause="test")
    said = work()
    until((project.folder / "up").exists)
    queue_of(project).cancel(number)
    until(lambda: status(project, number) is WorkStatus.DONE)
    assert any("was ended by signal 9" in line for line in said)


def test_a_worker_that_can_start_no_process_says_so_and_tries_again(
    project: Project, work: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = workers.sys.executable
    monkeypatch.setattr(workers.sys, "executable", "/nowhere/python")
    monkeypatch.setattr(workers, "_AGAIN_AFTER", 0.1)
    number = request_run(project, "items", cause="test")
    said = work()
    until(lambda: any("no process can be started" in line for line in said))
    monkeypatch.setattr(workers.sys, "executable", program)
    until(lambda: status(project, number) is WorkStatus.DONE)
    assert project.ledger.run(number).account.read == 1
