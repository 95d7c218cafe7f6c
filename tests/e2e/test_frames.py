"""Frames of pandas and polars, and values of numpy, as records."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import headgate
from support.shop import Ask

INTO = {
    "operation": "append",
    "destination": {"connection": "sqlite:///shop.db", "table": "item", "create": True},
}
pytestmark = pytest.mark.usefixtures("folder")


def _columns(rows: Ask) -> list[Any]:
    return [tuple(r) for r in rows("select name, type from pragma_table_info('item')")]


@pytest.mark.parametrize("of", [pl.Categorical, pl.Enum(["new", "used"])], ids=["categorical", "enum"])
def test_categories_of_polars_are_texts(rows: Ask, of: Any) -> None:
    frame = pl.DataFrame({"id": [1, 2, 3], "state": pl.Series(["new", None, "used"], dtype=of)})
    assert headgate.Import(INTO).run(frame).counts == {"created": 3}
    assert rows("select * from item") == [(1, "new"), (2, None), (3, "used")]


def test_views_in_a_dictionary_are_taken_out_of_it(rows: Ask) -> None:
    def column(value: object, of: pa.DataType) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array([0, None]), pa.array([value], of))

    table = pa.table({"t": column("a", pa.string_view()), "b": column(b"\xff", pa.binary_view())})
    assert headgate.Import(INTO).run(table).counts == {"created": 2}
    assert rows("select * from item") == [("a", b"\xff"), (None, None)]


def test_a_decimal_of_a_negative_scale_has_its_zeros(rows: Ask) -> None:
    table = pa.table({"n": pa.array([Decimal("12E+3")], pa.decimal128(5, -2))})
    assert headgate.Import(INTO).run(table).counts == {"created": 1}
    assert rows("select * from item") == [(12000,)]


@pytest.mark.parametrize("last", [3, 7], ids=["a range", "no range"])
def test_an_index_with_a_name_is_a_column(rows: Ask, last: int) -> None:
    frame = pd.DataFrame({"id": [1, 2, last], "name": ["a", "b", "c"]}).set_index("id")
    assert headgate.Import(INTO).run(frame).counts == {"created": 3}
    assert rows("select id, name from item") == [(1, "a"), (2, "b"), (last, "c")]


def test_an_index_without_a_name_is_none(rows: Ask) -> None:
    frame = pd.DataFrame({"id": [1, 2, 4], "name": ["a", "b", "c"]})
    assert headgate.Import(INTO).run(frame[frame.id != 2]).counts == {"created": 2}
    assert [name for name, _ in _columns(rows)] == ["id", "name"]


def test_several_levels_of_an_index_count_by_their_names(rows: Ask) -> None:
    frame = pd.concat({"x": pd.DataFrame({"n": [1]}, index=pd.Index([5], name="id"))})
    assert headgate.Import(INTO).run(frame).counts == {"created": 1}
    assert [name for name, _ in _columns(rows)] == ["id", "n"]
    assert rows("select id, n from item") == [(5, 1)]


def test_an_index_that_is_a_column_too_is_there_once(rows: Ask) -> None:
    frame = pd.DataFrame({"id": [4, 9], "n": [1, 2]}).set_index("id", drop=False)
    assert headgate.Import(INTO).run(frame).counts == {"created": 2}
    assert rows("select * from item") == [(4, 1), (9, 2)]


def test_types_of_pandas_come_as_they_are(rows: Ask) -> None:
    frame = pd.DataFrame({
        "kind": pd.Categorical(["a", None]), "n": pd.array([2**53 + 1, None], "Int64"), "u": pd.array([2**64 - 1, None], "UInt64"),
        "ok": pd.array([True, None], "boolean"), "f": [1.5, float("nan")],
        "at": pd.to_datetime(["2024-07-01 10:00", None]).tz_localize("Europe/Paris"),
        "month": pd.array(["2024-01", None], "period[M]"), "l": [[1, 2], None], "st": [{"a": 1}, None],
    })  # fmt: skip
    assert headgate.Import(INTO).run(frame).counts == {"created": 2}
    assert rows("select kind, n, cast(u as text), ok, f, at, month, l, st from item") == [
        (
            "a", 2**53 + 1, str(2**64 - 1), 1, 1.5, "2024-07-01 08:00:00+00:00", "2024-01", "[1,2]", '{"a":1}',
        ),
        (None,) * 9,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pd.DataFrame({"n": [1, "a"]}), "Conversion failed for column n"),
        (pd.DataFrame({"n": [1 + 2j]}), "column n"),
        (pd.DataFrame({"n": pd.arrays.SparseArray([0, 1])}), "column n"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns of one name: a"),
        (pd.Series([1], name="n"), "one column"),
        (pl.Series("n", [{"a": 1}, None]), "one column"),
        (pl.DataFrame({"n": pl.Series([2**100], dtype=pl.Int128)}), "cannot be read as Arrow"),
        (pl.LazyFrame({"n": [1]}), "not LazyFrame"),
    ],
)
def test_what_cannot_be_read_is_said(given: object, said: str) -> None:
    with pytest.raises(headgate.HeadgateError, match=said) as found:
        headgate.Import(INTO).run(given)
    assert found.value.hint


def test_a_stream_that_breaks_off_keeps_nothing(rows: Ask) -> None:
    def batches() -> Any:
        yield pa.record_batch({"id": [1]})
        raise OSError("the line is dead")

    headgate.Import(INTO).run([{"id": 0}])
    reader = pa.RecordBatchReader.from_batches(pa.schema([("id", pa.int64())]), batches())
    with pytest.raises(headgate.HeadgateError, match="broke off.*the line is dead"):
        headgate.Import(INTO).run(reader)
    assert rows("select * from item") == [(0,)]


def test_what_a_generator_raises_comes_through_and_nothing_is_kept(rows: Ask) -> None:
    def records() -> Any:
        for n in range(70_000):
            yield {"id": n}
        raise LookupError("no more")

    headgate.Import(INTO).run([{"id": 0}])
    with pytest.raises(LookupError, match="no more"):
        headgate.Import(INTO).run(records())
    assert rows("select * from item") == [(0,)]


def test_values_of_numpy_and_pandas_in_dicts_are_what_they_stand_for(rows: Ask) -> None:
    record = {
        "i": np.int64(5), "f": np.float64(1.5), "f4": np.float32(0.1), "b": np.bool_(True), "d": np.datetime64("2024-01-02"),
        "s": np.str_("007"), "l": np.array([1, 2]), "m": [np.int64(1), np.datetime64("2024-01-02")], "t": pd.Timestamp("2024-01-02 03:04"),
    }  # fmt: skip
    nothing = {name: pd.NaT if name in ("t", "i") else pd.NA for name in record} | {"d": np.datetime64("NaT")}
    fields = {name: {"type": "double"} if name in ("f", "f4") else {} for name in record}
    assert headgate.Import({**INTO, "fields": fields}).run([record, nothing]).counts == {"created": 2}
    assert rows("select * from item") == [
        (5, 1.5, 0.1, 1, "2024-01-02", "007", "[1,2]", '[1,"2024-01-02"]', "2024-01-02 03:04:00"),
        (None,) * 9,
    ]


def test_nanoseconds_are_not_cut_off() -> None:
    given = [{"at": pd.Timestamp("2024-01-02 03:04:05.123456789")}]
    fields = {"at": {"type": "timestamp"}}
    done = headgate.Import({**INTO, "fields": fields}).run(given)
    assert done.counts == {"invalid": 1}
    assert next(done.rejects())["problems"][0]["code"] == "TY12"  # type: ignore[index]


def test_bytes_stay_bytes_and_no_number_is_no_text(rows: Ask) -> None:
    records = [
        {"b": b"\x12\x34", "f": 1.5, "d": date(2024, 1, 2)},
        {"b": bytearray(b"\x56"), "f": 2.0},
        {"b": b"", "f": float("nan")},
    ]
    done = headgate.Import(INTO).run(records)
    assert done.counts == {"created": 2, "invalid": 1}
    assert rows("select * from item") == [(b"\x12\x34", 1.5, "2024-01-02"), (b"\x56", 2.0, None)]
    assert next(done.rejects())["problems"][0]["code"] == "TY03"  # type: ignore[index]


ORDERS = pl.DataFrame({
    "id": [1, 2], "to": [{"city": {"name": "Ulm"}}, {"city": {"name": "Lyon"}}],
    "lines": [[{"sku": "a", "q": 1}], [{"sku": "b", "q": 2}, {"sku": "c", "q": 3}]],
})  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [ORDERS, ORDERS.to_arrow(), ORDERS.to_dicts(), ORDERS.to_pandas()],
    ids=["polars", "arrow", "dicts", "pandas"],
)
def test_nested_records_are_looked_into_and_taken_apart(rows: Ask, given: object) -> None:
    fields = {"id": {}, "city": {"from": "to.city.name"}, "first": {"from": "lines[0].sku"}}
    assert headgate.Import({**INTO, "fields": fields}).run(given).counts == {"created": 2}
    assert rows("select id, city, first from item") == [(1, "Ulm", "a"), (2, "Lyon", "b")]
    lines = {"id": {}, "sku": {"from": "lines.sku"}, "q": {"from": "lines.q", "type": "integer"}}
    into = {**INTO, "destination": {**INTO["destination"], "table": "line"}, "fields": lines}  # type: ignore[dict-item]
    assert headgate.Import({**into, "source": {"path": "-", "explode": "lines"}}).run(given).counts == {"created": 3}
    assert rows("select id, sku, q from line") == [(1, "a", 1), (2, "b", 2), (2, "c", 3)]


def test_rows_of_a_program_are_grouped(rows: Ask) -> None:
    group = {"by": ["no"], "as": "lines", "take": ["sku"]}
    given = [{"no": 1, "sku": "a"}, {"no": 1, "sku": "b"}, {"no": 2, "sku": "c"}]
    done = headgate.Import({**INTO, "source": {"path": "-", "group": group}}).run(given)
    assert done.counts == {"created": 2}
    assert rows("select no, lines from item") == [(1, '[{"sku":"a"},{"sku":"b"}]'), (2, '[{"sku":"c"}]')]
