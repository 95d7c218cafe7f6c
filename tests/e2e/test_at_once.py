"""Processes at once, begun at random offsets: of one import one goes on; of two imports into one table both end right."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.shop import Define, Headgate, Said, Shop, Start, counts, finish
from support.trouble import unsound

ROUNDS = 3
RECORDS = 1_500
COLUMNS = "id integer primary key, name text, qty integer"
# Of one and of the other import: the same half of the keys, and a half of its own.
FIRST = [(n, f"first {n}", n) for n in range(RECORDS)]
SECOND = [(n, f"second {n}", n) for n in range(RECORDS // 2, RECORDS + RECORDS // 2)]


def csv(rows: list[tuple[int, str, int]]) -> str:
    return "id,name,qty\n" + "".join(f"{n},{name},{qty}\n" for n, name, qty in rows)


def merged(*given: list[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
    """What upserts one after the other leave."""
    return sorted({row[0]: row for rows in given for row in rows}.values())


def offsets(round_: int, name: str) -> random.Random:
    return random.Random(f"{name} {round_}" + (str(time.time()) if "HEADGATE_TEST_RANDOM" in os.environ else ""))


def at_once(start: Start, chance: random.Random, *imports: str) -> list[Said]:
    """A run of each, begun up to a quarter of a second after the one before it."""
    begun = []
    for name in imports:
        begun.append(start("run", name, "--json"))
        time.sleep(chance.uniform(0, 0.25))
    return [finish(p) for p in begun]


@pytest.fixture
def second(folder: Path, define: Define) -> Any:
    """Defines another import, `others`, into the same table."""

    def write(**definition: Any) -> None:
        (folder / "others.csv").write_text(csv(SECOND))
        given = yaml.safe_load((folder / "imports" / "items.yaml").read_text()) | {"source": "others.csv"} | definition
        (folder / "imports" / "others.yaml").write_text(yaml.safe_dump(given))

    return write


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_one_import_at_once_with_itself_is_done_once(
    round_: int, shop: Shop, define: Define, start: Start, headgate: Headgate, tmp_path: Path
) -> None:
    """The first command of a project, too: they make the ledger together."""
    shop.table("item", COLUMNS.replace(" primary key", ""))
    define(shop, csv(FIRST), operation="append", key=None)
    said = at_once(start, offsets(round_, shop.kind), "items", "items", "items")
    assert any(s.code == 0 for s in said)
    for one in said:
        assert one.code == 0 or "at this import already" in one.json["error"]["message"]
    assert sorted(shop.read("item")) == FIRST
    accounts = [counts(r) for r in headgate("runs", "--json").json if r["status"] == "succeeded"]
    assert sorted(accounts, key=len) == [{}] * (len(accounts) - 1) + [{"created": RECORDS}]
    assert unsound(tmp_path / "state") == []


@pytest.mark.parametrize("commit", ["run", "batch"])
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_two_imports_into_one_table_at_once(
    round_: int, commit: str, shop: Shop, define: Define, second: Any, start: Start, headgate: Headgate, tmp_path: Path
) -> None:
    shop.table("item", COLUMNS)
    define(shop, csv(FIRST), commit=commit)
    second()
    said = at_once(
        start, offsets(round_, shop.kind + commit), *(("items", "others") if round_ % 2 else ("others", "items"))
    )
    assert [s.code for s in said] == [0, 0], said
    created = sum(counts(s.json).get("created", 0) for s in said)
    assert created == len(merged(FIRST, SECOND))
    assert sorted(shop.read("item")) in (merged(FIRST, SECOND), merged(SECOND, FIRST)), "as if one after the other"
    assert unsound(tmp_path / "state") == []
    for number in (2, 1):  # newest first, each of them as far as the other has not written over it
        assert headgate("undo", number).code in (0, 3)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_two_imports_that_make_one_table_at_once(
    round_: int, shop: Shop, define: Define, second: Any, start: Start, headgate: Headgate, tmp_path: Path
) -> None:
    """One makes it; the other comes after that, or is refused and comes again."""
    target = {"connection": "shop", "table": "item", "create": True}
    define(shop, csv(FIRST), destination=target)
    second()
    said = at_once(start, offsets(round_, f"{shop.kind} makes"), "items", "others")
    codes = [s.code for s in said]
    assert codes.count(0) >= 1
    for name, one in zip(("items", "others"), said, strict=True):
        if one.code:
            error = one.json["error"]
            assert (one.code, error["kind"], bool(error["hint"])) == (1, "DestinationError", True), error
            assert headgate("run", name).code == 0
    assert sorted(shop.read("item")) in (merged(FIRST, SECOND), merged(SECOND, FIRST))
    assert unsound(tmp_path / "state") == []
