"""What is told, to whom, and again until it is heard; on every store. The time is given."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from headgate.app.project import open_project
from headgate.ledger.triggers import Triggers
from headgate.model.errors import ConnectionFailed
from headgate.model.run import Status
from headgate.triggers.notices import AGAIN, Watchman, key_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Hearer:
    """Hears, or is away."""

    def __init__(self):
        self.heard, self.away = [], False

    def __call__(self, notice, target, mail, base):
        if self.away:
            raise ConnectionFailed("it is away")
        self.heard.append((notice.event, target.webhook.url, notice.id, notice.body))


@pytest.fixture
def hearer():
    return Hearer()


@pytest.fixture
def project(place, tmp_path, monkeypatch):
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.setenv("LEDGER", place)
    (folder / "headgate.yaml").write_text(
        "ledger: ${env:LEDGER}\nurl: https://gate.example.com/\nnotify:\n  to:\n  - webhook: https://one.example.com/${env:PATH_KEY}\n"
        "  - webhook: https://two.example.com/\n  rejects_over: 50%\n"
    )
    opened = open_project(folder)
    yield opened
    opened.ledger.close()


@pytest.fixture
def watchman(project, hearer):
    return Watchman(project, Triggers(project.ledger.store()), hearer)


@pytest.fixture
def targets(project):
    return {key_of(t): t for t in project.settings.notify.to}


@pytest.fixture
def run(project, new_run, account, new_reject):
    def make(status, read=0, rejects=0, error=""):
        made = project.ledger.begin(new_run())
        project.ledger.record_rejects(made.id, [new_reject(n) for n in range(rejects)])
        made.status, made.error = status, error
        made.account = account(read, invalid=rejects, created=read - rejects)
        project.ledger.finish(made)

    return make


def test_a_failure_is_told_once_to_each_and_then_that_it_is_well_again(project, watchman, hearer, targets, run):
    notify = project.settings.notify
    watchman.notice("products", notify, "", NOW)
    for _ in range(2):
        run(Status.FAILED, error="the secret value 12,5O was refused")
        watchman.notice("products", notify, "", NOW)
    run(Status.SUCCEEDED, read=3)
    watchman.notice("products", notify, "", NOW)
    watchman.deliver(targets, NOW)
    assert sorted((e, u) for e, u, *_ in hearer.heard) == [
        (event, url)
        for event in ("failure", "recovery")
        for url in ("https://one.example.com/${env:PATH_KEY}", "https://two.example.com/")
    ]
    body = hearer.heard[0][3]
    assert (body["type"], body["data"]["run"], body["data"]["url"]) == (
        "import.failed",
        1,
        "https://gate.example.com/runs/1",
    )
    assert watchman.deliver(targets, NOW + timedelta(days=1)) == []


def test_nothing_of_the_records_is_told(project, watchman, hearer, targets, run):
    notify = project.settings.notify
    watchman.notice("products", notify, "", NOW)
    run(Status.PARTIAL, read=3, rejects=2)
    watchman.notice("products", notify, "", NOW)
    watchman.deliver(targets, NOW)
    body = hearer.heard[0][3]
    assert body["data"]["rejects"] == [{"code": "TY02", "field": "list_price", "records": 2}]
    assert (body["data"]["account"]["read"], body["data"]["account"]["invalid"]) == (3, 2)
    assert "12,5O" not in json.dumps(body)


def test_rejects_within_the_limit_are_not_told(project, watchman, run):
    watchman.notice("products", project.settings.notify, "", NOW)
    run(Status.PARTIAL, read=4, rejects=2)
    assert watchman.notice("products", project.settings.notify, "", NOW) == []


def test_what_is_not_heard_is_told_again_later_and_given_up_in_the_end(project, watchman, hearer, targets, run):
    watchman.notice("products", project.settings.notify, "", NOW)
    run(Status.FAILED)
    watchman.notice("products", project.settings.notify, "", NOW)
    hearer.away, at, seen = True, NOW, set()
    for wait in AGAIN:
        watchman.deliver(targets, at)
        seen |= {n.id for n in watchman._triggers.notices()}
        assert watchman._triggers.due(at + wait - timedelta(seconds=1)) == []
        at += wait
    assert len(seen) == 2
    assert {(n.state, n.attempts, n.error) for n in watchman._triggers.notices()} == {
        ("waiting", len(AGAIN), "it is away")
    }
    watchman.deliver(targets, at)
    assert {n.state for n in watchman._triggers.notices()} == {"failed"}


def test_it_is_heard_when_somebody_is_there_again(project, watchman, hearer, targets, run):
    watchman.notice("products", project.settings.notify, "", NOW)
    run(Status.FAILED)
    watchman.notice("products", project.settings.notify, "", NOW)
    hearer.away = True
    watchman.deliver(targets, NOW)
    hearer.away = False
    watchman.deliver(targets, NOW + AGAIN[0])
    assert len(hearer.heard) == 2


def test_whoever_is_named_no_more_is_not_told(project, watchman, hearer, targets, run):
    watchman.notice("products", project.settings.notify, "", NOW)
    run(Status.FAILED)
    watchman.notice("products", project.settings.notify, "", NOW)
    watchman.deliver(dict(list(targets.items())[1:]), NOW)
    assert [u for _, u, *_ in hearer.heard] == ["https://two.example.com/"]
    assert sorted(n.state for n in watchman._triggers.notices()) == ["failed", "sent"]
