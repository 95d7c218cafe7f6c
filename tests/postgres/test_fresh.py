"""Tables that a run makes are filled directly and get their key afterwards."""

from __future__ import annotations

import random
import string
from dataclasses import replace

import pytest

from headgate.model.errors import DestinationError

from .conftest import Database, batch, spec

GIVEN = spec("t", "upsert", "id", create=True, id="bigint", v="text")


def numbered(count: int) -> list[int]:
    """Numbers with gaps, over two partitions."""
    return [n + n // 7 + (1 << 40 if n > count // 2 else 0) for n in range(count)]


@pytest.mark.parametrize(("duplicates", "stays"), [("last", "third"), ("first", "first"), ("reject", "first")])
def test_of_records_with_one_key_the_rule_says_which_stays(db: Database, duplicates: str, stays: str) -> None:
    count = 3000
    numbers = numbered(count)
    records: list[tuple[int, str]] = [(n, "v" * (n % 50)) for n in range(count)]
    repeated = {10: "first", 1200: "second", 2999: "third"}
    for at, words in repeated.items():
        records[at] = (10, words)
    matched = db.write(replace(GIVEN, duplicates=duplicates), *records, numbers=numbers)
    losers = sorted(numbers[at] for at, words in repeated.items() if words != stays)
    assert [r.number for r in matched.refusals] == losers
    account = matched.account.as_dict()
    assert account["created"] == count - 2
    assert account["invalid" if duplicates == "reject" else "skipped"] == 2
    assert {r.code for r in matched.refusals} == {"KY02" if duplicates == "reject" else "duplicate"}
    assert db.sql("select v from t where id = 10") == [(stays,)]
    assert db.destination().inspect("t").key == ("id",)  # type: ignore[union-attr]


@pytest.mark.parametrize("duplicates", ("last", "first", "reject"))
def test_keys_that_are_too_long_are_refused_and_the_others_land(db: Database, duplicates: str) -> None:
    by_text = spec("t", "upsert", "id", create=True, id="text", v="bigint")
    chosen = random.Random(1)
    long = ["".join(chosen.choices(string.ascii_letters, k=n)) for n in (5_000, 20_000)]
    keys = ["a", long[0], "x" * 9_000, long[1], long[0], "b", "a"]  # what can be compressed is no longer too long
    writer = db.writer(replace(by_text, duplicates=duplicates))
    writer.write(batch(by_text, [(k, n) for n, k in enumerate(keys)], [10 * n for n in range(len(keys))]))
    matched = writer.match()
    changes = [(row["_n"], row["id"]) for b in writer.changes() for row in b.to_pylist()]
    matched = writer.apply()
    writer.commit()
    matched.account.check("the run")
    first = duplicates != "last"
    assert {r.number for r in matched.refusals if r.code == "DE05"} == {10 if first else 40, 30}
    assert {r.number for r in matched.refusals if r.code != "DE05"} == ({40, 60} if first else {0, 10})
    kept = [0, 2, 5] if first else [2, 5, 6]
    assert changes == [(10 * n, keys[n]) for n in kept]
    assert db.sql("select id, v from t order by v") == [(keys[n], n) for n in kept]
    assert db.destination().inspect("t").key == ("id",)  # type: ignore[union-attr]


def test_the_order_of_rows_is_the_order_of_records_for_wide_ones_too(db: Database) -> None:
    records = [(n if n % 500 else 0, chr(97 + n % 26) * (n * 37 % 2600)) for n in range(4000)]
    writer = db.writer(GIVEN)
    for start in range(0, 4000, 300):
        part = records[start : start + 300]
        writer.write(batch(GIVEN, part, [2 * (start + i) for i in range(len(part))]))
    matched = writer.match()
    assert [r.number for r in matched.refusals] == [2 * n for n in range(0, 3500, 500)]
    changes = [row for b in writer.changes() for row in b.to_pylist()]
    writer.abort()
    kept = [n for n in range(4000) if n % 500 or n == 3500]
    assert [(c["_n"], c["id"], c["v"]) for c in changes] == [(2 * n, *records[n]) for n in kept]
    assert {c["_action"] for c in changes} == {"created"}
    assert {c["_old_v"] for c in changes} == {None}


def test_nothing_is_there_before_commit_nor_after_abort(db: Database) -> None:
    writer = db.writer(GIVEN)
    writer.write(batch(GIVEN, [(1, "a")]))
    writer.match()
    writer.apply()
    assert db.sql("select to_regclass('t')") == [(None,)]
    writer.abort()
    writer.abort()
    assert db.sql("select to_regclass('t')") == [(None,)]


def test_abort_in_the_middle_of_a_load_returns_at_once(db: Database) -> None:
    writer = db.writer(GIVEN)
    for start in range(0, 200_000, 20_000):
        writer.write(batch(GIVEN, [(n, "x" * 100) for n in range(start, start + 20_000)]))
    writer.abort()
    assert db.sql("select to_regclass('t')") == [(None,)]


def test_batches_after_the_first_commit_go_by_the_stage(db: Database) -> None:
    given = replace(GIVEN, batched=True)
    writer = db.writer(given)
    outcomes = []
    for records in ([(1, "a"), (2, "b")], [(2, "c"), (3, "d")], [(1, "a")]):
        writer.write(batch(given, records))
        writer.match()
        outcomes.append(writer.apply().account.as_dict())
        writer.commit()
    writer.abort()
    assert [(o["created"], o["updated"], o["unchanged"]) for o in outcomes] == [(2, 0, 0), (1, 1, 0), (0, 0, 1)]
    assert db.sql("select id, v from t order by id") == [(1, "a"), (2, "c"), (3, "d")]


def test_a_table_somebody_made_in_the_meantime_is_left_alone(db: Database) -> None:
    db.sql("create table t (id bigint)")
    with pytest.raises(DestinationError, match="already exists"):
        db.writer(GIVEN)


def test_names_that_postgresql_would_cut_are_refused(db: Database) -> None:
    long = "ü" * 32
    with pytest.raises(DestinationError, match="too long for PostgreSQL"):
        db.writer(spec("t", "append", create=True, **{long: "text"}))


def test_columns_only_updates_write_stay_empty(db: Database) -> None:
    fields = (*GIVEN.fields, replace(GIVEN.fields[1], name="changed_by", when="updated"))
    db.write(replace(GIVEN, fields=fields), (1, "a", "me"))
    assert db.sql("select * from t") == [(1, "a", None)]
