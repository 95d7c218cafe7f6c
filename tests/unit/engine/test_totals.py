"""Control totals say exactly what a field's values come to, whatever their type and however many there are."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headgate.engine.totals import Totals
from headgate.model.errors import DefinitionError, LimitExceeded
from headgate.model.guards import TotalSpec
from headgate.model.outcome import Account, Outcome
from headgate.model.spec import ImportSpec
from headgate.model.types import FieldType
from headgate.model.write import WriteField

ACCOUNT = Account()


def totals(type: str, batches: list[list[Any]], **expected: Any) -> Totals:
    field = FieldType.parse(type)
    made = Totals({"v": TotalSpec.model_validate(expected)}, [WriteField("v", field)])
    for batch in batches:
        made.add(pa.RecordBatch.from_pydict({"v": pa.array(batch, field.arrow)}))
    return made


def holds(made: Totals) -> bool:
    try:
        made.check(ACCOUNT, "nothing was kept")
    except LimitExceeded:
        return False
    finally:
        made.close()
    return True


D = Decimal
DAY = dt.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("type", "values", "expected", "wrong"),
    [
        ("bigint", [2**63 - 1, 2**63 - 1, None], {"sum": 2**64 - 2}, {"sum": 2**64 - 1}),
        ("decimal(38,2)", [D("9" * 36 + ".99")] * 2, {"sum": "1" + "9" * 36 + ".98"}, {"sum": "1" + "9" * 36 + ".97"}),
        ("decimal(10,2)", [D("1.10"), D("2.20")], {"sum": "3.3"}, {"sum": "3.31"}),
        ("double", [0.1] * 10, {"sum": "1.00"}, {"sum": "1.01"}),
        ("double", [0.1] * 10, {"sum": ["0.9", "1.1"]}, {"sum": ["1.1", "1.2"]}),
        ("double", [1.0, math.nan], {"count": 2}, {"sum": 1}),
        ("double", [1e308, 1.0], {"max": "1e308", "min": 1}, {"sum": "1.00"}),
        ("integer", [3, None, -4], {"min": -4, "max": 3, "count": 2, "distinct": 2}, {"min": 0}),
        ("date", [DAY], {"min": "2024-02-29", "max": ["2024-01-01", "2024-12-31"]}, {"max": "2024-02-28"}),
        ("time", [dt.time(9, 30)], {"min": "09:30:00"}, {"min": "09:30:01"}),
        ("timestamp", [dt.datetime.fromisoformat("2024-01-01T09:00")], {"max": "2024-01-01T09:00:00"}, {"max": "2024-01-01T09:00:01"}),
        ("timestamptz", [dt.datetime(2024, 1, 1, 9, tzinfo=dt.UTC)], {"max": "2024-01-01T10:00:00+01:00"},
         {"max": "2024-01-01T10:00:00"}),
        ("text", ["b", "a", "b", ""], {"min": "", "max": "b", "distinct": 3, "count": 4}, {"distinct": 4}),
        ("boolean", [True, True, None], {"distinct": 1, "count": 2}, {"distinct": 2}),
        ("text", [None], {"count": 0, "distinct": 0}, {"min": "a"}),
        ("integer", [], {"sum": 0}, {"max": 0}),
    ],
)  # fmt: skip
def test_each_total_is_what_it_is(
    type: str, values: list[Any], expected: dict[str, Any], wrong: dict[str, Any]
) -> None:
    assert holds(totals(type, [values], **expected))
    assert not holds(totals(type, [values], **wrong))


@given(st.lists(st.lists(st.decimals(-(10**20), 10**20, places=3), max_size=5), max_size=4))
def test_batches_come_to_what_their_values_come_to(batches: list[list[Decimal]]) -> None:
    every = [v for b in batches for v in b]
    expected = {
        "sum": f"{sum(int(v.scaleb(3)) for v in every)}e-3",
        "count": len(every),
        "distinct": len(set(every)),
    }
    if every:
        expected |= {"min": str(min(every)), "max": str(max(every))}
    assert holds(totals("decimal(30,3)", batches, **expected))
    expected["sum"] = f"{int(expected['sum'][:-3]) + 1}e-3"
    assert not holds(totals("decimal(30,3)", batches, **expected))


def test_what_is_wrong_is_said_with_what_is_not_in_it() -> None:
    account = Account()
    account.add(Outcome.INVALID, 2)
    account.add(Outcome.SKIPPED, 3, reason="filter")
    made = totals("decimal(10,2)", [[D("1.50")]], sum="1.60")
    with pytest.raises(
        LimitExceeded, match=r"the sum of v is 1\.50, and expect\.fields\.v\.sum is 1\.60; nothing"
    ) as e:
        made.check(account, "nothing was kept")
    assert "2 refused and 3 filtered records are not in it" in (e.value.hint or "")


@pytest.mark.parametrize(
    ("type", "expected", "said"),
    [
        ("text", {"sum": 1}, "has no sum"),
        ("boolean", {"min": 1}, "has no min"),
        ("json", {"max": "a"}, "has no max"),
        ("integer", {"sum": "many"}, "'many' is no integer"),
        ("date", {"min": "31/12/2024"}, "'31/12/2024' is no date"),
        ("integer", {"sum": [3, 2]}, "the least is more than the most"),
    ],
)
def test_what_cannot_be_expected_is_said(type: str, expected: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        totals(type, [], **expected)


def test_a_field_that_is_not_written_has_no_totals() -> None:
    with pytest.raises(DefinitionError, match="'x' is not among the fields"):
        Totals({"x": TotalSpec(count=1)}, [])


@pytest.mark.parametrize("bad", [{}, {"count": "x"}, {"sum": 1.5}, {"count": [1]}, {"mean": 3}])
def test_what_is_no_total_is_said(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TotalSpec.model_validate(bad)


def test_a_definition_names_its_fields() -> None:
    base = {"source": "a.csv", "key": "id", "destination": {"connection": "a", "table": "b"}, "fields": {"id": "id"}}
    ImportSpec.model_validate(base | {"expect": {"fields": {"id": {"count": 1}}}})
    with pytest.raises(ValidationError, match="'amount', which is not among the fields"):
        ImportSpec.model_validate(base | {"expect": {"fields": {"amount": {"count": 1}}}})
    with pytest.raises(ValidationError, match="commit: batch cannot be"):
        ImportSpec.model_validate(base | {"commit": "batch", "expect": {"fields": {"id": {"count": 1}}}})
