"""Types of columns that nobody declares, where numbers were written and where they were not."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headgate.mapping import Inference
from headgate.model.record import Batch


def inferred(values: list[str | None], *, written: bool) -> str:
    records = pa.record_batch({"a": pa.array(values, pa.string())})
    inference = Inference(records.schema, written=written)
    try:
        inference.add(Batch(records, range(len(values))))
        return str(inference.types()["a"])
    finally:
        inference.close()


@pytest.mark.parametrize(
    ("values", "written", "held"),
    [
        (["12.50", "3.25", None], "decimal(18,2)", "decimal(18,2)"),
        (["12.5", "133.34", "0"], "text", "decimal(18,2)"),
        (["12.5", "00501"], "text", "text"),
        (["1", "2"], "bigint", "bigint"),
        (["1", "A-1"], "text", "text"),
        (["2024-01-31", "2024-02-01"], "date", "date"),
        ([None, None], "text", "text"),
    ],
)
def test_numbers_of_a_workbook_have_no_written_form(values: list[str | None], written: str, held: str) -> None:
    assert inferred(values, written=True) == written
    assert inferred(values, written=False) == held
