"""At every named point, and at random instants: a run is killed, run again, and all is as if nothing had happened.

HEADGATE_TEST_RANDOM=1 kills at other instants. `python3 go.py crash --kills 5000` kills more.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.crashing import FILES, KINDS, Case, Crasher, Zygote, cases, connected, points
from support.mariadb import MariaServer

RANDOM_KILLS = 2
# Every case on the embedded destination; on others those whose commits differ.
CHOSEN = [
    *cases("sqlite"),
    *(Case(k, o, c) for k in ("duckdb", "postgres", "mysql") for o, c in (("upsert", "run"), ("append", "batch"))),
    *(Case(k, "mirror", verb="undo") for k in ("duckdb", "postgres", "mysql")),
    Case("postgres", "delete"),
    Case("postgres", "upsert", "batch"),
]
FEW = {"stage.before", "stage.after", "apply.after", "acknowledge.after"}  # which differ little from their neighbours


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    process = Zygote()
    yield process
    process.close()


@pytest.fixture
def postgres_url(pg_db: str) -> str:
    return pg_db


@pytest.fixture
def mysql_url(maria: MariaServer, maria_db: str) -> str:
    return maria_db


@pytest.fixture
def url(request: pytest.FixtureRequest, case: Case) -> str:
    return "" if case.kind in FILES else str(request.getfixturevalue(f"{case.kind}_url"))


def chosen_points(case: Case) -> list[str]:
    return [p for p in points(case) if (case.kind == "sqlite" and case.verb == "run") or p not in FEW]


def kills(case: Case) -> int:
    """How often a case is killed here."""
    return len(chosen_points(case)) + RANDOM_KILLS


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_nothing_is_lost_and_nothing_is_doubled(case: Case, url: str, tmp_path: Path, zygote: Zygote) -> None:
    crasher = Crasher(case, tmp_path, url, zygote)
    for i, point in enumerate(chosen_points(case)):
        crasher.kill(at=point, undo=i % 4 == 0)
    at_points = crasher.tally.hit
    chance = random.Random(str(case) + (str(time.time()) if "HEADGATE_TEST_RANDOM" in os.environ else ""))
    for _ in range(RANDOM_KILLS):
        crasher.kill(after=chance.uniform(0, crasher.seconds * 1.05))
    assert crasher.tally.wrong == []
    assert crasher.tally.kills == kills(case)
    assert at_points == len(chosen_points(case)), "a point was not gone by"


def test_there_are_enough_kills() -> None:
    assert sum(kills(case) for case in CHOSEN) >= 200
    assert {c.kind for c in CHOSEN} == set(KINDS)
    assert {c.operation for c in CHOSEN} == {"insert", "update", "upsert", "delete", "mirror", "append"}


def test_a_kill_that_loses_something_is_noticed(tmp_path: Path, zygote: Zygote) -> None:
    """The comparison can fail: what is tampered with between the runs is told."""
    crasher = Crasher(Case("sqlite", "append"), tmp_path, "", zygote)
    crasher.kill(at="commit.after")
    assert crasher.tally.wrong == []
    with connected("sqlite", crasher.place.url) as execute:
        execute("delete from item where id = 1")
    crasher._compare("tampered")
    assert "rows lost" in crasher.tally.wrong[0]


def test_a_run_that_begins_anew_instead_of_going_on_is_noticed(tmp_path: Path, zygote: Zygote) -> None:
    crasher = Crasher(Case("sqlite", "upsert", "batch"), tmp_path, "", zygote)
    crasher.kill(at="commit.after")
    assert crasher.left_open
    assert crasher.tally.wrong == []
    zygote.run(tmp_path, "run", "items", "--quiet")
    crasher._compare("run once more")
    assert "under its number" in crasher.tally.wrong[0]
