"""Runs that send records to an API, killed at any instant: the next one makes of it what an undisturbed one would have."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.engine.crash import POINTS
from support.crashing import Zygote
from support.rest_crashing import BARE, BATCHED, GONE, KEYED, LISTED, LISTED_BATCHED, PLAIN, THERE, Case, Killer

CASES = [
    Case("upsert", PLAIN, "upsert"),
    Case("upsert batched", BATCHED, "upsert"),
    Case("insert", PLAIN, "insert"),
    Case("insert batched", BATCHED, "insert"),
    Case("update", PLAIN, "update"),
    Case("delete", PLAIN, "delete"),
    Case("delete batched", BATCHED, "delete"),
    Case("mirror", LISTED, "mirror", there=(*THERE, *GONE)),
    Case("mirror batched", LISTED_BATCHED, "mirror", there=(*THERE, *GONE)),
    Case("mirror that marks", LISTED, "mirror", there=(*THERE, *GONE), settings={"delete": {"set": {"left": True}}}),
    Case(
        "mirror that marks batched",
        LISTED_BATCHED,
        "mirror",
        there=(*THERE, *GONE),
        settings={"delete": {"set": {"left": True}}},
    ),
    Case("append with keys", KEYED, "append", there=()),
    Case("append", BARE, "append", there=(), sure=False),
    Case("plan of upsert", PLAIN, "upsert", verb="plan"),
    Case("plan of mirror", LISTED, "mirror", there=(*THERE, *GONE), verb="plan"),
    Case("undo of mirror", LISTED, "mirror", there=(*THERE, *GONE), verb="undo"),
    Case("undo of upsert", PLAIN, "upsert", verb="undo"),
    Case("undo of delete", BATCHED, "delete", verb="undo"),
]
UNDOABLE = ("upsert", "insert", "update", "delete", "mirror")


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_killed_at_any_instant(case: Case, tmp_path: Path, zygote: Zygote) -> None:
    killer = Killer(case, tmp_path / "here", zygote)
    chance = random.Random(str(case))
    undo = case.verb == "run" and case.operation in UNDOABLE
    middle = chance.randint(1, killer.writes)
    killer.kill(f"as write {middle} came", before=middle, undo=undo)
    killer.kill(f"as write {middle} was done", after=middle, undo=undo)
    for point in ("apply.after", chance.choice(POINTS)):
        killer.kill(f"at {point}", crash=point, undo=undo)
    seconds = chance.uniform(0.05, 0.5)
    killer.kill(f"after {seconds:.3f} s", kill_after=seconds, delay=0.03, undo=undo)
    assert not killer.wrong, "\n".join(killer.wrong)
    assert killer.hit
