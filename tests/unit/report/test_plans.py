"""A plan told in text and JSON."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from headgate.model.outcome import Account
from headgate.model.run import Kind, Status
from headgate.report import plan_json, plan_text


@pytest.fixture
def plan(run):
    run.kind, run.id = Kind.PLAN, 8
    return run


@pytest.fixture
def batch() -> pa.RecordBatch:
    money = pa.decimal128(12, 2)
    nan = float("nan")
    new = {
        "sku": pa.array(["A-1", "A-2", "A-3", "A-9"]),
        "name": pa.array(["Lamp", "Lamp [bold]", "Bell", None]),
        "price": pa.array([Decimal("1.50"), Decimal("2.00"), None, None], money),
        "since": pa.array([date(2026, 3, 1), None, date(2026, 3, 2), None]),
        "weight": pa.array([0.5, nan, 1.0, None]),
    }
    old = {
        "sku": pa.array([None, "A-2", "A-3", "A-9"]),
        "name": pa.array([None, "Lamp", "Bell", "Old lamp"]),
        "price": pa.array([None, Decimal("2.00"), Decimal("3.10"), Decimal("9.99")], money),
        "since": pa.array([None, None, None, date(2020, 1, 1)]),
        "weight": pa.array([None, nan, 1.0, None]),
    }
    actions = {
        "_n": pa.array([0, 1, 2, None], pa.int64()),
        "_action": pa.array(["created", "updated", "updated", "deleted"]),
    }
    return pa.record_batch(actions | new | {f"_old_{k}": v for k, v in old.items()})


def test_a_plan_shows_every_kind_of_change_field_by_field(plan, batch, counts, written):
    text = written(plan_text, plan, [batch], ["sku"], counts=counts, width=100)
    lines = [line.strip() for line in text.splitlines()]
    for expected in (
        "Plan 8  products  partial",
        "Nothing has been written.",
        "Would be created: 1",
        "sku A-1: name Lamp, price 1.50, since 2026-03-01, weight 0.5",
        "Would be updated: 2",
        "fields: name 1, price 1, since 1",
        "name  Lamp  ->  Lamp [bold]",
        "price  3.10       ->  (nothing)",
        "since  (nothing)  ->  2026-03-02",
        "Would be deleted: 1",
        "sku A-9: name Old lamp, price 9.99, since 2020-01-01",
        "Would change the schema",
        "TY02  2 of list_price",
    ):
        assert expected in lines
    assert "headgate run --plan 8" in text
    assert text.index("Would be created") < text.index("Would be updated") < text.index("Would be deleted")


def test_json_and_text_tell_the_same(plan, batch, counts):
    shown = plan_json(plan, [batch], ["sku"], counts)
    assert json.loads(json.dumps(shown)) == shown
    changes = shown["changes"]
    assert (changes["created"], changes["updated"], changes["deleted"]) == (1, 2, 1)
    assert changes["fields"] == {"name": 1, "price": 1, "since": 1}
    assert changes["samples"]["created"] == [
        {"key": {"sku": "A-1"}, "values": {"name": "Lamp", "price": "1.50", "since": "2026-03-01", "weight": 0.5}}
    ]
    assert changes["samples"]["updated"][1] == {
        "key": {"sku": "A-3"},
        "changes": [
            {"field": "price", "old": "3.10", "new": None},
            {"field": "since", "old": None, "new": "2026-03-02"},
        ],
    }
    assert changes["samples"]["deleted"][0]["values"]["name"] == "Old lamp"


def test_samples_are_limited_and_all_changes_counted(plan, batch, written):
    shown = plan_json(plan, iter([batch] * 50), ["sku"], samples=3)["changes"]
    assert shown["updated"] == 100
    assert shown["fields"]["name"] == 50
    assert {k: len(v) for k, v in shown["samples"].items()} == {"created": 3, "updated": 3, "deleted": 3}
    text = written(plan_text, plan, [batch] * 50, ["sku"], samples=1)
    assert "Would be updated: 100, 1 shown" in text
    assert text.count("sku A-1") == 1


def test_long_values_keep_to_the_width(plan, written):
    long = pa.array(["x " * 400])
    batch = pa.record_batch(
        {"_n": pa.array([1]), "_action": pa.array(["updated"]), "k": pa.array(["1"]), "t": long}
        | {"_old_k": pa.array(["1"]), "_old_t": pa.array(["漢" * 300])}
    )
    created = batch.set_column(1, "_action", pa.array(["created"]))
    from rich.cells import cell_len

    for line in written(plan_text, plan, [batch, created], ["k"]).splitlines():
        assert cell_len(line) <= 80


def test_not_a_number_and_bytes_are_json(plan):
    batch = pa.record_batch(
        {
            "_n": pa.array([1]),
            "_action": pa.array(["created"]),
            "f": pa.array([float("inf")]),
            "b": pa.array([b"\x00\xff"]),
            "_old_f": pa.array([None], pa.float64()),
            "_old_b": pa.array([None], pa.binary()),
        }
    )
    sample = plan_json(plan, [batch], [])["changes"]["samples"]["created"][0]
    assert sample == {"key": {}, "values": {"f": "inf", "b": "AP8="}}


def test_a_plan_without_changes_offers_nothing_to_run_but_itself(plan, written):
    plan.account, plan.status = Account(), Status.SUCCEEDED
    text = written(plan_text, plan, [], ["sku"])
    assert "Would be" not in text
    assert "0 read" in text
