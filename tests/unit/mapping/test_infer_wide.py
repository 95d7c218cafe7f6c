"""The types of a file's columns do not depend on how many other columns it has."""

from __future__ import annotations

import pyarrow as pa

from headgate.mapping import Inference
from headgate.model.record import Batch

SAMPLES = {
    "bigint": "12",
    "boolean": "true",
    "date": "2024-02-29",
    "text": "a b",
    "decimal(18,2)": "1.50",
    "time": "09:30:00",
}


def test_every_column_of_a_wide_file_has_its_own_type() -> None:
    kinds = [kind for _ in range(40) for kind in SAMPLES]
    names = [f"c{i}" for i in range(len(kinds))]
    batch = pa.RecordBatch.from_pydict(
        {n: pa.array([SAMPLES[k], None], pa.string()) for n, k in zip(names, kinds, strict=True)}
    )
    inference = Inference(batch.schema)
    try:
        inference.add(Batch(batch, range(2)))
        assert {n: str(t) for n, t in inference.types().items()} == dict(zip(names, kinds, strict=True))
    finally:
        inference.close()
