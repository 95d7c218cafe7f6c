"""What is known of the records that an import refused, for imports that refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice

import pyarrow as pa

from headgate.mapping import compile_program
from headgate.model.record import Batch, Reject
from headgate.model.text import text_array
from headgate.model.write import NUMBER, Operation

from .prepare import Prepared

_PIECE = 10_000
_FREE = {"required": False, "check": None, "unique": False, "blank": None, "when": "always"}


def refused_values(
    prepared: Prepared, columns: Sequence[str], rejects: Iterable[Reject]
) -> Iterator[tuple[tuple[str, ...], Reject]]:
    """The values that refused records would have had in these columns, as text; records of which one is not known are left out.

    The definition maps them again from their raw values, without the rules that would refuse the record for another reason.
    """
    fields = {c: prepared.fields[c].model_copy(update=_FREE) for c in columns if c in prepared.fields}
    if len(fields) < len(columns):
        return
    free: dict[str, object] = {
        "fields": fields,
        "key": [],
        "operation": Operation.APPEND,
        "filter": None,
        "delete_when": None,
    }
    spec = prepared.spec.model_copy(update=free)
    schema = pa.schema([(name, pa.string()) for name in prepared.first.schema.names])
    types = {c: prepared.types[c] for c in columns}
    made = compile_program(spec, fields, types, schema, prepared.lookups, prepared.started, prepared.absent)
    remaining = iter(rejects)
    with closing(made) as program:
        while piece := list(islice(remaining, _PIECE)):
            raw = [pa.array([r.raw.get(name) for r in piece], pa.string()) for name in schema.names]
            batch = Batch(pa.RecordBatch.from_arrays(raw, schema=schema), range(len(piece)))
            accepted = program.map(batch, 0).accepted
            values = zip(*(text_array(accepted.column(c)).to_pylist() for c in columns), strict=True)
            for number, known in zip(accepted.column(NUMBER).to_pylist(), values, strict=True):
                if None not in known:
                    yield known, piece[number]


def absent_table(known: Sequence[tuple[tuple[str, ...], str]], width: int) -> pa.Table:
    """Values and why they are not there, as `headgate.mapping.compile_program` takes them: records that refer to them wait."""
    columns = [pa.array([values[k] for values, _ in known], pa.string()) for k in range(width)]
    waits = pa.array([True] * len(known), pa.bool_())
    whys = pa.array([why for _, why in known], pa.string())
    return pa.table([*columns, waits, whys], [*(f"c{k}" for k in range(width)), "waits", "why"])
